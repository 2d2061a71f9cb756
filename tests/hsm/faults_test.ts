import assert from "node:assert/strict";
import { findKeyRow, findSchemeRow } from "../../src/alg/find.ts";
import { proveSigner } from "../../src/keys/verify.ts";
import type { FunctionName } from "../../src/pkcs11/ffi.ts";
import { CKR } from "../../src/pkcs11/constants.ts";
import { CK_ATTRIBUTE, CK_MECHANISM_INFO, LP64 } from "../../src/pkcs11/layout.ts";
import { mustConstant } from "../../src/pkcs11/names.ts";
import { answerOnce, type Hook, type Shim, templateValues, tokenFlags } from "../support/fake_token.ts";
import { testWith } from "../support/require.ts";
import type { SoftHsmToken } from "../support/softhsm.ts";
import { open, ownToken, pkcs11Tool, refTo, shimFor } from "./support.ts";

/*
 * What happens when a token misbehaves: SoftHSM2 behind a layer that changes single calls. The layer is a fake, because
 * no real token can be made to do these things.
 */

const P256 = findKeyRow("ecdsa-p256");
const SHA256 = findSchemeRow("ecdsa-sha256");

const LOSSES: [FunctionName, keyof typeof CKR][] = [
  ["C_SignInit", "CKR_SESSION_HANDLE_INVALID"],
  ["C_Sign", "CKR_SESSION_HANDLE_INVALID"],
  ["C_Sign", "CKR_DEVICE_ERROR"],
  ["C_SignInit", "CKR_USER_NOT_LOGGED_IN"],
  ["C_SignInit", "CKR_KEY_HANDLE_INVALID"],
];

for (const [name, answer] of LOSSES) {
  testWith(`${answer} from ${name} once: the same call succeeds`, { needs: ["softhsm"] }, async () => {
    using token = ownToken();
    const ffi = shimFor(token);
    await using provider = await open(token, { ffi });
    const key = await provider.generate(P256, refTo({ label: "k" }));
    const before = ffi.count("C_OpenSession");
    ffi.hooks[name] = answerOnce(CKR[answer]);
    await proveSigner(key.signer(SHA256));
    // a stale handle is found again in the session that is there
    assert.equal(ffi.count("C_OpenSession") - before, answer === "CKR_KEY_HANDLE_INVALID" ? 0 : 1);
    await proveSigner(key.signer(SHA256));
  });
}

testWith("a session lost for good is reported with its CKR", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const ffi = shimFor(token);
  await using provider = await open(token, { ffi });
  const key = await provider.generate(P256, refTo({ label: "k" }));
  ffi.hooks.C_Sign = () => CKR.CKR_DEVICE_REMOVED;
  await assert.rejects(key.signer(SHA256).sign(new Uint8Array(3)), {
    message: 'Cannot sign with key "k" in token "qpki-test": CKR_DEVICE_REMOVED (0x32)',
    exit: 3,
  });
  delete ffi.hooks.C_Sign;
  await proveSigner(key.signer(SHA256));
});

testWith("a signature longer than expected costs a second call", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const ffi = shimFor(token);
  await using provider = await open(token, { ffi });
  const key = await provider.generate(P256, refTo({ label: "k" }));
  ffi.hooks.C_Sign = answerTooSmall();
  await proveSigner(key.signer(SHA256));
});

/** A token that says once that it needs 3000 bytes. */
function answerTooSmall(): Hook {
  let done = false;
  return (args, next) => {
    if (done) return next(...args);
    done = true;
    new DataView((args[4] as Uint8Array).buffer).setBigUint64(0, 3000n, true);
    return CKR.CKR_BUFFER_TOO_SMALL;
  };
}

/** A token that makes keys with another value of one attribute than it was asked for. */
function ignoring(half: "public" | "private", name: string, value: number): (ffi: Shim) => Hook {
  return (ffi) => (args, next) => {
    const at = half === "public" ? 2 : 4;
    const bytes = templateValues(ffi, args[at] as Uint8Array, Number(args[at + 1])).get(name)!;
    bytes[0] = value;
    return next(...args);
  };
}

