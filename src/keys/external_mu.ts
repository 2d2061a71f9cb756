import { type Bytes, concatBytes } from "../bytes.ts";
import { shake256 } from "./digest.ts";
import { describeSpki } from "./spki.ts";
import type { SignerOptions } from "./types.ts";

/** Length of µ, and of the hash of the public key in it, in bytes. */
const MU_BYTES = 64;

/**
 * The representative that ML-DSA signs in place of the message: µ = H(H(pk) ‖ 0 ‖ |ctx| ‖ ctx ‖ M) (FIPS 204 algorithms 2
 * and 7), for signers that take it from outside. 64 bytes.
 * @throws {InputError} `der.invalid`, `key.invalid` for what is no public key.
 */
export async function externalMu(
  spki: Uint8Array,
  message: Uint8Array,
  { context = new Uint8Array(0) }: SignerOptions = {},
): Promise<Bytes> {
  const tr = await shake256(describeSpki(spki).publicKey, MU_BYTES);
  return await shake256(concatBytes(tr, Uint8Array.of(0, context.length), context, message), MU_BYTES);
}
