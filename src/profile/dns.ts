import { shorten } from "../bytes.ts";
import { parseIp } from "../x509/extensions/ip_address.ts";
import { isPublicSuffix } from "./public_suffix.ts";
import type { Checked } from "./types.ts";

/** What a DNS name may be. */
export interface DnsPolicy {
  /** A name of one label, such as `localhost`. */
  readonly singleLabel?: boolean;
  /** A star as the whole leftmost label. */
  readonly wildcard?: boolean;
  /** No star directly below a public suffix (built-in short list, and every single label). */
  readonly forbidPublicSuffix?: boolean;
}

const MAX_INPUT = 1024;

/**
 * A host name in the form certificates carry (RFC 1035 section 2.3.1, RFC 1123 section 2.1, RFC 5280 section 4.2.1.6):
 * lower case, A-labels for international names (IDNA by UTS 46), no dot at the end.
 */
export function checkDnsName(text: string, policy: DnsPolicy = {}): Checked<string> {
  if (text.length > MAX_INPUT) return refuse("too long for a DNS name");
  const shown = `"${shorten(text)}"`;
  const ascii = toAscii(text.replace(/\.$/, ""));
  if (ascii === undefined) return refuse(`${shown} is not a DNS name (characters)`);
  if (ascii === "") return refuse("it is empty");
  if (ascii.length > 253) return refuse(`${shown} is longer than 253 characters`);
  if (parseIp(ascii)) return refuse(`${shown} is an IP address, not a DNS name`);
  const labels = ascii.split(".");
  const star = labels[0] === "*";
  for (const [i, label] of labels.entries()) {
    if (i === 0 && star) continue;
    const reason = labelReason(label);
    if (reason) return refuse(`${shown} is not a DNS name (${reason})`);
  }
  if (/^[0-9]+$/.test(labels.at(-1)!)) return refuse(`${shown} is not a DNS name (its last label is a number)`);
  return star ? checkStar(ascii, shown, policy) : checkLabels(ascii, shown, policy);
}

function checkLabels(name: string, shown: string, policy: DnsPolicy): Checked<string> {
  if (!name.includes(".") && !policy.singleLabel) {
    return refuse(`${shown} has a single label (allowed only with allow_single_label: true)`);
  }
  return { ok: true, value: name };
}

function checkStar(name: string, shown: string, policy: DnsPolicy): Checked<string> {
  if (!policy.wildcard) return refuse(`${shown} has a wildcard (allowed only with wildcard.allowed: true)`);
  const below = name.slice(2);
  if (below === "" || name === "*") return refuse(`${shown} is a star alone`);
  if (!below.includes(".") && !policy.singleLabel) return refuse(`${shown} covers a whole top-level domain`);
  if (policy.forbidPublicSuffix && isPublicSuffix(below)) {
    return refuse(`${shown} has its star directly below the public suffix "${below}" (built-in list)`);
  }
  return { ok: true, value: name };
}

function labelReason(label: string): string | undefined {
  if (label === "") return "an empty label";
  if (label.length > 63) return "a label of more than 63 characters";
  if (label.includes("*")) return "a star only as the whole leftmost label";
  if (label.includes("_")) return "an underscore";
  if (!/^[a-z0-9-]+$/.test(label)) return "only letters, digits and hyphens";
  if (label.startsWith("-") || label.endsWith("-")) return "a hyphen at the end of a label";
  if (label.slice(2, 4) === "--" && !label.startsWith("xn--")) return `reserved label "${label}"`;
  return undefined;
}

/** Lower case and A-labels, or undefined when a character cannot be in any host name. */
function toAscii(text: string): string | undefined {
  // deno-lint-ignore no-control-regex
  if (/^[\x00-\x7f]*$/.test(text)) return /^[\x21-\x7e]*$/.test(text) ? text.toLowerCase() : undefined;
  // ASCII that means something else in a URL must not reach the parser
  if (!/^[A-Za-z0-9.*\-\u0080-\u{10ffff}]+$/u.test(text)) return undefined;
  const star = text.startsWith("*.");
  try {
    return (star ? "*." : "") + new URL(`http://${star ? text.slice(2) : text}/`).hostname;
  } catch {
    return undefined;
  }
}

function refuse(reason: string): Checked<string> {
  return { ok: false, reason };
}
