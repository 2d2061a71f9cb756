import { bitString, DerFields, type DerNode, expectTag, readBitOctets, readDer, sequence, TAG } from "../asn1/der.ts";
import type { Bytes } from "../bytes.ts";
import { InputError, type InputErrorDetails } from "../errors.ts";

/** What certificates, requests and CRLs share: SEQUENCE { to be signed, AlgorithmIdentifier, BIT STRING }. */
export interface SignedParts {
  readonly toBeSigned: DerNode;
  /** AlgorithmIdentifier, DER. */
  readonly algorithm: Bytes;
  readonly signature: Bytes;
}

/** Largest object read, except CRLs. */
const MAX_OBJECT_BYTES = 4 * 1024 * 1024;

/** Takes a signed structure apart. @throws {InputError} */
export function readSigned(der: Uint8Array, what: string): SignedParts {
  if (der.length > MAX_OBJECT_BYTES) {
    throw new InputError(`Cannot read ${what}: ${der.length} bytes are more than ${MAX_OBJECT_BYTES}`, {
      code: "der.invalid",
    });
  }
  const fields = new DerFields(readDer(der), what);
  const toBeSigned = fields.next("the signed part");
  const algorithm = checkAlgorithm(fields.next("signatureAlgorithm"), "signatureAlgorithm");
  const signature = readBitOctets(fields.next("signature"), "signature");
  fields.end();
  return { toBeSigned, algorithm, signature };
}

/** Puts a signed structure together. */
export function assembleSigned(parts: { toBeSigned: Uint8Array; algorithm: Uint8Array; signature: Uint8Array }): Bytes {
  return sequence(parts.toBeSigned, parts.algorithm, bitString(parts.signature));
}

/** Bytes of an AlgorithmIdentifier: SEQUENCE { OID, anything optional }. @throws {InputError} `der.invalid`. */
export function checkAlgorithm(node: DerNode, what: string): Bytes {
  const fields = new DerFields(node, what);
  expectTag(fields.next("algorithm"), TAG.OID, "algorithm");
  if (fields.peek() !== undefined) fields.next("parameters");
  fields.end();
  return node.raw;
}

/** Bytes of a SubjectPublicKeyInfo whose form is right; the key itself is not judged. @throws {InputError} */
export function checkSpki(node: DerNode): Bytes {
  const fields = new DerFields(node, "subjectPublicKeyInfo");
  checkAlgorithm(fields.next("algorithm"), "public key algorithm");
  readBitOctets(fields.next("subjectPublicKey"), "subjectPublicKey");
  fields.end();
  return node.raw;
}

/** Runs a parser of foreign bytes: whatever it refuses becomes an InputError with one code, the offset kept. */
export function parsing<T>(what: string, code: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof InputError)) throw cause;
    const details: InputErrorDetails = {
      code,
      cause,
      ...(cause.offset === undefined ? {} : { offset: cause.offset }),
      ...(cause.file === undefined ? {} : { file: cause.file }),
    };
    throw new InputError(`Cannot read ${what}: ${reasonOf(cause)}`, details);
  }
}

/** The reason in an error's message, without "Cannot …:". */
export function reasonOf(error: Error): string {
  const at = /^Cannot read DER at offset (\d+): (.*)$/s.exec(error.message);
  if (at) return `${at[2]} (at byte ${at[1]})`;
  return error.message.replace(/^Cannot read [^:]*: /, "");
}
