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
import { type Bytes, concatBytes, equalBytes } from "../bytes.ts";
import { describeSpki, encodeSpki, spkiFingerprint } from "../keys/spki.ts";
import type { Attributes } from "./attributes.ts";
import { dialectsOf, familiesOf, rowsOfKeyType } from "./dialect.ts";
import type { CompleteDriver } from "./driver.ts";
import { describeConstant } from "./names.ts";

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

const PUBLIC_KEY_ATTRIBUTES = [
  "CKA_PUBLIC_KEY_INFO",
  "CKA_EC_PARAMS",
  "CKA_EC_POINT",
  "CKA_MODULUS",
  "CKA_PUBLIC_EXPONENT",
  "CKA_VALUE",
  "CKA_PARAMETER_SET",
] as const;

/** Attributes from which a public key can be made, on a public key object. */
export function publicHalfAttributes(driver: CompleteDriver): string[] {
  return [...PUBLIC_KEY_ATTRIBUTES, ...driver.parameterSets, ...driver.publicValues.flat()];
}

/** As {@link publicHalfAttributes}, without the one that a private key holds its secret in. */
export function privateHalfAttributes(driver: CompleteDriver): string[] {
  return publicHalfAttributes(driver).filter((name) => name !== "CKA_VALUE");
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
  const rows = type === undefined ? [] : rowsOfKeyType(driver, type);
  let reason = "";
  for (const half of halves) {
    for (const spki of spkiCandidates(driver, rows, half)) {
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

function* spkiCandidates(driver: CompleteDriver, rows: readonly KeyRow[], half: Attributes): Generator<Bytes> {
  const info = half.content("CKA_PUBLIC_KEY_INFO");
  if (info) yield info;
  for (const family of familiesOf(rows)) {
    const reader = READERS[family];
    const made = reader ? reader(half) : readRawKey(driver, rows.filter((row) => row.family === family), half);
    if (made) yield made;
  }
  // some keep the whole SubjectPublicKeyInfo where the standard has the bare key
  for (const value of rawValues(driver, half)) if (value[0] === SEQUENCE) yield value;
}

/** First octet of a DER SEQUENCE. */
const SEQUENCE = 0x30;

/** SubjectPublicKeyInfo from the attributes of one half, by family; undefined when they are not there. */
const READERS: Readonly<Partial<Record<Family, (half: Attributes) => Bytes | undefined>>> = {
  ecdsa: readEcKey,
  eddsa: readEdwardsKey,
  rsa: readRsaKey,
};

/** A bare key as its standard encodes it; its length tells the row, or its parameter set does where several have it. */
function readRawKey(driver: CompleteDriver, rows: readonly KeyRow[], half: Attributes): Bytes | undefined {
  const set = ["CKA_PARAMETER_SET", ...driver.parameterSets].map((name) => half.ulong(name)).find((n) =>
    n !== undefined
  );
  for (const value of rawValues(driver, half)) {
    const fitting = rows.filter((row) => row.publicKeyBytes === value.length);
    const row = fitting.length === 1 && set === undefined
      ? fitting[0]
      : fitting.find((row) => dialectsOf(driver, row).some(({ parameterSet }) => parameterSet === set));
    if (row) return encodeSpki(row, value);
  }
  return undefined;
}

function rawValues(driver: CompleteDriver, half: Attributes): Bytes[] {
  return [["CKA_VALUE"], ...driver.publicValues].flatMap((names) => {
    const parts = names.map((name) => half.content(name)).filter((part) => part !== undefined);
    return parts.length === names.length ? [concatBytes(...parts)] : [];
  });
}

function readEcKey(half: Attributes): Bytes | undefined {
  const parameters = half.content("CKA_EC_PARAMS");
  const stored = half.content("CKA_EC_POINT") ?? half.content("CKA_VALUE");
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
