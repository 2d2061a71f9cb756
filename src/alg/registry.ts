/**
 * THE algorithm table. One row a key algorithm, one row a signature scheme; everything else (help, completions, look-ups,
 * SPKI, PKCS#11, tests) is derived from it. Pure data: no import, no function.
 *
 * OIDs and sizes: RFC 5480 (EC), RFC 5758 (ECDSA), RFC 8410 (Ed25519, Ed448), RFC 3279 and RFC 4055 (RSA).
 */

/** What a key is for. */
export type Kind = "signature" | "kem";

/** Families: one encoding of keys and one way of signing each. */
export type Family = "ecdsa" | "eddsa" | "rsa";

/** Hash names as WebCrypto spells them. */
export type HashName = "SHA-256" | "SHA-384" | "SHA-512";

/** Bits of the keyUsage extension (RFC 5280 section 4.2.1.3), in bit order. */
export type KeyUsageBit =
  | "digitalSignature"
  | "nonRepudiation"
  | "keyEncipherment"
  | "dataEncipherment"
  | "keyAgreement"
  | "keyCertSign"
  | "cRLSign"
  | "encipherOnly"
  | "decipherOnly";

/** One key algorithm. */
export interface KeyAlgorithm {
  /** Name in profiles, files and on the command line. */
  readonly name: string;
  /** Name as the standard writes it, for people. */
  readonly label: string;
  /** Other spellings that are read, never written. */
  readonly aliases: readonly string[];
  readonly family: Family;
  readonly kind: Kind;
  /** SubjectPublicKeyInfo algorithm: `parameters` is absent, NULL, or a namedCurve OID. */
  readonly spki: { readonly oid: string; readonly parameters: "absent" | "null" | { readonly curve: string } };
  /** RSA modulus length; 0 for the others. */
  readonly modulusBits: number;
  /** Curve field element or raw private key length in bytes; 0 for RSA. */
  readonly scalarBytes: number;
  /** Raw public key length in bytes: uncompressed point or EdDSA key; 0 where it varies (RSA). */
  readonly publicKeyBytes: number;
  /** Classical security strength in bits (NIST SP 800-57). */
  readonly strength: number;
  /** Software back end (measured: WebCrypto where it is at par, noble where it is faster or alone). */
  readonly software: "webcrypto" | "noble";
  /** WebCrypto algorithm, curve; absent where WebCrypto has none. */
  readonly webcrypto?: { readonly name: string; readonly namedCurve?: string };
  /** PKCS#11 key type and generation mechanism; absent where the standard has none. */
  readonly pkcs11?: { readonly keyType: string; readonly generate: string };
  /** keyUsage bits a certificate for such a key may carry (RFC 8813, RFC 8410 section 5, RFC 3279). */
  readonly keyUsage: readonly KeyUsageBit[];
  /** Schemes such a key may sign with, the default first. */
  readonly schemes: readonly string[];
}

/** One signature scheme. */
export interface SignatureScheme {
  readonly name: string;
  /** Name for people and for metadata, for example `ECDSA-SHA384`. */
  readonly label: string;
  readonly family: Family;
  /** Signature AlgorithmIdentifier: OID, and parameters absent, NULL or DER in hex. */
  readonly oid: string;
  readonly parameters: "absent" | "null" | { readonly der: string };
  /** Hash over the message, or none for pure schemes. */
  readonly hash: HashName | null;
  /** PSS salt length in bytes. */
  readonly saltBytes?: number;
  /** What a profile's `signature.scheme` may call it. */
  readonly profileScheme: string;
  /** PKCS#11 mechanism on the hashed (or, for pure schemes, whole) message. */
  readonly mechanism: string | null;
}

const SIGNATURE_BITS = ["digitalSignature", "nonRepudiation", "keyCertSign", "cRLSign"] as const;
const EC_BITS = [...SIGNATURE_BITS, "keyAgreement", "encipherOnly", "decipherOnly"] as const;
const RSA_BITS = [...SIGNATURE_BITS, "keyEncipherment", "dataEncipherment"] as const;
const ECDSA_256 = ["ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512"] as const;
const ECDSA_384 = ["ecdsa-sha384", "ecdsa-sha256", "ecdsa-sha512"] as const;
const ECDSA_521 = ["ecdsa-sha512", "ecdsa-sha384", "ecdsa-sha256"] as const;
const RSA_SCHEMES = [
  "rsa-pkcs1-sha256",
  "rsa-pkcs1-sha384",
  "rsa-pkcs1-sha512",
  "rsa-pss-sha256",
  "rsa-pss-sha384",
  "rsa-pss-sha512",
] as const;
const RSA_SPKI = { oid: "1.2.840.113549.1.1.1", parameters: "null" } as const;
const EC_OID = "1.2.840.10045.2.1";

