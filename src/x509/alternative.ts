import type { SchemeRow } from "../alg/find.ts";
import { isQuantumSafeScheme } from "../alg/quantum.ts";
import { type Bytes, encodeHex } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { decodeScheme, encodeScheme } from "../keys/scheme.ts";
import type { Signer } from "../keys/types.ts";
import type { HasExtensions } from "./certificate_fields.ts";
import { altSignatureAlgorithm } from "./extensions/alt_signature_algorithm.ts";
import { altSignatureValue } from "./extensions/alt_signature_value.ts";
import { decodeFrom, findExtension } from "./extensions/list.ts";
import { subjectAltPublicKeyInfo } from "./extensions/subject_alt_public_key_info.ts";
import { preTbsCertificate } from "./pre_tbs.ts";
import { checkSignature, type SignatureVerdict } from "./signature.ts";
import { reasonOf } from "./structure.ts";
import type { Certificate, Extension } from "./types.ts";

/** Alternative keys and signatures (X.509 clause 9.8): one certificate, CRL or request with two independent signatures. */

/** The three parts, as far as they are there. */
export interface AlternativeParts {
  /** SubjectPublicKeyInfo of the subject's alternative key, DER. */
  readonly spki?: Bytes;
  /** AlgorithmIdentifier of the alternative signature, DER. */
  readonly algorithm?: Bytes;
  readonly signature?: Bytes;
}

/** Parts that a certificate or CRL has. @throws {InputError} when one is malformed. */
export function alternativeParts({ extensions }: HasExtensions): AlternativeParts {
  const spki = decodeFrom(extensions, subjectAltPublicKeyInfo);
  const algorithm = decodeFrom(extensions, altSignatureAlgorithm);
  const signature = decodeFrom(extensions, altSignatureValue);
  return { ...(spki ? { spki } : {}), ...(algorithm ? { algorithm } : {}), ...(signature ? { signature } : {}) };
}

/**
 * SubjectPublicKeyInfo of the alternative key of a certificate's subject, DER; undefined when it has none.
 * @throws {InputError} when the extension is malformed.
 */
export function alternativeSpki(certificate: HasExtensions): Bytes | undefined {
  return decodeFrom(certificate.extensions, subjectAltPublicKeyInfo);
}

/** The extension 72 for an alternative key. @throws {InputError} `der.invalid` when it is no SubjectPublicKeyInfo. */
export function alternativeKeyExtension(spki: Bytes): Extension {
  const { oid, encode } = subjectAltPublicKeyInfo;
  return { oid, critical: false, value: encode(spki) };
}

/** The extension 73 for a scheme. */
export function alternativeAlgorithmExtension(scheme: SchemeRow): Extension {
  const { oid, encode } = altSignatureAlgorithm;
  return { oid, critical: false, value: encode(encodeScheme(scheme)) };
}

/** Signs what the alternative signature covers: the extension 74. @throws {TokenError} when a token fails. */
export async function signAlternative(pre: Bytes, altSigner: Signer): Promise<Extension> {
  const { oid, encode } = altSignatureValue;
  return { oid, critical: false, value: encode(await altSigner.sign(pre)) };
}

/**
 * Which of the three parts are missing although others are there, in words; undefined when all is well.
 * @param native AlgorithmIdentifier of the native signature, where it may vouch for an alternative key.
 */
export function partialReason(
  { spki, algorithm, signature }: AlternativeParts,
  native?: Bytes,
): string | undefined {
  if (algorithm && !signature) return "it has altSignatureAlgorithm but no altSignatureValue";
  if (signature && !algorithm) return "it has altSignatureValue but no altSignatureAlgorithm";
  // A key nobody vouches for with a post-quantum signature would be worth no more than the native one.
  if (spki && !signature && !(native && isQuantumSafeAlgorithm(native))) {
    return "it has an alternative key (subjectAltPublicKeyInfo) but no alternative signature";
  }
  return undefined;
}

function isQuantumSafeAlgorithm(algorithm: Bytes): boolean {
  const scheme = readable(() => decodeScheme(algorithm));
  return typeof scheme === "object" && isQuantumSafeScheme(scheme);
}

/** What a native signature stands on, and what an alternative one may stand on: a certificate or a CRL. */
export interface Issued extends HasExtensions {
  /** What the native signature covers. */
  readonly tbs: Bytes;
  readonly signatureAlgorithm: Bytes;
  readonly signature: Bytes;
}

