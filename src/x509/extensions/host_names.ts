import { shorten } from "../../bytes.ts";
import { InputError } from "../../errors.ts";
import { parseIp } from "./ip_address.ts";

/** Names that stand in general names as ASCII: DNS names, e-mail addresses, URIs. What is written is checked here. */

/** A general name that cannot be written. */
export function nameProblem(kind: string, value: string, reason: string, hint?: string): InputError {
  return new InputError(`Cannot use the ${kind} "${shorten(value)}": ${reason}`, {
    code: "general_name.invalid",
    ...(hint === undefined ? {} : { hint }),
  });
}

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;

/**
 * A DNS name as a certificate carries it: Unicode turned into A-labels (UTS 46), otherwise as written. A whole `*` may be
 * the leftmost label. Underscores are let through here and reported by the lint.
 * @throws {InputError} `general_name.invalid`.
 */
export function dnsName(value: string): string {
  if (parseIp(value) !== undefined) {
    throw nameProblem("DNS name", value, "it is an IP address", "Give IP addresses as type ip");
  }
  const wildcard = value.startsWith("*.");
  const host = asciiHost(wildcard ? value.slice(2) : value);
  if (host === undefined) throw nameProblem("DNS name", value, "it is not a valid internationalised name");
  const name = wildcard ? `*.${host}` : host;
  if (name.length > 253) throw nameProblem("DNS name", value, "it is longer than 253 characters");
  for (const label of host.split(".")) {
    if (!LABEL.test(label)) throw nameProblem("DNS name", value, labelReason(label));
  }
  return name;
}

function labelReason(label: string): string {
  if (label === "") return "a label is empty (two dots, or a dot at an end)";
  if (label.length > 63) return "a label is longer than 63 characters";
  if (label.includes("*")) return "a wildcard is the whole leftmost label only";
  return `the label "${shorten(label, 30)}" has characters other than letters, digits and inner hyphens`;
}

/** A host name in ASCII; the URL parser of the platform does UTS 46. Undefined when it cannot be converted. */
function asciiHost(host: string): string | undefined {
  if (isAscii(host)) return host;
  if (/[\s/?#@:%\\[\]]/.test(host)) return undefined;
  try {
    return new URL(`http://${host}/`).hostname;
  } catch {
    return undefined;
  }
}

/**
 * An rfc822Name: an ASCII local part, `@`, and a host as {@link dnsName} gives it.
 * @throws {InputError} `general_name.invalid`; a local part outside ASCII needs SmtpUTF8Mailbox (RFC 9598), not this.
 */
export function emailAddress(value: string): string {
  const at = value.lastIndexOf("@");
  const local = value.slice(0, Math.max(at, 0));
  if (at < 1 || local.length > 64) throw nameProblem("e-mail address", value, "it is not local-part@host");
  if (!isAscii(local)) throw nameProblem("e-mail address", value, "the part before @ is not ASCII");
  if (!/^([A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]+|"[\x20\x21\x23-\x7e]+")$/.test(local)) {
    throw nameProblem("e-mail address", value, "the part before @ has a character that is not allowed");
  }
  const host = value.slice(at + 1);
  if (host.startsWith("*")) throw nameProblem("e-mail address", value, "the host is a wildcard");
  return `${local}@${dnsName(host)}`;
}

/**
 * An absolute URI (RFC 3986) in ASCII; one with other characters is converted as browsers do.
 * @throws {InputError} `general_name.invalid`.
 */
export function absoluteUri(value: string): string {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(value);
  if (!match || match[2] === "") throw nameProblem("URI", value, "it has no scheme, or nothing after it");
  const ascii = isAscii(value) ? value : convertedUri(value);
  if (!/^[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+$/.test(ascii) || /%(?![0-9A-Fa-f]{2})/.test(ascii)) {
    throw nameProblem("URI", value, "it has a character that must be percent-encoded");
  }
  if (/^[^:]*:\/\/(\/|$)/.test(ascii) && !/^file:/i.test(ascii)) throw nameProblem("URI", value, "it has no host");
  return ascii;
}

function convertedUri(value: string): string {
  try {
    return new URL(value).href;
  } catch (cause) {
    throw new InputError(`Cannot use the URI "${shorten(value)}": it cannot be converted to ASCII`, {
      code: "general_name.invalid",
      cause,
    });
  }
}

/** Host of an absolute URI with an authority, without port and user; undefined when it has none. */
export function uriHost(uri: string): string | undefined {
  const authority = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/.exec(uri)?.[1];
  if (authority === undefined) return undefined;
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  return host.startsWith("[") ? host.slice(0, host.indexOf("]") + 1) : host.replace(/:[0-9]*$/, "");
}

function isAscii(text: string): boolean {
  // deno-lint-ignore no-control-regex
  return /^[\x00-\x7f]*$/.test(text);
}
