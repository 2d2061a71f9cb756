import type { SchemeRow } from "../alg/find.ts";
import type { Bytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { decodeScheme, describeAlgorithm, unsupportedReason } from "../keys/scheme.ts";
import { verifySignature } from "../keys/verify.ts";

/** A signature with its AlgorithmIdentifier, as certificates, requests and CRLs carry it. */
export interface CarriedSignature {
  /** Key to check with, DER. */
  readonly spki: Bytes;
  readonly message: Bytes;
  readonly algorithm: Bytes;
  readonly signature: Bytes;
}

/** Yes, or no and why. */
export interface SignatureVerdict {
  readonly valid: boolean;
  /** When not valid: `signature.invalid`, `signature.unsupported`, and for an alternative signature `alternative.…`. */
  readonly code?: string;
  readonly reason?: string;
  /** What the signature was checked as; absent when the algorithm is not known. */
  readonly scheme?: SchemeRow;
}

/** Checks a carried signature. An unknown algorithm or an unusable key is a reason, never an error. */
export async function checkSignature(carried: CarriedSignature): Promise<SignatureVerdict> {
  const { spki, message, algorithm, signature } = carried;
  try {
    const scheme = decodeScheme(algorithm);
    if (!scheme) {
      const reason = `the signature algorithm ${describeAlgorithm(algorithm)} ${unsupportedReason(algorithm)}`;
      return { valid: false, code: "signature.unsupported", reason };
    }
    const valid = await verifySignature({ spki, scheme, message, signature });
    if (valid) return { valid, scheme };
    const reason = `the ${scheme.label} signature does not verify with the public key`;
    return { valid: false, code: "signature.invalid", scheme, reason };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const reason = error.message.slice(0, 1).toLowerCase() + error.message.slice(1);
    return { valid: false, code: "signature.unsupported", reason };
  }
}
