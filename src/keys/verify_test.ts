import assert from "node:assert/strict";
import { IS_EXTENDED } from "../../tests/support/extended.ts";
import { ed25519 } from "@noble/curves/ed25519.js";
import { findKeyRow, findSchemeRow, type KeyRow, keyRows, type SchemeRow } from "../alg/find.ts";
import { bitString, integer, nullDer, oid, sequence } from "../asn1/der.ts";
import { type Bytes, concatBytes, randomBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { backEndOf } from "./back_end.ts";
import { decodeEcdsaSignature, encodeEcdsaSignature } from "./ecdsa.ts";
import { generateSoftwareKey, SoftwareKey } from "./software.ts";
import { encodeSpki } from "./spki.ts";
import type { Signer } from "./types.ts";
import { checkedSigner, proveSigner, verifierFor, verifyOwn, verifySignature } from "./verify.ts";

const MESSAGE = new TextEncoder().encode("message");

/** They take seconds a signature; an extended run has them. */
const SLOW = /^slh-dsa-.*s$/;

Deno.test("every row and scheme: good is good; another message, key, scheme or one flipped bit is not", async () => {
  let pairs = 0;
  for (const row of keyRows().filter(({ name }) => IS_EXTENDED || !SLOW.test(name))) {
    using key = await unprovedKey(row);
    using other = await unprovedKey(row.modulusBits > 0 ? findKeyRow("rsa-2048") : row);
    for (const name of row.schemes) {
      const scheme = findSchemeRow(name);
      const signature = await key.signer(scheme).sign(MESSAGE);
      assert.equal(signature.length, scheme.signatureBytes ?? signature.length, name);
      const check = { spki: key.spki, scheme, message: MESSAGE, signature };
      assert.equal(await verifySignature(check), true, `${row.name} ${name}`);
      assert.equal(await verifySignature({ ...check, message: concatBytes(MESSAGE, Uint8Array.of(0)) }), false);
      assert.equal(await verifySignature({ ...check, spki: other.spki }), false);
      assert.equal(await verifySignature({ ...check, scheme: anotherScheme(row, scheme) }), false);
      for (const bad of damaged(signature)) assert.equal(await verifySignature({ ...check, signature: bad }), false);
      const verifier = await verifierFor(key.spki, scheme);
      assert.deepEqual(await Promise.all([verifier(MESSAGE, signature), verifier(MESSAGE, signature)]), [true, true]);
      pairs++;
    }
  }
  assert.equal(pairs, 9 + 6 + 2 + 18 + 3 + (IS_EXTENDED ? 12 : 6) + 18);
});

/** A key that saves the time of the proof: the slow sets of SLH-DSA take seconds a signature. */
async function unprovedKey(row: KeyRow): Promise<SoftwareKey> {
  return new SoftwareKey(await backEndOf(row).generate(row));
}

function anotherScheme(row: KeyRow, scheme: SchemeRow): SchemeRow {
  const name = row.schemes.find((name) => name !== scheme.name) ?? "ecdsa-sha256";
  return findSchemeRow(name);
}

function* damaged(signature: Bytes): Generator<Bytes> {
  for (const length of [0, 1, signature.length >> 1, signature.length - 1]) yield signature.subarray(0, length);
  yield concatBytes(signature, Uint8Array.of(0));
  yield concatBytes(Uint8Array.of(0), signature);
  yield new Uint8Array(signature.length);
  yield new Uint8Array(signature.length).fill(0xff);
  for (const at of [0, 1, 3, signature.length >> 1, signature.length - 1]) {
    const flipped = signature.slice();
    flipped[at]! ^= 1;
    yield flipped;
  }
}

Deno.test("ECDSA signatures are read as strict DER with scalars in range only", () => {
  const raw = randomBytes(64);
  raw[0] = 0x90;
  raw[32] = 0;
  assert.deepEqual(decodeEcdsaSignature(encodeEcdsaSignature(raw), 32), raw);
  const one = integer(1);
  assert.ok(decodeEcdsaSignature(sequence(one, one), 32));
  const bad: [string, Uint8Array][] = [
    ["r = 0", sequence(integer(0), one)],
    ["s = 0", sequence(one, integer(0))],
    ["r < 0", sequence(integer(-1), one)],
    ["three numbers", sequence(one, one, one)],
    ["one number", sequence(one)],
    ["no numbers", sequence(oid("1.2.3"), one)],
    ["too long", sequence(integer(2n ** 256n), one)],
    ["bytes behind", concatBytes(sequence(one, one), Uint8Array.of(0))],
    ["not shortest", Uint8Array.fromHex("3007020200010201 01".replace(" ", ""))],
    ["long form", Uint8Array.fromHex("308106020101020101")],
    ["indefinite", Uint8Array.fromHex("30800201010201010000")],
    ["empty", new Uint8Array()],
    ["huge", new Uint8Array(1_000_000)],
  ];
  for (const [name, der] of bad) assert.equal(decodeEcdsaSignature(der, 32), undefined, name);
});

Deno.test("Ed25519: a low-order key is refused and s + L is no second signature", async () => {
  const row = findKeyRow("ed25519");
  const scheme = findSchemeRow("ed25519");
  const identity = new Uint8Array(32);
  identity[0] = 1;
  const forged = new Uint8Array(64);
  forged[0] = 1;
  await assert.rejects(
    verifySignature({ spki: encodeSpki(row, identity), scheme, message: MESSAGE, signature: forged }),
    (error: unknown) => error instanceof InputError && error.code === "key.invalid",
  );
  using key = await generateSoftwareKey(row);
  const signature = await key.signer(scheme).sign(MESSAGE);
  const s = BigInt(`0x${signature.slice(32).reverse().toHex()}`) + ed25519.Point.Fn.ORDER;
  const malleated = concatBytes(signature.slice(0, 32), Uint8Array.fromHex(s.toString(16).padStart(64, "0")).reverse());
  assert.equal(await verifySignature({ spki: key.spki, scheme, message: MESSAGE, signature: malleated }), false);
});

Deno.test("a key without a row is an InputError, not an answer", async () => {
  const modulus = new Uint8Array(128).fill(0xff);
  const weak = sequence(
    sequence(oid("1.2.840.113549.1.1.1"), nullDer()),
    bitString(sequence(integer(modulus), integer(65537))),
  );
  const scheme = findSchemeRow("rsa-pkcs1-sha256");
  await assert.rejects(
    verifySignature({ spki: weak, scheme, message: MESSAGE, signature: new Uint8Array(128) }),
    (error: unknown) => error instanceof InputError && /RSA 1024/.test(error.message),
  );
});

Deno.test("proveSigner catches a signer whose public key is another's", async () => {
  const row = findKeyRow("ecdsa-p256");
  const scheme = findSchemeRow("ecdsa-sha256");
  using key = await generateSoftwareKey(row);
  using other = await generateSoftwareKey(row);
  const liar: Signer = { ...key.signer(scheme), spki: other.spki };
  await proveSigner(key.signer(scheme));
  await assert.rejects(proveSigner(liar), (error: unknown) => (error as { code: string }).code === "key.proof_failed");
});

Deno.test("a signer is checked with its public key, whatever it says of itself", async () => {
  const row = findKeyRow("ml-dsa-44");
  const scheme = findSchemeRow("ml-dsa-44");
  using key = await generateSoftwareKey(row);
  using other = await generateSoftwareKey(row);
  const signer = key.signer(scheme);
  const liar = { ...signer, spki: other.spki, verify: () => Promise.resolve(true) };
  const signature = await signer.sign(MESSAGE);
  const flipped = signature.slice();
  flipped[0]! ^= 1;
  for (const honest of [signer, await checkedSigner(signer)]) {
    assert.deepEqual([honest.algorithm, honest.scheme, honest.spki], [row, scheme, key.spki]);
    assert.equal(await verifyOwn(honest, MESSAGE, await honest.sign(MESSAGE)), true);
    assert.equal(await verifyOwn(honest, MESSAGE, flipped), false);
    assert.equal(await verifyOwn(honest, new Uint8Array(7), signature), false);
  }
  for (const one of [liar, await checkedSigner(liar)]) assert.equal(await verifyOwn(one, MESSAGE, signature), false);
});
