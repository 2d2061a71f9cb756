import assert from "node:assert/strict";
import { FakeToken, templateValues } from "../tests/support/fake_token.ts";
import { findKeyRow, findSchemeRow, type KeyRow, keyRows } from "../src/alg/find.ts";
import { encodeTemplate } from "../src/pkcs11/attributes.ts";
import { encodeMechanism, signCodec } from "../src/pkcs11/codec.ts";
import { CKA, CKK, CKP } from "../src/pkcs11/constants.ts";
import { dialectsOf, type RowDialect } from "../src/pkcs11/dialect.ts";
import type { CompleteDriver, Driver } from "../src/pkcs11/driver.ts";
import type { Ffi } from "../src/pkcs11/ffi.ts";
import { CK_MECHANISM, LP64, type Platform, readUlong, WINDOWS } from "../src/pkcs11/layout.ts";
import { constantName } from "../src/pkcs11/names.ts";
import { keyTemplates } from "../src/pkcs11/templates.ts";
import kryoptic from "./kryoptic.ts";
import luna from "./luna.ts";
import { builtinDrivers, findDriver, withStandard } from "./mod.ts";
import nshield from "./nshield.ts";
import nss from "./nss.ts";
import opencryptoki from "./opencryptoki.ts";
import securosys from "./securosys.ts";
import softhsm2 from "./softhsm2.ts";
import { quantumProtect } from "./utimaco.ts";

/** What each driver makes C_GenerateKeyPair, C_SignInit and the KEM functions get, byte for byte. */

const BASE = 0x1000;
const NAMES = { label: "L", id: Uint8Array.of(0xab) };

