import type { IssuedVerdict } from "./alternative.ts";
import { formatName } from "./name_text.ts";
import type { Certificate, Crl } from "./types.ts";

/** Why a certificate is not valid. */
export interface VerdictReason {
  /** Stable name: `certificate.expired`, `certificate.revoked`, `signature.invalid`, … */
  readonly code: string;
  /** In words, with the values that matter. */
  readonly message: string;
  /** Subject of the certificate it is about. */
  readonly certificate?: string;
}

/** A signature that was checked and is good. A composite one is one signature: both its parts are good. */
export interface CheckedSignature {
  /** Who or what it is on, in words. */
  readonly subject: string;
  /** Label of its scheme. */
  readonly scheme: string;
  /**
   * Label of the scheme of the alternative signature (X.509 clause 9.8), which is good too; null when there is none
   * although the issuer has an alternative key; absent when the issuer has one key.
   */
  readonly alternative?: string | null;
}

/** Whether an issuer that has an alternative key must have used it. */
export type AlternativePolicy = "required" | "optional";

/** What is wrong where it should have, after "it" or "the CRL". */
export const CLASSICAL_ONLY = "has no alternative signature although its issuer has an alternative key";

/** What a good verdict says about signatures. */
export function checkedSignature(subject: string, { scheme, alternative }: IssuedVerdict): CheckedSignature {
  const checked = { subject, scheme: scheme!.label };
  return alternative === undefined ? checked : { ...checked, alternative: alternative?.label ?? null };
}

/** Answer about a certificate. */
export interface Verdict {
  readonly valid: boolean;
  /** Empty when valid. */
  readonly reasons: readonly VerdictReason[];
  /** What a policy let pass. */
  readonly warnings: readonly VerdictReason[];
  /** The path used, the certificate first, the trust anchor last; what was found of it when there is none. */
  readonly chain: readonly Certificate[];
  /** Signatures that were checked and are good, in path order: one entry a certificate. */
  readonly signatures: readonly CheckedSignature[];
  /** What CRLs said, in path order: one entry a certificate below the trust anchor. */
  readonly revocation: readonly CheckedRevocation[];
}

/** Whether CRLs tell of one certificate. */
export interface CheckedRevocation {
  /** Who or what it is, in words. */
  readonly subject: string;
  /** Hex. */
  readonly serial: string;
  /** Whether a current CRL of its issuer covers it, or any says that it was revoked. */
  readonly covered: boolean;
}

/** What a certificate is checked against. */
export interface VerifyOptions {
  /** Certificates that may lie between; order and surplus do not matter. */
  readonly intermediates: readonly Certificate[];
  /** Trusted CA certificates; their own constraints (path length, names, policies) hold. */
  readonly anchors: readonly Certificate[];
  /** A CRL counts for the certificates of its issuer. */
  readonly crls?: readonly Crl[];
  /** The time the answer is for. */
  readonly at: Date;
  /** Whether every certificate below the anchor must be covered by a current CRL. */
  readonly requireCrl?: boolean;
  /** Dotted OID of a purpose the path must allow (extKeyUsage); any when absent. */
  readonly purpose?: string;
  /**
   * What to make of a certificate or CRL without alternative signature whose issuer has an alternative key: whoever breaks
   * the classical key alone could have made it. `required`, the default, refuses it; `optional` warns.
   */
  readonly alternative?: AlternativePolicy;
}

/** What names a certificate. */
type Named = Pick<Certificate, "subject" | "serial">;

/** A reason about one certificate. */
export function reasonAbout(certificate: Named, code: string, message: string): VerdictReason {
  return { code, message, certificate: nameOf(certificate) };
}

/** Subject of a certificate for messages; its serial number where the subject is empty. */
export function nameOf(certificate: Named): string {
  return formatName(certificate.subject) || `serial ${certificate.serial}`;
}
