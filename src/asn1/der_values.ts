import type { Bytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import type { DerNode } from "./der_read.ts";
import { TAG, tagName } from "./der_tags.ts";

/**
 * Readers of one value out of a DerNode. Each throws an InputError `der.invalid` with the offset when the node is of
 * another type or its content is not a value of it. `what` names the field for the message.
 */

/** Longest INTEGER turned into a bigint, in octets. */
const MAX_INTEGER_OCTETS = 8192;

/** The node itself when it is the universal type `tag`. */
export function expectTag(node: DerNode | undefined, tag: number, what = "value"): DerNode {
  if (node?.is(tag)) return node;
  throw wrongType(node, tagName("universal", tag), what);
}

/** The parts of a SEQUENCE. */
export function expectSequence(node: DerNode | undefined, what = "value"): readonly DerNode[] {
  return expectTag(node, TAG.SEQUENCE, what).children;
}

/** The parts of a SET. */
export function expectSet(node: DerNode | undefined, what = "value"): readonly DerNode[] {
  return expectTag(node, TAG.SET, what).children;
}

/** The node inside `[n] EXPLICIT`. */
export function expectExplicit(node: DerNode | undefined, n: number, what = "value"): DerNode {
  if (!node?.isContext(n) || !node.constructed) throw wrongType(node, `[${n}]`, what);
  const [inner, ...more] = node.children;
  if (!inner || more.length > 0) throw invalid(node, `${what} in [${n}] must hold exactly one value`);
  return inner;
}

/** Dotted text of an OBJECT IDENTIFIER. */
export function readOid(node: DerNode | undefined, what = "object identifier"): string {
  return oidText(expectTag(node, TAG.OID, what).content);
}

/** Dotted text of the content octets of an OBJECT IDENTIFIER that are known to be well formed. */
export function oidText(content: Uint8Array): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const octet of content) {
    arc = arc << 7n | BigInt(octet & 0x7f);
    if (octet < 0x80) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  const head = arcs.shift() ?? 0n;
  const first = head < 80n ? head / 40n : 2n;
  return [first, head - first * 40n, ...arcs].join(".");
}

/** Value of an INTEGER of at most 8192 octets. */
export function readInteger(node: DerNode | undefined, what = "integer"): bigint {
  const { content, offset } = expectTag(node, TAG.INTEGER, what);
  return signedValue(content, offset);
}

/** Value of an INTEGER from `min` to `max` (0 to 2^31-1 unless told) as a number. */
export function readSmallInteger(node: DerNode | undefined, what = "integer", range: IntegerRange = {}): number {
  return smallValue(expectTag(node, TAG.INTEGER, what), what, range);
}

/** Value of an ENUMERATED, as {@link readSmallInteger}. */
export function readEnumerated(node: DerNode | undefined, what = "enumerated", range: IntegerRange = {}): number {
  return smallValue(expectTag(node, TAG.ENUMERATED, what), what, range);
}

/** Bounds of a small number, both inclusive. */
export interface IntegerRange {
  readonly min?: number;
  readonly max?: number;
}

function smallValue(node: DerNode, what: string, { min = 0, max = 0x7fffffff }: IntegerRange): number {
  const value = signedValue(node.content, node.offset);
  if (value < BigInt(min) || value > BigInt(max)) throw invalid(node, `${what} is not from ${min} to ${max}`);
  return Number(value);
}

function signedValue(content: Uint8Array, offset: number): bigint {
  if (content.length > MAX_INTEGER_OCTETS) {
    throw new InputError(`Cannot read DER at offset ${offset}: INTEGER of ${content.length} octets`, {
      code: "der.invalid",
      offset,
    });
  }
  const value = BigInt(`0x${content.toHex()}`);
  return content[0]! < 0x80 ? value : value - (1n << BigInt(8 * content.length));
}

/** Magnitude of a non-negative INTEGER: big-endian octets without a leading zero octet (a single one for 0). */
export function readUnsigned(node: DerNode | undefined, what = "integer"): Bytes {
  const { content } = expectTag(node, TAG.INTEGER, what);
  if (content[0]! >= 0x80) throw invalid(node!, `${what} is negative`);
  return content.length > 1 && content[0] === 0 ? content.subarray(1) : content;
}

/** Value of a BOOLEAN. */
export function readBoolean(node: DerNode | undefined, what = "boolean"): boolean {
  return expectTag(node, TAG.BOOLEAN, what).content[0] !== 0;
}

/** Checks for NULL. */
export function readNull(node: DerNode | undefined, what = "value"): void {
  expectTag(node, TAG.NULL, what);
}

/** Octets of an OCTET STRING. */
export function readOctetString(node: DerNode | undefined, what = "octet string"): Bytes {
  return expectTag(node, TAG.OCTET_STRING, what).content;
}