const DEVIATIONS: [what: string, hook: (ffi: Shim) => Hook, message: RegExp][] = [
  [
    "SENSITIVE",
    ignoring("private", "CKA_SENSITIVE", 0),
    /CKA_SENSITIVE of the private key is false, wanted true/,
  ],
  [
    "EXTRACTABLE",
    ignoring("private", "CKA_EXTRACTABLE", 1),
    /CKA_EXTRACTABLE of the private key is true, wanted false/,
  ],
  ["DERIVE", ignoring("private", "CKA_DERIVE", 1), /CKA_DERIVE of the private key is true, wanted false/],
  ["the public half's WRAP", ignoring("public", "CKA_WRAP", 1), /CKA_WRAP of the public key is true, wanted false/],
  ["TOKEN", ignoring("private", "CKA_TOKEN", 0), /CKA_TOKEN of the private key is false, wanted true/],
  ["the label", ignoring("private", "CKA_LABEL", 0x58), /CKA_LABEL of the private key is "Xew", wanted "new"/],
  ["the id", ignoring("public", "CKA_ID", 0x58), /CKA_ID of the public key is 58[0-9a-f]{30}, wanted/],
];

for (const [what, hook, message] of DEVIATIONS) {
  testWith(`a token that ignores ${what} is caught, and its key destroyed`, { needs: ["softhsm"] }, async () => {
    using token = ownToken();
    const ffi = shimFor(token);
    ffi.hooks.C_GenerateKeyPair = hook(ffi);
    await using provider = await open(token, { ffi });
    await assert.rejects(
      provider.generate(P256, refTo({ label: "new" })),
      (error: { code: string; message: string }) => {
        assert.equal(error.code, "key.attributes_wrong");
        assert.match(error.message, message);
        return true;
      },
    );
    assert.deepEqual(await provider.objects(), []);
  });
}

/** A token that answers a question about one attribute of every object in its own way. */
function answering(name: string, value: number | "hidden"): (ffi: Shim) => Hook {
  return (ffi) => (args, next) => {
    const rv = next(...args);
    const table = args[2] as Uint8Array;
    for (let i = 0; i < Number(args[3]); i++) {
      const base = i * CK_ATTRIBUTE.size(LP64);
      if (CK_ATTRIBUTE.number(LP64, table, "type", base) !== mustConstant(name)) continue;
      if (value === "hidden") {
        CK_ATTRIBUTE.set(LP64, table, { field: "ulValueLen", value: 0xffff_ffff_ffff_ffffn, base });
        return CKR.CKR_ATTRIBUTE_TYPE_INVALID;
      }
      // null in the call that only asks for the length
      const at = BigInt(CK_ATTRIBUTE.get(LP64, table, "pValue", base)) - ffi.address(table);
      if (at > 0n && at < BigInt(table.length)) table[Number(at)] = value;
    }
    return rv;
  };
}

const CONFESSIONS: [name: string, value: number | "hidden", message: RegExp][] = [
  ["CKA_ALWAYS_SENSITIVE", 0, /CKA_ALWAYS_SENSITIVE of the private key is false, wanted true/],
  ["CKA_NEVER_EXTRACTABLE", 0, /CKA_NEVER_EXTRACTABLE of the private key is false, wanted true/],
  ["CKA_EXTRACTABLE", "hidden", /CKA_EXTRACTABLE of the private key is absent, wanted false/],
];

for (const [name, value, message] of CONFESSIONS) {
  testWith(
    `a new key with ${name} ${value === 0 ? "false" : value} is not trusted`,
    { needs: ["softhsm"] },
    async () => {
      using token = ownToken();
      const ffi = shimFor(token);
      ffi.hooks.C_GetAttributeValue = answering(name, value)(ffi);
      await using provider = await open(token, { ffi });
      await assert.rejects(provider.generate(P256, refTo({ label: "new" })), { code: "key.attributes_wrong", message });
      assert.deepEqual(await provider.objects(), []);
    },
  );
}

