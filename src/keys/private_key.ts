import type { KeyRow } from "../alg/find.ts";
import type { Family } from "../alg/registry.ts";
import {
  bitString,
  DerFields,
  expectExplicit,
  explicit,
  integer,
  octetString,
  readBitOctets,
  readDer,
  readInteger,
  readOctetString,
  readOid,
  readSmallInteger,
  sequence,
} from "../asn1/der.ts";
import { type Bytes, equalBytes, wipe } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { leftPad } from "./ecdsa.ts";
import {
  type AlgorithmParts,
  decodeAlgorithm,
  describeAlgorithmParts,
  encodeKeyAlgorithm,
  rowsOfAlgorithm,
} from "./spki.ts";

/** A private key taken out of its file. */
export interface PrivateKey {
  readonly row: KeyRow;
  /** The secret in the family's bare form: scalar, seed, RSAPrivateKey DER. Its own buffer, so that it can be wiped. */
  readonly material: Bytes;
  /** Content of the SubjectPublicKeyInfo's BIT STRING. */
  readonly publicKey: Bytes;
}

/** What the privateKey field of PKCS#8 yields; `publicKey` where the field carries or implies it. */
export interface DecodedPrivateKey {
  readonly row: KeyRow;
  readonly material: Bytes;
  readonly publicKey?: Bytes;
}

/** PKCS#8, plain DER (OneAsymmetricKey version 1, RFC 5958); the caller wipes it. */
export function encodePkcs8(
  key: { readonly row: KeyRow; readonly material: Bytes; readonly publicKey?: Bytes },
): Bytes {
  const content = PRIVATE_KEYS[key.row.family].encode(key);
  const der = sequence(integer(0), encodeKeyAlgorithm(key.row), octetString(content));
  wipe(content);
  return der;
}

/**
 * Reads PKCS#8 (versions 1 and 2). The public key comes from wherever the structure has it; whether it belongs to the
 * secret is not checked here.
 * @throws {InputError} `der.invalid`, `key.invalid`, `algorithm.unsupported`.
 */
export function decodePkcs8(der: Bytes): DecodedPrivateKey {
  const fields = new DerFields(readDer(der), "PrivateKeyInfo");
  readSmallInteger(fields.next("version"), "version", { max: 1 });
  const algorithm = decodeAlgorithm(fields.next("privateKeyAlgorithm").raw);
  const content = readOctetString(fields.next("privateKey"), "privateKey");
  fields.optionalContext(0); // attributes: nothing there is ours
  const attached = fields.optionalContext(1);
  fields.end();
  const decoded = decodeMaterial(algorithm, content);
  if (!attached) return decoded;
  const { content: bits } = attached;
  if (attached.constructed || bits[0] !== 0) throw invalid(decoded.row.label, "publicKey is no whole BIT STRING");
  const publicKey = bits.slice(1);
  if (decoded.publicKey && !equalBytes(decoded.publicKey, publicKey)) {
    wipe(decoded.material);
    throw invalid(decoded.row.label, "it carries two different public keys");
  }
  return { ...decoded, publicKey };
}

/** Reads the content of the privateKey field under its algorithm. @throws {InputError} as {@link decodePkcs8}. */
export function decodeMaterial(algorithm: AlgorithmParts, content: Bytes): DecodedPrivateKey {
  const rows = rowsOfAlgorithm(algorithm);
  if (!rows[0]) throw unsupported(describeAlgorithmParts(algorithm));
  return PRIVATE_KEYS[rows[0].family].decode(rows, content);
}

/** How one family writes the privateKey OCTET STRING of PKCS#8 (RFC 5958). */
export interface PrivateKeyCodec {
  /** Content of the OCTET STRING; the caller wipes it. `publicKey` is put in where the format has a place and it is given. */
  encode(key: { readonly row: KeyRow; readonly material: Bytes; readonly publicKey?: Bytes }): Bytes;
  /**
   * Reads the content. `rows` are those whose algorithm identifier the key has.
   * @throws {InputError} `der.invalid`, `key.invalid`, or `algorithm.unsupported` when no row fits.
   */
  decode(rows: readonly KeyRow[], content: Bytes): DecodedPrivateKey;
}

/** The one table of private key encodings. */
export const PRIVATE_KEYS: Readonly<Record<Family, PrivateKeyCodec>> = {
  ecdsa: { encode: encodeEc, decode: decodeEc },
  eddsa: { encode: encodeEdwards, decode: decodeEdwards },
  rsa: { encode: (key) => key.material.slice(), decode: decodeRsa },
};

/** ECPrivateKey (RFC 5915) as OpenSSL writes it inside PKCS#8: no parameters, with the public key. */
function encodeEc({ row, material, publicKey }: { row: KeyRow; material: Bytes; publicKey?: Bytes }): Bytes {
  const parts = [integer(1), octetString(leftPad(material, row.scalarBytes))];
  if (publicKey) parts.push(explicit(1, bitString(publicKey)));
  return sequence(...parts);
}