/** Every key algorithm, in the order that lists print. */
export const KEY_ALGORITHMS = [
  {
    name: "ecdsa-p256",
    label: "ECDSA P-256",
    aliases: ["ec-p256", "p256", "p-256", "ecdsa-secp256r1"],
    family: "ecdsa",
    kind: "signature",
    spki: { oid: EC_OID, parameters: { curve: "1.2.840.10045.3.1.7" } },
    modulusBits: 0,
    scalarBytes: 32,
    publicKeyBytes: 65,
    strength: 128,
    software: "webcrypto",
    webcrypto: { name: "ECDSA", namedCurve: "P-256" },
    pkcs11: { keyType: "CKK_EC", generate: "CKM_EC_KEY_PAIR_GEN" },
    keyUsage: EC_BITS,
    schemes: ECDSA_256,
  },
  {
    name: "ecdsa-p384",
    label: "ECDSA P-384",
    aliases: ["ec-p384", "p384", "p-384", "ecdsa-secp384r1"],
    family: "ecdsa",
    kind: "signature",
    spki: { oid: EC_OID, parameters: { curve: "1.3.132.0.34" } },
    modulusBits: 0,
    scalarBytes: 48,
    publicKeyBytes: 97,
    strength: 192,
    software: "noble",
    webcrypto: { name: "ECDSA", namedCurve: "P-384" },
    pkcs11: { keyType: "CKK_EC", generate: "CKM_EC_KEY_PAIR_GEN" },
    keyUsage: EC_BITS,
    schemes: ECDSA_384,
  },
  {
    name: "ecdsa-p521",
    label: "ECDSA P-521",
    aliases: ["ec-p521", "p521", "p-521", "ecdsa-secp521r1"],
    family: "ecdsa",
    kind: "signature",
    spki: { oid: EC_OID, parameters: { curve: "1.3.132.0.35" } },
    modulusBits: 0,
    scalarBytes: 66,
    publicKeyBytes: 133,
    strength: 256,
    software: "noble",
    webcrypto: { name: "ECDSA", namedCurve: "P-521" },
    pkcs11: { keyType: "CKK_EC", generate: "CKM_EC_KEY_PAIR_GEN" },
    keyUsage: EC_BITS,
    schemes: ECDSA_521,
  },
  {
    name: "ed25519",
    label: "Ed25519",
    aliases: [],
    family: "eddsa",
    kind: "signature",
    spki: { oid: "1.3.101.112", parameters: "absent" },
    modulusBits: 0,
    scalarBytes: 32,
    publicKeyBytes: 32,
    strength: 128,
    software: "webcrypto",
    webcrypto: { name: "Ed25519" },
    pkcs11: { keyType: "CKK_EC_EDWARDS", generate: "CKM_EC_EDWARDS_KEY_PAIR_GEN" },
    keyUsage: SIGNATURE_BITS,
    schemes: ["ed25519"],
  },
  {
    name: "ed448",
    label: "Ed448",
    aliases: [],
    family: "eddsa",
    kind: "signature",
    spki: { oid: "1.3.101.113", parameters: "absent" },
    modulusBits: 0,
    scalarBytes: 57,
    publicKeyBytes: 57,
    strength: 224,
    software: "noble",
    pkcs11: { keyType: "CKK_EC_EDWARDS", generate: "CKM_EC_EDWARDS_KEY_PAIR_GEN" },
    keyUsage: SIGNATURE_BITS,
    schemes: ["ed448"],
  },
  {
    name: "rsa-2048",
    label: "RSA 2048",
    aliases: ["rsa2048"],
    family: "rsa",
    kind: "signature",
    spki: RSA_SPKI,
    modulusBits: 2048,
    scalarBytes: 0,
    publicKeyBytes: 0,
    strength: 112,
    software: "webcrypto",
    webcrypto: { name: "RSA" },
    pkcs11: { keyType: "CKK_RSA", generate: "CKM_RSA_PKCS_KEY_PAIR_GEN" },
    keyUsage: RSA_BITS,
    schemes: RSA_SCHEMES,
  },
  {
    name: "rsa-3072",
    label: "RSA 3072",
    aliases: ["rsa3072"],
    family: "rsa",
    kind: "signature",
    spki: RSA_SPKI,
    modulusBits: 3072,
    scalarBytes: 0,
    publicKeyBytes: 0,
    strength: 128,
    software: "webcrypto",
    webcrypto: { name: "RSA" },
    pkcs11: { keyType: "CKK_RSA", generate: "CKM_RSA_PKCS_KEY_PAIR_GEN" },
    keyUsage: RSA_BITS,
    schemes: RSA_SCHEMES,
  },
  {
    name: "rsa-4096",
    label: "RSA 4096",
    aliases: ["rsa4096"],
    family: "rsa",
    kind: "signature",
    spki: RSA_SPKI,
    modulusBits: 4096,
    scalarBytes: 0,
    publicKeyBytes: 0,
    strength: 152,
    software: "webcrypto",
    webcrypto: { name: "RSA" },
    pkcs11: { keyType: "CKK_RSA", generate: "CKM_RSA_PKCS_KEY_PAIR_GEN" },
    keyUsage: RSA_BITS,
    schemes: RSA_SCHEMES,
  },
] as const satisfies readonly KeyAlgorithm[];

