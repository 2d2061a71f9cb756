import assert from "node:assert/strict";
import { findKeyRow } from "../alg/find.ts";
import { externalMu } from "./external_mu.ts";
import { mlDsaOf } from "./pqc_noble.ts";
import { encodeSpki } from "./spki.ts";

for (const name of ["ml-dsa-44", "ml-dsa-65", "ml-dsa-87"]) {
  Deno.test(`${name}: a signature over external µ is one over the message`, async () => {
    const row = findKeyRow(name);
    const library = await mlDsaOf(row);
    const { publicKey, secretKey } = library.keygen(new Uint8Array(32).fill(7));
    const spki = encodeSpki(row, new Uint8Array(publicKey));
    const message = new TextEncoder().encode("message");
    for (const context of [undefined, new Uint8Array(255).fill(9)]) {
      const mu = await externalMu(spki, message, context ? { context } : {});
      assert.equal(mu.length, 64);
      const signature = library.internal.sign(mu, secretKey, { externalMu: true });
      assert.ok(library.verify(signature, message, publicKey, context ? { context } : {}));
      assert.equal(library.verify(signature, mu, publicKey), false);
    }
  });
}
