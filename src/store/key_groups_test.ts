import assert from "node:assert/strict";
import { FileNames } from "./file_names.ts";
import { keyGroups } from "./key_groups.ts";
import type { KeyEntry } from "./meta.ts";

function keys(...ids: string[]): KeyEntry[] {
  return ids.map((id, i) => ({ id, algorithm: String(i), storage: { type: "software", path: id } }) as KeyEntry);
}

/** [ids in the metadata, algorithms (their positions) of each certificate] */
const GROUPS: readonly [ids: string[], groups: string[]][] = [
  [[], []],
  [["default"], ["0"]],
  [["classical", "pqc"], ["0 1"]],
  [["pqc", "classical"], ["1 0"]],
  [["default", "default"], ["0", "1"]],
  [["default", "classical", "pqc", "default"], ["0", "1 2", "3"]],
  [["classical", "pqc", "classical", "pqc"], ["0 1", "2 3"]],
  [["classical", "classical", "pqc"], ["0", "1 2"]],
];

Deno.test("keys in metadata belong to certificates by their order and ids", () => {
  for (const [ids, groups] of GROUPS) {
    const found = keyGroups(keys(...ids)).map((group) => group.map(({ algorithm }) => algorithm).join(" "));
    assert.deepEqual(found, groups, ids.join(" "));
  }
});

Deno.test("a file name is used once", () => {
  const names = new FileNames();
  assert.deepEqual(["a", "b", "a", "a", "a-1"].map((name) => names.next(name)), ["a", "b", "a-1", "a-2", "a-1-1"]);
});
