import { decodeHex } from "../../src/bytes.ts";

/** Test vectors of others, as they published them; where each is from stands in tests/vectors/README.md. */

/** One test of a Wycheproof file. Hex fields are absent where they make no sense. */
export type WycheproofTest = Readonly<Record<string, string>> & {
  readonly tcId: number;
  readonly result: "valid" | "invalid" | "acceptable";
  readonly flags?: readonly string[];
};

/** A group of tests with what they share. */
export interface WycheproofGroup {
  readonly [field: string]: unknown;
  readonly tests: readonly WycheproofTest[];
}

/** A file of tests/vectors, parsed. */
export function readVectors<T>(name: string): T {
  return JSON.parse(Deno.readTextFileSync(new URL(`../vectors/${name}`, import.meta.url)));
}

/** Every test of a Wycheproof file with its group. @throws {Error} when there is none. */
export function wycheproof(name: string): [WycheproofGroup, WycheproofTest][] {
  const { testGroups } = readVectors<{ testGroups: WycheproofGroup[] }>(`wycheproof/${name}.json`);
  const tests = testGroups.flatMap((group) =>
    group.tests.map((test): [WycheproofGroup, WycheproofTest] => [group, test])
  );
  if (tests.length === 0) throw new Error(`${name} has no tests`);
  return tests;
}

/** Bytes of a hex field; empty when it is absent. */
export function hexField(value: unknown): Uint8Array<ArrayBuffer> {
  return typeof value === "string" ? decodeHex(value) : new Uint8Array();
}
