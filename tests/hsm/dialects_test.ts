import assert from "node:assert/strict";
import { findKeyRow, findSchemeRow } from "../../src/alg/find.ts";
import { Secret } from "../../src/bytes.ts";
import type { TokenError } from "../../src/errors.ts";
import { encapsulate } from "../../src/keys/kem.ts";
import { verifySignature } from "../../src/keys/verify.ts";
import type { Pkcs11Options } from "../../src/pkcs11/provider.ts";
import { pkcs11Provider } from "../../src/pkcs11/provider.ts";
import { KEM_BESIDE_THE_LIST, PLACEHOLDERS_WANTED, QUANTUM_PROTECT } from "../support/fake_devices.ts";
import { type FakeDevice, FakeHsm } from "../support/fake_hsm.ts";
import { refTo } from "./support.ts";

/** The dialects of vendors, from generation to proof, on devices played back. None of this was seen by a real one. */

const MESSAGE = new TextEncoder().encode("message");
const CONTEXT = new TextEncoder().encode("context");

function optionsFor(hsm: FakeHsm, driver: string, more: Partial<Pkcs11Options> = {}): Pkcs11Options {
  return {
    ...{ configPath: "hsm.yaml", lib: "fake", token: "Fake", driver, ffi: hsm, notify: () => {} },
    pin: () => Promise.resolve(new Secret("1234")),
    ...more,
  };
}

async function withFake(
  device: FakeDevice,
  driver: string,
  work: (provider: Awaited<ReturnType<typeof pkcs11Provider>>, hsm: FakeHsm) => Promise<void>,
): Promise<void> {
  const hsm = new FakeHsm(device);
  await using provider = await pkcs11Provider(optionsFor(hsm, driver));
  await work(provider, hsm);
}

for (const [name, set] of [["ml-dsa-44", 1], ["ml-dsa-65", 2], ["ml-dsa-87", 3]] as const) {
  Deno.test(`utimaco-qp on a fake: ${name} is made, signs with and without context, is found again`, async () => {
    await withFake(QUANTUM_PROTECT, "utimaco-qp", async (provider, hsm) => {
      const [row, scheme] = [findKeyRow(name), findSchemeRow(name)];
      const { ref } = await provider.generate(row, refTo({ label: "a" }));
      assert.equal(hsm.calls[0]!.parameter.toHex(), `000000010000000${set}0000`);
      const key = await provider.open(ref);
      assert.equal(key.algorithm.name, name);
      for (const context of [undefined, CONTEXT]) {
        const signer = key.signer(scheme, context ? { context } : {});
        const signature = await signer.sign(MESSAGE);
        const signed = { spki: key.spki, scheme, message: MESSAGE, signature };
        assert.ok(await verifySignature({ ...signed, ...(context ? { context } : {}) }));
        const { type, parameter } = hsm.calls.at(-1)!;
        assert.equal(type, context ? 0xc0a53005 : 0xc0a53001);
        assert.equal(parameter.toHex(), `000000000000000${set}`);
      }
      assert.equal((await provider.list()).length, 1);
      await assert.rejects(provider.generate(row, refTo({ label: "a" })), { code: "key.exists" });
      await provider.delete(ref);
      assert.equal(hsm.objects.size, 0);
    });
  });
}

for (const name of ["ml-kem-512", "ml-kem-768", "ml-kem-1024"]) {
  Deno.test(`utimaco-qp on a fake: ${name} is proved inside, by HMAC; its secrets stay there`, async () => {
    await withFake(QUANTUM_PROTECT, "utimaco-qp", async (provider, hsm) => {
      const key = await provider.generate(findKeyRow(name), refTo({ label: "a" }));
      assert.equal(key.algorithm.name, name);
      assert.deepEqual(hsm.calls.map(({ function: call }) => call), ["C_GenerateKeyPair", "C_DeriveKey", "C_SignInit"]);
      const { ciphertext } = await encapsulate(key.spki);
      await assert.rejects(key.decapsulate!(ciphertext), { code: "secret.hidden" });
      // nothing but the pair is left
      assert.equal(hsm.objects.size, 2);
    });
  });
}

Deno.test("utimaco on a fake: what only QuantumProtect does is refused before anything is made, and named", async () => {
  await withFake(QUANTUM_PROTECT, "utimaco", async (provider, hsm) => {
    for (const name of ["ml-dsa-65", "ml-kem-768"]) {
      await assert.rejects(provider.prepare(findKeyRow(name), refTo({ label: "a" })), (error: TokenError) => {
        assert.equal(error.code, "mechanism.absent");
        assert.match(error.message, /the token lacks CKM_ML_(DSA|KEM)_KEY_PAIR_GEN/);
        assert.match(error.hint!, /driver: utimaco-qp/);
        return true;
      });
    }
    assert.equal(hsm.calls.length, 0);
  });
});

