import { type Bytes, concatBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";

/** Heads of CBOR items (RFC 8949 section 3): major type and argument. */

/** Major types. */
export const MAJOR = { UNSIGNED: 0, NEGATIVE: 1, BYTES: 2, TEXT: 3, ARRAY: 4, MAP: 5, TAG: 6, SIMPLE: 7 } as const;

/** Additional information that stands for an indefinite length. */
export const INDEFINITE = 31;

/** One head. */
export interface Head {
  readonly major: number;
  /** Low five bits of the first byte. */
  readonly info: number;
  /** The argument: a value, a length, a tag number, or the bits of a float; a bigint beyond 2^53. */
  readonly value: number | bigint;
  /** Offset behind the head. */
  readonly next: number;
}

/** Bytes of the argument by additional information 24 to 27. */
const ARGUMENT_BYTES = [1, 2, 4, 8] as const;

/**
 * The head at an offset.
 * @throws {InputError} `cbor.truncated`; `cbor.invalid` for the reserved values 28 to 30.
 */
export function readHead(bytes: Uint8Array, at: number): Head {
  const first = bytes[at];
  if (first === undefined) throw truncated(at);
  const [major, info] = [first >> 5, first & 31];
  if (info < 24) return { major, info, value: info, next: at + 1 };
  if (info === INDEFINITE) return { major, info, value: 0, next: at + 1 };
  const size = ARGUMENT_BYTES[info - 24];
  if (size === undefined) throw malformed(at, `the reserved additional information ${info}`);
  if (at + 1 + size > bytes.length) throw truncated(at);
  let value: number | bigint = 0;
  for (let i = 1; i <= Math.min(size, 4); i++) value = value * 256 + bytes[at + i]!;
  if (size === 8) {
    let whole = BigInt(value);
    for (let i = 5; i <= 8; i++) whole = whole * 256n + BigInt(bytes[at + i]!);
    value = whole > BigInt(Number.MAX_SAFE_INTEGER) ? whole : Number(whole);
  }
  return { major, info, value, next: at + 1 + size };
}

/** Whether a head has the shortest form that its argument allows (RFC 8949 section 4.1). */
export function isShortest({ info, value }: Head): boolean {
  if (info < 24 || info === INDEFINITE) return true;
  return value >= [24, 0x100, 0x10000, 0x100000000][info - 24]!;
}

/** A head in its shortest form; `value` is at most 2^53 - 1. */
export function writeHead(major: number, value: number): Bytes {
  const first = major << 5;
  if (value < 24) return Uint8Array.of(first | value);
  const size = value < 0x100 ? 1 : value < 0x10000 ? 2 : value < 0x100000000 ? 4 : 8;
  const argument = new Uint8Array(size);
  for (let i = size - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) argument[i] = rest % 256;
  return concatBytes(Uint8Array.of(first | (24 + Math.log2(size))), argument);
}

/** A byte string with its head. */
export function writeBytes(content: Uint8Array): Bytes {
  return concatBytes(writeHead(MAJOR.BYTES, content.length), content);
}

/** The error for bytes that end within an item. */
export function truncated(offset: number): InputError {
  return new InputError(`Cannot read CBOR: the item at byte ${offset} is cut off`, { code: "cbor.truncated", offset });
}

/** The error for what is no CBOR. */
export function malformed(offset: number, reason: string): InputError {
  return new InputError(`Cannot read CBOR: ${reason} at byte ${offset}`, { code: "cbor.invalid", offset });
}
