import assert from "node:assert/strict";
import { tempFolder } from "../tests/support/tmp.ts";
import { builtinDrivers, chooseDriver, findDriver, knownLibraries } from "./mod.ts";

const FACTS = {
  path: "/x.so",
  manufacturer: "SoftHSM",
  description: "",
  libraryVersion: "2.6",
  cryptokiVersion: "2.40",
};

Deno.test("a driver is chosen by name, by what the module says, else generic", async () => {
  assert.equal((await chooseDriver(undefined, FACTS)).name, "softhsm2");
  assert.equal((await chooseDriver("generic", FACTS)).name, "generic");
  assert.equal((await chooseDriver(undefined, { ...FACTS, manufacturer: "Acme" })).name, "generic");
  for (const name of builtinDrivers()) assert.equal((await findDriver(name)).name, name);
});

Deno.test("a misspelt name gets a suggestion, and no file is looked for", async () => {
  await assert.rejects(findDriver("softhsm"), { code: "driver.unknown", hint: 'Did you mean "softhsm2"?' });
  await assert.rejects(findDriver("constructor"), { code: "driver.unknown" });
});

Deno.test("a plug-in is loaded by its path and checked", async () => {
  using tmp = tempFolder();
  const good = tmp.write("a b#c.ts", 'export default { api: 1, name: "mine", findBatch: 3 };');
  const driver = await findDriver(good);
  assert.deepEqual([driver.name, driver.findBatch], ["mine", 3]);
  assert.equal(driver.mechanisms["CKM_ECDSA"]?.output, "r-s");
  const bad = tmp.write("bad.ts", 'export default { api: 1, name: "mine", surprise: 3 };');
  await assert.rejects(findDriver(bad), { code: "driver.invalid", message: /unknown field "surprise"/ });
  await assert.rejects(findDriver(tmp.join("absent.ts")), { code: "driver.invalid" });
  await assert.rejects(findDriver(tmp.write("broken.ts", "export default {")), { code: "driver.invalid" });
});

Deno.test("the usual places of libraries are absolute paths", () => {
  const known = knownLibraries("linux");
  assert.ok(known.length > 0);
  for (const { path } of known) assert.match(path, /^\//);
});
