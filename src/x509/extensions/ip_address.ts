import type { Bytes } from "../../bytes.ts";
import { concatBytes } from "../../bytes.ts";

/** Text forms of IP addresses: strict parsing, canonical printing (RFC 4291, RFC 5952). */

/** 4 or 16 octets of an address; undefined when `text` is not one. No zone, no octal, no shortened IPv4. */
export function parseIp(text: string): Bytes | undefined {
  return text.includes(":") ? parseV6(text) : parseV4(text);
}

function parseV4(text: string): Bytes | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256)) {
    return undefined;
  }
  return Uint8Array.from(parts, Number);
}

function parseV6(text: string): Bytes | undefined {
  if (text.length > 45) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1]!, true) : new Uint8Array();
  if (!head || !tail) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  return concatBytes(head, new Uint8Array(missing), tail);
}

/** Octets of colon-separated groups; the last one may be dotted IPv4 where `mayEndV4`. */
function groups(text: string, mayEndV4: boolean): Bytes | undefined {
  if (text === "") return new Uint8Array();
  const octets: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (part.includes(".")) {
      const v4 = mayEndV4 && i === parts.length - 1 ? parseV4(part) : undefined;
      if (!v4) return undefined;
      octets.push(...v4);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return undefined;
      const value = parseInt(part, 16);
      octets.push(value >> 8, value & 0xff);
    }
  }
  return octets.length <= 16 ? Uint8Array.from(octets) : undefined;
}

/** Text of 4 or 16 octets, IPv6 shortened as RFC 5952 says; undefined for another length. */
export function formatIp(octets: Uint8Array): string | undefined {
  if (octets.length === 4) return octets.join(".");
  if (octets.length !== 16) return undefined;
  const words = Array.from({ length: 8 }, (_, i) => (octets[2 * i]! << 8 | octets[2 * i + 1]!).toString(16));
  const { start, length } = longestZeros(words);
  if (length < 2) return words.join(":");
  return `${words.slice(0, start).join(":")}::${words.slice(start + length).join(":")}`;
}

function longestZeros(words: readonly string[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < words.length; start++) {
    let end = start;
    while (words[end] === "0") end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  return best;
}

/**
 * Address and mask octets of `address/prefix` or `address/mask`; undefined when `text` is neither, or when the address
 * has bits set outside the mask.
 */
export function parseCidr(text: string): Bytes | undefined {
  const slash = text.indexOf("/");
  const address = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (!address) return undefined;
  const mask = slash < 0 ? prefixMask(address.length * 8, address.length) : parseMask(text.slice(slash + 1), address);
  if (!mask || address.some((octet, i) => (octet & ~mask[i]! & 0xff) !== 0)) return undefined;
  return concatBytes(address, mask);
}

function parseMask(text: string, address: Bytes): Bytes | undefined {
  if (!/^(0|[1-9][0-9]{0,2})$/.test(text)) {
    const mask = parseIp(text);
    return mask?.length === address.length && prefixLength(mask) !== undefined ? mask : undefined;
  }
  return Number(text) <= address.length * 8 ? prefixMask(Number(text), address.length) : undefined;
}

function prefixMask(bits: number, length: number): Bytes {
  return Uint8Array.from({ length }, (_, i) => 0xff << Math.max(0, 8 - Math.max(0, bits - 8 * i)) & 0xff);
}

/** Number of leading ones of a mask; undefined when ones follow zeros. */
function prefixLength(mask: Uint8Array): number | undefined {
  let bits = 0;
  while (bits < mask.length * 8 && (mask[bits >> 3]! & (0x80 >> (bits & 7))) !== 0) bits++;
  return prefixMask(bits, mask.length).every((octet, i) => octet === mask[i]) ? bits : undefined;
}

/** `address/prefix` of 8 or 32 octets, `address/mask` when the mask has holes; undefined for another length. */
export function formatCidr(octets: Uint8Array): string | undefined {
  if (octets.length !== 8 && octets.length !== 32) return undefined;
  const half = octets.length / 2;
  const [address, mask] = [octets.subarray(0, half), octets.subarray(half)];
  return `${formatIp(address)}/${prefixLength(mask) ?? formatIp(mask)}`;
}

/**
 * Address and mask octets of what {@link formatCidr} printed, whatever bits and mask it has; undefined when it is no range.
 */
export function parseAnyRange(text: string): Bytes | undefined {
  const slash = text.indexOf("/");
  const address = parseIp(text.slice(0, Math.max(slash, 0)));
  const rest = text.slice(slash + 1);
  const mask = address && (/^[0-9]{1,3}$/.test(rest) ? prefixMask(Number(rest), address.length) : parseIp(rest));
  return address && mask?.length === address.length ? concatBytes(address, mask) : undefined;
}

/** Whether the octets of an address lie in a range of address and mask octets of the same family. */
export function inRange(address: Uint8Array, range: Uint8Array): boolean {
  if (range.length !== 2 * address.length) return false;
  return address.every((octet, i) => ((octet ^ range[i]!) & range[address.length + i]!) === 0);
}
