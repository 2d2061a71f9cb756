import type { KeyUsageBit } from "../alg/registry.ts";
import type { Bytes } from "../bytes.ts";

/** String types that a distinguished-name attribute may be written in (RFC 5280 section 4.1.2.4). */
export type NameEncoding = "utf8" | "printable" | "ia5";

/** One AttributeTypeAndValue. */
export interface NameAttribute {
  /** Dotted OID, for example `2.5.4.3`. */
  readonly type: string;
  readonly value: string;
  readonly encoding: NameEncoding;
}

/** RDNSequence: a list of sets; almost always one attribute each. */
export type Name = readonly (readonly NameAttribute[])[];

/** GeneralName (RFC 5280 section 4.2.1.6); `ip` in text form, in name constraints as CIDR. */
export type GeneralName =
  | { readonly type: "dns" | "email" | "uri" | "ip" | "registeredId"; readonly value: string }
  | { readonly type: "directory"; readonly value: Name }
  | { readonly type: "other"; readonly oid: string; readonly value: Bytes };

/** One Extension: `value` is the DER inside the OCTET STRING. */
export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Bytes;
}

/** What a profile can put into a certificate, validated. Key identifiers are added by the builder, not listed here. */
export interface ExtensionValues {
  readonly basicConstraints?: { readonly critical: boolean; readonly ca: boolean; readonly pathLen?: number };
  readonly keyUsage?: { readonly critical: boolean; readonly values: readonly KeyUsageBit[] };
  /** Dotted OIDs. */
  readonly extKeyUsage?: { readonly critical: boolean; readonly values: readonly string[] };
  readonly subjectAltName?: { readonly critical: boolean; readonly names: readonly GeneralName[] };
  readonly certificatePolicies?: {
    readonly critical: boolean;
    readonly policies: readonly { readonly oid: string; readonly cps?: string; readonly userNotice?: string }[];
  };
  readonly crlDistributionPoints?: { readonly critical: boolean; readonly urls: readonly string[] };
  readonly authorityInfoAccess?: { readonly ocsp: readonly string[]; readonly caIssuers: readonly string[] };
  readonly nameConstraints?: {
    readonly critical: boolean;
    readonly permitted: readonly GeneralName[];
    readonly excluded: readonly GeneralName[];
  };
  readonly ocspNoCheck?: { readonly critical: boolean };
  /** ETSI EN 319 412-5. */
  readonly qcStatements?: {
    readonly critical: boolean;
    readonly qcCompliance: boolean;
    readonly qcSscd: boolean;
    /** Dotted OIDs of the QcType. */
    readonly qcTypes: readonly string[];
    readonly qcPds: readonly { readonly url: string; readonly language: string }[];
    readonly qcRetentionYears?: number;
    readonly qcLegislation?: readonly string[];
  };
  /** Any other extension, DER as written by the operator. */
  readonly custom?: readonly Extension[];
}

/** A parsed certificate. Byte fields are the original bytes, never re-encoded. */
export interface Certificate {
  readonly der: Bytes;
  /** TBSCertificate, DER: what the signature covers. */
  readonly tbs: Bytes;
  /** 1, 2 or 3. */
  readonly version: number;
  /** Serial number as upper-case hex with an even number of digits and no leading zero byte (`01`, `FF`). */
  readonly serial: string;
  /** signatureAlgorithm, DER AlgorithmIdentifier (equal inside and outside, or parsing failed). */
  readonly signatureAlgorithm: Bytes;
  readonly signature: Bytes;
  /** Issuer and subject Name, DER. */
  readonly issuer: Bytes;
  readonly subject: Bytes;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Bytes;
  readonly extensions: readonly Extension[];
}

/** A parsed PKCS#10 request (RFC 2986). */
export interface Csr {
  readonly der: Bytes;
  /** CertificationRequestInfo, DER: what the signature covers. */
  readonly info: Bytes;
  readonly subject: Bytes;
  readonly spki: Bytes;
  /** Extensions of the extensionRequest attribute (RFC 2985 section 5.4.2). */
  readonly extensions: readonly Extension[];
  /** Every attribute: type OID and its values, DER. */
  readonly attributes: readonly { readonly oid: string; readonly values: readonly Bytes[] }[];
  readonly signatureAlgorithm: Bytes;
  readonly signature: Bytes;
}

/** CRLReason names (RFC 5280 section 5.3.1). */
export type RevocationReason =
  | "unspecified"
  | "keyCompromise"
  | "cACompromise"
  | "affiliationChanged"
  | "superseded"
  | "cessationOfOperation"
  | "certificateHold"
  | "removeFromCRL"
  | "privilegeWithdrawn"
  | "aACompromise";

/** One entry of a CRL. */
export interface RevokedCertificate {
  /** Hex as in `Certificate.serial`. */
  readonly serial: string;
  readonly revocationDate: Date;
  readonly reason?: RevocationReason;
}

/** A parsed CRL (RFC 5280 section 5). */
export interface Crl {
  readonly der: Bytes;
  /** TBSCertList, DER. */
  readonly tbs: Bytes;
  readonly signatureAlgorithm: Bytes;
  readonly signature: Bytes;
  readonly issuer: Bytes;
  readonly thisUpdate: Date;
  readonly nextUpdate?: Date;
  /** cRLNumber in the same hex form as serials. */
  readonly number?: string;
  readonly revoked: readonly RevokedCertificate[];
  /** OID of a critical entry extension that is not processed here: the CRL must not be relied on (section 5.3). */
  readonly unsupportedEntryExtension?: string;
  readonly extensions: readonly Extension[];
}
