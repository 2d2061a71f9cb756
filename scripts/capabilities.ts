/**
 * Writes what the laboratory's tokens list, one file a driver, to tests/hsm/capabilities/:
 *
 *   deno task lab deno run -A scripts/capabilities.ts
 *
 * With a path to a library, and what it needs in the environment, it prints the same for that library's first token: a
 * dump of a device that nobody here has.
 */
import { chooseDriver } from "../drivers/mod.ts";
import { listMechanisms } from "../src/pkcs11/mechanisms.ts";
import { Module } from "../src/pkcs11/module.ts";
import { labToken, type LabTokenName } from "../tests/support/lab.ts";

const TOKENS: readonly LabTokenName[] = ["softhsm", "nss", "kryoptic", "opencryptoki"];
const FOLDER = new URL("../tests/hsm/capabilities/", import.meta.url);

interface Dump {
  readonly driver: string;
  readonly text: string;
}

/** The module and then the mechanisms of a token, a line of JSON each: name, number, key sizes, flags. */
async function dump(lib: string, label?: string): Promise<Dump> {
  using module = Module.load(lib);
  const info = module.info();
  const driver = await chooseDriver(undefined, info);
  module.adopt(driver);
  const slots = module.slots();
  const slot = slots.find((one) => label === undefined || one.token()?.label === label);
  if (!slot) throw new Error(`Cannot dump "${lib}": it has no token`);
  const lines = listMechanisms(slot).map(({ name, type, minKeySize, maxKeySize, flagNames }) =>
    JSON.stringify([name, `0x${type.toString(16)}`, minKeySize, maxKeySize, flagNames])
  );
  const { description, libraryVersion, interfaceVersion } = info;
  const head = JSON.stringify({ driver: driver.name, description, libraryVersion, interfaceVersion });
  const text = [head, ...lines, ""].join("\n");
  return { driver: driver.name, text };
}

if (import.meta.main) {
  const [lib] = Deno.args;
  if (lib !== undefined) console.log((await dump(lib)).text.trimEnd());
  else {
    for (const name of TOKENS) {
      using token = await labToken(name);
      for (const [variable, value] of Object.entries(token.env)) Deno.env.set(variable, value);
      const { driver, text } = await dump(token.lib, token.label);
      Deno.writeTextFileSync(new URL(`${driver}.jsonl`, FOLDER), text);
      console.log(`${driver}.jsonl`);
    }
  }
}
