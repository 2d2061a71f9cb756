import { findSchemeRow, type KeyRow, keyRows } from "../alg/find.ts";
import type { Family } from "../alg/registry.ts";
import { DerFields, integer, readDer, readUnsigned, sequence } from "../asn1/der.ts";
import { type Bytes, concatBytes, plainBytes, wipe } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { leftPad } from "../keys/ecdsa.ts";
import { decodePkcs8, encodePkcs8, formOf } from "../keys/private_key.ts";
import { describeSpki, encodeSpki } from "../keys/spki.ts";
import { type CborMap, type CborValue, decodeCbor, encodeCbor } from "./cbor.ts";

/** COSE_Key (RFC 9052 section 7; OKP and EC2: RFC 9053, RFC 9864; RSA: RFC 8230; AKP: RFC 9964). */

const LABEL = { KTY: 1, KID: 2, ALG: 3 } as const;

/** A key out of a COSE_Key. */
export interface CoseKey {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Bytes;
  /** PKCS#8 of the private half, plain DER; the caller wipes it. */
  readonly pkcs8?: Bytes;
  readonly kid?: Bytes;
}

/** One key type: labels below zero. */
interface KeyType {
  readonly kty: number;
  /** Parameters of the public half. */
  publicPart(row: KeyRow, publicKey: Bytes): CborMap;
  /** Those of the private one. */
  privatePart(row: KeyRow, material: Bytes): CborMap;
  /** Content of the SubjectPublicKeyInfo's BIT STRING. */
  readPublic(row: KeyRow, key: CborMap): Bytes;
  /** Secret material as `PrivateKey` has it; undefined for a public key. */
  readPrivate(row: KeyRow, key: CborMap): Bytes | undefined;
  /** The row of a key, or undefined when it has none. */
  rowOf(key: CborMap): KeyRow | undefined;
}

const CRV = -1;
const X = -2;
const Y = -3;
const D = -4;

const OKP: KeyType = {
  kty: 1,
  publicPart: (row, publicKey) => new Map<number, CborValue>([[CRV, row.coseCurve], [X, publicKey]]),
  privatePart: (_row, material) => new Map([[D, material]]),
  readPublic: (_row, key) => bytesOf(key, X, "x"),
  readPrivate: (_row, key) => optionalBytes(key, D, "d"),
  rowOf: (key) => rowOfCurve("eddsa", key),
};

const EC2: KeyType = {
  kty: 2,
  publicPart: (row, publicKey) => {
    const size = row.scalarBytes;
    const [x, y] = [publicKey.slice(1, 1 + size), publicKey.slice(1 + size)];
    return new Map<number, CborValue>([[CRV, row.coseCurve], [X, x], [Y, y]]);
  },
  privatePart: (row, material) => new Map([[D, leftPad(material, row.scalarBytes)]]),
  readPublic: (row, key) => {
    if (typeof key.get(Y) === "boolean") throw invalid("the point is compressed, which is not supported");
    const [x, y] = [bytesOf(key, X, "x"), bytesOf(key, Y, "y")];
    if (x.length !== row.scalarBytes || y.length !== row.scalarBytes) {
      throw invalid(`x and y of ${row.label} have ${row.scalarBytes} bytes`);
    }
    return concatBytes(Uint8Array.of(4), x, y);
  },
  readPrivate: (row, key) => {
    const scalar = optionalBytes(key, D, "d");
    if (scalar && scalar.length !== row.scalarBytes) throw invalid(`d of ${row.label} has ${row.scalarBytes} bytes`);
    return scalar;
  },
  rowOf: (key) => rowOfCurve("ecdsa", key),
};

/** Labels of an RSAPrivateKey's numbers from the modulus on, in its order. */
const RSA_LABELS = [-1, -2, -3, -4, -5, -6, -7, -8] as const;

/** The private exponent: with it the key is a private one. */
const RSA_PRIVATE = -3;

const RSA: KeyType = {
  kty: 3,
  publicPart: (_row, publicKey) => numbers(new DerFields(readDer(publicKey), "RSAPublicKey"), [-1, -2]),
  privatePart: (_row, material) => {
    const fields = new DerFields(readDer(material), "RSAPrivateKey");
    fields.next("version");
    const [, , ...secret] = numbers(fields, RSA_LABELS);
    return new Map(secret);
  },
  readPublic: (_row, key) => sequence(...[-1, -2].map((label) => integer(bytesOf(key, label, String(label))))),
  readPrivate: (_row, key) => {
    if (!key.has(RSA_PRIVATE)) return undefined;
    if (key.has(-9)) throw invalid("keys of more than two primes are not supported");
    return sequence(integer(0), ...RSA_LABELS.map((label) => integer(bytesOf(key, label, String(label)))));
  },
  rowOf: (key) => describeSpki(encodeSpki(anyRsa(), RSA.readPublic(anyRsa(), key))).row,
};

