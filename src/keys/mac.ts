import { type Bytes, plainBytes } from "../bytes.ts";

/** What a device computes with a secret that it does not give away, computed here to compare. */

/** HMAC-SHA256 of `data` (FIPS 198-1). 32 bytes. */
export async function hmacSha256(secret: Uint8Array, data: Uint8Array): Promise<Bytes> {
  const how = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", plainBytes(secret), how, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign(how, key, plainBytes(data)));
}

/** One block of 16 bytes enciphered with AES (FIPS 197); the secret has 16, 24 or 32 bytes. */
export async function aesBlock(secret: Uint8Array, block: Uint8Array): Promise<Bytes> {
  const key = await crypto.subtle.importKey("raw", plainBytes(secret), "AES-CBC", false, ["encrypt"]);
  // CBC from a vector of zeros begins with the bare block
  const how = { name: "AES-CBC", iv: new Uint8Array(16) };
  return new Uint8Array(await crypto.subtle.encrypt(how, key, plainBytes(block))).slice(0, 16);
}
