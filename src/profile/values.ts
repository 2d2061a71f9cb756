import { shorten } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { isDottedOid } from "../asn1/oid.ts";
import { formatIp, inRange, parseCidr, parseIp } from "../x509/extensions/ip_address.ts";
import { checkEmail, checkUriText } from "./text_checks.ts";
import { checkDnsName } from "./dns.ts";
import { parseDuration } from "./duration.ts";
import { compilePattern } from "./regexp.ts";
import type { Checked, Value, Variable, VariableType } from "./types.ts";

const MAX_TEXT = 4096;
const MAX_ITEMS = 1000;

/** Types whose values are lists. */
const LIST_TYPES: ReadonlySet<VariableType> = new Set(["list", "ip_list", "dns_names"]);

/** Whether values of `type` are lists. */
export function isListType(type: VariableType): boolean {
  return LIST_TYPES.has(type);
}

/**
 * A raw value (text from the command line, or what YAML held) checked against a variable's type and constraints and put
 * into its normal form. `undefined` as value: nothing was written (empty text, null, an empty list item list stays).
 */
export function checkValue(variable: Variable, raw: unknown): Checked<Value | undefined> {
  if (raw === undefined || raw === null || raw === "") return { ok: true, value: undefined };
  if (isListType(variable.type)) return checkList(variable, raw);
  if (variable.type === "integer") return checkInteger(variable, raw);
  if (variable.type === "boolean") return checkBoolean(raw);
  const text = asText(raw);
  return text === undefined
    ? refuse(`expected ${TYPE_WORDS[variable.type]}, got ${nameOf(raw)}`)
    : checkText(variable, text);
}

const TYPE_WORDS: Readonly<Record<VariableType, string>> = {
  string: "text",
  integer: "a whole number",
  boolean: "true or false",
  list: "a list",
  ip_list: "a list of IP addresses",
  dns_name: "a DNS name",
  dns_names: "a list of DNS names",
  email: "an e-mail address",
  uri: "a URI",
  oid: "a dotted OID",
  duration: "a duration",
};

function checkText(variable: Variable, text: string): Checked<Value> {
  if (text.length > MAX_TEXT) return refuse(`longer than ${MAX_TEXT} characters`);
  // deno-lint-ignore no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text)) return refuse(`"${shorten(text)}" has control characters`);
  if (!text.isWellFormed()) return refuse("it is not well-formed Unicode");
  const normal = ITEM_CHECKS[variable.type](text, variable);
  if (!normal.ok) return normal;
  const reason = commonReason(variable, normal.value) ?? affixReason(variable, normal.value);
  return reason === undefined ? normal : refuse(reason);
}

/** One check per type for a single text; for lists it is the check of an item. */
const ITEM_CHECKS: Readonly<Record<VariableType, (text: string, variable: Variable) => Checked<string>>> = {
  string: (text) => ({ ok: true, value: text }),
  integer: (text) => ({ ok: true, value: text }),
  boolean: (text) => ({ ok: true, value: text }),
  list: (text) => ({ ok: true, value: text }),
  ip_list: checkIp,
  dns_name: checkDns,
  dns_names: checkDns,
  email: (text) => checkEmail(text),
  uri: checkUri,
  oid: (text) => isDottedOid(text) ? { ok: true, value: text } : refuse(`"${shorten(text)}" is not a dotted OID`),
  duration: checkDuration,
};

function checkDns(text: string, variable: Variable): Checked<string> {
  return checkDnsName(text, {
    singleLabel: variable.allowSingleLabel ?? false,
    wildcard: variable.wildcard?.allowed ?? false,
    forbidPublicSuffix: variable.wildcard?.forbidPublicSuffix ?? false,
  });
}

function checkIp(text: string, variable: Variable): Checked<string> {
  const address = parseIp(text);
  if (!address) return refuse(`"${shorten(text)}" is not an IP address`);
  const ranges = variable.constraints?.allowedRanges;
  if (ranges && !ranges.some((range) => inRange(address, parseCidr(range)!))) {
    return refuse(`"${shorten(text)}" is outside the allowed ranges (${ranges.join(", ")})`);
  }
  return { ok: true, value: formatIp(address)! };
}

function checkUri(text: string, variable: Variable): Checked<string> {
  const uri = checkUriText(text);
  if (!uri.ok) return uri;
  const { protocol, hostname } = new URL(uri.value);
  const { allowedSchemes, allowedHosts } = variable.constraints ?? {};
  if (allowedSchemes && !allowedSchemes.some((scheme) => `${scheme.toLowerCase()}:` === protocol)) {
    return refuse(`"${shorten(text)}" has none of the allowed schemes (${allowedSchemes.join(", ")})`);
  }
  if (allowedHosts && !allowedHosts.some((host) => host.toLowerCase() === hostname)) {
    return refuse(`"${shorten(text)}" has none of the allowed hosts (${allowedHosts.join(", ")})`);
  }
  return uri;
}

function checkDuration(text: string, variable: Variable): Checked<string> {
  const trimmed = text.trim();
  const seconds = durationSeconds(trimmed);
  if (typeof seconds === "string") return refuse(seconds);
  if (variable.minDuration !== undefined && seconds < parseDuration(variable.minDuration)) {
    return refuse(`${trimmed} is below the minimum ${variable.minDuration}`);
  }
  if (variable.maxDuration !== undefined && seconds > parseDuration(variable.maxDuration)) {
    return refuse(`${trimmed} is above the maximum ${variable.maxDuration}`);
  }
  return { ok: true, value: trimmed };
}

