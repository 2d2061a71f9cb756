import {
  asciiBytes,
  type DerNode,
  expectExplicit,
  explicit,
  implicit,
  octetString,
  oid,
  oidText,
  readAscii,
  readDer,
  readOid,
  readString,
  sequence,
  sequenceOf,
  TAG,
} from "../../asn1/der.ts";
import { oidName } from "../../asn1/oid.ts";
import { type Bytes, concatBytes, encodeHex } from "../../bytes.ts";
import { InputError } from "../../errors.ts";
import { decodeName, encodeName, formatName } from "../name.ts";
import type { GeneralName } from "../types.ts";
import { absoluteUri, dnsName, emailAddress, nameProblem } from "./host_names.ts";
import { formatCidr, formatIp, parseCidr, parseIp } from "./ip_address.ts";

/** GeneralName, RFC 5280 section 4.2.1.6: the CHOICE that many extensions share. */

/** A general name of anybody: two alternatives that we never write are kept as bytes, an odd iPAddress as hex. */
export type ReadGeneralName =
  | GeneralName
  | { readonly type: "x400" | "ediParty"; readonly value: Bytes };

/** Where a general name stands: in name constraints addresses carry a mask and hosts may be partial. */
export type NameContext = "name" | "constraint";

/** Context-specific tag of each alternative. */
const TAG_NUMBERS = {
  other: 0,
  email: 1,
  dns: 2,
  x400: 3,
  directory: 4,
  ediParty: 5,
  uri: 6,
  ip: 7,
  registeredId: 8,
} as const;

const TYPES = Object.keys(TAG_NUMBERS) as (keyof typeof TAG_NUMBERS)[];

const LABELS: Readonly<Record<ReadGeneralName["type"], string>> = {
  other: "otherName",
  email: "email",
  dns: "DNS",
  x400: "x400Address",
  directory: "DirName",
  ediParty: "ediPartyName",
  uri: "URI",
  ip: "IP",
  registeredId: "RID",
};

/**
 * DER of a general name. DNS, e-mail and URI values are checked, Unicode hosts become A-labels.
 * @throws {InputError} `general_name.invalid`.
 */
export function encodeGeneralName(name: GeneralName, context: NameContext = "name"): Bytes {
  const tag = TAG_NUMBERS[name.type];
  switch (name.type) {
    case "directory":
      return explicit(tag, encodeName(name.value));
    case "other":
      return implicit(tag, sequence(oid(name.oid), explicit(0, wholeDer(name.value))));
    case "registeredId":
      return implicit(tag, oid(name.value));
    case "ip":
      return implicit(tag, octetString(ipOctets(name.value, context)));
    case "dns":
    case "email":
    case "uri":
      return implicit(tag, octetString(asciiBytes(hostText(name.type, name.value, context))));
  }
}

const HOST_TEXT = { dns: dnsName, email: emailAddress, uri: absoluteUri } as const;

function hostText(type: keyof typeof HOST_TEXT, value: string, context: NameContext): string {
  return context === "constraint" ? constraintText(type, value) : HOST_TEXT[type](value);
}

/** Name constraints hold a host, `.domain`, or for e-mail a whole address (RFC 5280 section 4.2.1.10). */
function constraintText(type: keyof typeof HOST_TEXT, value: string): string {
  if (value === "" && type === "dns") return "";
  if (type === "email" && value.includes("@")) return emailAddress(value);
  if (value.includes("*") || value.includes("/") || value.includes("@")) {
    throw nameProblem(`${LABELS[type]} name constraint`, value, "it must be a host name or a domain");
  }
  return value.startsWith(".") ? `.${dnsName(value.slice(1))}` : dnsName(value);
}

function ipOctets(value: string, context: NameContext): Bytes {
  const octets = context === "name" ? parseIp(value) : parseCidr(value);
  if (octets) return octets;
  if (context === "name") throw nameProblem("IP address", value, "it is neither IPv4 nor IPv6");
  const hint = "Write the first address of the network and the prefix length, as in 10.0.0.0/8";
  throw nameProblem("IP range", value, "it is not a network address with a prefix length", hint);
}

function wholeDer(value: Bytes): Bytes {
  readDer(value);
  return value;
}

/**
 * Reads a general name of anybody; text is not judged.
 * @throws {InputError} `der.invalid` when it is none.
 */