/** The keys of an issuer: those of its certificate. */
export type IssuerKeys = Pick<Certificate, "spki" | "extensions">;

/** Answer about both signatures. */
export interface IssuedVerdict extends SignatureVerdict {
  /**
   * Scheme of the alternative signature, which is good; null when there is none although the issuer has an alternative key;
   * absent when it has none.
   */
  readonly alternative?: SchemeRow | null;
}

/**
 * Checks the native signature, and the alternative one if there is one: both must be good. A missing alternative signature
 * of an issuer that has an alternative key is told, not judged. Never throws for a bad object.
 * @param pre what the alternative signature covers, made from `tbs`.
 */
export async function checkIssued(
  issued: Issued,
  issuer: IssuerKeys,
  pre: (tbs: Bytes) => Bytes,
): Promise<IssuedVerdict> {
  const parts = readable(() => alternativeParts(issued));
  if (typeof parts === "string") return { valid: false, code: "alternative.malformed", reason: parts };
  const partial = partialReason(parts, issued.signatureAlgorithm);
  if (partial !== undefined) return { valid: false, code: "alternative.incomplete", reason: partial };
  const native = await checkSignature({
    spki: issuer.spki,
    message: issued.tbs,
    algorithm: issued.signatureAlgorithm,
    signature: issued.signature,
  });
  if (!native.valid) return native;
  const alternative = await checkAlternativeParts(parts, issuer, () => pre(issued.tbs));
  if (alternative === undefined) return native;
  if (alternative === null) return { ...native, alternative };
  return alternative.valid ? { ...native, alternative: alternative.scheme! } : alternative;
}

/** Undefined when there is neither key nor signature, null when there is a key alone. */
async function checkAlternativeParts(
  { algorithm, signature }: AlternativeParts,
  issuer: IssuerKeys,
  pre: () => Bytes,
): Promise<SignatureVerdict | null | undefined> {
  const spki = readable(() => alternativeSpki(issuer));
  if (typeof spki === "string") {
    return { valid: false, code: "alternative.malformed", reason: `in its issuer's certificate, ${spki}` };
  }
  if (!algorithm || !signature) return spki && null;
  if (!spki) {
    const reason = "it has an alternative signature, and its issuer's certificate no alternative key to check it with";
    return { valid: false, code: "alternative.no_key", reason };
  }
  return await checkAlternativeSignature({ spki, message: pre(), algorithm, signature });
}

/** As `checkSignature`, in words that tell the alternative signature from the native one. */
export async function checkAlternativeSignature(
  carried: Parameters<typeof checkSignature>[0],
): Promise<SignatureVerdict> {
  const verdict = await checkSignature(carried);
  if (verdict.valid) return verdict;
  if (verdict.scheme === undefined) {
    return { ...verdict, code: "alternative.unsupported", reason: `its alternative signature: ${verdict.reason}` };
  }
  const reason = `the alternative ${verdict.scheme.label} signature does not verify with the alternative public key`;
  return { ...verdict, code: "alternative.invalid", reason };
}

/**
 * Whether the alternative signature of a certificate is there and good. The native one is not looked at: that is
 * `verifyCertificate`'s business, which checks both. Never throws for a bad certificate.
 * @param issuer its certificate has the alternative key; for a self-signed certificate it is the same one.
 */
export async function verifyAlternative(certificate: Certificate, issuer: IssuerKeys): Promise<SignatureVerdict> {
  const parts = readable(() => alternativeParts(certificate));
  if (typeof parts === "string") return { valid: false, code: "alternative.malformed", reason: parts };
  const partial = partialReason(parts) ?? (parts.signature ? undefined : "it has no alternative signature");
  if (partial !== undefined) return { valid: false, code: "alternative.incomplete", reason: partial };
  const verdict = await checkAlternativeParts(parts, issuer, () => preTbsCertificate(certificate.tbs));
  return verdict!;
}

/** A text that is equal for issuers with the same keys. */
export function issuerKeyId({ spki, extensions }: IssuerKeys): string {
  const alternative = findExtension(extensions, subjectAltPublicKeyInfo.oid);
  return `${encodeHex(spki)} ${alternative ? encodeHex(alternative.value) : ""}`;
}

/** What `read` returns, or why it cannot. */
function readable<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) return `an extension of clause 9.8 is malformed: ${reasonOf(error)}`;
    throw error;
  }
}