function decodeEc(rows: readonly KeyRow[], content: Bytes): DecodedPrivateKey {
  const { scalar, curve, publicKey } = decodeSec1(content);
  const row = rows[0]!;
  if (curve !== undefined && curve !== curveOf(row)) {
    throw invalid(row.label, "the curve inside is not the one of the algorithm identifier");
  }
  // A compressed point is not compared: the public key is computed from the scalar anyway.
  const stated = publicKey?.[0] === 4 ? { publicKey: publicKey.slice() } : {};
  return { row, material: scalarOf(row, scalar), ...stated };
}

function scalarOf(row: KeyRow, scalar: Bytes): Bytes {
  const first = scalar.findIndex((octet) => octet !== 0);
  if (first < 0) throw invalid(row.label, "the scalar is zero");
  if (scalar.length - first > row.scalarBytes) throw invalid(row.label, "the scalar is too long");
  return leftPad(scalar.subarray(first), row.scalarBytes);
}

/** The fields of an ECPrivateKey; `curve` is the OID of its parameters, which PKCS#8 may leave out. */
export function decodeSec1(der: Bytes): { scalar: Bytes; curve?: string; publicKey?: Bytes } {
  const fields = new DerFields(readDer(der), "ECPrivateKey");
  readSmallInteger(fields.next("version"), "version", { min: 1, max: 1 });
  const scalar = readOctetString(fields.next("privateKey"), "privateKey");
  const parameters = fields.optionalContext(0);
  const publicKey = fields.optionalContext(1);
  fields.end();
  return {
    scalar,
    ...(parameters ? { curve: readOid(expectExplicit(parameters, 0, "parameters"), "namedCurve") } : {}),
    ...(publicKey ? { publicKey: readBitOctets(expectExplicit(publicKey, 1, "publicKey"), "publicKey") } : {}),
  };
}

function curveOf(row: KeyRow): string | undefined {
  const { parameters } = row.spki;
  return typeof parameters === "string" ? undefined : parameters.curve;
}

/** CurvePrivateKey (RFC 8410 section 7): an OCTET STRING within the OCTET STRING. */
function encodeEdwards({ material }: { material: Bytes }): Bytes {
  return octetString(material);
}

function decodeEdwards(rows: readonly KeyRow[], content: Bytes): DecodedPrivateKey {
  const row = rows[0]!;
  const seed = readOctetString(readDer(content), "CurvePrivateKey");
  if (seed.length !== row.scalarBytes) {
    throw invalid(row.label, `${seed.length} bytes instead of ${row.scalarBytes}`);
  }
  return { row, material: seed.slice() };
}

/** RSAPrivateKey (RFC 8017 section A.1.2), two primes; every field is checked against the others. */
function decodeRsa(rows: readonly KeyRow[], content: Bytes): DecodedPrivateKey {
  const fields = new DerFields(readDer(content), "RSAPrivateKey");
  const version = readSmallInteger(fields.next("version"), "version");
  if (version !== 0) throw invalid("RSA", "keys of more than two primes are not supported");
  const names = ["modulus", "publicExponent", "privateExponent", "prime1", "prime2"] as const;
  const [n, e, d, p, q] = names.map((name) => positive(fields, name)) as [bigint, bigint, bigint, bigint, bigint];
  const [dp, dq, inverse] = ["exponent1", "exponent2", "coefficient"].map((name) => positive(fields, name)) as [
    bigint,
    bigint,
    bigint,
  ];
  fields.end();
  const sound = p > 1n && q > 1n && p !== q && p * q === n && e % 2n === 1n && e >= 3n && d < n &&
    (d * e) % (p - 1n) === 1n && (d * e) % (q - 1n) === 1n && dp === d % (p - 1n) && dq === d % (q - 1n) &&
    inverse < p && (inverse * q) % p === 1n;
  if (!sound) throw invalid("RSA", "its numbers do not belong together");
  const bits = n.toString(2).length;
  const row = rows.find((candidate) => candidate.modulusBits === bits);
  if (!row) throw unsupported(`RSA ${bits}`);
  return { row, material: content.slice(), publicKey: sequence(integer(n), integer(e)) };
}

function positive(fields: DerFields, name: string): bigint {
  const value = readInteger(fields.next(name), name);
  if (value <= 0n) throw invalid("RSA", `${name} is not positive`);
  return value;
}

/** The error for a private key that cannot be one. */
export function invalid(label: string, reason: string): InputError {
  return new InputError(`Cannot read the ${label} private key: ${reason}`, { code: "key.invalid" });
}

/** The error for a private key without a row; `object` carries the algorithm in words. */
export function unsupported(description: string): InputError {
  return new InputError(`Cannot read the private key: algorithm ${description} is not supported`, {
    code: "algorithm.unsupported",
    object: description,
  });
}