testWith("a key on another curve than asked for is caught", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const ffi = shimFor(token);
  // the last byte of the OID of P-384 makes P-521 of it
  ffi.hooks.C_GenerateKeyPair = (args, next) => {
    const curve = templateValues(ffi, args[2] as Uint8Array, Number(args[3])).get("CKA_EC_PARAMS")!;
    curve[curve.length - 1] = 0x23;
    return next(...args);
  };
  await using provider = await open(token, { ffi });
  await assert.rejects(provider.generate(findKeyRow("ecdsa-p384"), refTo({ label: "new" })), {
    code: "key.attributes_wrong",
    message: /the public key is ECDSA P-521, wanted ECDSA P-384/,
  });
  assert.deepEqual(await provider.objects(), []);
});

testWith("a key whose signatures are wrong is destroyed", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const ffi = shimFor(token, {
    C_Sign: (args, next) => {
      const rv = next(...args);
      (args[3] as Uint8Array)[5]! ^= 1;
      return rv;
    },
  });
  await using provider = await open(token, { ffi });
  await assert.rejects(provider.generate(P256, refTo({ label: "new" })), { code: "key.proof_failed" });
  assert.deepEqual(await provider.objects(), []);
});

testWith(
  "a key that cannot be removed again is named with the command that does it",
  { needs: ["softhsm"] },
  async () => {
    using token = ownToken();
    const ffi = shimFor(token);
    ffi.hooks.C_GenerateKeyPair = ignoring("private", "CKA_SENSITIVE", 0)(ffi);
    ffi.hooks.C_DestroyObject = () => CKR.CKR_ACTION_PROHIBITED;
    await using provider = await open(token, { ffi });
    await assert.rejects(
      provider.generate(P256, refTo({ label: "it's new" })),
      (error: { code: string; hint: string; message: string }) => {
        assert.equal(error.code, "key.orphan");
        assert.match(error.message, /CKA_SENSITIVE .* could not be removed/);
        assert.match(
          error.hint,
          /qpki key delete --hsm-config "\/tmp\/hsm.yaml" --key-label "it's new" --key-id [0-9a-f]{32}$/,
        );
        return true;
      },
    );
  },
);

testWith("an interrupt after generation leaves nothing behind", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const stop = new AbortController();
  const ffi = shimFor(token, {
    C_GenerateKeyPair: (args, next) => {
      stop.abort();
      return next(...args);
    },
  });
  {
    await using provider = await open(token, { ffi, signal: stop.signal });
    await assert.rejects(provider.generate(P256, refTo({ label: "new" })), { exit: 130 });
    await assert.rejects(provider.generate(P256, refTo({ label: "new" })), { exit: 130 });
  }
  assert.equal(ffi.count("C_GenerateKeyPair"), 1);
  await using provider = await open(token);
  assert.deepEqual(await provider.objects(), []);
});

testWith(
  "a label that another process takes at the same moment is not used twice",
  { needs: ["softhsm"] },
  async () => {
    using token = ownToken();
    const ffi = shimFor(token);
    ffi.hooks.C_GenerateKeyPair = (args, next) => {
      const ids = [2, 4].map((at) => templateValues(ffi, args[at] as Uint8Array, Number(args[at + 1])).get("CKA_ID")!);
      const turn = () => ids.forEach((id) => id[0]! ^= 0xff);
      // the rival's key, which has an id of its own
      turn();
      next(...args);
      turn();
      return next(...args);
    };
    await using provider = await open(token, { ffi });
    await assert.rejects(provider.generate(P256, refTo({ label: "k" })), {
      code: "key.exists",
      message: /a key with label "k" exists/,
    });
    assert.equal((await provider.objects()).length, 2, "one pair is left, the rival's");
    await provider.open(refTo({ label: "k" }));
  },
);

