import { type Bytes, encodeHex } from "../bytes.ts";

/** An address range. */
export interface Cidr {
  /** 4 or 16 octets, host bits zero. */
  readonly address: Bytes;
  /** Bits of the network part. */
  readonly prefix: number;
}

/**
 * Octets of an IPv4 (4) or IPv6 (16) address in text form, or undefined. Decimal without leading zeros for IPv4; RFC 4291
 * section 2.2 for IPv6, including a dotted tail; no zone.
 */
export function parseIp(text: string): Bytes | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** The one spelling of an address: dotted decimal, or RFC 5952 for IPv6. */
export function formatIp(address: Bytes): string {
  if (address.length === 4) return address.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => address[2 * i]! << 8 | address[2 * i + 1]!);
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.start < 0) return hex.join(":");
  return `${hex.slice(0, best.start).join(":")}::${hex.slice(best.start + best.length).join(":")}`;
}

/** A range in CIDR form, or undefined when it is malformed or has host bits set; an address alone is the range of one. */
export function parseCidr(text: string): Cidr | undefined {
  const [host, bits, ...more] = text.split("/");
  const address = parseIp(host!);
  if (!address || more.length > 0) return undefined;
  if (bits !== undefined && !/^(0|[1-9][0-9]{0,2})$/.test(bits)) return undefined;
  const prefix = bits === undefined ? address.length * 8 : Number(bits);
  if (prefix > address.length * 8) return undefined;
  const masked = mask(address, prefix);
  return encodeHex(masked) === encodeHex(address) ? { address, prefix } : undefined;
}

/** Whether an address lies in a range of the same family. */
export function inRange(address: Bytes, range: Cidr): boolean {
  if (address.length !== range.address.length) return false;
  return encodeHex(mask(address, range.prefix)) === encodeHex(range.address);
}

function mask(address: Bytes, prefix: number): Bytes {
  return address.map((octet, i) => octet & (0xff00 >> Math.min(8, Math.max(0, prefix - 8 * i)) & 0xff));
}

function parseIpv4(text: string): Bytes | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256)) {
    return undefined;
  }
  return Uint8Array.from(parts.map(Number));
}

function parseIpv6(text: string): Bytes | undefined {
  if (text.length > 45) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(groups);
  if (!head || (halves.length === 2 && !tail)) return undefined;
  const all = halves.length === 1
    ? head
    : [...head, ...Array<number>(Math.max(0, 8 - head.length - tail!.length)).fill(0), ...tail!];
  if (all.length !== 8 || (halves.length === 2 && head.length + tail!.length > 7)) return undefined;
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function groups(text: string, index: number, halves: readonly string[]): number[] | undefined {
  if (text === "") return halves.length === 1 ? undefined : [];
  const parts = text.split(":");
  const out: number[] = [];
  for (const [i, part] of parts.entries()) {
    const dotted = i === parts.length - 1 && index === halves.length - 1 && part.includes(".");
    const octets = dotted ? parseIpv4(part) : undefined;
    if (octets) out.push(octets[0]! << 8 | octets[1]!, octets[2]! << 8 | octets[3]!);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) out.push(parseInt(part, 16));
    else return undefined;
  }
  return out;
}
