import assert from "node:assert/strict";
import { randomBytes } from "../bytes.ts";
import { digest, hasher } from "./digest.ts";

for (const hash of ["SHA-256", "SHA-384", "SHA-512"] as const) {
  Deno.test(`${hash}: a hasher of many messages gives what WebCrypto gives, and hashes short ones at once`, async () => {
    const hashOf = hasher(hash);
    let atOnce = 0;
    for (let i = 0; i < 60; i++) {
      const message = randomBytes(i * 7);
      const value = hashOf(message);
      if (!(value instanceof Promise)) atOnce++;
      assert.deepEqual(await value, await digest(hash, message));
    }
    assert.ok(atOnce > 0 && atOnce < 60);
    const long = new Uint8Array(100_000);
    assert.ok(hashOf(long) instanceof Promise);
    assert.deepEqual(await hashOf(long), await digest(hash, long));
  });
}

Deno.test("messages hashed at the same time do not mix", async () => {
  const hashOf = hasher("SHA-256");
  const messages = Array.from({ length: 100 }, (_, i) => new Uint8Array([i]));
  const values = await Promise.all(messages.map((message) => hashOf(message)));
  for (const [i, value] of values.entries()) assert.deepEqual(value, await digest("SHA-256", messages[i]!));
});
