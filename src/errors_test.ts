import assert from "node:assert/strict";
import { withArticle } from "./errors.ts";

Deno.test("a name has the article that is spoken before it", () => {
  for (
    const name of ["ECDSA P-256", "ML-DSA-65", "Ed25519", "RSA 2048", "SLH-DSA-SHA2-128s", "EC secp256k1", "X25519"]
  ) {
    assert.equal(withArticle(name), `an ${name}`);
  }
  for (const name of ["DSA", "brainpoolP256r1", "Composite ML-DSA-44"]) assert.equal(withArticle(name), `a ${name}`);
});
