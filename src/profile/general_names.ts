import { shorten } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { formatCidr, formatIp, parseCidr, parseIp } from "../x509/extensions/ip_address.ts";
import { parseNameText } from "../x509/name.ts";
import type { GeneralName } from "../x509/types.ts";
import { checkEmail, checkUriText } from "./text_checks.ts";
import { checkDnsName } from "./dns.ts";
import type { Checked } from "./types.ts";

/** Kinds of names that a profile can put into subjectAltName. */
export type SanKind = "dns" | "ip" | "email" | "uri";

/** Kinds of subtrees that a profile can put into nameConstraints. */
export type SubtreeKind = SanKind | "directory";

/**
 * One name for subjectAltName in its normal form. Policy (wildcards, single labels, ranges) is the business of the
 * variables; here only what no certificate may carry is refused.
 */
export function sanName(kind: SanKind, text: string): Checked<GeneralName> {
  if (kind === "ip") {
    const address = parseIp(text);
    if (!address) return { ok: false, reason: `"${shorten(text)}" is not an IP address` };
    return { ok: true, value: { type: "ip", value: formatIp(address)! } };
  }
  const checked = kind === "dns"
    ? checkDnsName(text, { singleLabel: true, wildcard: true })
    : kind === "email"
    ? checkEmail(text)
    : checkUriText(text);
  return checked.ok ? { ok: true, value: { type: kind, value: checked.value } } : checked;
}

/**
 * One subtree base for nameConstraints (RFC 5280 section 4.2.1.10): a domain (a leading dot is kept), a CIDR range, a
 * mailbox or mail domain (`@host` is read as `host`), a URI host or domain, or a directory name.
 */
export function subtreeName(kind: SubtreeKind, text: string): Checked<GeneralName> {
  if (kind === "ip") {
    const range = parseCidr(text);
    if (!range) return { ok: false, reason: `"${shorten(text)}" is not a CIDR range such as 10.0.0.0/8` };
    return { ok: true, value: { type: "ip", value: formatCidr(range)! } };
  }
  if (kind === "directory") return directoryName(text);
  if (kind === "email" && text.lastIndexOf("@") > 0) return sanName("email", text);
  const host = kind === "email" ? text.replace(/^@/, "") : text;
  const dot = host.startsWith(".") ? "." : "";
  const checked = checkDnsName(host.slice(dot.length), { singleLabel: true });
  return checked.ok ? { ok: true, value: { type: kind, value: dot + checked.value } } : checked;
}

function directoryName(text: string): Checked<GeneralName> {
  try {
    return { ok: true, value: { type: "directory", value: parseNameText(text) } };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { ok: false, reason: error.message.replace(/^Cannot/, "cannot") };
  }
}
