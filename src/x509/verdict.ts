import type { Certificate, Crl } from "./types.ts";
import { formatName } from "./name_text.ts";

/** Why a certificate is not valid. */
export interface VerdictReason {
  /** Stable name: `certificate.expired`, `certificate.revoked`, `signature.invalid`, … */
  readonly code: string;
  /** In words, with the values that matter. */
  readonly message: string;
  /** Subject of the certificate it is about. */
  readonly certificate?: string;
}

/** Answer about a certificate. */
export interface Verdict {
  readonly valid: boolean;
  /** Empty when valid. */
  readonly reasons: readonly VerdictReason[];
  /** The path used, the certificate first, the trust anchor last; what was found of it when there is none. */
  readonly chain: readonly Certificate[];
  /** Signatures that were checked and good: subject of the certificate and label of the scheme, in path order. */
  readonly signatures: readonly { readonly subject: string; readonly scheme: string }[];
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
}

/** A reason about one certificate. */
export function reasonAbout(certificate: Certificate, code: string, message: string): VerdictReason {
  return { code, message, certificate: nameOf(certificate) };
}

/** Subject of a certificate for messages; its serial number where the subject is empty. */
export function nameOf(certificate: Certificate): string {
  return formatName(certificate.subject) || `serial ${certificate.serial}`;
}
