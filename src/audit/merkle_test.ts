import assert from "node:assert/strict";
import { encodeHex } from "../bytes.ts";
import { syncHasher } from "../keys/digest.ts";
import { frontierLevels, leafHash, MerkleFrontier, nodeHash, PathBuilder, verifyInclusion } from "./merkle.ts";

const hash = await syncHasher("SHA-256");

/** Leaves of the test tree that implementations of Certificate Transparency (RFC 6962) share. */
const LEAVES = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
].map((hex) => leafHash(hash, Uint8Array.fromHex(hex)));

/** Its roots with 1 to 8 leaves. */
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

function treeOf(leaves: readonly Uint8Array<ArrayBuffer>[]): MerkleFrontier {
  const tree = new MerkleFrontier(hash);
  for (const leaf of leaves) tree.add(leaf);
  return tree;
}

/** The definition of RFC 9162 section 2.1.1, word for word. */
function recursiveRoot(leaves: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  if (leaves.length === 0) return hash(new Uint8Array());
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(hash, recursiveRoot(leaves.slice(0, k)), recursiveRoot(leaves.slice(k)));
}

/** The definition of RFC 9162 section 2.1.3.1. */
function recursivePath(index: number, leaves: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer>[] {
  if (leaves.length <= 1) return [];
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return index < k
    ? [...recursivePath(index, leaves.slice(0, k)), recursiveRoot(leaves.slice(k))]
    : [...recursivePath(index - k, leaves.slice(k)), recursiveRoot(leaves.slice(0, k))];
}

Deno.test("roots of the common test tree, with 0 to 8 leaves", () => {
  assert.equal(
    encodeHex(new MerkleFrontier(hash).root()),
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  );
  for (const [i, root] of ROOTS.entries()) assert.equal(encodeHex(treeOf(LEAVES.slice(0, i + 1)).root()), root);
});

Deno.test("roots and proofs are those of the definitions, for every leaf of every tree up to 70, and proofs verify", () => {
  const leaves = Array.from({ length: 70 }, (_, i) => leafHash(hash, Uint8Array.of(i, 7)));
  for (let size = 1; size <= leaves.length; size++) {
    const some = leaves.slice(0, size);
    const root = recursiveRoot(some);
    assert.deepEqual(treeOf(some).root(), root);
    assert.deepEqual(treeOf(some).subtrees.map(({ level }) => level), frontierLevels(size));
    for (let index = 0; index < size; index++) {
      const builder = new PathBuilder(hash, index, size);
      some.forEach((leaf, i) => builder.add(i, leaf));
      const path = builder.path();
      assert.deepEqual(path, recursivePath(index, some));
      const inclusion = { leaf: some[index]!, index, size, path, root };
      assert.ok(verifyInclusion(hash, inclusion));
      assert.ok(!verifyInclusion(hash, { ...inclusion, index: (index + 1) % (size + 1) }));
      assert.ok(!verifyInclusion(hash, { ...inclusion, path: [...path, root] }));
      if (path.length > 0) assert.ok(!verifyInclusion(hash, { ...inclusion, path: path.slice(1) }));
      if (size > 1) assert.ok(!verifyInclusion(hash, { ...inclusion, leaf: some[(index + 1) % size]! }));
    }
  }
});

Deno.test("a proof for a later leaf needs only the subtrees of what came before", () => {
  const leaves = Array.from({ length: 40 }, (_, i) => leafHash(hash, Uint8Array.of(i)));
  for (let start = 1; start < leaves.length; start++) {
    const before = treeOf(leaves.slice(0, start));
    const later = new MerkleFrontier(hash, before.subtrees);
    for (const leaf of leaves.slice(start)) later.add(leaf);
    assert.deepEqual(later.root(), recursiveRoot(leaves));
    for (let index = start; index < leaves.length; index++) {
      const builder = new PathBuilder(hash, index, leaves.length);
      let at = 0;
      for (const { level, hash: root } of before.subtrees) {
        builder.add(at, root, level);
        at += 2 ** level;
      }
      leaves.slice(start).forEach((leaf, i) => builder.add(start + i, leaf));
      assert.deepEqual(builder.path(), recursivePath(index, leaves));
    }
  }
});
