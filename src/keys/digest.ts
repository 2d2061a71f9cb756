import type { HashName, PrehashName } from "../alg/registry.ts";
import { type Bytes, encodeHex, plainBytes } from "../bytes.ts";

/** Hash of `bytes` (FIPS 180-4). SHA-1 is here for formats that name it (OCSP, older key files), never for signatures. */
export async function digest(hash: HashName | "SHA-1", bytes: Uint8Array): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest(hash, plainBytes(bytes)));
}

/** Messages that WebCrypto hashes before the library that hashes at once is worth loading (tens of milliseconds). */
const FIRST_MESSAGES = 32;
/** Longest message that is hashed at once; WebCrypto does longer ones beside the main thread. */
const AT_ONCE_BYTES = 1 << 16;

/**
 * As {@link digest}, for a signer of many messages: from some number of them on short ones are hashed at once, because
 * waiting for WebCrypto takes longer than the hash.
 */
export function hasher(hash: HashName): (bytes: Uint8Array) => Bytes | Promise<Bytes> {
  const name = hash.replace("-", "").toLowerCase();
  let count = 0;
  let atOnce: ((bytes: Uint8Array) => Bytes) | undefined;
  return (bytes) => {
    if (bytes.length > AT_ONCE_BYTES || (!atOnce && ++count <= FIRST_MESSAGES)) return digest(hash, bytes);
    if (atOnce) return atOnce(bytes);
    return import("node:crypto").then(({ createHash }) => {
      atOnce = (message) => new Uint8Array(createHash(name).update(message).digest());
      return atOnce(bytes);
    });
  };
}

/** As {@link hasher}, at once from the first message on: for a great many of them. */
export async function syncHasher(hash: HashName): Promise<(bytes: Uint8Array) => Bytes> {
  const { createHash } = await import("node:crypto");
  const name = hash.replace("-", "").toLowerCase();
  return (bytes) => new Uint8Array(createHash(name).update(bytes).digest());
}

/** SHAKE256 of `bytes` (FIPS 202) with `length` bytes of output. */
export function shake256(bytes: Uint8Array, length: number): Promise<Bytes> {
  return shake("cSHAKE256", bytes, length);
}

/** SHAKE128 of `bytes` (FIPS 202) with `length` bytes of output. */
export function shake128(bytes: Uint8Array, length: number): Promise<Bytes> {
  return shake("cSHAKE128", bytes, length);
}

/** cSHAKE without names is SHAKE (SP 800-185 section 3.3). */
async function shake(name: "cSHAKE128" | "cSHAKE256", bytes: Uint8Array, length: number): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest({ name, outputLength: length * 8 } as Algorithm, plainBytes(bytes)));
}

/** Output of SHAKE256 as a pre-hash, in bytes. */
const PREHASH_BYTES = 64;

/** Hash of the message that composite schemes begin with. */
export async function prehash(name: PrehashName, bytes: Uint8Array): Promise<Bytes> {
  return name === "SHAKE256" ? await shake256(bytes, PREHASH_BYTES) : await digest(name, bytes);
}

/** SHA-256 of `bytes` in lower-case hex. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return encodeHex(await digest("SHA-256", bytes));
}
