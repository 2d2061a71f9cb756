import type { KeyRow } from "../alg/find.ts";
import type { Bytes } from "../bytes.ts";
import { decodeEcdsaSignature, encodeEcdsaSignature } from "../keys/ecdsa.ts";

/**
 * The one place between the signatures of X.509 and those of COSE: ECDSA's is DER there and r ‖ s here (RFC 9053 section
 * 2.1), each as long as the curve; all others are the same.
 */

/** From a {@link Signer}'s answer to COSE. */
export function toCoseSignature(row: KeyRow, signature: Bytes): Bytes {
  if (row.family !== "ecdsa") return signature;
  const raw = decodeEcdsaSignature(signature, row.scalarBytes);
  if (!raw) throw new Error(`A ${row.label} signer returned what is no ECDSA signature`);
  return raw;
}

/** From COSE to what `verifySignature` takes; undefined for a length that no signature of such a key has. */
export function fromCoseSignature(row: KeyRow, signature: Bytes): Bytes | undefined {
  if (row.family !== "ecdsa") return signature;
  return signature.length === 2 * row.scalarBytes ? encodeEcdsaSignature(signature) : undefined;
}