/** Octets of a BIT STRING and how many bits of the last one do not count. */
export function readBitString(node: DerNode | undefined, what = "bit string"): { bytes: Bytes; unused: number } {
  const { content } = expectTag(node, TAG.BIT_STRING, what);
  return { bytes: content.subarray(1), unused: content[0]! };
}

/** Octets of a BIT STRING that is a whole number of octets: keys and signatures. */
export function readBitOctets(node: DerNode | undefined, what = "bit string"): Bytes {
  const { bytes, unused } = readBitString(node, what);
  if (unused !== 0) throw invalid(node!, `${what} is not a whole number of octets`);
  return bytes;
}

/** Positions of the bits set in a named bit list (`keyUsage`, reason flags). */
export function readNamedBits(node: DerNode | undefined, what = "bit list"): number[] {
  const { bytes } = readBitString(node, what);
  const bits: number[] = [];
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    if ((bytes[bit >> 3]! & (0x80 >> (bit & 7))) !== 0) bits.push(bit);
  }
  return bits;
}

/** Text of any ASN.1 string type that names use. */
export function readString(node: DerNode | undefined, what = "string"): string {
  const decode = node?.tagClass === "universal" ? STRING_DECODERS[node.tag] : undefined;
  if (!node || !decode) throw wrongType(node, "a string type", what);
  const text = decode(node.content);
  if (text === undefined) throw invalid(node, `${what} has octets that are not valid in a ${node.name}`);
  return text;
}

/** ASCII text of the content of an implicitly tagged IA5String. */
export function readAscii(node: DerNode, what = "string"): string {
  const text = node.constructed ? undefined : ascii(node.content);
  if (text === undefined) throw invalid(node, `${what} is not ASCII`);
  return text;
}

const STRING_DECODERS: Readonly<Record<number, (content: Uint8Array) => string | undefined>> = {
  [TAG.UTF8_STRING]: (content) => decodeText("utf-8", content),
  [TAG.PRINTABLE_STRING]: ascii,
  [TAG.NUMERIC_STRING]: ascii,
  [TAG.IA5_STRING]: ascii,
  [TAG.VISIBLE_STRING]: ascii,
  [TAG.TELETEX_STRING]: latin1,
  [TAG.BMP_STRING]: (content) => content.length % 2 === 0 ? decodeText("utf-16be", content) : undefined,
  [TAG.UNIVERSAL_STRING]: utf32,
};

function ascii(content: Uint8Array): string | undefined {
  return content.every((octet) => octet < 0x80) ? new TextDecoder().decode(content) : undefined;
}

function decodeText(encoding: "utf-8" | "utf-16be", content: Uint8Array): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}

/** Teletex strings are read as Latin-1, as everybody does; T.61 proper is not in use. */
function latin1(content: Uint8Array): string {
  return new TextDecoder("utf-16le").decode(Uint16Array.from(content));
}

function utf32(content: Uint8Array): string | undefined {
  if (content.length % 4 !== 0) return undefined;
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  let text = "";
  for (let at = 0; at < content.length; at += 4) {
    const point = view.getUint32(at);
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return undefined;
    text += String.fromCodePoint(point);
  }
  return text;
}

const TIME_PATTERN = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 restricts them: seconds, `Z`, no fractions, a real date. */
export function readTime(node: DerNode | undefined, what = "time"): Date {
  const utc = node?.is(TAG.UTC_TIME) ?? false;
  if (!node || (!utc && !node.is(TAG.GENERALIZED_TIME))) throw wrongType(node, "UTCTime or GeneralizedTime", what);
  const text = node.content.length <= 32 ? ascii(node.content) ?? "" : "";
  const full = utc ? `${Number(text.slice(0, 2)) < 50 ? "20" : "19"}${text}` : text;
  const parts = TIME_PATTERN.exec(full);
  const [year, month, day, hour, minute, second] = (parts ?? []).slice(1);
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const date = new Date(parts ? iso : NaN);
  // A day that does not exist rolls over or is invalid: either way it does not print as it was written.
  if (Number.isNaN(date.getTime()) || date.toISOString() !== iso) {
    throw invalid(
      node,
      `${what} is not a valid ${utc ? "UTCTime (YYMMDDHHMMSSZ)" : "GeneralizedTime (YYYYMMDDHHMMSSZ)"}`,
    );
  }
  return date;
}

function wrongType(node: DerNode | undefined, wanted: string, what: string): InputError {
  if (node) return invalid(node, `${what} is ${node.name} where ${wanted} is expected`);
  return new InputError(`Cannot read DER: ${what} is missing`, { code: "der.invalid" });
}

function invalid(node: DerNode, reason: string): InputError {
  return new InputError(`Cannot read DER at offset ${node.offset}: ${reason}`, {
    code: "der.invalid",
    offset: node.offset,
  });
}
