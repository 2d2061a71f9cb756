import assert from "node:assert/strict";
import { builtinDrivers, findDriver } from "../../drivers/mod.ts";
import { loadHsmConfig, parseHsmConfig } from "./hsm_config.ts";

const FOLDER = new URL("../../examples/hsm/", import.meta.url).pathname;
const NAMES = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).sort();

Deno.test("every example of an hsm.yaml is read, and its driver knows what it says", async () => {
  const used = new Set<string>();
  for (const name of NAMES) {
    const config = await loadHsmConfig(`${FOLDER}${name}`);
    assert.match(config.lib, /^\//, name);
    assert.ok(config.pin, `${name} names no source of the PIN`);
    const { userTypes } = await findDriver(config.driver ?? "generic");
    if (config.userType !== undefined) assert.ok(Object.hasOwn(userTypes, config.userType), name);
    used.add(config.driver ?? name.replace(/\.yaml$/, ""));
  }
  // softokn, Kryoptic, openCryptoki and SoftHSM2 are recognised by what they say of themselves
  assert.deepEqual([...used].sort(), [...builtinDrivers()].sort());
});

Deno.test("what an example has as a comment is read when it is taken in", async () => {
  const optional = /^ {2}# (?=(init_string|user_type|sessions|logout_after_use): \S)/m;
  let taken = 0;
  for (const name of NAMES) {
    const text = await Deno.readTextFile(`${FOLDER}${name}`);
    if (!optional.test(text)) continue;
    assert.doesNotThrow(() => parseHsmConfig(text.replace(optional, "  "), name), name);
    taken++;
  }
  assert.ok(taken >= 4);
});
