import assert from "node:assert/strict";
import { generateConstants } from "../../scripts/gen_constants.ts";
import { CKR, CONSTANTS, FUNCTIONS } from "./constants.ts";
import { constantName, constantValue, describeConstant, flagNames, hasFlag, mustConstant } from "./names.ts";

Deno.test("constants.ts is what the generator makes of the standard's data", () => {
  const root = new URL("../../", import.meta.url);
  const data = JSON.parse(Deno.readTextFileSync(new URL("scripts/data/pkcs11-3.2-constants.json", root)));
  assert.equal(Deno.readTextFileSync(new URL("src/pkcs11/constants.ts", root)), generateConstants(data));
});

Deno.test("mechanisms that a peer tool misnames have the standard's names", () => {
  const cases: [number, string][] = [
    [0x1087, "CKM_AES_GCM"],
    [0x1086, "CKM_AES_CTR"],
    [0x1089, "CKM_AES_CTS"],
    [0x391, "CKM_MD2_KEY_DERIVATION"],
    [0x392, "CKM_SHA1_KEY_DERIVATION"],
    [0x402a, "CKM_HKDF_DERIVE"],
    [0x1d, "CKM_ML_DSA"],
    [0x17, "CKM_ML_KEM"],
    [0x2e, "CKM_SLH_DSA"],
    [0x1040, "CKM_EC_KEY_PAIR_GEN"],
    [0x210a, "CKM_AES_KEY_WRAP_PAD"],
  ];
  for (const [number, name] of cases) assert.equal(constantName("CKM", number), name);
});

Deno.test("names and numbers agree in both directions", () => {
  for (const [kind, table] of Object.entries(CONSTANTS)) {
    for (const [name, value] of Object.entries<number>(table)) {
      assert.equal(constantValue(name), value);
      if (kind === "CKF") continue;
      assert.equal(constantValue(constantName(kind as "CKM", value)!), value);
    }
  }
  assert.equal(constantName("CKK", 3), "CKK_EC");
  assert.equal(constantName("CKA", 0x180), "CKA_EC_PARAMS");
  assert.equal(constantName("CKM", 0x7fffffff), undefined);
  assert.equal(constantValue("CKM_NOPE"), undefined);
  assert.throws(() => mustConstant("CKM_NOPE"), RangeError);
  assert.equal(describeConstant("CKR", CKR.CKR_PIN_INCORRECT), "CKR_PIN_INCORRECT (0xa0)");
  assert.equal(describeConstant("CKR", 0x80000001), "CKR 0x80000001");
});

Deno.test("flags are named by the structure they stand in", () => {
  assert.deepEqual(flagNames("slot", 1), ["CKF_TOKEN_PRESENT"]);
  assert.deepEqual(flagNames("token", 0x40d), [
    "CKF_RNG",
    "CKF_LOGIN_REQUIRED",
    "CKF_USER_PIN_INITIALIZED",
    "CKF_TOKEN_INITIALIZED",
  ]);
  assert.deepEqual(flagNames("mechanism", 0x80000001), ["CKF_HW", "CKF_EXTENSION"]);
  assert.deepEqual(flagNames("session", 0x10), ["0x10"]);
  assert.equal(hasFlag(0x80020000, "CKF_USER_PIN_FINAL_TRY"), true);
  assert.equal(hasFlag(0x80020000, "CKF_USER_PIN_LOCKED"), false);
});

Deno.test("functions stand at the standard's places", () => {
  assert.equal(FUNCTIONS.length, 104);
  assert.equal(FUNCTIONS[42], "C_SignInit");
  assert.equal(FUNCTIONS[67], "C_WaitForSlotEvent");
  assert.equal(FUNCTIONS[91], "C_MessageVerifyFinal");
  assert.equal(FUNCTIONS[92], "C_EncapsulateKey");
});