testWith("an object that goes while a list is made is left out", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const ffi = shimFor(token);
  await using provider = await open(token, { ffi });
  for (const label of ["a", "b"]) await provider.generate(P256, refTo({ label }));
  ffi.hooks.C_GetAttributeValue = answerOnce(CKR.CKR_OBJECT_HANDLE_INVALID);
  assert.equal((await provider.list()).length, 1);
  assert.equal((await provider.list()).length, 2);
});

testWith("half a pair, left by a generation that failed, is removed", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const ffi = shimFor(token, {
    C_GenerateKeyPair: (args, next) => {
      next(...args);
      return CKR.CKR_DEVICE_ERROR;
    },
  });
  await using provider = await open(token, { ffi });
  await assert.rejects(provider.generate(P256, refTo({ label: "new" })), { rvName: "CKR_DEVICE_ERROR" });
  assert.deepEqual(await provider.objects(), []);
});

testWith("a mechanism that is absent is named before anything is made", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const without = (name: string): Hook => (args, next) => {
    const rv = next(...args);
    const list = args[1] as Uint8Array | null;
    if (list === null || rv !== CKR.CKR_OK) return rv;
    const numbers = new BigUint64Array(list.buffer);
    numbers.forEach((number, i) => {
      if (number === BigInt(mustConstant(name))) numbers[i] = 0x80000999n;
    });
    return rv;
  };
  const row = findKeyRow("rsa-2048");
  {
    const ffi = shimFor(token, { C_GetMechanismList: without("CKM_RSA_PKCS_PSS") });
    await using provider = await open(token, { ffi });
    const refused = {
      code: "mechanism.absent",
      exit: 3,
      message: /^Cannot sign with SHA256-RSAPSS in token "qpki-test": the token lacks CKM_RSA_PKCS_PSS$/,
    };
    const pss = findSchemeRow("rsa-pss-sha256");
    await assert.rejects(provider.prepare(row, refTo({ label: "k" }), pss), refused);
    // the default scheme of the row is there
    const key = await provider.generate(row, refTo({ label: "k" }));
    assert.throws(() => key.signer(pss), refused);
  }
  const ffi = shimFor(token, { C_GetMechanismList: without("CKM_EC_KEY_PAIR_GEN") });
  await using provider = await open(token, { ffi });
  const before = await provider.objects();
  await assert.rejects(provider.generate(P256, refTo({ label: "new" })), {
    code: "mechanism.absent",
    message: /Cannot generate an ECDSA P-256 key in token "qpki-test": the token lacks CKM_EC_KEY_PAIR_GEN/,
  });
  assert.deepEqual(await provider.objects(), before);
  assert.equal(ffi.count("C_GenerateKeyPair"), 0);
});

testWith("a key size out of the token's range is refused", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const ffi = shimFor(token, {
    C_GetMechanismInfo: (args, next) => {
      const rv = next(...args);
      CK_MECHANISM_INFO.set(LP64, args[2] as Uint8Array, { field: "ulMaxKeySize", value: 3072 });
      return rv;
    },
  });
  await using provider = await open(token, { ffi });
  await provider.prepare(findKeyRow("rsa-3072"), refTo({ label: "k" }));
  await assert.rejects(provider.prepare(findKeyRow("rsa-4096"), refTo({ label: "k" })), {
    code: "mechanism.absent",
    message: /does CKM_RSA_PKCS_KEY_PAIR_GEN with 512 to 3072 bits only/,
  });
});

const FLAGS: [flags: string[], code: string][] = [
  [["CKF_USER_PIN_LOCKED"], "pin.locked"],
  [["CKF_USER_PIN_FINAL_TRY"], "pin.final_try"],
];

for (const [flags, code] of FLAGS) {
  testWith(`${flags.join()} refuses before C_Login`, { needs: ["softhsm"] }, async () => {
    using token = ownToken();
    const ffi = shimFor(token, { C_GetTokenInfo: tokenFlags(flags) });
    await using provider = await open(token, { ffi });
    await assert.rejects(provider.list(), { code, exit: 3 });
    assert.equal(ffi.count("C_Login"), 0);
  });
}

