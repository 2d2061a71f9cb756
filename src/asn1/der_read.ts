import type { Bytes } from "../bytes.ts";
import { plainBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { CLASS_NAMES, TAG, type TagClass, tagName } from "./der_tags.ts";

/**
 * A strict reader of DER (ITU-T X.690). One pass over the whole input refuses whatever is not DER before anything is
 * handed out; nodes are then made only where somebody looks, so memory is bounded by use and not by hostile nesting.
 */

/** Limits of {@link readDer}. */
export interface DerLimits {
  /** Deepest nesting accepted; 64 unless told. */
  readonly maxDepth?: number;
}

const DEFAULT_MAX_DEPTH = 64;

/** Tag number and extent of one TLV, as offsets into the whole input. */
interface Header {
  first: number;
  number: number;
  contentStart: number;
  end: number;
}

/** One TLV. Byte fields are views of the input, never copies. */
export class DerNode {
  readonly tagClass: TagClass;
  readonly tag: number;
  readonly constructed: boolean;
  /** Position of the first octet in the input of `readDer`. */
  readonly offset: number;
  readonly headerLength: number;
  readonly #input: Bytes;
  readonly #header: Header;
  #children?: readonly DerNode[];

  /** Only `readDer` makes nodes: it has checked every octet below. */
  constructor(input: Bytes, offset: number, header: Header) {
    this.#input = input;
    this.#header = header;
    this.tagClass = CLASS_NAMES[header.first >> 6]!;
    this.tag = header.number;
    this.constructed = (header.first & 0x20) !== 0;
    this.offset = offset;
    this.headerLength = header.contentStart - offset;
  }

  /** The whole TLV, as it was. */
  get raw(): Bytes {
    return this.#input.subarray(this.offset, this.#header.end);
  }

  /** The content octets. */
  get content(): Bytes {
    return this.#input.subarray(this.#header.contentStart, this.#header.end);
  }

  /** The TLVs inside a constructed one; empty for a primitive one. */
  get children(): readonly DerNode[] {
    if (!this.constructed) return [];
    this.#children ??= [...this.#parts()];
    return this.#children;
  }

  *#parts(): Generator<DerNode> {
    for (let at = this.#header.contentStart; at < this.#header.end;) {
      const header = readHeader(this.#input, at, this.#header.end);
      yield new DerNode(this.#input, at, header);
      at = header.end;
    }
  }

  /** Whether this is the universal type `tag`. */
  is(tag: number): boolean {
    return this.tagClass === "universal" && this.tag === tag;
  }

  /** Whether this is the context-specific tag `[n]`. */
  isContext(n: number): boolean {
    return this.tagClass === "context" && this.tag === n;
  }

  /** The tag in words, for messages: `SEQUENCE`, `[0]`. */
  get name(): string {
    return tagName(this.tagClass, this.tag);
  }
}

/**
 * Reads exactly one TLV and all inside it.
 * @throws {InputError} `der.invalid`, with the offset: empty or truncated input, bytes after the end, indefinite or
 * non-minimal lengths, non-minimal tags, nesting over the limit, a primitive type encoded constructed (or the reverse),
 * BOOLEAN other than 00 and FF, non-minimal INTEGER, malformed OID, BIT STRING with unused bits set.
 */
export function readDer(bytes: Uint8Array, limits: DerLimits = {}): DerNode {
  const input = plainBytes(bytes);
  const header = readHeader(input, 0, input.length);
  if (header.end < input.length) {
    throw derError(`${input.length - header.end} bytes follow the end of the ${nameOf(header)}`, header.end);
  }
  check(input, 0, header, limits.maxDepth ?? DEFAULT_MAX_DEPTH);
  return new DerNode(input, 0, header);
}

/** The error every DER reader throws. */
export function derError(reason: string, offset: number): InputError {
  return new InputError(`Cannot read DER at offset ${offset}: ${reason}`, { code: "der.invalid", offset });
}

function readHeader(input: Uint8Array, offset: number, limit: number): Header {
  const tag = readTag(input, offset, limit);
  const length = readLength(input, tag.next, limit);
  if (length.value > limit - length.next) {
    throw derError(`length ${length.value} goes beyond the end (truncated)`, offset);
  }
  return { first: input[offset]!, number: tag.number, contentStart: length.next, end: length.next + length.value };
}

function readTag(input: Uint8Array, offset: number, limit: number): { number: number; next: number } {
  if (offset >= limit) throw derError("truncated", offset);
  const low = input[offset]! & 0x1f;
  if (low !== 31) return { number: low, next: offset + 1 };
  let number = 0;
  for (let at = offset + 1; at < limit && at <= offset + 4; at++) {
    const octet = input[at]!;
    if (number === 0 && octet === 0x80) break;
    number = number * 128 + (octet & 0x7f);
    if (octet < 0x80) {
      if (number < 31) break;
      return { number, next: at + 1 };
    }
  }
  throw derError("truncated, oversized or non-minimal tag number", offset);
}

function readLength(input: Uint8Array, offset: number, limit: number): { value: number; next: number } {
  if (offset >= limit) throw derError("truncated", offset);
  const first = input[offset]!;
  if (first < 0x80) return { value: first, next: offset + 1 };
  if (first === 0x80) throw derError("indefinite length", offset);
  const count = first & 0x7f;
  if (count > 6) throw derError("length of more than 6 octets", offset);
  if (count > limit - offset - 1) throw derError("truncated length", offset);
  let value = 0;
  for (let at = offset + 1; at <= offset + count; at++) value = value * 256 + input[at]!;
  if (value < 0x80 || input[offset + 1] === 0) throw derError("length is not in its shortest form", offset);
  return { value, next: offset + 1 + count };
}

/** Universal types that are always constructed in DER; every other universal type is primitive. */
const CONSTRUCTED: ReadonlySet<number> = new Set([TAG.SEQUENCE, TAG.SET, 8, 11]);

function check(input: Uint8Array, offset: number, header: Header, depth: number): void {
  if (depth <= 0) throw derError("nested too deeply", offset);
  const universal = header.first < 0x40;
  const constructed = (header.first & 0x20) !== 0;
  if (universal) {
    if (header.number === 0) throw derError("end-of-contents octets", offset);
    if (CONSTRUCTED.has(header.number) !== constructed) {
      throw derError(`${nameOf(header)} is encoded ${constructed ? "constructed" : "primitive"}`, offset);
    }
    CONTENT_CHECKS[header.number]?.(input, header);
  }
  if (!constructed) return;
  for (let at = header.contentStart; at < header.end;) {
    const part = readHeader(input, at, header.end);
    check(input, at, part, depth - 1);
    at = part.end;
  }
}

type ContentCheck = (input: Uint8Array, header: Header) => void;

const CONTENT_CHECKS: Readonly<Record<number, ContentCheck>> = {
  [TAG.BOOLEAN]: checkBoolean,
  [TAG.INTEGER]: checkInteger,
  [TAG.ENUMERATED]: checkInteger,
  [TAG.BIT_STRING]: checkBitString,
  [TAG.NULL]: checkNull,
  [TAG.OID]: checkOid,
};

function checkBoolean(input: Uint8Array, { contentStart, end }: Header): void {
  const value = input[contentStart];
  if (end - contentStart !== 1 || (value !== 0 && value !== 0xff)) {
    throw derError("BOOLEAN is neither 00 nor FF", contentStart);
  }
}

function checkInteger(input: Uint8Array, { contentStart, end }: Header): void {
  if (end === contentStart) throw derError("INTEGER without content", contentStart);
  if (end - contentStart === 1) return;
  const [first, second] = [input[contentStart]!, input[contentStart + 1]!];
  if ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)) {
    throw derError("INTEGER is not in its shortest form", contentStart);
  }
}

