import assert from "node:assert/strict";
import { decodeHex, encodeHex } from "../bytes.ts";
import { aesBlock, hmacSha256 } from "./mac.ts";

Deno.test("HMAC-SHA256: RFC 4231 test case 2", async () => {
  const [key, data] = ["Jefe", "what do ya want for nothing?"].map((text) => new TextEncoder().encode(text));
  const wanted = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
  assert.equal(encodeHex(await hmacSha256(key!, data!)), wanted);
});

Deno.test("AES: FIPS 197 appendix C.3", async () => {
  const key = decodeHex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  const block = decodeHex("00112233445566778899aabbccddeeff");
  assert.equal(encodeHex(await aesBlock(key, block)), "8ea2b7ca516745bfeafc49904b496089");
});
