import { DerFields, integer, readDer, readUnsigned, sequence } from "../asn1/der.ts";
import { type Bytes, concatBytes } from "../bytes.ts";

/** The two forms of an ECDSA signature: Ecdsa-Sig-Value (RFC 3279 section 2.2.3) and r and s side by side (IEEE P1363). */

/** Ecdsa-Sig-Value of r and s side by side, each half of `raw`. */
export function encodeEcdsaSignature(raw: Uint8Array): Bytes {
  const half = raw.length / 2;
  return sequence(integer(raw.subarray(0, half)), integer(raw.subarray(half)));
}

/**
 * r and s side by side, `scalarBytes` each; undefined for anything but strict DER with two positive numbers that fit.
 */
export function decodeEcdsaSignature(der: Uint8Array, scalarBytes: number): Bytes | undefined {
  // The longest valid one has two padded integers; more is not looked at.
  if (der.length > 2 * (scalarBytes + 3) + 4) return undefined;
  try {
    const fields = new DerFields(readDer(der), "signature");
    const [r, s] = [readUnsigned(fields.next("r")), readUnsigned(fields.next("s"))];
    fields.end();
    return isScalar(r, scalarBytes) && isScalar(s, scalarBytes)
      ? concatBytes(leftPad(r, scalarBytes), leftPad(s, scalarBytes))
      : undefined;
  } catch {
    return undefined;
  }
}

function isScalar(value: Uint8Array, scalarBytes: number): boolean {
  return value.length <= scalarBytes && value.some((octet) => octet !== 0);
}

/** `bytes` with zeros in front up to `length`; longer input stays as it is. */
export function leftPad(bytes: Uint8Array, length: number): Bytes {
  return concatBytes(new Uint8Array(Math.max(0, length - bytes.length)), bytes);
}