function checkBitString(input: Uint8Array, { contentStart, end }: Header): void {
  const unused = input[contentStart];
  if (end === contentStart || unused! > 7 || (unused! > 0 && end - contentStart === 1)) {
    throw derError("BIT STRING with a wrong count of unused bits", contentStart);
  }
  if ((input[end - 1]! & ((1 << unused!) - 1)) !== 0 && unused! > 0) {
    throw derError("BIT STRING with unused bits that are not zero", contentStart);
  }
}

function checkNull(_input: Uint8Array, { contentStart, end }: Header): void {
  if (end !== contentStart) throw derError("NULL with content", contentStart);
}

const MAX_OID_OCTETS = 256;

function checkOid(input: Uint8Array, { contentStart, end }: Header): void {
  if (end === contentStart || end - contentStart > MAX_OID_OCTETS) {
    throw derError("OBJECT IDENTIFIER is empty or oversized", contentStart);
  }
  let start = true;
  for (let at = contentStart; at < end; at++) {
    const octet = input[at]!;
    if (start && octet === 0x80) throw derError("OBJECT IDENTIFIER arc is not in its shortest form", at);
    start = octet < 0x80;
  }
  if (!start) throw derError("OBJECT IDENTIFIER ends within an arc", end - 1);
}

function nameOf(header: Header): string {
  return tagName(CLASS_NAMES[header.first >> 6]!, header.number);
}
