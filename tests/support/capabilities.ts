import { keyRows } from "../../src/alg/find.ts";
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

const EC = ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521"];
const BRAINPOOL = ["brainpool-p256r1", "brainpool-p384r1"];
const RSA = ["rsa-2048", "rsa-3072", "rsa-4096"];
const ML_DSA = ["ml-dsa-44", "ml-dsa-65", "ml-dsa-87"];
const ML_KEM = ["ml-kem-512", "ml-kem-768", "ml-kem-1024"];
const SLH_DSA = keyRows().filter(({ family }) => family === "slh-dsa").map(({ name }) => name);

/** The rows that each dumped token serves: by its list, and in the laboratory in fact. */
export const SERVED: Readonly<Record<string, readonly string[]>> = {
  softhsm2: [...EC, ...BRAINPOOL, "ed25519", "ed448", ...RSA],
  nss: [...EC, "ed25519", ...RSA, ...ML_DSA, "ml-kem-768", "ml-kem-1024"],
  kryoptic: [...EC, "ed25519", "ed448", ...RSA, ...ML_DSA, ...SLH_DSA, ...ML_KEM],
  opencryptoki: [...EC, ...BRAINPOOL, "ed25519", "ed448", ...RSA, ...ML_DSA, ...ML_KEM],
};

type Line = [name: string, number: string, min: number, max: number, flags: string[]];

function fromLine([_name, number, min, max, flags]: Line): FakeMechanism {
  const known: readonly string[] = FLAG_NAMES.mechanism;
  const bits = flags.map((flag) => known.includes(flag) ? mustConstant(flag) : Number(flag));
  return { type: Number(number), min, max, flags: bits.reduce((sum, bit) => sum + bit, 0) };
}
