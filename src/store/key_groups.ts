import type { KeyEntry } from "./meta.ts";

/** Keys of one certificate: one, or a classical and a post-quantum one in that order. */
export type KeyGroup = readonly [KeyEntry, ...KeyEntry[]];

/**
 * Keys of a version by certificate: metadata lists them in the order of the certificates. A `classical` and a `pqc` one that
 * follow each other, in whatever order, belong together.
 */
export function keyGroups(keys: readonly KeyEntry[]): KeyGroup[] {
  const groups: [KeyEntry, ...KeyEntry[]][] = [];
  for (const key of keys) {
    const last = groups.at(-1);
    if (!last || last.length > 1 || !areHalves(last[0], key)) groups.push([key]);
    else if (key.id === "classical") last.unshift(key);
    else last.push(key);
  }
  return groups;
}

function areHalves(a: KeyEntry, b: KeyEntry): boolean {
  return (a.id === "classical" && b.id === "pqc") || (a.id === "pqc" && b.id === "classical");
}
