import assert from "node:assert/strict";
import { findSchemeRow, type KeyRow } from "../../src/alg/find.ts";
import type { Bytes } from "../../src/bytes.ts";
import { backEndOf } from "../../src/keys/back_end.ts";
import { encapsulate } from "../../src/keys/kem.ts";
import { mlDsaOf, slhDsaOf } from "../../src/keys/pqc_noble.ts";
import { encodeSpki } from "../../src/keys/spki.ts";
import { modernSubtle } from "../../src/keys/subtle.ts";

/** A software library that does post-quantum algorithms. */
export type Library = "webcrypto" | "noble";

/**
 * Whether a signature with such a key takes seconds: the small sets of SLH-DSA. Tests of every row make one such signature
 * where the row itself is the point (that it makes keys, that they sign), and leave the rest to the fast sets and the laboratory.
 */
export function isSlow(row: KeyRow): boolean {
  return row.family === "slh-dsa" && row.name.endsWith("s");
}

const MESSAGE = new TextEncoder().encode("a message to sign\n");

/** A key made in one library works in the other: same public key, signatures that both accept, the same secret. */
export async function crossCheck(row: KeyRow, maker: Library, other: Library): Promise<void> {
  const key = await backEndOf(row, maker).generate(row);
  const reader = backEndOf(row, other);
  assert.deepEqual(await reader.derive!(row, key.material), key.publicKey, row.name);
  for (const name of row.schemes) {
    const sign = await backEndOf(row, maker).signer!(key, findSchemeRow(name));
    const signature = await sign(MESSAGE);
    for (const library of [maker, other]) {
      assert.equal(await verifyIn(library, row, { ...key, signature }), true, `${row.name}, ${library}`);
      signature[signature.length >> 1]! ^= 1;
      assert.equal(await verifyIn(library, row, { ...key, signature }), false, `${row.name}, ${library}, flipped`);
      signature[signature.length >> 1]! ^= 1;
    }
  }
  if (row.kind !== "kem") return;
  const { ciphertext, sharedSecret } = await encapsulate(encodeSpki(row, key.publicKey));
  for (const library of [maker, other]) {
    assert.deepEqual(
      await backEndOf(row, library).decapsulate!(key, ciphertext),
      sharedSecret,
      `${row.name}, ${library}`,
    );
  }
}

async function verifyIn(
  library: Library,
  row: KeyRow,
  { publicKey, signature }: { publicKey: Bytes; signature: Bytes },
): Promise<boolean> {
  if (library === "noble") {
    const noble = await (row.family === "ml-dsa" ? mlDsaOf(row) : slhDsaOf(row));
    return noble.verify(signature, MESSAGE, publicKey);
  }
  const how = { name: row.webcrypto!.name };
  const key = await modernSubtle().importKey("raw-public", publicKey, how, false, ["verify"]);
  return await crypto.subtle.verify(how, key, signature, MESSAGE);
}
