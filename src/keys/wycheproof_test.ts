import assert from "node:assert/strict";
import { hexField, wycheproof, type WycheproofTest } from "../../tests/support/vectors.ts";
import { defaultScheme, findKeyRow, type KeyRow } from "../alg/find.ts";
import { implicit, integer, octetString, sequence } from "../asn1/der.ts";
import type { Bytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { backEndOf } from "./back_end.ts";
import { decodePrivateKey } from "./pkcs8.ts";
import { mlDsaOf } from "./pqc_noble.ts";
import { openSoftwareKey, SoftwareKey } from "./software.ts";
import { encodeKeyAlgorithm, encodeSpki } from "./spki.ts";
import { verifySignature } from "./verify.ts";

/** Wycheproof's vectors of ML-DSA and ML-KEM in each software back end. Counts are stated, so that none goes missing. */

const LIBRARIES = ["webcrypto", "noble"] as const;

interface Verification {
  readonly publicKey: Bytes;
  readonly message: Bytes;
  readonly signature: Bytes;
  readonly context: Bytes;
}

/** What our own path says: WebCrypto without a context, noble with one; a malformed key or context is a no. */
async function weAccept(row: KeyRow, { publicKey, ...rest }: Verification): Promise<boolean> {
  try {
    return await verifySignature({ spki: encodeSpki(row, publicKey), scheme: defaultScheme(row), ...rest });
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    return false;
  }
}

async function nobleAccepts(row: KeyRow, check: Verification): Promise<boolean> {
  const library = await mlDsaOf(row);
  try {
    return library.verify(check.signature, check.message, check.publicKey, { context: check.context });
  } catch {
    return false;
  }
}

const ML_DSA = [
  ["44", { valid: 77, invalid: 103, native: 150, mu: 8, refused: 4, signed: 60 }],
  ["65", { valid: 79, invalid: 131, native: 150, mu: 17, refused: 4, signed: 60 }],
  ["87", { valid: 56, invalid: 20, native: 60, mu: 0, refused: 1, signed: 50 }],
] as const;

for (const [set, counts] of ML_DSA) {
  const row = findKeyRow(`ml-dsa-${set}`);

  Deno.test(`Wycheproof ${row.label}: verification, natively and in noble`, async () => {
    const seen = { valid: 0, invalid: 0, native: 0 };
    for (const [group, test] of wycheproof(`mldsa_${set}_verify_test`)) {
      const check = {
        publicKey: hexField(group.publicKey),
        message: hexField(test.msg),
        signature: hexField(test.sig),
        context: hexField(test.ctx),
      };
      const isGood = test.result === "valid";
      assert.equal(await weAccept(row, check), isGood, `${test.tcId}`);
      assert.equal(await nobleAccepts(row, check), isGood, `${test.tcId}, noble`);
      seen[isGood ? "valid" : "invalid"]++;
      if (check.context.length === 0) seen.native++;
    }
    assert.deepEqual([seen.valid, seen.invalid], [counts.valid, counts.invalid]);
    assert.ok(seen.native >= counts.native, JSON.stringify(seen));
  });

  Deno.test(`Wycheproof ${row.label}: signing from the seed, the same bytes in noble, accepted ones in WebCrypto`, async () => {
    const seen = { noble: 0, native: 0, mu: 0, refused: 0 };
    for (const [group, test] of wycheproof(`mldsa_${set}_sign_seed_test`)) {
      const seed = hexField(group.privateSeed);
      if (test.result === "invalid") {
        await assert.rejects(sign(row, seed, test), InputError, `${test.tcId}`);
        seen.refused++;
        continue;
      }
      for (const library of LIBRARIES) {
        const publicKey = await backEndOf(row, library).derive!(row, seed);
        if (group.publicKey) assert.equal(publicKey.toHex(), group.publicKey, `${test.tcId}, ${library}`);
      }
      const expected = hexField(test.sig);
      const library = await mlDsaOf(row);
      const { secretKey, publicKey } = library.keygen(seed);
      const extraEntropy = test.rnd === undefined ? false : hexField(test.rnd);
      if (test.msg === undefined) {
        const made = library.internal.sign(hexField(test.mu), secretKey, { extraEntropy, externalMu: true });
        assert.deepEqual(made, expected, `${test.tcId}`);
        seen.mu++;
        continue;
      }
      const [message, context] = [hexField(test.msg), hexField(test.ctx)];
      assert.deepEqual(library.sign(message, secretKey, { context, extraEntropy }), expected, `${test.tcId}`);
      seen.noble++;
      if (group.privateKeyPkcs8) {
        const { key } = await decodePrivateKey(hexField(group.privateKeyPkcs8));
        assert.deepEqual(key.material, seed);
      }
      const spki = encodeSpki(row, new Uint8Array(publicKey));
      const scheme = defaultScheme(row);
      for (const signature of [expected, await sign(row, seed, test)]) {
        assert.ok(await verifySignature({ spki, scheme, message, signature, context }), `${test.tcId}`);
      }
      if (context.length === 0) seen.native++;
    }
    assert.deepEqual([seen.mu, seen.refused], [counts.mu, counts.refused]);
    assert.ok(seen.noble >= counts.signed && seen.native >= counts.signed, JSON.stringify(seen));
  });
}

/** Our own path: a file with the seed, opened, signs with randomness of its own. */
async function sign(row: KeyRow, seed: Uint8Array, test: WycheproofTest): Promise<Bytes> {
  const content = implicit(0, octetString(seed));
  using key = await openSoftwareKey(sequence(integer(0), encodeKeyAlgorithm(row), octetString(content)));
  return await key.signer(defaultScheme(row), { context: hexField(test.ctx) }).sign(hexField(test.msg));
}

for (const set of ["512", "768"]) {
  const row = findKeyRow(`ml-kem-${set}`);

  Deno.test(`Wycheproof ${row.label}: key generation in both back ends`, async () => {
    let count = 0;
    for (const [, test] of wycheproof(`mlkem_${set}_keygen_seed_test`)) {
      const seed = hexField(test.seed);
      for (const library of LIBRARIES) {
        const end = backEndOf(row, library);
        assert.equal((await end.derive!(row, seed)).toHex(), test.ek, `${test.tcId}, ${library}`);
        assert.equal((await end.expand!(row, seed)).toHex(), test.dk, `${test.tcId}, ${library}`);
        assert.equal(
          (await end.derive!(row, hexField(test.dk))).toHex(),
          test.ek,
          `${test.tcId}, ${library}, expanded`,
        );
      }
      count++;
    }
    assert.equal(count, 100);
  });

  Deno.test(`Wycheproof ${row.label}: decapsulation in both back ends, from seed and expanded key`, async () => {
    const seen = { valid: 0, invalid: 0 };
    for (const [, test] of wycheproof(`mlkem_${set}_test`)) {
      const [seed, ciphertext] = [hexField(test.seed), hexField(test.c)];
      const isGood = test.result === "valid";
      seen[isGood ? "valid" : "invalid"]++;
      if (!isGood) {
        await assert.rejects(decapsulate(row, seed, ciphertext), InputError, `${test.tcId}`);
        continue;
      }
      for (const library of LIBRARIES) {
        const end = backEndOf(row, library);
        const publicKey = await end.derive!(row, seed);
        assert.equal(publicKey.toHex(), test.ek);
        for (const material of [seed, await end.expand!(row, seed)]) {
          const secret = await end.decapsulate!({ row, material, publicKey }, ciphertext);
          assert.equal(secret.toHex(), test.K, `${test.tcId}, ${library}`);
        }
      }
      assert.equal((await decapsulate(row, seed, ciphertext)).toHex(), test.K);
    }
    assert.deepEqual(seen, { valid: 153, invalid: 40 });
  });
}

/** Our own path: a file with the seed, opened, decapsulates. */
async function decapsulate(row: KeyRow, seed: Uint8Array, ciphertext: Bytes): Promise<Bytes> {
  const content = implicit(0, octetString(seed));
  const { key } = await decodePrivateKey(sequence(integer(0), encodeKeyAlgorithm(row), octetString(content)));
  using opened = new SoftwareKey(key);
  return await opened.decapsulate(ciphertext);
}