testWith("a protected path gets a null PIN through the C interface", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const pins: unknown[] = [];
  const notes: string[] = [];
  const ffi = shimFor(token, {
    C_GetTokenInfo: tokenFlags(["CKF_PROTECTED_AUTHENTICATION_PATH"]),
    C_Login: (args, next) => {
      pins.push(args[2], args[3]);
      // the device asks for the PIN itself
      return next(args[0]!, args[1]!, new TextEncoder().encode(token.pin), token.pin.length);
    },
  });
  await using provider = await open(token, {
    ffi,
    notify: (text) => notes.push(text),
    pin: () => Promise.reject(new Error("the PIN source must not be asked")),
  });
  assert.deepEqual(await provider.list(), []);
  assert.deepEqual(pins, [null, 0]);
  assert.match(notes[0]!, /enter the PIN at the device/);
});

testWith("a wrong PIN is tried once", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const ffi = shimFor(token);
  const { Secret } = await import("../../src/bytes.ts");
  await using provider = await open(token, { ffi, pin: () => Promise.resolve(new Secret("4321")) });
  for (let i = 0; i < 3; i++) {
    await assert.rejects(provider.list(), (error: { message: string; hint: string; code: string }) => {
      assert.equal(error.message, 'Cannot log in to token "qpki-test": CKR_PIN_INCORRECT (0xa0)');
      assert.match(error.hint, /CKF_USER_PIN_COUNT_LOW/);
      assert.doesNotMatch(error.message + error.hint, /4321/);
      return true;
    });
  }
  assert.equal(ffi.count("C_Login"), 1);
});

testWith("a token that hides itself at first is looked for again", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  let hidden = 2;
  const ffi = shimFor(token, {
    C_GetSlotList: (args, next) => {
      const rv = next(...args);
      if (hidden > 0 && args[1] === null) {
        hidden--;
        (args[2] as Uint8Array).fill(0);
      }
      return rv;
    },
  });
  await using provider = await open(token, { ffi });
  assert.equal(provider.tokenInfo().label, token.label);
  assert.equal(hidden, 0);
});

testWith(
  "a library that stays confused is started anew, and the key is found again",
  { needs: ["softhsm"] },
  async () => {
    using token = ownToken();
    const ffi = shimFor(token);
    await using provider = await open(token, { ffi });
    const key = await provider.generate(P256, refTo({ label: "k" }));
    // what SoftHSM2 does after it read a token file that another process was writing
    let confused = true;
    ffi.hooks.C_SignInit = (args, next) => confused ? CKR.CKR_GENERAL_ERROR : next(...args);
    ffi.hooks.C_Finalize = (args, next) => {
      confused = false;
      return next(...args);
    };
    await proveSigner(key.signer(SHA256));
    assert.equal(ffi.count("C_Initialize"), 2);
    assert.equal(confused, false);
  },
);

testWith(
  "a generation that failed without a reason and left nothing is tried again",
  { needs: ["softhsm"] },
  async () => {
    using token = ownToken();
    const ffi = shimFor(token, { C_GenerateKeyPair: answerOnce(CKR.CKR_GENERAL_ERROR) });
    await using provider = await open(token, { ffi });
    await provider.generate(P256, refTo({ label: "k" }));
    assert.equal(ffi.count("C_GenerateKeyPair"), 2);
    assert.equal((await provider.objects()).length, 2);
  },
);

testWith("C_Login that contradicts the token's flags is repeated, though no PIN was wrong", {
  needs: ["softhsm"],
}, async () => {
  using token = ownToken();
  const ffi = shimFor(token, {
    C_Login: answerOnce(CKR.CKR_USER_PIN_NOT_INITIALIZED, CKR.CKR_GENERAL_ERROR),
  });
  await using provider = await open(token, { ffi });
  assert.deepEqual(await provider.list(), []);
  assert.equal(ffi.count("C_Login"), 3);
});

