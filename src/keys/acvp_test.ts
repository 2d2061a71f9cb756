import assert from "node:assert/strict";
import { IS_EXTENDED } from "../../tests/support/extended.ts";
import { hexField, readVectors } from "../../tests/support/vectors.ts";
import { defaultScheme, findKeyRow, type KeyRow } from "../alg/find.ts";
import { concatBytes } from "../bytes.ts";
import { backEndOf } from "./back_end.ts";
import { digest } from "./digest.ts";
import { mlKemOf, slhDsaOf } from "./pqc_noble.ts";
import { encodeSpki } from "./spki.ts";
import { verifySignature } from "./verify.ts";

/**
 * NIST's ACVP vectors in each software back end. Counts are stated, so that none goes missing. SLH-DSA's small signatures
 * take seconds each: all of them in an extended run.
 */

const LIBRARIES = ["webcrypto", "noble"] as const;

type Vector = Readonly<Record<string, string>> & { readonly set: string };

function vectors(file: string, mode: string): Vector[] {
  return readVectors<Record<string, Vector[]>>(`acvp/${file}.json`)[mode] ?? [];
}

function rowOf({ set }: Vector): KeyRow {
  return findKeyRow(set.toLowerCase());
}

async function sha256(bytes: Uint8Array): Promise<string> {
  return (await digest("SHA-256", bytes)).toHex();
}

Deno.test("ACVP SLH-DSA: key generation in noble, public keys in both back ends", async () => {
  const all = vectors("slh-dsa", "keyGen").filter((_, i) => IS_EXTENDED || i % 2 === 0);
  assert.equal(all.length, IS_EXTENDED ? 24 : 12);
  assert.equal(new Set(all.map(({ set }) => set)).size, 12);
  for (const vector of all) {
    const row = rowOf(vector);
    const seed = concatBytes(hexField(vector.skSeed), hexField(vector.skPrf), hexField(vector.pkSeed));
    const { secretKey, publicKey } = (await slhDsaOf(row)).keygen(seed);
    assert.equal(secretKey.toHex(), vector.sk, `${vector.tcId}`);
    assert.equal(publicKey.toHex(), vector.pk, `${vector.tcId}`);
    for (const library of LIBRARIES) {
      const derived = await backEndOf(row, library).derive!(row, hexField(vector.sk));
      assert.equal(derived.toHex(), vector.pk, `${vector.tcId}, ${library}`);
    }
  }
});

Deno.test("ACVP SLH-DSA: signatures to the byte in noble, accepted natively; each back end's own are accepted by the other", async () => {
  const all = vectors("slh-dsa", "sigGen").filter(({ set }) => IS_EXTENDED || /128s|f$/.test(set));
  assert.equal(all.length, IS_EXTENDED ? 18 : 14);
  for (const vector of all) {
    const row = rowOf(vector);
    assert.equal(vector.context, "", "certificates have no context");
    const library = await slhDsaOf(row);
    const [material, message] = [hexField(vector.sk), hexField(vector.message)];
    const publicKey = material.slice(-row.publicKeyBytes);
    const extraEntropy = vector.additionalRandomness === undefined ? false : hexField(vector.additionalRandomness);
    const signature = library.sign(message, material, { extraEntropy });
    assert.equal(await sha256(signature), vector.signatureSha256, `${vector.tcId}`);
    const accept = { spki: encodeSpki(row, publicKey), scheme: defaultScheme(row), message };
    assert.ok(await verifySignature({ ...accept, signature }), `${vector.tcId}`);
    if (row.name.endsWith("s")) continue;
    const native = await (await backEndOf(row, "webcrypto").signer!({ row, material, publicKey }, accept.scheme))(
      message,
    );
    assert.ok(library.verify(native, message, publicKey), `${vector.tcId}, native`);
  }
});

Deno.test("ACVP SLH-DSA: verification", async () => {
  const all = vectors("slh-dsa", "sigVer");
  const seen = { good: 0, bad: 0 };
  for (const vector of all) {
    const row = rowOf(vector);
    const [message, context, signature] = [vector.message, vector.context, vector.signature].map(hexField);
    const publicKey = hexField(vector.pk);
    const isGood = Boolean(vector.testPassed);
    let answer = false;
    try {
      answer = (await slhDsaOf(row)).verify(signature!, message!, publicKey, { context: context! });
    } catch {
      // a signature of a wrong length
    }
    assert.equal(answer, isGood, `${vector.tcId}`);
    seen[isGood ? "good" : "bad"]++;
    if (context!.length > 0) continue;
    const accept = { spki: encodeSpki(row, publicKey), scheme: defaultScheme(row), message: message! };
    assert.equal(await verifySignature({ ...accept, signature: signature! }), isGood, `${vector.tcId}, natively`);
  }
  assert.deepEqual(seen, { good: 4, bad: 8 });
});

Deno.test("ACVP ML-DSA: key generation in both back ends", async () => {
  const all = vectors("ml-dsa", "keyGen");
  assert.equal(all.length, 30);
  for (const vector of all) {
    const row = rowOf(vector);
    for (const library of LIBRARIES) {
      const end = backEndOf(row, library);
      assert.equal((await end.derive!(row, hexField(vector.seed))).toHex(), vector.pk, `${vector.tcId}, ${library}`);
      const expanded = await end.expand!(row, hexField(vector.seed));
      assert.equal(await sha256(expanded), vector.skSha256, `${vector.tcId}, ${library}`);
    }
  }
});

Deno.test("ACVP ML-KEM: key generation, encapsulation and decapsulation, implicit rejection included", async () => {
  const [made, sealed, opened] = ["keyGen", "encapsulation", "decapsulation"].map((mode) => vectors("ml-kem", mode));
  assert.deepEqual([made!.length, sealed!.length, opened!.length], [30, 30, 30]);
  for (const vector of made!) {
    const row = rowOf(vector);
    const seed = concatBytes(hexField(vector.d), hexField(vector.z));
    for (const library of LIBRARIES) {
      const end = backEndOf(row, library);
      assert.equal((await end.derive!(row, seed)).toHex(), vector.ek, `${vector.tcId}, ${library}`);
      assert.equal(await sha256(await end.expand!(row, seed)), vector.dkSha256, `${vector.tcId}, ${library}`);
    }
  }
  for (const vector of sealed!) {
    const library = await mlKemOf(rowOf(vector));
    const { cipherText, sharedSecret } = library.encapsulate(hexField(vector.ek), hexField(vector.m));
    assert.deepEqual([cipherText.toHex(), sharedSecret.toHex()], [vector.c, vector.k], `${vector.tcId}`);
  }
  for (const vector of opened!) {
    const row = rowOf(vector);
    const material = hexField(vector.dk);
    for (const library of LIBRARIES) {
      const end = backEndOf(row, library);
      const key = { row, material, publicKey: await end.derive!(row, material) };
      assert.equal((await end.decapsulate!(key, hexField(vector.c))).toHex(), vector.k, `${vector.tcId}, ${library}`);
    }
  }
});
