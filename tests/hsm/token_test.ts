import assert from "node:assert/strict";
import { EXIT, type TokenError } from "../../src/errors.ts";
import { loadFfi } from "../../src/pkcs11/ffi.ts";
import { listMechanisms } from "../../src/pkcs11/mechanisms.ts";
import { Module } from "../../src/pkcs11/module.ts";
import { testToken } from "../../src/pkcs11/diagnose.ts";
import { ROOT, run } from "../support/cli.ts";
import { answerOnce } from "../support/fake_token.ts";
import { testWith } from "../support/require.ts";
import { CKR } from "../../src/pkcs11/constants.ts";
import { open, optionsFor, ownToken, refTo, shimFor } from "./support.ts";

testWith("a token is found by label, serial and slot", { needs: ["softhsm"] }, async () => {
  using token = ownToken({ label: "mine" });
  token.addToken("other");
  const { serial, slot, blank } = await (async () => {
    await using provider = await open(token);
    assert.equal(provider.driverName, "softhsm2");
    return { serial: provider.tokenInfo().serial, slot: provider.slot.id, blank: blankSlot(provider.slot.module) };
  })();
  for (const selector of [{ token: "mine" }, { token: "mine   " }, { tokenSerial: serial }, { slot }]) {
    await using provider = await open(token, selector);
    assert.equal(provider.tokenInfo().label, "mine");
  }
  for (const selector of [{ token: "mine", slot }, { token: undefined }]) {
    await assert.rejects(open(token, selector), { code: "hsm.selector", exit: EXIT.INPUT });
  }
  await assert.rejects(open(token, { token: undefined, slot: blank }), (error: TokenError) => {
    assert.equal(error.code, "token.not_initialised");
    assert.match(error.hint!, new RegExp(`--slot ${blank} --init-token`));
    return true;
  });
  for (const [selector, wanted] of [[{ token: "nope" }, 'label "nope"'], [{ slot: 4711 }, "slot 4711"]] as const) {
    await assert.rejects(open(token, selector), (error: TokenError) => {
      assert.equal(error.code, "token.not_found");
      assert.match(error.message, new RegExp(`^Cannot find a token with ${wanted}`));
      // every token there is, as it can be selected
      assert.match(error.hint!, new RegExp(`"mine" \\(serial "${serial}", slot ${slot}\\)`));
      assert.match(error.hint!, /"other" \(serial "[0-9a-f]{16}", slot \d+\)/);
      return true;
    });
  }
});

/** SoftHSM2 always shows one more token, for the next one that is made. */
function blankSlot(module: Module): number {
  return module.slots().find((slot) => slot.token()?.label === "")!.id;
}

testWith("two tokens with one label are ambiguous, their serials are listed", { needs: ["softhsm"] }, async () => {
  using token = ownToken({ label: "twin" });
  token.addToken("twin");
  await assert.rejects(open(token), (error: TokenError) => {
    assert.equal(error.code, "token.ambiguous");
    assert.equal(error.hint!.match(/serial "[0-9a-f]{16}"/g)?.length, 2);
    return true;
  });
});

testWith("slots, token and mechanisms are read without a PIN", { needs: ["softhsm"] }, () => {
  using token = ownToken({ label: "mine" });
  using module = Module.load(token.lib);
  const info = module.info();
  assert.match(`${info.manufacturer} ${info.cryptokiVersion}`, /^SoftHSM 2\.\d+$/);
  const slot = module.slots().find((candidate) => candidate.token()?.label === "mine")!;
  assert.deepEqual(slot.info().flagNames, ["CKF_TOKEN_PRESENT"]);
  const flags = slot.token()!.flagNames;
  for (const flag of ["CKF_RNG", "CKF_LOGIN_REQUIRED", "CKF_USER_PIN_INITIALIZED", "CKF_TOKEN_INITIALIZED"]) {
    assert.ok(flags.includes(flag), flag);
  }
  const mechanisms = new Map(listMechanisms(slot).map((mechanism) => [mechanism.name, mechanism]));
  assert.deepEqual([mechanisms.get("CKM_AES_GCM")?.type, mechanisms.get("CKM_ECDSA")?.type], [0x1087, 0x1041]);
  assert.ok(mechanisms.get("CKM_ECDSA")!.flagNames!.includes("CKF_SIGN"));
  assert.equal(slot.mechanismInfo(0x1d), undefined);
});

testWith("hsm test walks from the library to a verified signature", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const report = await testToken(optionsFor(token));
  assert.equal(report.ok, true);
  const names = report.steps.map((step) => step.name);
  assert.deepEqual(names, ["load", "slot", "login", "session key", "sign", "verify"]);
  assert.ok(report.steps.every((step) => step.ok && step.milliseconds >= 0 && step.detail !== ""));
  assert.deepEqual([report.driver, report.token?.label], ["softhsm2", token.label]);
  await using provider = await open(token);
  assert.deepEqual(await provider.objects(), []);
});

