import assert from "node:assert/strict";
import { standard } from "../../drivers/standard.ts";
import { findKeyRow, findSchemeRow } from "../alg/find.ts";
import { InputError } from "../errors.ts";
import { dialectOfKey, dialectsOf, rowsOfKeyType } from "./dialect.ts";
import { completeDriver, validateDriver } from "./driver.ts";

const BAD: [string, unknown, RegExp][] = [
  ["no object", undefined, /default export is not a driver/],
  ["a list", [], /default export is not a driver/],
  ["another api", { api: 2, name: "x" }, /api is 2/],
  ["no name", { api: 1 }, /"name" is missing/],
  ["an unknown field", { api: 1, name: "x", quirk: [] }, /unknown field "quirk"/],
  ["a field of the prototype", { api: 1, name: "x", toString: 1 }, /unknown field "toString"/],
  ["a path as name", { api: 1, name: "../x" }, /"name" has a wrong value/],
  ["a backslash in the name", { api: 1, name: "a\\b" }, /"name" has a wrong value/],
  ["an unknown quirk", { api: 1, name: "x", quirks: ["slow"] }, /"quirks" has a wrong value/],
  ["a batch of none", { api: 1, name: "x", findBatch: 0 }, /"findBatch" has a wrong value/],
  [
    "text for a list of values",
    { api: 1, name: "x", publicValues: ["0x80000001"] },
    /"publicValues" has a wrong value/,
  ],
  ["a dialect that is no object", { api: 1, name: "x", keys: { "ml-dsa-44": [1] } }, /"keys" has a wrong value/],
  ["a user type without a number", { api: 1, name: "x", userTypes: { a: null } }, /"userTypes" has a wrong value/],
  ["text for a function", { api: 1, name: "x", match: "yes" }, /"match" has a wrong value/],
];

for (const [what, value, message] of BAD) {
  Deno.test(`a plug-in with ${what} is refused`, () => {
    assert.throws(() => validateDriver(value, "x.ts"), (error: unknown) => {
      assert.ok(error instanceof InputError);
      assert.equal(error.code, "driver.invalid");
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("what a driver leaves out comes from the standard, attribute by attribute", () => {
  const driver = completeDriver(
    standard,
    validateDriver({
      api: 1,
      name: "x",
      templates: { rsa: { public: { CKA_DERIVE: null, "0x80000001": true } } },
      hints: { CKR_GENERAL_ERROR: "look at the light" },
      schemes: { "ecdsa-sha256": 0x80001041 },
    }, "x.ts"),
  );
  const rsa = driver.templates.rsa!.public;
  assert.deepEqual([rsa["CKA_DERIVE"], rsa["0x80000001"], rsa["CKA_VERIFY"]], [null, true, true]);
  assert.deepEqual(driver.templates.ecdsa, standard.templates.ecdsa);
  assert.equal(driver.schemes["ecdsa-sha256"], 0x80001041);
  assert.equal(driver.findBatch, standard.findBatch);
});

Deno.test("a row with several dialects is made in the first and used in that of its key type", () => {
  const own = { keyType: 0x80000011, generate: 0x80000012, sign: 0x80000013 };
  const driver = completeDriver(standard, { api: 1, name: "x", keys: { "ml-dsa-65": [{}, own] } });
  const row = findKeyRow("ml-dsa-65");
  const numbers = dialectsOf(driver, row).map(({ keyType, generate, sign }) => [
    ...[keyType, generate, sign(findSchemeRow("ml-dsa-65"))],
  ]);
  assert.deepEqual(numbers, [[0x4a, 0x1c, 0x1d], [0x80000011, 0x80000012, 0x80000013]]);
  assert.equal(dialectOfKey(driver, row, 0x80000011)?.generate, 0x80000012);
  assert.equal(dialectOfKey(driver, row, 0x4b), undefined);
  assert.deepEqual(rowsOfKeyType(driver, 0x80000011), [row]);
  assert.equal(rowsOfKeyType(driver, 0x4a).length, 3);
  // PKCS#11 has no composite keys
  assert.deepEqual(dialectsOf(driver, findKeyRow("mldsa65-ecdsa-p256-sha512")), []);
});