function host(platform: Platform = LP64): Ffi {
  const fake = new FakeToken();
  return new Proxy(fake, { get: (target, name) => name === "platform" ? platform : Reflect.get(target, name) });
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

/** Both templates as the token gets them: `CKA_TOKEN=01`. */
function templates(driver: Driver, name: string, at = 0): { public: string[]; private: string[] } {
  const complete = withStandard(driver);
  const row = findKeyRow(name);
  const dialect = dialectsOf(complete, row)[at]!;
  const pair = keyTemplates(complete, row, { names: NAMES, dialect });
  const ffi = new FakeToken();
  const texts = (half: "public" | "private") => {
    const { bytes, count } = encodeTemplate(ffi, pair[half]);
    return [...templateValues(ffi, bytes, count)].map(([type, value]) => {
      const known = /^\d+$/.test(type) ? hex(Number(type)) : type;
      return `${known}=${value.length === 8 ? hex(readUlong(LP64, value)) : value.toHex()}`;
    });
  };
  return { public: texts("public"), private: texts("private") };
}

/** Number and parameter of a CK_MECHANISM in memory. */
function mechanism(memory: Uint8Array, platform: Platform = LP64): { type: string; parameter: string } {
  const at = Number(CK_MECHANISM.get(platform, memory, "pParameter")) - BASE;
  const length = CK_MECHANISM.number(platform, memory, "ulParameterLen");
  const parameter = length === 0 ? "" : memory.slice(at, at + length).toHex();
  return { type: hex(CK_MECHANISM.get(platform, memory, "mechanism")), parameter };
}

function generation(driver: Driver, name: string, at = 0): { type: string; parameter: string } {
  const { generate, parameter } = dialectsOf(withStandard(driver), findKeyRow(name))[at]!;
  return mechanism(encodeMechanism(host(), generate, parameter));
}

interface Use {
  dialect?: RowDialect;
  context?: Uint8Array;
  platform?: Platform;
}

function signing(driver: Driver, name: string, { platform = LP64, ...use }: Use = {}) {
  const row = findKeyRow(name);
  const codec = signCodec(host(platform), withStandard(driver), {
    row,
    scheme: findSchemeRow(row.schemes[0]!),
    ...use,
  });
  return codec && mechanism(codec.mechanism, platform);
}

const PQC_ROWS: readonly KeyRow[] = keyRows().filter(({ family }) => ["ml-dsa", "slh-dsa", "ml-kem"].includes(family));
const STANDARD: Driver = { api: 1, name: "plain" };

Deno.test("standard: the parameter set is in the public template only, every use is stated", () => {
  assert.deepEqual(templates(STANDARD, "ml-dsa-65"), {
    public: [
      ...["CKA_CLASS=0x2", "CKA_KEY_TYPE=0x4a", "CKA_TOKEN=01", "CKA_PRIVATE=00", "CKA_VERIFY=01"],
      ...["CKA_VERIFY_RECOVER=00", "CKA_ENCRYPT=00", "CKA_WRAP=00", "CKA_DERIVE=00", "CKA_PARAMETER_SET=0x2"],
      ...["CKA_LABEL=4c", "CKA_ID=ab"],
    ],
    private: [
      ...["CKA_CLASS=0x3", "CKA_KEY_TYPE=0x4a", "CKA_TOKEN=01", "CKA_PRIVATE=01", "CKA_SENSITIVE=01"],
      ...["CKA_EXTRACTABLE=00", "CKA_SIGN=01", "CKA_SIGN_RECOVER=00", "CKA_DECRYPT=00", "CKA_UNWRAP=00"],
      ...["CKA_DERIVE=00", "CKA_LABEL=4c", "CKA_ID=ab"],
    ],
  });
  const slh = templates(STANDARD, "slh-dsa-shake-256f");
  assert.ok(slh.public.includes("CKA_KEY_TYPE=0x4b") && slh.public.includes("CKA_PARAMETER_SET=0xc"));
  const kem = templates(STANDARD, "ml-kem-1024");
  for (const attribute of ["CKA_KEY_TYPE=0x49", "CKA_PARAMETER_SET=0x3", "CKA_ENCAPSULATE=01", "CKA_VERIFY=00"]) {
    assert.ok(kem.public.includes(attribute), attribute);
  }
  for (const attribute of ["CKA_DECAPSULATE=01", "CKA_SIGN=00", "CKA_DERIVE=00"]) {
    assert.ok(kem.private.includes(attribute), attribute);
  }
});

Deno.test("every row has the parameter set and the key type of the header", () => {
  const complete = withStandard(STANDARD);
  for (const row of PQC_ROWS) {
    const [dialect] = dialectsOf(complete, row);
    const label = row.label.toUpperCase().replaceAll("-", "_");
    assert.equal(dialect!.parameterSet, (CKP as Record<string, number>)[`CKP_${label}`], row.name);
    const family = row.family.toUpperCase().replaceAll("-", "_");
    assert.equal(dialect!.keyType, (CKK as Record<string, number>)[`CKK_${family}`], row.name);
  }
  assert.equal(PQC_ROWS.length, 18);
});

Deno.test("standard: hedged without a parameter, CK_SIGN_ADDITIONAL_CONTEXT for a context", () => {
  for (const name of ["ml-dsa-44", "slh-dsa-sha2-128s"]) {
    assert.equal(signing(STANDARD, name)!.parameter, "");
  }
  const context = new TextEncoder().encode("ctx");
  const lp64 = signing(STANDARD, "ml-dsa-87", { context })!;
  // hedge preferred (0), a pointer behind the structure, length 3
  assert.deepEqual(lp64, { type: "0x1d", parameter: "0000000000000000" + "3010000000000000" + "0300000000000000" });
  const windows = signing(STANDARD, "ml-dsa-87", { context, platform: WINDOWS })!;
  assert.equal(windows.parameter, "00000000" + "2010000000000000" + "03000000");
});

const PLAIN = [softhsm2, nss, kryoptic, nshield];

for (const driver of PLAIN) {
  Deno.test(`${driver.name}: post-quantum keys by the standard, no placeholders, no parameter set in the private half`, () => {
    for (const { name, family } of PQC_ROWS) {
      assert.deepEqual(templates(driver, name), templates(STANDARD, name));
      assert.deepEqual(generation(driver, name), generation(STANDARD, name));
      if (family !== "ml-kem") assert.deepEqual(signing(driver, name), signing(STANDARD, name));
    }
  });
}

Deno.test("nshield: curves of Edwards by name", () => {
  const text = new TextEncoder();
  for (const [row, curve] of [["ed25519", "edwards25519"], ["ed448", "edwards448"]] as const) {
    const name = text.encode(curve).toHex();
    const der = `13${curve.length.toString(16).padStart(2, "0")}${name}`;
    assert.ok(templates(nshield, row).public.includes(`CKA_EC_PARAMS=${der}`), row);
  }
});

Deno.test("securosys: one byte of CKA_VALUE in both templates, an empty CKA_SEED in the private one", () => {
  for (const { name } of PQC_ROWS) {
    const [ours, standard] = [templates(securosys, name), templates(STANDARD, name)];
    assert.deepEqual(ours.public, [...standard.public, "CKA_VALUE=00"]);
    assert.deepEqual(ours.private, [...standard.private, "CKA_VALUE=00", "CKA_SEED="]);
  }
  assert.deepEqual(templates(securosys, "ecdsa-p384"), templates(STANDARD, "ecdsa-p384"));
});

Deno.test("luna: standard ML-DSA; ML-KEM has its set in both halves; RSA and Edwards in the vendor's ways", () => {
  assert.deepEqual(templates(luna, "ml-dsa-44"), templates(STANDARD, "ml-dsa-44"));
  assert.ok(templates(luna, "ml-kem-512").private.includes("CKA_PARAMETER_SET=0x1"));
  const rsa = [0, 1, 2].map((at) => generation(luna, "rsa-3072", at).type);
  assert.deepEqual(rsa, ["0x0", "0x80000142", "0x80000143"]);
  assert.ok(templates(luna, "ed25519").public.includes("CKA_EC_PARAMS=06092b06010401da470f01"));
  const outside = signing({ ...luna, schemes: { "ml-dsa-65": "0x80000175" } }, "ml-dsa-65")!;
  assert.deepEqual(outside, { type: "0x80000175", parameter: "" });
});

Deno.test("utimaco-qp: numbers, records and templates of QuantumProtect", () => {
  assert.deepEqual(generation(quantumProtect, "ml-dsa-65"), { type: "0xc0a50001", parameter: "00000001000000020000" });
  assert.deepEqual(generation(quantumProtect, "ml-kem-1024"), {
    type: "0xc0a50002",
    parameter: "00000001000000030000",
  });
  assert.deepEqual(signing(quantumProtect, "ml-dsa-44"), { type: "0xc0a53001", parameter: "0000000000000001" });
  const context = new Uint8Array(3);
  assert.deepEqual(signing(quantumProtect, "ml-dsa-44", { context }), {
    type: "0xc0a53005",
    parameter: "0000000000000001",
  });
  assert.deepEqual(templates(quantumProtect, "ml-dsa-87"), {
    public: [
      ...["CKA_CLASS=0x2", "CKA_KEY_TYPE=0xc0a50001", "CKA_TOKEN=01", "CKA_PRIVATE=00", "CKA_VERIFY=01"],
      ...["CKA_LABEL=4c", "CKA_ID=ab"],
    ],
    private: [
      ...["CKA_CLASS=0x3", "CKA_KEY_TYPE=0xc0a50001", "CKA_TOKEN=01", "CKA_PRIVATE=01", "CKA_SENSITIVE=01"],
      ...["CKA_EXTRACTABLE=00", "CKA_SIGN=01", "CKA_DERIVE=01", "CKA_LABEL=4c", "CKA_ID=ab"],
    ],
  });
  const kem = templates(quantumProtect, "ml-kem-768");
  for (const half of [kem.public, kem.private]) {
    assert.ok(half.includes("CKA_DERIVE=01") && half.includes("CKA_KEY_TYPE=0xc0a50002"));
    assert.ok(!half.some((attribute) => /PARAMETER_SET|CAPSULATE|COPYABLE|DESTROYABLE|SIGN|VERIFY/.test(attribute)));
  }
  const [dialect] = dialectsOf(withStandard(quantumProtect), findKeyRow("ml-kem-768"));
  const ciphertext = new Uint8Array(1088).fill(0xc7);
  const parameter = dialect!.kem!.parameter!(findKeyRow("ml-kem-768"), ciphertext) as Uint8Array;
  assert.equal(parameter.toHex(), `000000000000000200000440${ciphertext.toHex()}`);
  assert.deepEqual([dialect!.kem!.call, hex(dialect!.kem!.mechanism)], ["derive", "0xc0a59002"]);
});

Deno.test("opencryptoki: the standard first, IBM's dialect behind it", () => {
  assert.deepEqual(generation(opencryptoki, "ml-dsa-44"), { type: "0x1c", parameter: "" });
  assert.deepEqual(templates(opencryptoki, "ml-kem-768"), templates(STANDARD, "ml-kem-768"));
  assert.deepEqual(generation(opencryptoki, "ml-dsa-44", 1), { type: "0x80010035", parameter: "" });
  const ibm = templates(opencryptoki, "ml-dsa-87", 1);
  assert.ok(ibm.public.includes("0x80010010=0x3") && ibm.public.includes("CKA_KEY_TYPE=0x80010025"));
  assert.ok(![...ibm.public, ...ibm.private].some((attribute) => attribute.startsWith("CKA_PARAMETER_SET")));
  const complete = withStandard(opencryptoki);
  const dialect = dialectsOf(complete, findKeyRow("ml-dsa-87"))[1]!;
  const context = Uint8Array.of(1);
  // hedge preferred is 1 here
  assert.match(signing(opencryptoki, "ml-dsa-87", { dialect, context })!.parameter, /^0100000000000000/);
  const kem = dialectsOf(complete, findKeyRow("ml-kem-512"))[1]!.kem!;
  const ciphertext = new Uint8Array(768);
  const at = (platform: Platform) =>
    mechanism(
      encodeMechanism(host(platform), kem.mechanism, kem.parameter!(findKeyRow("ml-kem-512"), ciphertext)),
      platform,
    ).parameter;
  const [zero, pointer] = ["0000000000000000", "6010000000000000"];
  assert.equal(
    at(LP64),
    `${zero}0200000000000000010000000000000000${zero.slice(2)}${pointer}0003000000000000${zero}${zero}${zero}`,
  );
});

Deno.test("every driver's own names and numbers exist", async () => {
  for (const name of builtinDrivers()) {
    const driver: CompleteDriver = await findDriver(name);
    for (const row of keyRows()) {
      for (const dialect of dialectsOf(driver, row)) {
        if (dialect.templates) keyTemplates(driver, row, { names: NAMES, dialect });
        for (const scheme of row.schemes) dialect.sign(findSchemeRow(scheme));
      }
    }
    for (const attribute of driver.notCompared) assert.ok(attribute in CKA, `${name}: ${attribute}`);
    for (const hint of Object.keys(driver.hints)) {
      assert.match(hint, /^(CKR_[A-Z0-9_]+|0x8[0-9a-f]{7})$/, name);
    }
    for (const number of Object.keys(driver.names)) {
      assert.equal(constantName("CKM", Number(number)), undefined, `${name}: ${number} has a standard name`);
    }
  }
});
