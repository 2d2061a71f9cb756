import assert from "node:assert/strict";
import { findKeyRow, findSchemeRow, type KeyRow, keyRows, schemeRows } from "../../src/alg/find.ts";
import { Secret } from "../../src/bytes.ts";
import { TokenError } from "../../src/errors.ts";
import { CKF, CKM } from "../../src/pkcs11/constants.ts";
import { listMechanisms } from "../../src/pkcs11/mechanisms.ts";
import { pkcs11Provider } from "../../src/pkcs11/provider.ts";
import { dumpedDrivers, readCapabilities, SERVED } from "../support/capabilities.ts";
import { FakeHsm, type FakeMechanism } from "../support/fake_hsm.ts";
import { refTo } from "./support.ts";

/** What a key can be made of in a token is known from its list of mechanisms, before anything is made. */

async function why(mechanisms: readonly FakeMechanism[], driver: string, row: KeyRow): Promise<TokenError | undefined> {
  const hsm = new FakeHsm({ mechanisms });
  const pin = () => Promise.resolve(new Secret("1234"));
  const options = { configPath: "hsm.yaml", lib: "fake", token: "Fake", driver, ffi: hsm, pin, notify: () => {} };
  await using provider = await pkcs11Provider(options);
  try {
    await provider.prepare(row, refTo({ label: "a" }));
    return undefined;
  } catch (error) {
    assert.ok(error instanceof TokenError, String(error));
    assert.equal(error.code, "mechanism.absent");
    return error;
  } finally {
    assert.equal(hsm.calls.length, 0);
  }
}

Deno.test("there is a dump for every driver whose device was seen", () => {
  assert.deepEqual(dumpedDrivers(), Object.keys(SERVED).sort());
});

for (const [driver, served] of Object.entries(SERVED)) {
  Deno.test(`${driver}: which rows the token's list serves`, async () => {
    const { mechanisms } = readCapabilities(driver);
    const found: string[] = [];
    for (const row of keyRows()) if (await why(mechanisms, driver, row) === undefined) found.push(row.name);
    assert.deepEqual(found.sort(), [...served].sort());
  });
}

const GENERATE = CKF.CKF_GENERATE_KEY_PAIR;
const SIGN = CKF.CKF_SIGN;

function dsa(generate: Partial<FakeMechanism>, sign: Partial<FakeMechanism>): FakeMechanism[] {
  return [
    { type: CKM.CKM_ML_DSA_KEY_PAIR_GEN, min: 1312, max: 2592, flags: GENERATE, ...generate },
    { type: CKM.CKM_ML_DSA, min: 1312, max: 2592, flags: SIGN, ...sign },
  ];
}

const CASES: [what: string, row: string, FakeMechanism[], RegExp | undefined][] = [
  ["both mechanisms", "ml-dsa-65", dsa({}, {}), undefined],
  ["no signing", "ml-dsa-65", dsa({}, {}).slice(0, 1), /sign with ML-DSA-65 .*: the token lacks CKM_ML_DSA$/],
  [
    "no generation",
    "ml-dsa-65",
    dsa({}, {}).slice(1),
    /generate an ML-DSA-65 key .*: the token lacks CKM_ML_DSA_KEY_PAIR_GEN$/,
  ],
  [
    "a signing mechanism that only verifies",
    "ml-dsa-65",
    dsa({}, { flags: CKF.CKF_VERIFY }),
    /has CKM_ML_DSA, but not CKF_SIGN/,
  ],
  ["the largest set missing", "ml-dsa-87", dsa({ max: 1952 }, {}), /1312 to 1952 bytes of public key only/],
  ["the smallest set missing at signing", "ml-dsa-44", dsa({}, { min: 1952 }), /does CKM_ML_DSA with 1952 to 2592/],
  ["one set only, another asked", "ml-dsa-44", dsa({ min: 2592 }, {}), /2592 to 2592 bytes of public key only/],
  ["sizes in another unit", "ml-dsa-87", dsa({ min: 1, max: 3 }, { min: 44, max: 87 }), undefined],
  ["no sizes", "ml-dsa-87", dsa({ min: 0, max: 0 }, { min: 0, max: 0 }), undefined],
  ["no flags", "ml-dsa-87", dsa({ flags: 0 }, { flags: 1 }), undefined],
  ["the flag of single keys", "ml-dsa-44", dsa({ flags: CKF.CKF_GENERATE }, {}), /but not CKF_GENERATE_KEY_PAIR/],
  ["nothing", "slh-dsa-sha2-128f", [], /the token lacks CKM_SLH_DSA_KEY_PAIR_GEN/],
  [
    "a KEM that only encapsulates",
    "ml-kem-768",
    [
      { type: CKM.CKM_ML_KEM_KEY_PAIR_GEN, min: 800, max: 1568, flags: GENERATE },
      { type: CKM.CKM_ML_KEM, min: 800, max: 1568, flags: CKF.CKF_ENCAPSULATE },
    ],
    /decapsulate with ML-KEM-768 .*: the token has CKM_ML_KEM, but not CKF_DECAPSULATE/,
  ],
  ["a composite key", "mldsa65-ecdsa-p256-sha512", dsa({}, {}), /PKCS#11 has no mechanism for it/],
];

for (const [what, row, mechanisms, message] of CASES) {
  Deno.test(`a token with ${what}: ${row} ${message ? "is refused, and the mechanism named" : "is served"}`, async () => {
    const error = await why(mechanisms, "generic", findKeyRow(row));
    if (message) assert.match(error!.message, message);
    else assert.equal(error?.message, undefined);
  });
}

Deno.test("a scheme that the token lacks is named although it makes the key", async () => {
  const { mechanisms } = readCapabilities("softhsm2");
  const hsm = new FakeHsm({ mechanisms: mechanisms.filter(({ type }) => type !== CKM.CKM_RSA_PKCS_PSS) });
  const pin = () => Promise.resolve(new Secret("1234"));
  const options = { configPath: "x", lib: "fake", token: "Fake", driver: "generic", ffi: hsm, pin, notify: () => {} };
  await using provider = await pkcs11Provider(options);
  const row = findKeyRow("rsa-3072");
  for (const { name } of schemeRows().filter(({ family }) => family === "rsa")) {
    const prepared = provider.prepare(row, refTo({ label: "a" }), findSchemeRow(name));
    if (name.includes("pss")) await assert.rejects(prepared, { message: /the token lacks CKM_RSA_PKCS_PSS/ });
    else await prepared;
  }
});

Deno.test("mechanisms that only the driver knows are listed, by name, and marked", async () => {
  const { quantumProtect } = await import("../../drivers/utimaco.ts");
  const hsm = new FakeHsm({ mechanisms: [{ type: 0xc0a53001, min: 0, max: 0, flags: SIGN }] });
  const options = { configPath: "x", lib: "fake", token: "Fake", driver: quantumProtect, ffi: hsm, notify: () => {} };
  await using provider = await pkcs11Provider({ ...options, pin: () => Promise.resolve(new Secret("1234")) });
  const found = listMechanisms(provider.slot, provider.context.driver).filter(({ name }) => /ML/.test(name));
  assert.deepEqual(found.map(({ name, listed }) => [name, listed]), [
    ["CKM_UTI_MLDSA_SIGN", true],
    ["CKM_UTI_MLDSA_GENKEY", false],
    ["CKM_UTI_MLKEM_GENKEY", false],
    ["CKM_UTI_MLDSA_EXTMU_SIGN", false],
    ["CKM_UTI_MLKEM_DECAP", false],
  ]);
});
