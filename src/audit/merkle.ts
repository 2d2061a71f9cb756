import { type Bytes, concatBytes, equalBytes } from "../bytes.ts";

/** Merkle trees as RFC 9162 section 2.1 (and RFC 6962) defines them, over leaves that come one after the other. */

/** SHA-256. */
export type Hash = (bytes: Uint8Array) => Bytes;

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** Hash of a leaf with this content. */
export function leafHash(hash: Hash, content: Uint8Array): Bytes {
  return hash(concatBytes(LEAF, content));
}

/** Hash of the node above two others. */
export function nodeHash(hash: Hash, left: Uint8Array, right: Uint8Array): Bytes {
  return hash(concatBytes(NODE, left, right));
}

/** A full subtree: 2^level leaves. */
export interface Subtree {
  readonly level: number;
  readonly hash: Bytes;
}

/**
 * The tree over the leaves so far, by the roots of its largest full subtrees from left to right: at most one for each bit of
 * their number. Enough to add leaves and to know the root.
 */
export class MerkleFrontier {
  readonly #hash: Hash;
  #subtrees: Subtree[];

  constructor(hash: Hash, subtrees: readonly Subtree[] = []) {
    this.#hash = hash;
    this.#subtrees = [...subtrees];
  }

  /** Leaves so far. */
  get size(): number {
    return this.#subtrees.reduce((size, { level }) => size + 2 ** level, 0);
  }

  get subtrees(): readonly Subtree[] {
    return this.#subtrees;
  }

  /** Adds a leaf (level 0), or a full subtree no larger than the last one. */
  add(hash: Bytes, level = 0): void {
    let top: Subtree = { level, hash };
    for (let left = this.#subtrees.at(-1); left?.level === top.level; left = this.#subtrees.at(-1)) {
      this.#subtrees.pop();
      top = { level: top.level + 1, hash: nodeHash(this.#hash, left.hash, top.hash) };
    }
    this.#subtrees.push(top);
  }

  /** Root of the tree; the hash of nothing for an empty one. */
  root(): Bytes {
    const [last, ...others] = this.#subtrees.toReversed();
    if (!last) return this.#hash(new Uint8Array());
    return others.reduce((right, { hash }) => nodeHash(this.#hash, hash, right), last.hash);
  }
}

/** Levels of the largest full subtrees of a tree with so many leaves, from left to right. */
export function frontierLevels(size: number): number[] {
  const levels: number[] = [];
  for (let level = 52, rest = size; level >= 0; level--) {
    if (rest < 2 ** level) continue;
    levels.push(level);
    rest -= 2 ** level;
  }
  return levels;
}

/**
 * Gathers the proof that one leaf is in a tree (RFC 9162 section 2.1.3.1) while its leaves go by from left to right; the
 * first ones may come as the subtrees of a {@link MerkleFrontier}, when the leaf is not among them.
 */
export class PathBuilder {
  /** Ranges of leaves whose roots make the proof, from the leaf up. */
  readonly #ranges: { readonly from: number; readonly to: number; readonly tree: MerkleFrontier }[] = [];

  constructor(hash: Hash, index: number, size: number) {
    for (let [from, to] = [0, size]; to - from > 1;) {
      const middle = from + largestPowerBelow(to - from);
      const [other, own] = index < middle
        ? [[middle, to], [from, middle]] as const
        : [[from, middle], [middle, to]] as const;
      this.#ranges.unshift({ from: other[0], to: other[1], tree: new MerkleFrontier(hash) });
      [from, to] = own;
    }
  }

  /** The leaf (level 0) or subtree that begins at leaf number `from`. */
  add(from: number, hash: Bytes, level = 0): void {
    this.#ranges.find((range) => from >= range.from && from < range.to)?.tree.add(hash, level);
  }

  /** The proof, once every leaf of the tree went by. */
  path(): Bytes[] {
    return this.#ranges.map(({ tree }) => tree.root());
  }
}

/** What {@link verifyInclusion} checks. */
export interface Inclusion {
  /** Hash of the leaf. */
  readonly leaf: Uint8Array;
  /** Its place, from 0. */
  readonly index: number;
  /** Leaves of the tree. */
  readonly size: number;
  readonly path: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** Whether a leaf is in the tree with this root (RFC 9162 section 2.1.3.2). */
export function verifyInclusion(hash: Hash, { leaf, index, size, path, root }: Inclusion): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  let [node, last] = [index, size - 1];
  let at: Bytes = new Uint8Array(leaf);
  for (const sibling of path) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      at = nodeHash(hash, sibling, at);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      at = nodeHash(hash, at, sibling);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 && equalBytes(at, root);
}

/** Largest power of two below `count`, which is above 1. */
function largestPowerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}
