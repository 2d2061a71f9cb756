import { type KeyRow, partsOf } from "../alg/find.ts";
import type { Family } from "../alg/registry.ts";
import {
  bitString,
  DerFields,
  expectExplicit,
  explicit,
  integer,
  octetString,
  oid,
  readBitOctets,
  readDer,
  readInteger,
  readOctetString,
  readOid,
  readSmallInteger,
  sequence,
} from "../asn1/der.ts";
import { type Bytes, concatBytes, equalBytes, wipe } from "../bytes.ts";
import { leftPad } from "./ecdsa.ts";
import { RAW_KEYS, SEEDED_KEYS } from "./pqc_private_key.ts";
import {
  type DecodedPrivateKey,
  type EncodableKey,
  invalid,
  type PrivateKeyCodec,
  unsupported,
} from "./private_key_codec.ts";
import {
  type AlgorithmParts,
  decodeAlgorithm,
  describeAlgorithmParts,
  encodeKeyAlgorithm,
  rowsOfAlgorithm,
} from "./spki.ts";

export { formOf, invalid, type KeyForm, unsupported } from "./private_key_codec.ts";
export type { DecodedPrivateKey, PrivateKey, PrivateKeyCodec } from "./private_key_codec.ts";

/** PKCS#8 of every family (RFC 5958), one entry a family in {@link PRIVATE_KEYS}. */

/** PKCS#8, plain DER (OneAsymmetricKey version 1, RFC 5958); the caller wipes it. */
export function encodePkcs8(key: EncodableKey): Bytes {
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

/** The one table of private key encodings. */
export const PRIVATE_KEYS: Readonly<Record<Family, PrivateKeyCodec>> = {
  ecdsa: {
    encode: encodeEc,
    decode: decodeEc,
    part: { encode: encodeNamedEc, decode: (row, content) => decodeEc([row], content) },
  },
  eddsa: {
    encode: encodeEdwards,
    decode: decodeEdwards,
    part: { encode: bareMaterial, decode: decodeBareEdwards },
  },
  rsa: { encode: bareMaterial, decode: decodeRsa },
  "ml-dsa": SEEDED_KEYS,
  "slh-dsa": RAW_KEYS,
  "ml-kem": SEEDED_KEYS,
  composite: { encode: bareMaterial, decode: ([row], content) => decodeComposite(row!, content) },
};

function bareMaterial({ material }: EncodableKey): Bytes {
  return material.slice();
}

/**
 * A composite private key (draft-ietf-lamps-pq-composite-sigs-19 section 4.2): ML-DSA seed, then the classical key in its
 * own form. The material is that, written anew, so that one key has one form whatever the file had.
 */
function decodeComposite(row: KeyRow, content: Bytes): DecodedPrivateKey {
  const { pqc, classical } = splitCompositeMaterial(row, content);
  try {
    return { row, material: joinCompositeMaterial(row, { pqc: pqc.material, classical: classical.material }) };
  } finally {
    wipe(pqc.material);
    wipe(classical.material);
  }
}

/** Both private keys inside a composite one; the caller wipes them. @throws {InputError} `key.invalid`, `der.invalid`. */
export function splitCompositeMaterial(
  row: KeyRow,
  content: Bytes,
): { readonly pqc: DecodedPrivateKey; readonly classical: DecodedPrivateKey } {
  const { pqc, classical } = partsOf(row)!;
  const seedBytes = pqc.seedBytes!;
  if (content.length <= seedBytes) throw invalid(row.label, `${content.length} bytes are too few for both keys`);
  const rest = content.subarray(seedBytes);
  const { part, decode } = PRIVATE_KEYS[classical.family];
  return {
    classical: part ? part.decode(classical, rest) : decode([classical], rest),
    pqc: { row: pqc, material: content.slice(0, seedBytes) },
  };
}

/** Material of a composite key from that of its parts, the ML-DSA one in seed form; the caller wipes all. */
export function joinCompositeMaterial(
  row: KeyRow,
  parts: { readonly pqc: Uint8Array; readonly classical: Bytes },
): Bytes {
  const { pqc, classical } = partsOf(row)!;
  if (parts.pqc.length !== pqc.seedBytes) throw invalid(row.label, `its ${pqc.label} part has no seed`);
  const codec = PRIVATE_KEYS[classical.family];
  const second = (codec.part ?? codec).encode({ row: classical, material: parts.classical });
  const joined = concatBytes(parts.pqc, second);
  wipe(second);
  return joined;
}

/** ECPrivateKey (RFC 5915) as OpenSSL writes it inside PKCS#8: no parameters, with the public key. */
function encodeEc({ row, material, publicKey }: EncodableKey): Bytes {
  const parts = [integer(1), octetString(leftPad(material, row.scalarBytes))];
  if (publicKey) parts.push(explicit(1, bitString(publicKey)));
  return sequence(...parts);
}

/** As {@link encodeEc}, with the curve's name and without the public key. */
function encodeNamedEc({ row, material }: EncodableKey): Bytes {
  const curve = explicit(0, oid(curveOf(row)!));
  return sequence(integer(1), octetString(leftPad(material, row.scalarBytes)), curve);
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
  return decodeBareEdwards(rows[0]!, readOctetString(readDer(content), "CurvePrivateKey"));
}

function decodeBareEdwards(row: KeyRow, seed: Bytes): DecodedPrivateKey {
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