const PSS_SHA256 =
  "3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120";
const PSS_SHA384 =
  "3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130";
const PSS_SHA512 =
  "3034a00f300d06096086480165030402030500a11c301a06092a864886f70d010108300d06096086480165030402030500a203020140";
const PSS_OID = "1.2.840.113549.1.1.10";

/** Every signature scheme. */
export const SIGNATURE_SCHEMES = [
  {
    name: "ecdsa-sha256",
    label: "ECDSA-SHA256",
    family: "ecdsa",
    oid: "1.2.840.10045.4.3.2",
    parameters: "absent",
    hash: "SHA-256",
    profileScheme: "ecdsa",
    mechanism: "CKM_ECDSA",
  },
  {
    name: "ecdsa-sha384",
    label: "ECDSA-SHA384",
    family: "ecdsa",
    oid: "1.2.840.10045.4.3.3",
    parameters: "absent",
    hash: "SHA-384",
    profileScheme: "ecdsa",
    mechanism: "CKM_ECDSA",
  },
  {
    name: "ecdsa-sha512",
    label: "ECDSA-SHA512",
    family: "ecdsa",
    oid: "1.2.840.10045.4.3.4",
    parameters: "absent",
    hash: "SHA-512",
    profileScheme: "ecdsa",
    mechanism: "CKM_ECDSA",
  },
  {
    name: "ed25519",
    label: "Ed25519",
    family: "eddsa",
    oid: "1.3.101.112",
    parameters: "absent",
    hash: null,
    profileScheme: "ed25519",
    mechanism: "CKM_EDDSA",
  },
  {
    name: "ed448",
    label: "Ed448",
    family: "eddsa",
    oid: "1.3.101.113",
    parameters: "absent",
    hash: null,
    profileScheme: "ed448",
    mechanism: "CKM_EDDSA",
  },
  {
    name: "rsa-pkcs1-sha256",
    label: "SHA256-RSA",
    family: "rsa",
    oid: "1.2.840.113549.1.1.11",
    parameters: "null",
    hash: "SHA-256",
    profileScheme: "pkcs1v15",
    mechanism: "CKM_RSA_PKCS",
  },
  {
    name: "rsa-pkcs1-sha384",
    label: "SHA384-RSA",
    family: "rsa",
    oid: "1.2.840.113549.1.1.12",
    parameters: "null",
    hash: "SHA-384",
    profileScheme: "pkcs1v15",
    mechanism: "CKM_RSA_PKCS",
  },
  {
    name: "rsa-pkcs1-sha512",
    label: "SHA512-RSA",
    family: "rsa",
    oid: "1.2.840.113549.1.1.13",
    parameters: "null",
    hash: "SHA-512",
    profileScheme: "pkcs1v15",
    mechanism: "CKM_RSA_PKCS",
  },
  {
    name: "rsa-pss-sha256",
    label: "SHA256-RSAPSS",
    family: "rsa",
    oid: PSS_OID,
    parameters: { der: PSS_SHA256 },
    hash: "SHA-256",
    saltBytes: 32,
    profileScheme: "rsassa-pss",
    mechanism: "CKM_RSA_PKCS_PSS",
  },
  {
    name: "rsa-pss-sha384",
    label: "SHA384-RSAPSS",
    family: "rsa",
    oid: PSS_OID,
    parameters: { der: PSS_SHA384 },
    hash: "SHA-384",
    saltBytes: 48,
    profileScheme: "rsassa-pss",
    mechanism: "CKM_RSA_PKCS_PSS",
  },
  {
    name: "rsa-pss-sha512",
    label: "SHA512-RSAPSS",
    family: "rsa",
    oid: PSS_OID,
    parameters: { der: PSS_SHA512 },
    hash: "SHA-512",
    saltBytes: 64,
    profileScheme: "rsassa-pss",
    mechanism: "CKM_RSA_PKCS_PSS",
  },
] as const satisfies readonly SignatureScheme[];

/** Name of a key algorithm: the union comes from the table. */
export type KeyAlgorithmName = typeof KEY_ALGORITHMS[number]["name"];

/** Name of a signature scheme: the union comes from the table. */
export type SchemeName = typeof SIGNATURE_SCHEMES[number]["name"];
