import { type KeyRow, keyRowsBySpkiOid, partsOf } from "../alg/find.ts";
import type { Family } from "../alg/registry.ts";
import {
  bitString,
  DerFields,
  nullDer,
  oid,
  readBitOctets,
  readDer,
  readInteger,
  readOid,
  readUnsigned,
  sequence,
  TAG,
} from "../asn1/der.ts";
import { OID_EC_PUBLIC_KEY, OID_RSA_ENCRYPTION, OID_RSASSA_PSS, oidName } from "../asn1/oid.ts";
import type { Bytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { isOnCurve, isSafeEdwardsKey } from "./curve.ts";
import { sha256Hex } from "./digest.ts";

/** SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) of every row, and a description of any other. */

/** What is known about a SubjectPublicKeyInfo. */
export interface SpkiInfo {
  readonly algorithmOid: string;
  /** The row, or undefined for an algorithm, curve or size that has none. */
  readonly row?: KeyRow;
  /** For people, with or without a row: `ECDSA P-256`, `RSA 1024`, `EC secp256k1`. */
  readonly description: string;
  /** Content of the BIT STRING. */
  readonly publicKey: Bytes;
  readonly rsa?: { readonly modulusBits: number; readonly exponent: bigint };
}

/** AlgorithmIdentifier of a row's keys, DER; the same in SubjectPublicKeyInfo and PKCS#8. */
export function encodeKeyAlgorithm(row: KeyRow): Bytes {
  const { parameters } = row.spki;
  if (parameters === "absent") return sequence(oid(row.spki.oid));
  return sequence(oid(row.spki.oid), parameters === "null" ? nullDer() : oid(parameters.curve));
}

/** SubjectPublicKeyInfo, DER. `publicKey` is the BIT STRING content: uncompressed point, RSAPublicKey DER, raw key. */
export function encodeSpki(row: KeyRow, publicKey: Uint8Array): Bytes {
  return sequence(encodeKeyAlgorithm(row), bitString(publicKey));
}

/** An AlgorithmIdentifier taken apart: parameters as DER, absent when they are. */
export interface AlgorithmParts {
  readonly oid: string;
  readonly parameters?: Bytes;
}

/** Parts of an AlgorithmIdentifier. @throws {InputError} `der.invalid`. */
export function decodeAlgorithm(der: Uint8Array): AlgorithmParts {
  const fields = new DerFields(readDer(der), "AlgorithmIdentifier");
  const dotted = readOid(fields.next("algorithm"), "algorithm");
  const parameters = fields.peek();
  if (parameters) fields.next("parameters");
  fields.end();
  return { oid: dotted, ...(parameters ? { parameters: parameters.raw } : {}) };
}

/**
 * Reads a SubjectPublicKeyInfo and checks its key: an EC point must be uncompressed and on its curve, an EdDSA key
 * canonical and not of low order, an RSA modulus and exponent odd, ML-KEM coefficients reduced, each part of a composite
 * key a key itself.
 * @throws {InputError} `der.invalid`, or `key.invalid` for a key that cannot be one.
 */
export function describeSpki(der: Uint8Array): SpkiInfo {
  const fields = new DerFields(readDer(der), "SubjectPublicKeyInfo");
  const algorithm = decodeAlgorithm(fields.next("algorithm").raw);
  const publicKey = readBitOctets(fields.next("subjectPublicKey"), "subjectPublicKey");
  fields.end();
  return describePublicKey(algorithm, publicKey);
}

/** As {@link describeSpki} for parts that are already apart (PKCS#8 has the same algorithm). */
export function describePublicKey(algorithm: AlgorithmParts, publicKey: Bytes): SpkiInfo {
  const candidates = rowsOfAlgorithm(algorithm);
  const codec = candidates[0] && PUBLIC_KEYS[candidates[0].family];
  const rsa = RSA_OIDS.has(algorithm.oid) ? rsaFacts(publicKey) : undefined;
  const row = candidates.find((candidate) => codec!.matches(candidate, publicKey));
  const fault = row && codec!.fault(row, publicKey);
  if (fault) throw new InputError(`Cannot use the ${row.label} public key: ${fault}`, { code: "key.invalid" });
  const facts = { algorithmOid: algorithm.oid, publicKey, ...(rsa ? { rsa } : {}) };
  return row
    ? { ...facts, row, description: row.label }
    : { ...facts, description: describeAlgorithmParts(algorithm, rsa?.modulusBits) };
}

/** The rows with this AlgorithmIdentifier; several for RSA, whose modulus tells them apart. NULL may be missing. */
export function rowsOfAlgorithm(algorithm: AlgorithmParts): readonly KeyRow[] {
  return keyRowsBySpkiOid(algorithm.oid).filter(({ spki: { parameters } }) => {
    if (algorithm.parameters === undefined) return typeof parameters === "string";
    const given = readDer(algorithm.parameters);
    if (parameters === "absent") return false;
    return parameters === "null" ? given.is(TAG.NULL) : given.is(TAG.OID) && readOid(given) === parameters.curve;
  });
}

/** SHA-256 of a SubjectPublicKeyInfo in lower-case hex: what identifies a key for good. */
export function spkiFingerprint(spki: Uint8Array): Promise<string> {
  return sha256Hex(spki);
}

/** How one family writes public keys. */
interface PublicKeyCodec {
  /** Whether a key of this family is one of this row (sizes). */
  matches(row: KeyRow, publicKey: Uint8Array): boolean;
  /** Why the key cannot be one of this row, or undefined. */
  fault(row: KeyRow, publicKey: Uint8Array): string | undefined;
}

const PUBLIC_KEYS: Readonly<Record<Family, PublicKeyCodec>> = {
  ecdsa: { matches: () => true, fault: ecFault },
  eddsa: { matches: () => true, fault: edwardsFault },
  rsa: { matches: (row, publicKey) => rsaFacts(publicKey).modulusBits === row.modulusBits, fault: () => undefined },
  "ml-dsa": { matches: () => true, fault: lengthFault },
  "slh-dsa": { matches: () => true, fault: lengthFault },
  "ml-kem": { matches: () => true, fault: kemFault },
  composite: { matches: () => true, fault: compositeFault },
};

function lengthFault(row: KeyRow, publicKey: Uint8Array): string | undefined {
  return publicKey.length === row.publicKeyBytes
    ? undefined
    : `${publicKey.length} bytes instead of ${row.publicKeyBytes}`;
}

/** Bytes of ρ at the end of an ML-KEM key; before it stand numbers of 12 bits. */
const KEM_SEED_BYTES = 32;
/** The modulus q of FIPS 203. */
const KEM_MODULUS = 3329;

/** Length and modulus check of FIPS 203 section 7.2. */
function kemFault(row: KeyRow, publicKey: Uint8Array): string | undefined {
  const wrong = lengthFault(row, publicKey);
  if (wrong) return wrong;
  for (let at = 0; at < publicKey.length - KEM_SEED_BYTES; at += 3) {
    const [a, b, c] = [publicKey[at]!, publicKey[at + 1]!, publicKey[at + 2]!];
    const isReduced = (a | (b & 15) << 8) < KEM_MODULUS && (b >> 4 | c << 4) < KEM_MODULUS;
    if (!isReduced) return "a coefficient is not below the modulus";
  }
  return undefined;
}

/** Each part must be a key of its own row. */
function compositeFault(row: KeyRow, publicKey: Uint8Array): string | undefined {
  const { pqc, classical } = partsOf(row)!;
  if (publicKey.length <= pqc.publicKeyBytes) return `${publicKey.length} bytes are too few for both keys`;
  const rest = publicKey.subarray(pqc.publicKeyBytes);
  const codec = PUBLIC_KEYS[classical.family];
  try {
    const fault = codec.matches(classical, rest) ? codec.fault(classical, rest) : "another size";
    return fault && `its ${classical.label} part: ${fault}`;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return `its ${classical.label} part: ${error.message}`;
  }
}

function ecFault(row: KeyRow, publicKey: Uint8Array): string | undefined {
  if (publicKey[0] === 2 || publicKey[0] === 3) return "the point is compressed, which is not supported";
  if (publicKey.length !== row.publicKeyBytes || publicKey[0] !== 4) return "not an uncompressed point";
  const { parameters } = row.spki;
  const curve = typeof parameters === "string" ? "" : parameters.curve;
  return isOnCurve(curve, publicKey) ? undefined : "the point is not on the curve";
}

function edwardsFault(row: KeyRow, publicKey: Uint8Array): string | undefined {
  if (publicKey.length !== row.publicKeyBytes) return `${publicKey.length} bytes instead of ${row.publicKeyBytes}`;
  return isSafeEdwardsKey(publicKey) ? undefined : "the point is not canonical or of low order";
}

const RSA_OIDS: ReadonlySet<string> = new Set([OID_RSA_ENCRYPTION, OID_RSASSA_PSS]);

/** Length of the modulus and the exponent of an RSAPublicKey (RFC 8017 section A.1.1). */
function rsaFacts(publicKey: Uint8Array): { modulusBits: number; exponent: bigint } {
  const fields = new DerFields(readDer(publicKey), "RSAPublicKey");
  const modulus = readUnsigned(fields.next("modulus"), "modulus");
  const exponent = readInteger(fields.next("publicExponent"), "publicExponent");
  fields.end();
  const odd = (modulus[modulus.length - 1]! & 1) === 1 && exponent % 2n === 1n;
  if (!odd || exponent < 3n || exponent.toString(16).length > modulus.length * 2) {
    throw new InputError(
      "Cannot use the RSA public key: modulus and exponent must be odd, and the exponent 3 or more",
      {
        code: "key.invalid",
      },
    );
  }
  return { modulusBits: modulus.length * 8 - Math.clz32(modulus[0]!) + 24, exponent };
}

/** The algorithm of a key in words: `EC secp256k1`, `RSA 1024`, `id-ml-dsa-65`. */
export function describeAlgorithmParts(algorithm: AlgorithmParts, modulusBits?: number): string {
  if (RSA_OIDS.has(algorithm.oid)) {
    return `${algorithm.oid === OID_RSA_ENCRYPTION ? "RSA" : "RSA-PSS"}${
      modulusBits === undefined ? "" : ` ${modulusBits}`
    }`;
  }
  const name = oidName(algorithm.oid) ?? algorithm.oid;
  if (algorithm.oid !== OID_EC_PUBLIC_KEY) return name === "dsa" ? "DSA" : name;
  const curve = algorithm.parameters && readDer(algorithm.parameters);
  if (!curve?.is(TAG.OID)) return "EC with explicit parameters";
  return `EC ${oidName(readOid(curve)) ?? readOid(curve)}`;
}