const AKP: KeyType = {
  kty: 7,
  publicPart: (row, publicKey) => new Map<number, CborValue>([[LABEL.ALG, algorithmOf(row)], [-1, publicKey]]),
  privatePart: (row, material) => {
    if (formOf({ row, material }) === "expanded") {
      throw invalid("only the seed of an ML-DSA key can be in a COSE_Key, and this one has no seed");
    }
    return new Map([[-2, material]]);
  },
  readPublic: (_row, key) => bytesOf(key, -1, "pub"),
  readPrivate: (row, key) => {
    const material = optionalBytes(key, -2, "priv");
    const length = row.seedBytes ?? row.expandedBytes;
    if (material && material.length !== length) throw invalid(`priv of ${row.label} has ${length} bytes`);
    return material;
  },
  rowOf: (key) => keyRows().find((row) => TYPES[row.family] === AKP && numbersOf(row).includes(key.get(LABEL.ALG))),
};

const TYPES: Readonly<Record<Family, KeyType | undefined>> = {
  ecdsa: EC2,
  eddsa: OKP,
  rsa: RSA,
  "ml-dsa": AKP,
  "slh-dsa": AKP,
  "ml-kem": undefined,
  composite: undefined,
};

/** What goes into a COSE_Key. */
export interface CoseKeyFacts {
  readonly spki: Bytes;
  /** PKCS#8 in plain DER: makes a private key. */
  readonly pkcs8?: Bytes;
  readonly kid?: Bytes;
}

/**
 * A key as the map of a COSE_Key, for a message or a claim.
 * @throws {InputError} `cose.key` for keys that COSE has no type or number for, and an ML-DSA key without seed.
 */
export function coseKeyMap({ spki, pkcs8, kid }: CoseKeyFacts): CborMap {
  const { row, description, publicKey } = describeSpki(spki);
  const type = row && TYPES[row.family];
  if (!row || !type) throw invalid(`COSE has no key type for ${description}`);
  const map = new Map<CborValue, CborValue>([[LABEL.KTY, type.kty], ...type.publicPart(row, publicKey)]);
  if (kid) map.set(LABEL.KID, kid);
  if (!pkcs8) return map;
  const { material } = decodePkcs8(pkcs8);
  for (const [label, value] of type.privatePart(row, material)) {
    map.set(label, value instanceof Uint8Array ? plainBytes(value.slice()) : value);
  }
  wipe(material);
  return map;
}

/** The bytes of a COSE_Key, deterministic; those of a private key are the caller's to wipe. Throws as {@link coseKeyMap}. */
export function encodeCoseKey(facts: CoseKeyFacts): Bytes {
  return encodeCbor(coseKeyMap(facts));
}

/**
 * Reads a COSE_Key.
 * @throws {InputError} `cose.key`, and what `decodeCbor` and the readers of keys throw.
 */
export function decodeCoseKey(bytes: Uint8Array): CoseKey {
  const key = decodeCbor(bytes);
  if (!(key instanceof Map)) throw invalid("it is no map");
  const type = Object.values(TYPES).find((one) => one?.kty === key.get(LABEL.KTY));
  if (!type) throw invalid(`the key type ${String(key.get(LABEL.KTY))} is not known here`);
  const row = type.rowOf(key as CborMap);
  if (!row) throw invalid("its curve, size or algorithm is not known here");
  const spki = encodeSpki(row, type.readPublic(row, key as CborMap));
  const { publicKey } = describeSpki(spki);
  const material = type.readPrivate(row, key as CborMap);
  const kid = optionalBytes(key as CborMap, LABEL.KID, "kid");
  return {
    spki,
    ...(material ? { pkcs8: encodePkcs8({ row, material, publicKey }) } : {}),
    ...(kid ? { kid } : {}),
  };
}

/** Whether bytes look like a COSE_Key: a map that has a key type. */
export function looksLikeCoseKey(bytes: Uint8Array): boolean {
  if (bytes.length === 0 || bytes[0]! >> 5 !== 5) return false;
  try {
    const key = decodeCbor(bytes);
    return key instanceof Map && key.has(LABEL.KTY);
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

function rowOfCurve(family: Family, key: CborMap): KeyRow | undefined {
  return keyRows().find((row) => row.family === family && row.coseCurve === key.get(CRV));
}

/** A row of RSA, of which any gives the same SubjectPublicKeyInfo. */
function anyRsa(): KeyRow {
  return keyRows().find(({ family }) => family === "rsa")!;
}

/** The number that stands for the one scheme of a row in an AKP key. */
function algorithmOf(row: KeyRow): number {
  const [id] = numbersOf(row);
  if (id === undefined) throw invalid(`COSE has no algorithm for ${row.label}`);
  return id as number;
}

function numbersOf(row: KeyRow): readonly CborValue[] {
  return row.schemes.flatMap((name) => (findSchemeRow(name).cose ?? []).map(({ id }) => id));
}

function numbers(fields: DerFields, labels: readonly number[]): Map<number, Bytes> {
  return new Map(labels.map((label) => [label, plainBytes(readUnsigned(fields.next(String(label)), String(label)))]));
}

function bytesOf(key: CborMap, label: number, name: string): Bytes {
  const value = optionalBytes(key, label, name);
  if (value) return value;
  throw invalid(`${name} is missing`);
}

function optionalBytes(key: CborMap, label: number, name: string): Bytes | undefined {
  const value = key.get(label);
  if (value === undefined) return undefined;
  if (value instanceof Uint8Array && value.length > 0) return plainBytes(value.slice());
  throw invalid(`${name} is not bytes`);
}

function invalid(reason: string): InputError {
  return new InputError(`Cannot use the COSE_Key: ${reason}`, { code: "cose.key" });
}
