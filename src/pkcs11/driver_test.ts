import assert from "node:assert/strict";
import { standard } from "../../drivers/standard.ts";
import { InputError } from "../errors.ts";
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
