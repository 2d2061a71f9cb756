import { Decoder, Tag } from "cbor-x/decode";
import { Encoder } from "cbor-x/encode";
import { type Bytes, encodeHex, plainBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { type Head, INDEFINITE, isShortest, MAJOR, malformed, readHead, truncated } from "./head.ts";

/**
 * The door to CBOR (RFC 8949). Writing is cbor-x's, fed so that the outcome is deterministic. Reading is strict and bounded,
 * which cbor-x is not: it believes tags that make objects and functions, and takes duplicate keys. cbor-x reads the floats.
 */

/** A floating-point number, kept apart from integers. */
export class CborFloat {
  readonly value: number;
  /** A number of any value, also an integral one. */
  constructor(value: number) {
    this.value = value;
  }
}

/** A simple value other than false, true, null and undefined. */
export class CborSimple {
  readonly value: number;
  /** 0 to 19 or 32 to 255. */
  constructor(value: number) {
    this.value = value;
  }
}

/** A tag and what it stands on. */
export class CborTag {
  readonly tag: number | bigint;
  readonly value: CborValue;
  /** Nothing is made of the content: it is as it was. */
  constructor(tag: number | bigint, value: CborValue) {
    this.tag = tag;
    this.value = value;
  }
}

/** A map; keys of other types than integers and text are equal to nothing but themselves. */
export type CborMap = ReadonlyMap<CborValue, CborValue>;

/** Any item. Integers are numbers where those are exact, bigints beyond. */
export type CborValue =
  | (number | bigint | string | Bytes | boolean | null | undefined)
  | (CborFloat | CborSimple | CborTag | readonly CborValue[] | CborMap);

/** How strictly bytes are read. */
export interface ReadOptions {
  /** Demands the deterministic form of RFC 8949 section 4.2.1: shortest heads and floats, sorted keys. */
  readonly deterministic?: boolean;
}

/** Deepest nesting that is read: no message comes near. */
export const MAX_DEPTH = 24;
/** Most items in one document; each takes memory beyond its bytes. */
const MAX_ITEMS = 200_000;

const encoder = new Encoder({ useRecords: false, mapsAsObjects: false, tagUint8Array: false });
const decoder = new Decoder({ useRecords: false, mapsAsObjects: false });

/**
 * The one item that `bytes` are. Indefinite lengths and duplicate keys are refused, as RFC 9052 wants for what is signed.
 * Byte strings are views of `bytes`.
 * @throws {InputError} `cbor.truncated`, `cbor.invalid`, `cbor.trailing`, `cbor.indefinite`, `cbor.duplicate_key`,
 * `cbor.too_deep`, `cbor.too_large`, `cbor.not_text`, `cbor.not_deterministic`.
 */
export function decodeCbor(bytes: Uint8Array, options: ReadOptions = {}): CborValue {
  const reader = new Reader(plainBytes(bytes), options);
  const value = reader.item(0);
  reader.end();
  return value;
}

class Reader {
  readonly #bytes: Bytes;
  readonly #strict: boolean;
  #at = 0;
  #items = 0;

  constructor(bytes: Bytes, { deterministic = false }: ReadOptions) {
    this.#bytes = bytes;
    this.#strict = deterministic;
  }

  end(): void {
    if (this.#at === this.#bytes.length) return;
    throw problem("trailing", this.#at, `${this.#bytes.length - this.#at} bytes follow the item`);
  }

  item(depth: number): CborValue {
    const start = this.#at;
    const head = readHead(this.#bytes, start);
    if (head.info === INDEFINITE) {
      if (head.major === MAJOR.SIMPLE) throw malformed(start, "a break without a beginning");
      if (head.major < MAJOR.BYTES || head.major === MAJOR.TAG) throw malformed(start, "an indefinite length");
      throw problem("indefinite", start, "an indefinite length is not allowed here");
    }
    if (depth > MAX_DEPTH) throw problem("too_deep", start, `it is nested deeper than ${MAX_DEPTH} levels`);
    if (++this.#items > MAX_ITEMS) throw problem("too_large", start, `it has more than ${MAX_ITEMS} items`);
    if (this.#strict && head.major !== MAJOR.SIMPLE && !isShortest(head)) {
      throw this.#order(start, "a head that is not the shortest");
    }
    this.#at = head.next;
    return this.#content(head, start, depth);
  }

  #content(head: Head, start: number, depth: number): CborValue {
    const { major, value } = head;
    switch (major) {
      case MAJOR.UNSIGNED:
        return value;
      case MAJOR.NEGATIVE:
        return typeof value === "number" && value < Number.MAX_SAFE_INTEGER ? -1 - value : -1n - BigInt(value);
      case MAJOR.BYTES:
        return this.#take(value, start);
      case MAJOR.TEXT:
        return this.#text(value, start);
      case MAJOR.ARRAY:
        return Array.from({ length: this.#count(value, start, 1) }, () => this.item(depth + 1));
      case MAJOR.MAP:
        return this.#map(this.#count(value, start, 2), depth);
      case MAJOR.TAG:
        return new CborTag(value, this.item(depth + 1));
      default:
        return this.#simple(head, start);
    }
  }

  #take(length: number | bigint, start: number): Bytes {
    if (length > this.#bytes.length - this.#at) throw truncated(start);
    const from = this.#at;
    this.#at += Number(length);
    return this.#bytes.subarray(from, this.#at);
  }

  #text(length: number | bigint, start: number): string {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.#take(length, start));
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw problem("not_text", start, "a text is not UTF-8");
    }
  }

  /** A count of elements that can be there: each takes a byte at least. */
  #count(count: number | bigint, start: number, each: number): number {
    if (BigInt(count) * BigInt(each) > this.#bytes.length - this.#at) throw truncated(start);
    return Number(count);
  }

  #map(count: number, depth: number): CborMap {
    const map = new Map<CborValue, CborValue>();
    const seen = new Set<string>();
    let last: Uint8Array | undefined;
    for (let i = 0; i < count; i++) {
      const start = this.#at;
      const key = this.item(depth + 1);
      const bytes = this.#bytes.subarray(start, this.#at);
      if (this.#strict && last && compareBytes(last, bytes) > 0) throw this.#order(start, "an unsorted key");
      last = bytes;
      const name = keyName(key);
      if (seen.has(name)) throw problem("duplicate_key", start, "a map has a key twice");
      seen.add(name);
      map.set(key, this.item(depth + 1));
    }
    return map;
  }

  #simple({ info, value }: Head, start: number): CborValue {
    if (info < 20) return new CborSimple(info);
    if (info < 24) return [false, true, null, undefined][info - 20];
    if (info === 24) {
      if (value < 32) throw malformed(start, "a simple value in two bytes that has one byte");
      return new CborSimple(Number(value));
    }
    const float = decoder.decode(this.#bytes.slice(start, this.#at)) as number;
    if (this.#strict && info > 25 && this.#at - start > 1 + shortestFloatBytes(float)) {
      throw this.#order(start, "a float that is not the shortest");
    }
    return new CborFloat(float);
  }

  #order(start: number, what: string): InputError {
    return problem("not_deterministic", start, `${what} is not the deterministic form`);
  }
}

/** Bytes of the shortest float that keeps a value. */
function shortestFloatBytes(value: number): number {
  if (Number.isNaN(value) || Math.f16round(value) === value) return 2;
  return Math.fround(value) === value ? 4 : 8;
}

/** A text that is equal for equal keys, whatever the length of their heads. */
function keyName(key: CborValue): string {
  if (typeof key === "number" || typeof key === "bigint") return `i${key}`;
  if (typeof key === "string") return `t${key}`;
  if (key instanceof Uint8Array) return `b${encodeHex(key)}`;
  if (key instanceof CborFloat) return `f${Object.is(key.value, -0) ? "-0" : key.value}`;
  if (key instanceof CborSimple) return `s${key.value}`;
  if (key instanceof CborTag) return `g${key.tag}(${keyName(key.value)})`;
  if (key instanceof Map) {
    return `m{${[...key].map(([name, value]) => `${keyName(name)}:${keyName(value)}`).sort().join()}}`;
  }
  return Array.isArray(key) ? `a[${key.map(keyName).join()}]` : `x${key}`;
}

function problem(code: string, offset: number, reason: string): InputError {
  return new InputError(`Cannot read CBOR: ${reason} (byte ${offset})`, { code: `cbor.${code}`, offset });
}

/**
 * Deterministic encoding (RFC 8949 section 4.2.1). Floats and simple values are none of what is written here.
 * @throws {InputError} `cbor.unsupported` for those, for integers beyond 64 bits (63 below zero) and for text that is not Unicode.
 */
export function encodeCbor(value: CborValue): Bytes {
  return copy(encoder.encode(forWriting(value, 0)));
}

/** cbor-x hands out views of a buffer that it goes on filling. */
function copy(bytes: Uint8Array): Bytes {
  return new Uint8Array(bytes);
}

/** The value as cbor-x writes it in the shortest form: sorted maps, numbers where it has no float to offer. */
function forWriting(value: CborValue, depth: number): unknown {
  if (depth > MAX_DEPTH) throw unsupported(`more than ${MAX_DEPTH} levels`);
  if (typeof value === "number" || typeof value === "bigint") return integerForWriting(value);
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw unsupported("text that is not Unicode");
    return value;
  }
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  if (value instanceof CborTag) return new Tag(forWriting(value.value, depth + 1), Number(value.tag));
  if (value instanceof CborFloat || value instanceof CborSimple) throw unsupported("a float or simple value");
  if (!(value instanceof Map)) return (value as readonly CborValue[]).map((one) => forWriting(one, depth + 1));
  const entries = [...value as CborMap].map(([key, content]) => ({ key, content, name: encodeCbor(key) }))
    .sort((a, b) => compareBytes(a.name, b.name));
  return new Map(entries.map(({ key, content }) => [forWriting(key, depth + 1), forWriting(content, depth + 1)]));
}

/** Integers of up to 32 bits are numbers to cbor-x; larger numbers it would write as floats, smaller bigints too long. */
function integerForWriting(value: number | bigint): number | bigint {
  const isWhole = typeof value === "bigint" || Number.isSafeInteger(value);
  if (!isWhole || value >= 2n ** 64n || value < -(2n ** 63n)) throw unsupported(`the number ${value}`);
  return value < 2 ** 32 && value >= -(2 ** 32) ? Number(value) : BigInt(value);
}

function unsupported(what: string): InputError {
  return new InputError(`Cannot write CBOR: ${what} has no place here`, { code: "cbor.unsupported" });
}

/** Order of byte strings, as keys of a deterministic map are sorted. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
