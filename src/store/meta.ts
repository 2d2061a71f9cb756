/**
 * Types of `ca.meta.json` and `credential.meta.json`. JSON keys are snake_case; unknown fields survive a rewrite because
 * the parsed object itself is changed and written back.
 */

/** Newest format this program writes. */
export const META_SCHEMA = 1;

/**
 * Where a key is, as metadata stores it. Paths of key files are relative to the folder of the metadata file; `config` is
 * kept as the operator wrote it. This program always stores label and id, older metadata has the label alone.
 */
export type KeyStorage =
  | { type: "software"; path: string }
  | { type: "pkcs11"; config: string; label?: string; key_id?: string };

/** How the keys of one certificate work together: one key, a native and an alternative one, or two as one. */
export type KeyMode = "simple" | "catalyst" | "composite";

/** One key of a version. */
export interface KeyEntry {
  /** `default`, or `classical` and `pqc` for the two keys of a hybrid. */
  id: "default" | "classical" | "pqc";
  /** Algorithm name of the table. */
  algorithm: string;
  storage: KeyStorage;
  /** SHA-256 of the SubjectPublicKeyInfo, hex: pins the key for good. */
  spki_sha256?: string;
}

/** State of a version. `pending` has a key but no (accepted) certificate or is not active yet. */
export type VersionStatus = "active" | "pending" | "archived";

/** A certificate of a version's key by the key of another one, and its file. */
export interface CrossCertificate {
  /** Id of the version whose key it certifies. */
  subject: string;
  /** Id of the version that signed it. */
  issuer: string;
  serial: string;
  /** Relative path. */
  path: string;
}

/** One version of a CA. */
export interface CaVersion {
  profiles: string[];
  /** Values of profile variables as the operator gave them, for the next version. */
  variables?: Record<string, unknown>;
  /** Key algorithms of the certificates: two for a Catalyst one, the composite one for a pair that works as one. */
  algos: string[];
  status: VersionStatus;
  /** RFC 3339, UTC. */
  created: string;
  /** In the order of the certificates. */
  keys: KeyEntry[];
  /** How the keys work together, one per profile; metadata of the older tool leaves it to the certificate. */
  modes?: KeyMode[];
  /** Signature scheme this version signs with, one per profile: a stored decision, never guessed from the key. */
  schemes?: string[];
  /** Certificates, relative paths, one per profile; absent while pending a certificate. */
  certificates?: string[];
  /** Request handed out by `--csr-only`, relative path. */
  csr?: string;
  /** Certificates with those above them, the root last, relative path; `chain.pem` is that of the active version. */
  chain?: string;
  /** Of an archived version: when the last certificate that it issued ends, RFC 3339; CRLs are asked for until then. */
  issued_until?: string;
  /** Made when this version was. */
  cross_certificates?: CrossCertificate[];
  [unknown: string]: unknown;
}

/** Whether a version has keys and no certificate yet: its request is at another CA. */
export function isAwaited({ status, certificates, csr }: CaVersion): boolean {
  return status === "pending" && certificates === undefined && csr !== undefined;
}

/** `ca.meta.json`. */
export interface CaMeta {
  schema: number;
  subject: { common_name?: string; [unknown: string]: unknown };
  /** `root` or `subordinate`: stored, never guessed. */
  role?: "root" | "subordinate";
  /** Folder of the CA above, where it is one of ours: absolute, or seen from this CA's folder. */
  parent?: string;
  created?: string;
  /** Name of the data object in the token that remembers the end of the journal, where that was asked for. */
  anchor?: string;
  active: string;
  versions: Record<string, CaVersion>;
  [unknown: string]: unknown;
}

/** One certificate of a credential version. */
export interface CredentialCertificate {
  /** Hex with `0x`. */
  serial: string;
  role: "signature" | "encryption";
  profile: string;
  /** Label of the scheme the certificate is signed with. */
  algorithm: string;
  /** That of the alternative signature of a Catalyst CA. */
  alternative_algorithm?: string;
  /** SHA-256 of the certificate, upper-case hex. */
  fingerprint: string;
  /** Of its keys, the classical one first. */
  storage: KeyStorage[];
  /** Serial of the signature certificate on whose strength this one, for a key that cannot sign, was issued (RFC 9883). */
  attested_by?: string;
  [unknown: string]: unknown;
}

/** One version of a credential. */
export interface CredentialVersion {
  profiles: string[];
  algos: string[];
  status: VersionStatus;
  created: string;
  not_before: string;
  not_after: string;
  keys: KeyEntry[];
  certificates: CredentialCertificate[];
  /** What the certificates were made from, one per profile; absent in older metadata. */
  inputs?: CertificateInputs[];
  /** Of the first certificate; that of the credential where it is absent. */
  subject?: { common_name?: string; [unknown: string]: unknown };
  /** Folder of the CA that issued, seen from the credential's; that of the credential where it is absent. */
  ca?: string;
  [unknown: string]: unknown;
}

/** What a certificate was made from, so that the next one can be made without asking again. */
export interface CertificateInputs {
  /** Values of profile variables that were given. */
  variables: Record<string, unknown>;
  /** Duration in place of the profile's. */
  validity?: string;
  /** File of a profile that is no built-in or CA's own one, as the operator wrote it. */
  file?: string;
  /** SHA-256 of the profile's file, lower-case hex. */
  profile_sha256?: string;
  [unknown: string]: unknown;
}

/** `credential.meta.json`: the active version's facts are repeated at the top, where scripts of the older tool look. */
export interface CredentialMeta {
  schema: number;
  id: string;
  subject: { common_name?: string; [unknown: string]: unknown };
  profiles: string[];
  created: string;
  not_before: string;
  not_after: string;
  certificates: CredentialCertificate[];
  active: string;
  /** Folder of the CA that issued for the active version, seen from the credential's. */
  ca?: string;
  versions: Record<string, CredentialVersion>;
  [unknown: string]: unknown;
}
