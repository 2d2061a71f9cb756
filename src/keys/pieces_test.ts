import assert from "node:assert/strict";
import { findKeyRow, findSchemeRow } from "../alg/find.ts";
import { piecesSigner, verifiesPieces, verifyPieces } from "./pieces.ts";
import { generateSoftwareKey } from "./software.ts";
import { verifySignature } from "./verify.ts";

const MESSAGE = new TextEncoder().encode("a message that comes in pieces".repeat(1000));

async function* pieces(size = 7001): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < MESSAGE.length; at += size) yield await Promise.resolve(MESSAGE.subarray(at, at + size));
}

for (const name of ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "brainpool-p256r1", "rsa-2048", "ml-dsa-44"]) {
  Deno.test(`${name}: a signature over pieces is one over the message, and the other way round`, async () => {
    using key = await generateSoftwareKey(findKeyRow(name));
    assert.ok(verifiesPieces(key.algorithm));
    for (const scheme of key.algorithm.schemes.map(findSchemeRow)) {
      const signer = key.signer(scheme);
      const signature = await signer.signPieces!(pieces());
      const signed = { spki: key.spki, scheme };
      assert.equal(await verifySignature({ ...signed, message: MESSAGE, signature }), true, scheme.name);
      assert.equal(await verifyPieces({ ...signed, pieces: pieces(1), signature }), true, scheme.name);
      const whole = await signer.sign(MESSAGE);
      assert.equal(await verifyPieces({ ...signed, pieces: pieces(), signature: whole }), true, scheme.name);
      for (
        const wrong of [
          whole.subarray(1),
          whole.map((octet, i) => i === 20 ? octet ^ 1 : octet),
          new Uint8Array(),
        ]
      ) {
        assert.equal(await verifyPieces({ ...signed, pieces: pieces(), signature: wrong }), false, scheme.name);
      }
    }
  });
}

Deno.test("schemes that read the message twice have no signatures over pieces", async () => {
  for (const name of ["ed25519", "slh-dsa-sha2-128f"]) {
    using key = await generateSoftwareKey(findKeyRow(name));
    assert.equal(key.signer(findSchemeRow(key.algorithm.schemes[0]!)).signPieces, undefined);
    assert.equal(verifiesPieces(key.algorithm), false);
  }
});

Deno.test("an ML-DSA key with a context, and one that has no seed, sign pieces", async () => {
  using key = await generateSoftwareKey(findKeyRow("ml-dsa-65"));
  const scheme = findSchemeRow("ml-dsa-65");
  const context = new TextEncoder().encode("context");
  const signature = await key.signer(scheme, { context }).signPieces!(pieces());
  assert.equal(await verifySignature({ spki: key.spki, scheme, message: MESSAGE, signature, context }), true);
  assert.equal(await verifyPieces({ spki: key.spki, scheme, pieces: pieces(), signature }), false);
  const { mlDsaOf } = await import("./pqc_noble.ts");
  const { secretKey, publicKey } = (await mlDsaOf(key.algorithm)).keygen(new Uint8Array(32));
  const expanded = { row: key.algorithm, material: new Uint8Array(secretKey), publicKey: new Uint8Array(publicKey) };
  const again = await piecesSigner(expanded, scheme)!(pieces());
  assert.equal((await mlDsaOf(key.algorithm)).verify(again, MESSAGE, publicKey), true);
});