Deno.test("securosys on a fake: placeholders are given, and not compared with what became of them", async () => {
  await withFake(PLACEHOLDERS_WANTED, "securosys", async (provider) => {
    const scheme = findSchemeRow("ml-dsa-65");
    const key = await provider.generate(findKeyRow("ml-dsa-65"), refTo({ label: "a" }));
    const signature = await key.signer(scheme).sign(MESSAGE);
    assert.ok(await verifySignature({ spki: key.spki, scheme, message: MESSAGE, signature }));
  });
});

Deno.test("a device that wants placeholders refuses the standard's templates, and nothing is left", async () => {
  await withFake(PLACEHOLDERS_WANTED, "generic", async (provider, hsm) => {
    const made = provider.generate(findKeyRow("ml-dsa-65"), refTo({ label: "a" }));
    await assert.rejects(made, { rvName: "CKR_TEMPLATE_INCOMPLETE", hint: /driver of its own/ });
    assert.equal(hsm.objects.size, 0);
  });
});

Deno.test("luna on a fake: KEM functions beside the list, a secret that only enciphers", async () => {
  await withFake(KEM_BESIDE_THE_LIST, "luna", async (provider, hsm) => {
    const key = await provider.generate(findKeyRow("ml-kem-768"), refTo({ label: "a" }));
    assert.equal(hsm.calls.at(-1)!.function, "C_EncryptInit");
    await assert.rejects(key.decapsulate!((await encapsulate(key.spki)).ciphertext), { code: "secret.hidden" });
    assert.equal(hsm.objects.size, 2);
  });
});

Deno.test("without the vendor's functions the same device cannot decapsulate, which is said before", async () => {
  const lacks = ["C_DecapsulateKey" as const];
  await withFake({ ...KEM_BESIDE_THE_LIST, lacks, exports: [] }, "luna", async (provider, hsm) => {
    await assert.rejects(provider.prepare(findKeyRow("ml-kem-768"), refTo({ label: "a" })), {
      code: "mechanism.absent",
      message: /the module has no C_DecapsulateKey/,
    });
    assert.equal(hsm.calls.length, 0);
  });
});

Deno.test("a private key that does not decapsulate for its public one is destroyed again", async () => {
  const device: FakeDevice = {
    ...KEM_BESIDE_THE_LIST,
    decapsulate(call, key, job) {
      const ciphertext = job.ciphertext!.slice();
      ciphertext[0]! ^= 1;
      return KEM_BESIDE_THE_LIST.decapsulate!(call, key, { ...job, ciphertext });
    },
  };
  await withFake(device, "luna", async (provider, hsm) => {
    const made = provider.generate(findKeyRow("ml-kem-768"), refTo({ label: "a" }));
    await assert.rejects(made, { code: "key.proof_failed" });
    assert.equal(hsm.objects.size, 0);
  });
});

Deno.test("a context is refused by name where the mechanism takes none", async () => {
  await withFake(QUANTUM_PROTECT, "utimaco-qp", async (provider) => {
    const key = await provider.generate(findKeyRow("ml-dsa-44"), refTo({ label: "a" }));
    const scheme = findSchemeRow("ml-dsa-44");
    assert.throws(() => key.signer(scheme, { context: new Uint8Array(256) }), { code: "context.invalid" });
  });
  const { quantumProtect } = await import("../../drivers/utimaco.ts");
  const mechanisms = { "0xc0a53001": { input: "message", output: "raw" } } as const;
  const hsm = new FakeHsm({ ...QUANTUM_PROTECT, sign: (call, ...rest) => QUANTUM_PROTECT.sign!(call, ...rest) });
  await using provider = await pkcs11Provider(optionsFor(hsm, "", { driver: quantumProtect }));
  const { ref } = await provider.generate(findKeyRow("ml-dsa-44"), refTo({ label: "a" }));
  await using bare = await pkcs11Provider(optionsFor(hsm, "", { driver: { ...quantumProtect, mechanisms } }));
  const key = await bare.open(ref);
  assert.throws(() => key.signer(findSchemeRow("ml-dsa-44"), { context: CONTEXT }), {
    code: "mechanism.absent",
    message: /CKM_UTI_MLDSA_SIGN takes none/,
  });
});

Deno.test("user types are those that the driver knows", async () => {
  const hsm = new FakeHsm(QUANTUM_PROTECT);
  await assert.rejects(pkcs11Provider(optionsFor(hsm, "utimaco", { userType: "crypto-user" })), {
    code: "hsm.user_type",
    hint: "It knows: generic",
  });
  await using provider = await pkcs11Provider(optionsFor(hsm, "utimaco", { userType: "generic" }));
  assert.deepEqual(await provider.list(), []);
});
