import type { KeyRow } from "../alg/find.ts";
import { type Bytes, equalBytes, wipe } from "../bytes.ts";
import { mlKemOf } from "./pqc_noble.ts";
import { invalid } from "./private_key_codec.ts";

/** Bytes of H(ek) and z at the end of an expanded ML-KEM key (FIPS 203 algorithm 16). */
const KEM_TAIL_BYTES = 64;

/**
 * Public key inside an expanded ML-KEM key, after the hash check of FIPS 203 section 7.3 and an encapsulation that the
 * secret part must undo.
 * @throws {InputError} `key.invalid` when a part of it does not belong to the rest (RFC 9935 section 8).
 */
export async function checkExpandedMlKem(row: KeyRow, expanded: Bytes): Promise<Bytes> {
  const library = await mlKemOf(row);
  const end = expanded.length - KEM_TAIL_BYTES;
  const publicKey = expanded.slice(end - row.publicKeyBytes, end);
  let secrets: readonly [Uint8Array, Uint8Array];
  try {
    const { cipherText, sharedSecret } = library.encapsulate(publicKey);
    secrets = [sharedSecret, library.decapsulate(cipherText, expanded)];
  } catch {
    // the library refuses a public key that is not reduced, and one whose hash is another
    throw invalid(row.label, "the hash of the public key in its expanded key is of another one");
  }
  const isPair = equalBytes(...secrets);
  for (const secret of secrets) wipe(secret);
  if (!isPair) throw invalid(row.label, "the secret in its expanded key does not belong to the public key");
  return publicKey;
}
