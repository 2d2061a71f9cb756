import { equalBytes } from "../bytes.ts";
import { decodeName } from "./name_codec.ts";
import type { Name, NameAttribute } from "./types.ts";

/**
 * Comparison of distinguished names (RFC 5280 section 7.1): case and repeated white space do not count, nor does the
 * string type. Equal bytes are equal without further work.
 */

/** Whether two DER Names are the same name. Malformed names equal only themselves, byte by byte. */
export function sameName(a: Uint8Array, b: Uint8Array): boolean {
  return equalBytes(a, b) || nameKey(a) === nameKey(b);
}

/** A text that is equal for equal names: what maps are keyed by. */
export function nameKey(der: Uint8Array): string {
  try {
    return JSON.stringify(canonicalRdns(decodeName(der)));
  } catch {
    return der.toHex();
  }
}

/** Each RelativeDistinguishedName in comparable form, in order. */
export function canonicalRdns(name: Name): string[] {
  return name.map((rdn) => JSON.stringify(rdn.map(canonicalAttribute).sort()));
}

function canonicalAttribute({ type, value }: NameAttribute): string {
  return `${type}=${value.normalize("NFKC").toLowerCase().trim().replace(/\s+/g, " ")}`;
}

/** Whether `name` lies at or below `base` in the directory: its first names are those of `base`. */
export function isWithin(name: Name, base: Name): boolean {
  const [rdns, prefix] = [canonicalRdns(name), canonicalRdns(base)];
  return prefix.length <= rdns.length && prefix.every((rdn, i) => rdn === rdns[i]);
}