export function readGeneralName(node: DerNode, context: NameContext = "name"): ReadGeneralName {
  const type = node.tagClass === "context" ? TYPES[node.tag] : undefined;
  if (type === undefined) throw malformed(node, `${node.name} is no GeneralName`);
  const constructed = type === "other" || type === "directory" || type === "x400" || type === "ediParty";
  if (node.constructed !== constructed) throw malformed(node, `the GeneralName ${node.name} has a wrong form`);
  switch (type) {
    case "directory":
      return { type, value: decodeName(expectExplicit(node, 4, "directoryName").raw) };
    case "other":
      return readOther(node);
    case "x400":
    case "ediParty":
      return { type, value: node.raw };
    case "registeredId":
      return { type, value: oidText(readDer(retagged(node, 6)).content) };
    case "ip":
      return { type, value: readIp(node, context) };
    case "dns":
    case "email":
    case "uri":
      return { type, value: readAscii(node, LABELS[type]) };
  }
}

/** The node with a universal primitive tag, so that the reader checks its content. */
function retagged(node: DerNode, tag: number): Bytes {
  return concatBytes(Uint8Array.of(tag), node.raw.subarray(1));
}

function readOther(node: DerNode): GeneralName {
  const [type, value, ...more] = node.children;
  if (more.length > 0) throw malformed(node, "an otherName has more than two fields");
  return { type: "other", oid: readOid(type, "otherName type"), value: expectExplicit(value, 0, "otherName").raw };
}

function readIp(node: DerNode, context: NameContext): string {
  const text = context === "name" ? formatIp(node.content) : formatCidr(node.content);
  if (text === undefined) throw malformed(node, `an iPAddress has ${node.content.length} octets`);
  return text;
}

function malformed(node: DerNode, reason: string): InputError {
  return new InputError(`Cannot read DER at offset ${node.offset}: ${reason}`, {
    code: "der.invalid",
    offset: node.offset,
  });
}

/** Most names read from one GeneralNames. */
const MAX_NAMES = 10_000;

/** GeneralNames: at least one. @throws {InputError} */
export function readGeneralNames(parts: readonly DerNode[], what: string): ReadGeneralName[] {
  if (parts.length === 0 || parts.length > MAX_NAMES) {
    throw new InputError(`Cannot read ${what}: it has ${parts.length === 0 ? "no name" : "too many names"}`, {
      code: "extension.invalid",
    });
  }
  return parts.map((part) => readGeneralName(part));
}

/** SEQUENCE OF GeneralName, without repetitions: equal encodings, DNS names and hosts in any case, are one. */
export function encodeGeneralNames(names: readonly GeneralName[]): Bytes {
  return sequenceOf(withoutRepetition(names));
}

function withoutRepetition(names: readonly GeneralName[]): Bytes[] {
  const seen = new Map<string, Bytes>();
  for (const name of names) {
    const der = encodeGeneralName(name);
    const key = name.type === "dns" ? `dns ${dnsName(name.value).toLowerCase()}` : encodeHex(der);
    if (!seen.has(key)) seen.set(key, der);
  }
  return [...seen.values()];
}

/** A general name for people: `DNS:host`, `IP:10.0.0.1`. */
export function formatGeneralName(name: ReadGeneralName): string {
  return `${LABELS[name.type]}:${generalNameText(name)}`;
}

function generalNameText(name: ReadGeneralName): string {
  switch (name.type) {
    case "directory":
      return formatName(name.value);
    case "other":
      return `${name.oid}:${otherText(name.value) ?? encodeHex(name.value)}`;
    case "x400":
    case "ediParty":
      return encodeHex(name.value);
    case "registeredId":
      return oidName(name.value) ?? name.value;
    default:
      return printable(name.value);
  }
}

/** Text of an otherName whose value is a string, as principal names are. */
function otherText(value: Bytes): string | undefined {
  const node = readDer(value);
  return node.is(TAG.UTF8_STRING) || node.is(TAG.IA5_STRING) ? printable(readString(node)) : undefined;
}

/** Control and invisible characters as `\u{…}`, so that a hostile name cannot forge lines. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
}

/** A general name as JSON: `{type, value}`, for an otherName its `oid` too. */
export function generalNameJson(name: ReadGeneralName): Record<string, string> {
  const { type, value } = name;
  if (type === "directory") return { type, value: formatName(value) };
  const text = typeof value === "string" ? value : encodeHex(value);
  return type === "other" ? { type, oid: name.oid, value: text } : { type, value: text };
}
