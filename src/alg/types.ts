/**
 * Shapes of the rows of the algorithm table.
 */

/** What a key is for. */
export type Kind = "signature" | "kem";

/** Families: one encoding of keys and one way of signing each. */
export type Family = "ecdsa" | "eddsa" | "rsa" | "ml-dsa" | "slh-dsa" | "ml-kem" | "composite";

/** Hash names as WebCrypto spells them. */
export type HashName = "SHA-256" | "SHA-384" | "SHA-512";

/** What a composite scheme does to the message first; SHAKE256 with 64 bytes of output. */
export type PrehashName = "SHA-256" | "SHA-512" | "SHAKE256";

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
  /** Curve field element or raw EdDSA private key in bytes; 0 for the others. */
  readonly scalarBytes: number;
  /** Raw public key in bytes: uncompressed point or the key as it is; 0 where it varies (RSA) or is two (composite). */
  readonly publicKeyBytes: number;
  /** Seed from which the private key is expanded, in bytes (RFC 9881, RFC 9935); absent where keys have none. */
  readonly seedBytes?: number;
  /** Private key as FIPS 203, 204 and 205 encode it, in bytes. */
  readonly expandedBytes?: number;
  /** Ciphertext of a KEM in bytes. */
  readonly ciphertextBytes?: number;
  /** Strength in bits: classical (NIST SP 800-57), or of the hash or cipher that the parameter set is measured against. */
  readonly strength: number;
  /** Software back end (measured: WebCrypto where it is at par, noble where it is faster or alone), or the parts'. */
  readonly software: "webcrypto" | "noble" | "parts";
  /** WebCrypto algorithm, curve; absent where WebCrypto has none. */
  readonly webcrypto?: { readonly name: string; readonly namedCurve?: string };
  /** PKCS#11 names: key type, mechanisms, parameter set; absent where the standard has none. */
  readonly pkcs11?: {
    readonly keyType: string;
    readonly generate: string;
    readonly parameterSet?: string;
    /** Of a KEM. */
    readonly encapsulate?: string;
  };
  /** Key rows of the two keys that a composite one is made of. */
  readonly parts?: { readonly pqc: string; readonly classical: string };
  /** Number of the curve in COSE (RFC 9053 section 7.1; brainpool: IANA); absent for keys without a curve. */
  readonly coseCurve?: number;
  /** keyUsage bits a certificate for such a key may carry (RFC 8813, RFC 8410, RFC 3279, RFC 9881, RFC 9909, RFC 9935). */
  readonly keyUsage: readonly KeyUsageBit[];
  /** Schemes such a key may sign with, the default first; none for a KEM. */
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
  /** Length of every signature in bytes; absent where it varies or is the key's (RSA). */
  readonly signatureBytes?: number;
  /** Longest context string the scheme takes, in bytes; absent where it takes none. */
  readonly contextBytes?: number;
  /** What makes a composite scheme. */
  readonly composite?: CompositeFacts;
  /** What a profile's `signature.scheme` may call it. */
  readonly profileScheme: string;
  /** PKCS#11 mechanism on the hashed (or, for pure schemes, whole) message. */
  readonly mechanism: string | null;
  /** Numbers of the COSE registry, those that are written first; absent where nobody registered or uses one. */
  readonly cose?: readonly CoseAlgorithm[];
}

/** One number that stands for a scheme in COSE (RFC 9053, RFC 8230, RFC 8812, RFC 9864, RFC 9964). */
export interface CoseAlgorithm {
  readonly id: number;
  readonly name: string;
  /**
   * `usual`: written unless another is asked for; `specified`: says scheme and curve (RFC 9864); `private`: of nobody's
   * registry, written only when that is asked for; `read`: never written.
   */
  readonly use: "usual" | "specified" | "private" | "read";
  /** Row of the keys it is written for; absent where the scheme says enough. */
  readonly key?: string;
  /** Whether it means keys of that row alone. */
  readonly fixed?: true;
}

/** How a composite scheme joins two others (draft-ietf-lamps-pq-composite-sigs-19 section 6). */
export interface CompositeFacts {
  /** Label, ASCII: part of what is signed, and context of the ML-DSA signature. */
  readonly label: string;
  readonly prehash: PrehashName;
  /** Scheme of the ML-DSA part. */
  readonly pqc: string;
  /** Scheme of the classical part. */
  readonly classical: string;
}
