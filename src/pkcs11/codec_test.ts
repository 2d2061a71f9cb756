import assert from "node:assert/strict";
import { FakeToken } from "../../tests/support/fake_token.ts";
import { standard } from "../../drivers/standard.ts";
import { findKeyRow, findSchemeRow, keyRows } from "../alg/find.ts";
import type { Bytes } from "../bytes.ts";
import { encodeMechanism, signCodec } from "./codec.ts";
import { CKG, CKM } from "./constants.ts";
import type { Ffi } from "./ffi.ts";
import { LP64, type Platform, readUlong, WINDOWS } from "./layout.ts";
import { keyTemplates } from "./templates.ts";

const BASE = 0x1000;

function host(platform: Platform): Ffi {
  const fake = new FakeToken();
  return new Proxy(fake, { get: (target, name) => name === "platform" ? platform : Reflect.get(target, name) });
}

/** Numbers of the parameter that a CK_MECHANISM at the start of `memory` points to. */
function parameter(platform: Platform, memory: Bytes): { type: number; length: number; offset: number } {
  const view = new DataView(memory.buffer);
  const pointer = Number(view.getBigUint64(platform.ulong, true));
  return {
    type: Number(readUlong(platform, memory)),
    length: Number(readUlong(platform, memory, platform.ulong + 8)),
    offset: pointer === 0 ? -1 : pointer - BASE,
  };
}

for (const [name, platform] of [["LP64", LP64], ["Windows", WINDOWS]] as const) {
  Deno.test(`CK_RSA_PKCS_PSS_PARAMS follows its mechanism on ${name}`, () => {
    const scheme = findSchemeRow("rsa-pss-sha384");
    const codec = signCodec(host(platform), standard, { scheme, row: findKeyRow("rsa-3072") })!;
    const { type, length, offset } = parameter(platform, codec.mechanism);
    assert.equal(type, CKM.CKM_RSA_PKCS_PSS);
    assert.equal(length, 3 * platform.ulong);
    const numbers = [0, 1, 2].map((i) => readUlong(platform, codec.mechanism, offset + i * platform.ulong));
    assert.deepEqual(numbers, [CKM.CKM_SHA384, CKG.CKG_MGF1_SHA384, 48]);
    assert.equal(codec.capacity, 384);
  });
}

Deno.test("a mechanism without parameter has a null pointer and no length", () => {
  const memory = encodeMechanism(host(LP64), CKM.CKM_ECDSA);
  assert.deepEqual(parameter(LP64, memory), { type: CKM.CKM_ECDSA, length: 0, offset: -1 });
});

Deno.test("pointers inside a parameter point into the same memory", () => {
  const context = new TextEncoder().encode("context");
  const memory = encodeMechanism(host(LP64), CKM.CKM_ML_DSA, {
    struct: "CK_SIGN_ADDITIONAL_CONTEXT",
    values: { hedgeVariant: "CKH_DETERMINISTIC_REQUIRED", pContext: context, ulContextLen: context.length },
  });
  const { offset, length } = parameter(LP64, memory);
  assert.equal(length, 24);
  assert.equal(readUlong(LP64, memory, offset), 2);
  const at = Number(new DataView(memory.buffer).getBigUint64(offset + 8, true)) - BASE;
  assert.deepEqual(memory.slice(at, at + context.length), context);
  assert.equal(readUlong(LP64, memory, offset + 16), context.length);
});

Deno.test("Ed448 gets CK_EDDSA_PARAMS, Ed25519 gets none", () => {
  const ed25519 = signCodec(host(LP64), standard, { scheme: findSchemeRow("ed25519"), row: findKeyRow("ed25519") })!;
  const ed448 = signCodec(host(LP64), standard, { scheme: findSchemeRow("ed448"), row: findKeyRow("ed448") })!;
  assert.equal(parameter(LP64, ed25519.mechanism).length, 0);
  assert.equal(parameter(LP64, ed448.mechanism).length, 24);
});

Deno.test("C_Sign gets a digest, a DigestInfo or the message itself", async () => {
  const message = new TextEncoder().encode("abc");
  const input = async (scheme: string, row: string) => {
    const bytes = await signCodec(host(LP64), standard, {
      scheme: findSchemeRow(scheme),
      row: findKeyRow(row),
    })!.input(message);
    return bytes.toHex();
  };
  const sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assert.equal(await input("ecdsa-sha256", "ecdsa-p256"), sha256);
  assert.equal(await input("rsa-pss-sha256", "rsa-2048"), sha256);
  assert.equal(await input("rsa-pkcs1-sha256", "rsa-2048"), `3031300d060960864801650304020105000420${sha256}`);
  assert.equal(await input("ed25519", "ed25519"), "616263");
  // a digest longer than the order is cut to its leftmost bytes
  assert.equal((await input("ecdsa-sha512", "ecdsa-p256")).length, 64);
  assert.equal((await input("ecdsa-sha512", "ecdsa-p521")).length, 128);
});

Deno.test("every row of the table that PKCS#11 knows has templates that state every use", () => {
  const uses = {
    private: ["CKA_SIGN", "CKA_SIGN_RECOVER", "CKA_DECRYPT", "CKA_UNWRAP", "CKA_DERIVE"],
    public: ["CKA_VERIFY", "CKA_VERIFY_RECOVER", "CKA_ENCRYPT", "CKA_WRAP", "CKA_DERIVE"],
  };
  for (const row of keyRows().filter(({ family, kind }) => standard.templates[family] && kind === "signature")) {
    const templates = keyTemplates(standard, row, { names: { label: "x", id: Uint8Array.of(1) } });
    for (const half of ["private", "public"] as const) {
      const allowed = uses[half].filter((use) => templates[half][use] === true);
      assert.deepEqual(allowed, [half === "private" ? "CKA_SIGN" : "CKA_VERIFY"], row.name);
      for (const use of uses[half]) assert.equal(typeof templates[half][use], "boolean", `${row.name} ${use}`);
    }
    const { CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, CKA_EXTRACTABLE } = templates.private;
    assert.deepEqual([CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, CKA_EXTRACTABLE], [true, true, true, false]);
  }
});

Deno.test("a session key differs by CKA_TOKEN alone, a key without label has no CKA_LABEL", () => {
  const row = findKeyRow("ecdsa-p256");
  const names = { id: Uint8Array.of(1) };
  const stored = keyTemplates(standard, row, { names });
  const passing = keyTemplates(standard, row, { names, token: false });
  assert.deepEqual({ ...passing.private, CKA_TOKEN: true }, stored.private);
  assert.equal("CKA_LABEL" in stored.public, false);
});
