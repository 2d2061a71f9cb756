import { type KeyRow, keyRows } from "../alg/find.ts";
import type { Family } from "../alg/registry.ts";
import {
  bitString,
  integer,
  nullDer,
  oid,
  readBitOctets,
  readDer,
  readOctetString,
  sequence,
  TAG,
} from "../asn1/der.ts";
import { OID_EC_PUBLIC_KEY, OID_RSA_ENCRYPTION } from "../asn1/oid.ts";
import { type Bytes, equalBytes } from "../bytes.ts";
import { describeSpki, encodeSpki, spkiFingerprint } from "../keys/spki.ts";
import type { Attributes } from "./attributes.ts";
import type { CompleteDriver } from "./driver.ts";
import { describeConstant } from "./names.ts";
import { keyType } from "./templates.ts";

/** What is known about the public half of a key in a token. */
export interface PublicKeyFacts {
  /** SubjectPublicKeyInfo, DER; undefined when the token does not give it or gives nonsense. */
  readonly spki?: Bytes | undefined;
  readonly spkiSha256?: string | undefined;
  /** The row; undefined for a weak or foreign key. */
  readonly row?: KeyRow | undefined;
  /** The algorithm in words. */
  readonly description: string;
}

/** Attributes from which a public key can be made, on either half. */
export const PUBLIC_KEY_ATTRIBUTES = [
  "CKA_PUBLIC_KEY_INFO",
  "CKA_EC_PARAMS",
  "CKA_EC_POINT",
  "CKA_MODULUS",
  "CKA_PUBLIC_EXPONENT",
  "CKA_VALUE",
] as const;

/** As {@link PUBLIC_KEY_ATTRIBUTES}, without those that a private key holds its secret in. */
export const PRIVATE_HALF_ATTRIBUTES = PUBLIC_KEY_ATTRIBUTES.filter((name) => name !== "CKA_VALUE");

/** The family whose rows have this key type, or undefined for a foreign type. */
export function familyOfKeyType(driver: CompleteDriver, type: number): Family | undefined {
  return keyRows().find((row) => keyType(driver, row) === type)?.family;
}

/**
 * The public key from the halves of a pair, in the order in which they are trusted: CKA_PUBLIC_KEY_INFO first, then the
 * numbers and points themselves. A value that is no key is passed over.
 */
export async function readPublicKey(
  driver: CompleteDriver,
  type: number | undefined,
  halves: readonly Attributes[],
): Promise<PublicKeyFacts> {
  const family = type === undefined ? undefined : familyOfKeyType(driver, type);
  let reason = "";
  for (const half of halves) {
    for (const spki of spkiCandidates(family, half)) {
      try {
        const { row, description, publicKey } = describeSpki(spki);
        // written anew, so that one key has one fingerprint whatever form the token gives
        const canonical = row ? encodeSpki(row, publicKey) : spki;
        return { spki: canonical, spkiSha256: await spkiFingerprint(canonical), row, description };
      } catch (error) {
        reason = error instanceof Error ? ` (${error.message})` : "";
      }
    }
  }
  const name = type === undefined ? "unknown type" : describeConstant("CKK", type);
  return { description: `${name}, public key not readable${reason}` };
}

function* spkiCandidates(family: Family | undefined, half: Attributes): Generator<Bytes> {
  const info = half.content("CKA_PUBLIC_KEY_INFO");
  if (info) yield info;
  const made = family && READERS[family]?.(half);
  if (made) yield made;
}

/** SubjectPublicKeyInfo from the attributes of one half, by family; undefined when they are not there. */
const READERS: Readonly<Partial<Record<Family, (half: Attributes) => Bytes | undefined>>> = {
  ecdsa: readEcKey,
  eddsa: readEdwardsKey,
  rsa: readRsaKey,
  "ml-dsa": (half) => readSizedKey("ml-dsa", half),
  "ml-kem": (half) => readSizedKey("ml-kem", half),
};

/** A raw key whose length tells the parameter set. */
function readSizedKey(family: Family, half: Attributes): Bytes | undefined {
  const value = half.content("CKA_VALUE");
  const row = value && keyRows().find((row) => row.family === family && row.publicKeyBytes === value.length);
  return row && encodeSpki(row, value);
}

function readEcKey(half: Attributes): Bytes | undefined {
  const parameters = half.content("CKA_EC_PARAMS");
  const stored = half.content("CKA_EC_POINT");
  if (!parameters || !stored) return undefined;
  const row = keyRows().find(({ spki }) =>
    typeof spki.parameters !== "string" && equalBytes(oid(spki.parameters.curve), parameters)
  );
  const point = unwrapPoint(
    stored,
    (bytes) => row ? bytes.length === row.publicKeyBytes : bytes.length % 2 === 1 && bytes[0]! >= 2 && bytes[0]! <= 4,
  );
  if (point && row) return encodeSpki(row, point);
  return sequence(sequence(oid(OID_EC_PUBLIC_KEY), parameters), bitString(point ?? stored));
}

function readEdwardsKey(half: Attributes): Bytes | undefined {
  const stored = half.content("CKA_EC_POINT") ?? half.content("CKA_VALUE");
  if (!stored) return undefined;
  for (const row of keyRows()) {
    if (row.family !== "eddsa") continue;
    const point = unwrapPoint(stored, (bytes) => bytes.length === row.publicKeyBytes);
    if (point) return encodeSpki(row, point);
  }
  return undefined;
}

function readRsaKey(half: Attributes): Bytes | undefined {
  const modulus = half.content("CKA_MODULUS");
  const exponent = half.content("CKA_PUBLIC_EXPONENT");
  if (!modulus || !exponent) return undefined;
  const key = sequence(integer(modulus), integer(exponent));
  return sequence(sequence(oid(OID_RSA_ENCRYPTION), nullDer()), bitString(key));
}

/**
 * A point that tokens store raw, in an OCTET STRING, or (Edwards keys) in a BIT STRING. An uncompressed point begins
 * with the tag of an OCTET STRING, so what fits comes first.
 */
function unwrapPoint(stored: Bytes, fits: (bytes: Uint8Array) => boolean): Bytes | undefined {
  if (fits(stored)) return stored;
  try {
    const node = readDer(stored);
    const inner = node.is(TAG.BIT_STRING) ? readBitOctets(node) : readOctetString(node);
    return fits(inner) ? inner : undefined;
  } catch {
    return undefined;
  }
}
