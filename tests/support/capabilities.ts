import { FLAG_NAMES } from "../../src/pkcs11/constants.ts";
import { mustConstant } from "../../src/pkcs11/names.ts";
import type { FakeMechanism } from "./fake_hsm.ts";

/** What a real token listed: a dump of `scripts/capabilities.ts`. */
export interface Capabilities {
  readonly driver: string;
  readonly description: string;
  readonly mechanisms: readonly FakeMechanism[];
}

/** Reads the dump of a driver's device. */
export function readCapabilities(driver: string): Capabilities {
  const text = Deno.readTextFileSync(new URL(`../hsm/capabilities/${driver}.jsonl`, import.meta.url));
  const [head, ...lines] = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  return { ...head, mechanisms: lines.map(fromLine) };
}

/** Names of the drivers with a dump. */
export function dumpedDrivers(): string[] {
  const folder = new URL("../hsm/capabilities/", import.meta.url);
  return [...Deno.readDirSync(folder)].map(({ name }) => name.replace(/\.jsonl$/, "")).sort();
}

type Line = [name: string, number: string, min: number, max: number, flags: string[]];

function fromLine([_name, number, min, max, flags]: Line): FakeMechanism {
  const known: readonly string[] = FLAG_NAMES.mechanism;
  const bits = flags.map((flag) => known.includes(flag) ? mustConstant(flag) : Number(flag));
  return { type: Number(number), min, max, flags: bits.reduce((sum, bit) => sum + bit, 0) };
}
