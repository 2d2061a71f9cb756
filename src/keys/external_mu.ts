import { type Bytes, concatBytes } from "../bytes.ts";
import { shake256 } from "./digest.ts";
import { describeSpki } from "./spki.ts";
import type { SignerOptions } from "./types.ts";

/** Length of µ, and of the hash of the public key in it, in bytes. */
export const MU_BYTES = 64;

/**
 * The representative that ML-DSA signs in place of the message: µ = H(H(pk) ‖ 0 ‖ |ctx| ‖ ctx ‖ M) (FIPS 204 algorithms 2
 * and 7), for signers that take it from outside. 64 bytes.
 * @throws {InputError} `der.invalid`, `key.invalid` for what is no public key.
 */
export async function externalMu(spki: Uint8Array, message: Uint8Array, options: SignerOptions = {}): Promise<Bytes> {
  return await shake256(concatBytes(await muPrefix(describeSpki(spki).publicKey, options), message), MU_BYTES);
}

/** What is hashed before the message itself; `publicKey` is the raw key. */
export async function muPrefix(
  publicKey: Uint8Array,
  { context = new Uint8Array(0) }: SignerOptions = {},
): Promise<Bytes> {
  const tr = await shake256(publicKey, MU_BYTES);
  return concatBytes(tr, Uint8Array.of(0, context.length), context);
}