/** Seconds of a duration, or why it is none. */
export function durationSeconds(text: string): number | string {
  try {
    return parseDuration(text);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return `${
      error.message.replace(/^Cannot read duration (".*"): /, "$1 is not a duration: ")
    } (write 365d, 1y, 1h30m)`;
  }
}

function checkInteger(variable: Variable, raw: unknown): Checked<Value> {
  const text = asText(raw)?.trim();
  if (text === undefined || !/^[+-]?\d{1,15}$/.test(text)) {
    return refuse(`expected a whole number, got ${text === undefined ? nameOf(raw) : `"${shorten(text)}"`}`);
  }
  const value = Number(text);
  if (variable.min !== undefined && value < variable.min) {
    return refuse(`${value} is below the minimum ${variable.min}`);
  }
  if (variable.max !== undefined && value > variable.max) {
    return refuse(`${value} is above the maximum ${variable.max}`);
  }
  if (variable.enum && !variable.enum.some((allowed) => Number(allowed) === value)) {
    return refuse(`${value} is none of the allowed values (${variable.enum.join(", ")})`);
  }
  return { ok: true, value };
}

function checkBoolean(raw: unknown): Checked<Value> {
  if (typeof raw === "boolean") return { ok: true, value: raw };
  const text = typeof raw === "string" ? raw.trim().toLowerCase() : "";
  if (text === "true" || text === "yes") return { ok: true, value: true };
  if (text === "false" || text === "no") return { ok: true, value: false };
  return refuse(`expected true or false, got ${typeof raw === "string" ? `"${shorten(raw)}"` : nameOf(raw)}`);
}

function checkList(variable: Variable, raw: unknown): Checked<Value> {
  const items = Array.isArray(raw) ? raw.map(asText) : typeof raw === "string" ? splitList(raw) : [asText(raw)];
  const { minItems, maxItems } = variable.constraints ?? {};
  if (items.length > MAX_ITEMS) return refuse(`more than ${MAX_ITEMS} items`);
  if (minItems !== undefined && items.length < minItems) {
    return refuse(`${items.length} items, fewer than the minimum ${minItems}`);
  }
  if (maxItems !== undefined && items.length > maxItems) {
    return refuse(`${items.length} items, more than the maximum ${maxItems}`);
  }
  const out: string[] = [];
  for (const item of items) {
    if (item === undefined) return refuse(`expected ${TYPE_WORDS[variable.type]} of texts, got ${nameOf(raw)}`);
    if (item === "") return refuse("it has an empty item");
    const checked = checkText(variable, item);
    if (!checked.ok) return checked;
    out.push(checked.value as string);
  }
  return { ok: true, value: out };
}

/** Items between commas, spaces around them dropped; `\,` is a comma within an item. */
function splitList(text: string): string[] {
  return text.split(/(?<!\\),/).map((item) => item.replaceAll("\\,", ",").trim());
}

function commonReason(variable: Variable, value: string): string | undefined {
  const length = [...value].length;
  const shown = `"${shorten(value)}"`;
  if (variable.minLength !== undefined && length < variable.minLength) {
    return `${shown} has ${length} characters, fewer than the minimum ${variable.minLength}`;
  }
  if (variable.maxLength !== undefined && length > variable.maxLength) {
    return `${shown} has ${length} characters, more than the maximum ${variable.maxLength}`;
  }
  if (variable.enum && !variable.enum.includes(value)) {
    return `${shown} is none of the allowed values (${variable.enum.join(", ")})`;
  }
  if (variable.pattern !== undefined) {
    const pattern = compilePattern(variable.pattern);
    if (!pattern.ok) return pattern.reason;
    if (!pattern.value.matches(value)) return `${shown} does not match the pattern ${variable.pattern}`;
  }
  return undefined;
}

function affixReason(variable: Variable, value: string): string | undefined {
  const { allowedSuffixes, deniedPrefixes } = variable.constraints ?? {};
  if (allowedSuffixes && !allowedSuffixes.some((suffix) => hasSuffix(variable.type, value, suffix))) {
    const words = variable.type === "oid" ? "is below none of the allowed arcs" : "has none of the allowed suffixes";
    return `"${shorten(value)}" ${words} (${allowedSuffixes.join(", ")})`;
  }
  const denied = deniedPrefixes?.find((prefix) => value.toLowerCase().startsWith(prefix.toLowerCase()));
  return denied === undefined ? undefined : `"${shorten(value)}" starts with the denied prefix "${denied}"`;
}

/** Names compare by label, so that `evil-example.com` is not below `example.com`; an OID compares by its first arcs. */
function hasSuffix(type: VariableType, value: string, suffix: string): boolean {
  if (type === "oid") return value === suffix || value.startsWith(`${suffix.replace(/\.$/, "")}.`);
  const [text, end] = [value.toLowerCase(), suffix.toLowerCase()];
  if (type === "email" && end.startsWith("@")) return text.endsWith(end);
  if (type === "dns_name" || type === "dns_names" || type === "email") {
    const host = text.slice(text.lastIndexOf("@") + 1);
    const domain = end.replace(/^\./, "");
    return host === domain || host.endsWith(`.${domain}`);
  }
  return text.endsWith(end);
}

function asText(raw: unknown): string | undefined {
  if (typeof raw === "string") return raw;
  return typeof raw === "number" || typeof raw === "boolean" || typeof raw === "bigint" ? String(raw) : undefined;
}

function nameOf(raw: unknown): string {
  if (Array.isArray(raw)) return "a list";
  return raw === null ? "nothing" : typeof raw === "object" ? "a mapping" : `a ${typeof raw}`;
}

function refuse(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