testWith("C_Login is repeated only for a module that is known to be fickle", { needs: ["softhsm"] }, async () => {
  for (const rv of [CKR.CKR_GENERAL_ERROR, CKR.CKR_FUNCTION_FAILED, CKR.CKR_USER_PIN_NOT_INITIALIZED]) {
    using token = ownToken();
    const ffi = shimFor(token, { C_Login: () => rv });
    await using provider = await open(token, { ffi, driver: "generic" });
    for (let i = 0; i < 2; i++) await assert.rejects(provider.list(), { functionName: "C_Login", rv });
    assert.equal(ffi.count("C_Login"), 1);
  }
});

testWith("the flags are read before the login that an ALWAYS_AUTHENTICATE key wants", {
  needs: ["softhsm", "pkcs11-tool"],
}, async () => {
  using token = ownToken();
  await pkcs11Tool(
    token,
    ...["--keypairgen", "--key-type", "rsa:2048", "--label", "careful", "--id", "01", "--always-auth", "--usage-sign"],
  );
  const ffi = shimFor(token);
  await using provider = await open(token, { ffi });
  const key = await provider.open(refTo({ label: "careful" }));
  ffi.hooks.C_GetTokenInfo = tokenFlags(["CKF_USER_PIN_FINAL_TRY"]);
  const before = ffi.count("C_Login");
  await assert.rejects(proveSigner(key.signer(findSchemeRow("rsa-pkcs1-sha256"))), { code: "pin.final_try" });
  assert.equal(ffi.count("C_Login"), before);
  delete ffi.hooks.C_GetTokenInfo;
  await proveSigner(key.signer(findSchemeRow("rsa-pkcs1-sha256")));
});

testWith("C_Login is not repeated where the token counts wrong PINs", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const ffi = shimFor(token, {
    C_Login: () => CKR.CKR_GENERAL_ERROR,
    C_GetTokenInfo: tokenFlags(["CKF_USER_PIN_COUNT_LOW"]),
  });
  await using provider = await open(token, { ffi });
  await assert.rejects(provider.list(), { rvName: "CKR_GENERAL_ERROR" });
  assert.equal(ffi.count("C_Login"), 1);
});

testWith("C_Initialize that fails without a reason is tried again, a bounded number of times", {
  needs: ["softhsm"],
}, async () => {
  using token = ownToken();
  {
    const ffi = shimFor(token, { C_Initialize: answerOnce(CKR.CKR_GENERAL_ERROR, CKR.CKR_FUNCTION_FAILED) });
    await using _provider = await open(token, { ffi });
    assert.equal(ffi.count("C_Initialize"), 3);
  }
  const ffi = shimFor(token, { C_Initialize: () => CKR.CKR_GENERAL_ERROR });
  await assert.rejects(open(token, { ffi }), { rvName: "CKR_GENERAL_ERROR" });
  assert.equal(ffi.count("C_Initialize"), 3);
});

testWith("C_Initialize without arguments serves a module that takes none", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const ffi = shimFor(token, {
    C_Initialize: (args, next) => args[0] === null ? next(null) : CKR.CKR_ARGUMENTS_BAD,
  });
  await using provider = await open(token, { ffi });
  assert.deepEqual(await provider.list(), []);
});

testWith("C_Finalize runs once, by whoever initialised", { needs: ["softhsm"] }, async () => {
  using token: SoftHsmToken = ownToken();
  const [first, second] = [shimFor(token), shimFor(token)];
  const provider = await open(token, { ffi: first });
  {
    await using another = await open(token, { ffi: second });
    assert.deepEqual(await another.list(), []);
  }
  assert.equal(second.count("C_Finalize"), 0);
  assert.deepEqual(await provider.list(), []);
  await provider[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
  assert.equal(first.count("C_Finalize"), 1);
  await assert.rejects(provider.list(), { code: "token.closed" });
});
