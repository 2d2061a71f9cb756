import type { Bytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { CLASS_BITS, TAG, type TagClass } from "./der_tags.ts";

/**
 * Writers of DER (ITU-T X.690). Each returns one complete TLV; parts given to a constructed type are complete TLVs too.
 * A value that DER cannot carry throws an InputError with code `der.encode`.
 */

/** One TLV with any tag. `constructed` sets bit 6 of the identifier. */
export function tlv(
  tag: { readonly class: TagClass; readonly number: number; readonly constructed: boolean },
  parts: readonly Uint8Array[],
): Bytes {
  const length = parts.reduce((n, part) => n + part.length, 0);
  const header = [...identifier(tag), ...lengthOctets(length)];
  const out = new Uint8Array(header.length + length);
  out.set(header);
  let at = header.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function identifier(tag: { class: TagClass; number: number; constructed: boolean }): number[] {
  const first = CLASS_BITS[tag.class] << 6 | (tag.constructed ? 0x20 : 0);
  if (tag.number < 31) return [first | tag.number];
  return [first | 31, ...base128(BigInt(tag.number))];
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}

function base128(value: bigint): number[] {
  const octets = [Number(value & 0x7fn)];
  for (let rest = value >> 7n; rest > 0n; rest >>= 7n) octets.unshift(Number(rest & 0x7fn) | 0x80);
  return octets;
}

function primitive(number: number, content: Uint8Array): Bytes {
  return tlv({ class: "universal", number, constructed: false }, [content]);
}

/** SEQUENCE of the given TLVs. For very long lists use {@link sequenceOf}. */
export function sequence(...parts: readonly Uint8Array[]): Bytes {
  return sequenceOf(parts);
}

/** SEQUENCE of a list of TLVs of any length. */
export function sequenceOf(parts: readonly Uint8Array[]): Bytes {
  return tlv({ class: "universal", number: TAG.SEQUENCE, constructed: true }, parts);
}

/** SET OF: the parts are sorted by their encoding (X.690 section 11.6). */
export function setOf(...parts: readonly Uint8Array[]): Bytes {
  const sorted = [...parts].sort(compareOctets);
  return tlv({ class: "universal", number: TAG.SET, constructed: true }, sorted);
}

function compareOctets(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}

/** INTEGER. A number or bigint may be negative; bytes are an unsigned big-endian magnitude of any length. */
export function integer(value: bigint | number | Uint8Array): Bytes {
  return primitive(TAG.INTEGER, integerContent(value));
}

/** ENUMERATED. */
export function enumerated(value: number): Bytes {
  return primitive(TAG.ENUMERATED, integerContent(value));
}

function integerContent(value: bigint | number | Uint8Array): Uint8Array {
  if (value instanceof Uint8Array) return unsignedContent(value);
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw encodeError(`${value} is no whole number`);
  const big = BigInt(value);
  const magnitude = big >= 0n ? big : -big - 1n;
  const digits = magnitude.toString(16);
  const bytes = unsignedContent(Uint8Array.fromHex(digits.length % 2 === 0 ? digits : `0${digits}`));
  return big >= 0n ? bytes : bytes.map((octet) => octet ^ 0xff);
}

function unsignedContent(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const trimmed = bytes.subarray(start);
  if (trimmed.length > 0 && trimmed[0]! < 0x80) return trimmed;
  const padded = new Uint8Array(trimmed.length + 1);
  padded.set(trimmed, 1);
  return padded;
}

/** OBJECT IDENTIFIER of a dotted text such as `2.5.29.15`. */
export function oid(dotted: string): Bytes {
  return primitive(TAG.OID, oidContent(dotted));
}

/** Content octets of an OBJECT IDENTIFIER, without tag and length. */
export function oidContent(dotted: string): Uint8Array {
  if (!/^[0-2](\.(0|[1-9][0-9]{0,38}))+$/.test(dotted) || dotted.length > 256) throw oidError(dotted);
  const [first, second, ...rest] = dotted.split(".").map(BigInt) as [bigint, bigint, ...bigint[]];
  if (first < 2n && second > 39n) throw oidError(dotted);
  return Uint8Array.from([first * 40n + second, ...rest].flatMap(base128));
}

/** OCTET STRING. */
export function octetString(bytes: Uint8Array): Bytes {
  return primitive(TAG.OCTET_STRING, bytes);
}

/** BIT STRING; the last `unused` bits of `bytes` do not count and must be zero. */
export function bitString(bytes: Uint8Array, unused = 0): Bytes {
  const last = bytes[bytes.length - 1] ?? 0;
  if (unused < 0 || unused > 7 || (bytes.length === 0 && unused > 0) || (last & ((1 << unused) - 1)) !== 0) {
    throw encodeError("the unused bits of a BIT STRING must be zero");
  }
  return tlv({ class: "universal", number: TAG.BIT_STRING, constructed: false }, [Uint8Array.of(unused), bytes]);
}

/** BIT STRING of a named bit list: `bits` are the positions set; trailing zero bits are left out (X.690 11.2.2). */
export function namedBits(bits: readonly number[]): Bytes {
  if (bits.length === 0) return bitString(new Uint8Array());
  const highest = Math.max(...bits);
  const bytes = new Uint8Array((highest >> 3) + 1);
  for (const bit of bits) bytes[bit >> 3]! |= 0x80 >> (bit & 7);
  return bitString(bytes, 7 - (highest & 7));
}

/** NULL. */
export function nullDer(): Bytes {
  return Uint8Array.of(TAG.NULL, 0);
}

/** BOOLEAN. */
export function boolean(value: boolean): Bytes {
  return Uint8Array.of(TAG.BOOLEAN, 1, value ? 0xff : 0);
}

/** UTF8String. */
export function utf8String(text: string): Bytes {
  if (!text.isWellFormed()) throw encodeError("the text has a lone surrogate");
  return primitive(TAG.UTF8_STRING, new TextEncoder().encode(text));
}

/** PrintableString; other characters than X.680 section 41.4 allows are refused. */
export function printableString(text: string): Bytes {
  if (!isPrintableString(text)) throw encodeError("a PrintableString holds only letters, digits and ' ()+,-./:=?");
  return primitive(TAG.PRINTABLE_STRING, new TextEncoder().encode(text));
}

/** Whether every character of `text` may stand in a PrintableString. */
export function isPrintableString(text: string): boolean {
  return /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text);
}

/** IA5String (ASCII). */
export function ia5String(text: string): Bytes {
  return primitive(TAG.IA5_STRING, asciiBytes(text));
}

/** ASCII bytes of `text`, for implicitly tagged IA5Strings. */
export function asciiBytes(text: string): Bytes {
  // deno-lint-ignore no-control-regex
  if (!/^[\x00-\x7f]*$/.test(text)) throw encodeError("an IA5String holds only ASCII");
  return new TextEncoder().encode(text);
}

/** BMPString (UTF-16). */
export function bmpString(text: string): Bytes {
  return primitive(TAG.BMP_STRING, bmpBytes(text));
}

/** Big-endian UTF-16 bytes of `text`. */
export function bmpBytes(text: string): Bytes {
  const out = new Uint8Array(text.length * 2);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    out[2 * i] = unit >> 8;
    out[2 * i + 1] = unit & 0xff;
  }
  return out;
}