testWith("hsm test says which step failed and why, and stops there", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const { Secret } = await import("../../src/bytes.ts");
  const failures: [Parameters<typeof testToken>[0], string, string | undefined][] = [
    [optionsFor(token, { lib: "/no/such.so" }), "load", "module.not_found"],
    [optionsFor(token, { token: "nope" }), "slot", "token.not_found"],
    [optionsFor(token, { pin: () => Promise.resolve(new Secret("9876")) }), "login", "pin.incorrect"],
    [
      optionsFor(token, { ffi: shimFor(token, { C_GenerateKeyPair: answerOnce(CKR.CKR_DEVICE_MEMORY) }) }),
      "session key",
      "token",
    ],
    [optionsFor(token, { ffi: shimFor(token, { C_Sign: answerOnce(CKR.CKR_FUNCTION_FAILED) }) }), "sign", "token"],
    [
      optionsFor(token, {
        ffi: shimFor(token, {
          C_Sign: (args, next) => {
            const rv = next(...args);
            (args[3] as Uint8Array)[9]! ^= 1;
            return rv;
          },
        }),
      }),
      "verify",
      "key.proof_failed",
    ],
  ];
  for (const [options, step, code] of failures) {
    const report = await testToken(options);
    assert.equal(report.ok, false);
    const last = report.steps.at(-1)!;
    assert.deepEqual([last.name, last.ok, (last.error as TokenError).code], [step, false, code]);
    assert.equal(report.steps.filter((one) => !one.ok).length, 1);
  }
});

testWith("a driver by path changes what the token is asked", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const plugin = `${token.folder}/driver.ts`;
  Deno.writeTextFileSync(
    plugin,
    `export default {
      api: 1, name: "mine", quirks: ["probe-length", "no-init-args"], findBatch: 1,
      hints: { CKR_PIN_INCORRECT: "ask Anna" },
      templates: { ecdsa: { public: { CKA_DERIVE: null }, private: { CKA_START_DATE: null } } },
    };`,
  );
  const ffi = shimFor(token);
  await using provider = await open(token, { driver: plugin, ffi });
  assert.equal(provider.driverName, "mine");
  const { findKeyRow } = await import("../../src/alg/find.ts");
  await provider.generate(findKeyRow("ecdsa-p256"), refTo({ label: "a" }));
  await provider.generate(findKeyRow("ecdsa-p256"), refTo({ label: "b" }));
  assert.equal((await provider.list()).length, 2);
  // two proofs, each with a question for the length before
  assert.equal(ffi.count("C_Sign"), 4);
});

testWith("a library whose dependency is missing names it", { needs: ["softhsm"] }, () => {
  using token = ownToken();
  const bytes = Deno.readFileSync(token.lib);
  const text = new TextDecoder("latin1").decode(bytes);
  const needed = text.match(/libcrypto\.so\.\d+|libstdc\+\+\.so\.\d+/)![0];
  const broken = needed.replace(/^lib.../, "libzzz");
  for (let at = text.indexOf(needed); at >= 0; at = text.indexOf(needed, at + 1)) {
    bytes.set(new TextEncoder().encode(broken), at);
  }
  const path = `${token.folder}/broken.so`;
  Deno.writeFileSync(path, bytes);
  assert.throws(() => loadFfi(path), (error: TokenError) => {
    assert.equal(error.code, "module.load_failed");
    assert.ok(error.message.includes(broken), error.message);
    return true;
  });
});

testWith("parallel processes on one token all find it", { needs: ["softhsm"] }, async () => {
  using token = ownToken();
  const script = `
    import { pkcs11Provider } from "${ROOT}/src/pkcs11/provider.ts";
    import { findKeyRow, findSchemeRow } from "${ROOT}/src/alg/find.ts";
    import { Secret } from "${ROOT}/src/bytes.ts";
    for (let i = 0; i < 5; i++) {
      await using provider = await pkcs11Provider({
        configPath: "hsm.yaml", lib: ${JSON.stringify(token.lib)}, token: ${JSON.stringify(token.label)},
        pin: () => Promise.resolve(new Secret("1234")), notify: () => {},
      });
      const ref = { type: "pkcs11", config: "hsm.yaml", label: Deno.args[0] + "-" + i };
      const key = await provider.generate(findKeyRow("ecdsa-p256"), ref);
      await key.signer(findSchemeRow("ecdsa-sha256")).sign(new Uint8Array(10));
      if (i % 2 === 0) await provider.delete(key.ref);
    }`;
  const file = `${token.folder}/worker.ts`;
  Deno.writeTextFileSync(file, script);
  const runs = await Promise.all(
    Array.from(
      { length: 6 },
      (_, i) =>
        run(Deno.execPath(), ["run", "-A", "--no-check", "--config", `${ROOT}/deno.json`, file, `p${i}`], {
          env: token.env,
        }),
    ),
  );
  for (const result of runs) assert.equal(result.code, 0, result.stderr);
  await using provider = await open(token);
  assert.equal((await provider.list()).length, 6 * 2);
});
