import type { Bytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { type CborMap, type CborValue, decodeCbor, encodeCbor, type ReadOptions } from "./cbor.ts";

/** Header parameters (RFC 9052 section 3, RFC 9360, RFC 9596, RFC 9597). */

/** Labels that mean something here. */
export const LABEL = {
  ALG: 1,
  CRIT: 2,
  CONTENT_TYPE: 3,
  KID: 4,
  CWT_CLAIMS: 15,
  TYP: 16,
  X5BAG: 32,
  X5CHAIN: 33,
  X5T: 34,
  X5U: 35,
} as const;

/** application/cwt as typ and content type (RFC 8392 section 9.5, RFC 9596): its CoAP number. */
export const CWT_CONTENT_FORMAT = 61;

/** Names of labels for people; those that are not processed here as well. */
export const LABEL_NAMES: Readonly<Record<number, string>> = Object.freeze({
  1: "alg",
  2: "crit",
  3: "content type",
  4: "kid",
  5: "IV",
  6: "Partial IV",
  7: "counter signature",
  11: "counter signature v2",
  12: "abbreviated counter signature v2",
  15: "CWT claims",
  16: "typ",
  32: "x5bag",
  33: "x5chain",
  34: "x5t",
  35: "x5u",
});

/** Both buckets of a message or signer. */
export interface Headers {
  /** The protected bucket as it is on the wire: signed verbatim. */
  readonly bytes: Bytes;
  readonly protected: CborMap;
  readonly unprotected: CborMap;
}

/** What a label must stand for. */
interface Shape {
  readonly what: string;
  fits(value: CborValue): boolean;
}

const SHAPES: Readonly<Record<number, Shape>> = {
  [LABEL.ALG]: { what: "an integer or text", fits: isLabel },
  [LABEL.CRIT]: {
    what: "a list of labels that is not empty",
    fits: (value) => Array.isArray(value) && value.length > 0 && value.every(isLabel),
  },
  [LABEL.CONTENT_TYPE]: { what: "text or a number", fits: isContentType },
  [LABEL.KID]: { what: "bytes", fits: isBytes },
  [LABEL.CWT_CLAIMS]: { what: "a map", fits: (value) => value instanceof Map },
  [LABEL.TYP]: { what: "text or a number", fits: isContentType },
  [LABEL.X5BAG]: { what: "a certificate, or a list of two or more", fits: isCertificates },
  [LABEL.X5CHAIN]: { what: "a certificate, or a list of two or more", fits: isCertificates },
  [LABEL.X5T]: {
    what: "a hash algorithm and a hash",
    fits: (value) => Array.isArray(value) && value.length === 2 && isLabel(value[0]) && isBytes(value[1]),
  },
};

/** Labels that `crit` may name: what they ask for is done. */
const UNDERSTOOD: ReadonlySet<CborValue> = new Set([1, 2, 3, 4, 15, 16, 32, 33, 34]);

/** Buckets to be written; an empty protected one is a zero-length string (RFC 9052 section 3). */
export function makeHeaders(protectedMap: CborMap, unprotected: CborMap = new Map()): Headers {
  const bytes = protectedMap.size === 0 ? new Uint8Array(0) : encodeCbor(protectedMap);
  return { bytes, protected: protectedMap, unprotected };
}

/**
 * Both buckets of what was read.
 * @throws {InputError} `cose.header` for a label or value of a wrong type, or one that is in both buckets; `cose.crit` for
 * a critical header that is not understood, or missing; and what `decodeCbor` throws.
 */
export function readHeaders(bytes: CborValue, unprotected: CborValue, options: ReadOptions = {}): Headers {
  if (!(bytes instanceof Uint8Array)) throw wrong("the protected headers are no byte string");
  if (!(unprotected instanceof Map)) throw wrong("the unprotected headers are no map");
  const map = bytes.length === 0 ? new Map<CborValue, CborValue>() : decodeCbor(bytes, options);
  if (!(map instanceof Map)) throw wrong("the protected headers are no map");
  const headers = { bytes: bytes as Bytes, protected: map as CborMap, unprotected: unprotected as CborMap };
  for (const bucket of [headers.protected, headers.unprotected]) {
    for (const [label, value] of bucket) checkHeader(label, value);
  }
  for (const label of headers.unprotected.keys()) {
    if (headers.protected.has(label)) throw wrong(`${labelName(label)} is in both buckets`);
  }
  checkCritical(headers);
  return headers;
}

function checkHeader(label: CborValue, value: CborValue): void {
  if (!isLabel(label)) throw wrong("a label is neither an integer nor text");
  const shape = typeof label === "number" ? SHAPES[label] : undefined;
  if (shape && !shape.fits(value)) throw wrong(`${labelName(label)} is not ${shape.what}`);
}

function checkCritical({ protected: map, unprotected }: Headers): void {
  if (unprotected.has(LABEL.CRIT)) throw wrong("crit is not protected");
  const critical = (map.get(LABEL.CRIT) ?? []) as readonly CborValue[];
  for (const label of critical) {
    if (!map.has(label)) throw wrong(`crit names ${labelName(label)}, which is not among the protected headers`);
    if (UNDERSTOOD.has(label)) continue;
    throw new InputError(`Cannot process the COSE message: header ${labelName(label)} is critical and not understood`, {
      code: "cose.crit",
    });
  }
}

/** A header of either bucket, the protected one first. */
export function header(headers: Headers, label: number): CborValue {
  return headers.protected.has(label) ? headers.protected.get(label) : headers.unprotected.get(label);
}

/** Whether headers say that the payload consists of the claims of a CWT. */
export function saysToken(headers: Headers): boolean {
  return [LABEL.TYP, LABEL.CONTENT_TYPE].some((label) => {
    const value = header(headers, label);
    return value === CWT_CONTENT_FORMAT || (typeof value === "string" && /^(application\/)?cwt$/i.test(value));
  });
}

/** The protected bucket as it enters a signature: an empty map counts as nothing (RFC 9052 section 4.4). */
export function signedBytes({ bytes, protected: map }: Headers): Bytes {
  return map.size === 0 ? new Uint8Array(0) : bytes;
}

/** Certificates of an x5chain or x5bag, DER. */
export function certificatesOf(value: CborValue): Bytes[] {
  if (value instanceof Uint8Array) return [value as Bytes];
  return Array.isArray(value) ? [...value] as Bytes[] : [];
}

/** An x5chain or x5bag: one certificate stands alone (RFC 9360 section 2). */
export function certificatesValue(certificates: readonly Bytes[]): CborValue {
  return certificates.length === 1 ? certificates[0]! : [...certificates];
}

/** A label for people: `kid (4)`, `"name"`. */
export function labelName(label: CborValue): string {
  if (typeof label === "string") return JSON.stringify(label);
  const name = typeof label === "number" ? LABEL_NAMES[label] : undefined;
  return name === undefined ? String(label) : `${name} (${label})`;
}

function isLabel(value: CborValue): boolean {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "string";
}

function isContentType(value: CborValue): boolean {
  return typeof value === "string" || (typeof value === "number" && value >= 0);
}

function isBytes(value: CborValue): boolean {
  return value instanceof Uint8Array;
}

function isCertificates(value: CborValue): boolean {
  return isBytes(value) || (Array.isArray(value) && value.length >= 2 && value.every(isBytes));
}

function wrong(reason: string): InputError {
  return new InputError(`Cannot read the COSE headers: ${reason}`, { code: "cose.header" });
}