/** `[n] EXPLICIT`: `der` wrapped in a context-specific tag. */
export function explicit(n: number, der: Uint8Array): Bytes {
  return tlv({ class: "context", number: n, constructed: true }, [der]);
}

/** `[n] IMPLICIT`: the outer tag of `der` replaced; it stays primitive or constructed as it was. */
export function implicit(n: number, der: Uint8Array): Bytes {
  const header = 2 + (der[1]! < 0x80 ? 0 : der[1]! & 0x7f);
  return tlv({ class: "context", number: n, constructed: (der[0]! & 0x20) !== 0 }, [der.subarray(header)]);
}

/** Time (RFC 5280 section 4.1.2.5): UTCTime for 1950 to 2049, else GeneralizedTime; whole seconds, fractions cut. */
export function time(date: Date): Bytes {
  const year = date.getUTCFullYear();
  if (year < 1950 || year > 2049 || Number.isNaN(year)) return generalizedTime(date);
  return primitive(TAG.UTC_TIME, new TextEncoder().encode(timeText(date).slice(2)));
}

/** GeneralizedTime without fractions, in UTC. Years 0 to 9999. */
export function generalizedTime(date: Date): Bytes {
  return primitive(TAG.GENERALIZED_TIME, new TextEncoder().encode(timeText(date)));
}

function timeText(date: Date): string {
  const year = date.getUTCFullYear();
  if (Number.isNaN(year) || year < 0 || year > 9999) throw encodeError("the date lies outside the years 0 to 9999");
  return `${date.toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`;
}

function encodeError(reason: string): InputError {
  return new InputError(`Cannot encode DER: ${reason}`, { code: "der.encode" });
}

function oidError(dotted: string): InputError {
  return new InputError(`Cannot encode OID "${dotted.slice(0, 80)}": not a dotted object identifier`, {
    code: "oid.invalid",
  });
}
