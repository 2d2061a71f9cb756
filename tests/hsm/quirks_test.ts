import assert from "node:assert/strict";
import { findKeyRow, findSchemeRow } from "../../src/alg/find.ts";
import type { TokenError } from "../../src/errors.ts";
import { CKR } from "../../src/pkcs11/constants.ts";
import type { Driver } from "../../src/pkcs11/driver.ts";
import { loadFfi } from "../../src/pkcs11/ffi.ts";
import { CK_ATTRIBUTE, CK_C_INITIALIZE_ARGS, LP64, readUlong } from "../../src/pkcs11/layout.ts";
import { Module } from "../../src/pkcs11/module.ts";
import { mustConstant } from "../../src/pkcs11/names.ts";
import { answerOnce, type Hook } from "../support/fake_token.ts";
import { softhsmLibrary, testWith } from "../support/require.ts";
import { open, ownToken, refTo, shimFor } from "./support.ts";

/** Departures from the standard that drivers name, on a real token behind a layer that departs so. */

const NEEDS = { needs: ["softhsm" as const] };
const P256 = findKeyRow("ecdsa-p256");

function driver(more: Partial<Driver>): Driver {
  return { api: 1, name: "quirky", ...more };
}

testWith("exact-room: C_Sign is given room for the signature and no more", NEEDS, async () => {
  using token = ownToken();
  const rooms: number[] = [];
  const C_Sign: Hook = (args, next) => {
    rooms.push(Number(readUlong(LP64, args[4] as Uint8Array)));
    return next(...args);
  };
  for (const quirks of [["exact-room"], []] as const) {
    await using provider = await open(token, { driver: driver({ quirks }), ffi: shimFor(token, { C_Sign }) });
    await provider.generate(findKeyRow("ed25519"), refTo({ label: `${quirks.length}` }));
  }
  assert.deepEqual([rooms[0], rooms[1]! > 64], [64, true]);
});

testWith("write-sessions: every session is read-write", NEEDS, async () => {
  using token = ownToken();
  const CKF_RW_SESSION = 2;
  const C_OpenSession: Hook = (args, next) =>
    (Number(args[1]) & CKF_RW_SESSION) === 0 ? CKR.CKR_FUNCTION_FAILED : next(...args);
  const ffi = () => shimFor(token, { C_OpenSession });
  {
    await using provider = await open(token, { driver: driver({ quirks: ["write-sessions"] }), ffi: ffi() });
    const { ref } = await provider.generate(P256, refTo({ label: "a" }));
    await (await provider.open(ref)).signer(findSchemeRow("ecdsa-sha256")).sign(new Uint8Array(1));
  }
  await using provider = await open(token, { driver: driver({}), ffi: ffi() });
  await assert.rejects(provider.list(), { rvName: "CKR_FUNCTION_FAILED" });
});

testWith("one-attribute: an attribute that fails does not hide the others", NEEDS, async () => {
  using token = ownToken();
  const bad = mustConstant("CKA_WRAP_WITH_TRUSTED");
  const C_GetAttributeValue: Hook = (args, next) => {
    const size = CK_ATTRIBUTE.size(LP64);
    const types = Array.from(
      { length: Number(args[3]) },
      (_, i) => CK_ATTRIBUTE.number(LP64, args[2] as Uint8Array, "type", i * size),
    );
    return types.includes(bad) ? CKR.CKR_FUNCTION_FAILED : next(...args);
  };
  const ffi = () => shimFor(token, { C_GetAttributeValue });
  {
    await using provider = await open(token, { driver: driver({ quirks: ["one-attribute"] }), ffi: ffi() });
    const { ref } = await provider.generate(P256, refTo({ label: "a" }));
    const { attributes } = await provider.info(ref);
    assert.deepEqual([attributes["CKA_SIGN"], attributes["CKA_WRAP_WITH_TRUSTED"]], [true, undefined]);
  }
  await using provider = await open(token, { driver: driver({}), ffi: ffi() });
  await assert.rejects(provider.list(), { rvName: "CKR_FUNCTION_FAILED" });
});

testWith("a return value that only the driver knows means a lost session, and has its hint", NEEDS, async () => {
  using token = ownToken();
  const lost = 0x80005015;
  const known = driver({ lost: ["0x80005015"], hints: { "0x80005015": "Is the cable in?" } });
  for (
    const [what, answers, driven] of [["once", [lost], known], ["twice", [lost, lost], known], [
      "not known",
      [lost],
      driver({}),
    ]] as const
  ) {
    const ffi = shimFor(token);
    await using provider = await open(token, { driver: driven, ffi });
    const key = await provider.generate(P256, refTo({ label: what }));
    ffi.hooks.C_Sign = answerOnce(...answers);
    const opened = ffi.count("C_OpenSession");
    const signature = key.signer(findSchemeRow("ecdsa-sha256")).sign(new Uint8Array(1));
    if (what === "once") await signature;
    else {
      await assert.rejects(signature, (error: TokenError) => {
        assert.equal(error.rv, lost);
        assert.match(error.hint!, what === "twice" ? /Is the cable in/ : /number of the vendor's own/);
        return true;
      });
    }
    assert.equal(ffi.count("C_OpenSession") > opened, what !== "not known", what);
  }
});

testWith("a user type of the driver's is given to C_Login", NEEDS, async () => {
  using token = ownToken();
  const types: unknown[] = [];
  const C_Login: Hook = (args, next) => {
    types.push(args[1]);
    return next(args[0]!, 1, ...args.slice(2));
  };
  const driven = driver({ userTypes: { generic: 0x83 } });
  await using provider = await open(token, { driver: driven, userType: "generic", ffi: shimFor(token, { C_Login }) });
  assert.deepEqual(await provider.list(), []);
  assert.deepEqual(types, [0x83]);
});

testWith("the text for the library stands where pReserved is, that of hsm.yaml before the driver's", NEEDS, () => {
  using token = ownToken();
  const texts: string[] = [];
  const ffi = shimFor(token);
  ffi.hooks.C_Initialize = (args, next) => {
    const bytes = args[0] as Uint8Array;
    const at = Number(CK_C_INITIALIZE_ARGS.get(LP64, bytes, "pReserved") as bigint - ffi.address(bytes));
    texts.push(new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at))));
    return next(null);
  };
  for (const initString of [undefined, "configDir='sql:/x'"]) {
    using _module = Module.load(token.lib, { driver: driver({ initString: "theirs" }), initString, ffi });
  }
  assert.deepEqual(texts, ["theirs", "configDir='sql:/x'"]);
});

testWith("a function that the list lacks is called by an exported symbol", NEEDS, () => {
  using token = ownToken();
  const ffi = loadFfi(softhsmLibrary()!);
  assert.equal(ffi.has("C_EncapsulateKey"), false);
  ffi.substitute({ C_EncapsulateKey: "CA_NoSuchFunction" });
  assert.equal(ffi.has("C_EncapsulateKey"), false);
  assert.throws(() => ffi.call("C_EncapsulateKey"), { code: "function.absent" });
  // any exported function shows that the symbol is found
  ffi.substitute({ C_SessionCancel: "C_CloseAllSessions" });
  assert.equal(ffi.has("C_SessionCancel"), true);
  assert.equal(ffi.call("C_SessionCancel", 4711, 0), CKR.CKR_CRYPTOKI_NOT_INITIALIZED);
  assert.ok(token.lib);
});
