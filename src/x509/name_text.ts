import { readDer, readString } from "../asn1/der.ts";
import { OID_AT_COMMON_NAME } from "../asn1/oid.ts";
import { shorten } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { attributeName, nameAttribute } from "./name_attributes.ts";
import { decodeName } from "./name_codec.ts";
import type { Name, NameAttribute } from "./types.ts";

function toName(name: Uint8Array | Name): Name {
  return name instanceof Uint8Array ? decodeName(name) : name;
}

/**
 * A name for people: RFC 4514 escapes, attributes in the order of the certificate (not reversed), `CN=a,O=b`. Attributes
 * of one set are joined by `+`. The empty name is an empty text.
 */
export function formatName(name: Uint8Array | Name): string {
  return toName(name).map((rdn) => rdn.map(formatAttribute).join("+")).join(",");
}

function formatAttribute({ type, value }: NameAttribute): string {
  return `${attributeName(type)}=${isHexValue(value) ? value : escapeValue(value)}`;
}

function isHexValue(value: string): boolean {
  return /^#([0-9a-f]{2})+$/.test(value);
}

/** RFC 4514 section 2.4; control and invisible formatting characters too, so that no name can rearrange a terminal. */
function escapeValue(value: string): string {
  return value
    .replace(/[\\"+,;<>]/g, "\\$&")
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, hexPairs)
    .replace(/^[ #]/, "\\$&")
    .replace(/(?<!\\) $/, "\\ ");
}

function hexPairs(character: string): string {
  return Array.from(new TextEncoder().encode(character), (octet) => `\\${octet.toString(16).padStart(2, "0")}`).join(
    "",
  );
}

/**
 * The one-line form of OpenSSL's index.txt: `/C=FR/O=Name/CN=x`, bytes outside printable ASCII as `\xC3\xA9`, a slash
 * within a value as `\/`.
 */
export function formatOneLine(name: Uint8Array | Name): string {
  return toName(name).flat().map(({ type, value }) => `/${attributeName(type)}=${oneLineValue(value)}`).join("");
}

function oneLineValue(value: string): string {
  let text = "";
  for (const octet of new TextEncoder().encode(value)) {
    if (octet === 0x2f) text += "\\/";
    else if (octet >= 0x20 && octet <= 0x7e) text += String.fromCharCode(octet);
    else text += `\\x${octet.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

/**
 * Reads a name an operator typed: `CN=a, O=b` with RFC 4514 escapes and quotes and `+` between attributes of one set, or
 * OpenSSL's `/CN=a/O=b`. The order is kept.
 * @throws {InputError} `name.invalid` when it is not in that form, `name.attribute_unknown` for an unknown attribute.
 */
export function parseNameText(text: string): Name {
  const slashes = text.startsWith("/");
  const name: NameAttribute[][] = [];
  let pending: NameAttribute[] = [];
  for (const { token, end } of tokens(slashes ? text.slice(1) : text, slashes ? "/" : ",;")) {
    pending.push(parseAttribute(token, text));
    if (end === "+") continue;
    name.push(pending);
    pending = [];
  }
  if (pending.length > 0) throw textError(text, 'nothing follows "+"');
  return name;
}

/** Cuts at unescaped, unquoted separators; `end` is the separator that followed. */
function* tokens(text: string, separators: string): Generator<{ token: string; end: string }> {
  if (text.trim() === "") return;
  let token = "";
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === "\\") token += character + (text[++i] ?? "");
    else if (character === '"') {
      quoted = !quoted;
      token += character;
    } else if (!quoted && (character === "+" || separators.includes(character))) {
      yield { token, end: character };
      token = "";
    } else token += character;
  }
  if (quoted) throw textError(text, "a quote is not closed");
  yield { token, end: "" };
}

function parseAttribute(token: string, whole: string): NameAttribute {
  const equals = token.indexOf("=");
  if (equals < 1) throw textError(whole, `"${shorten(token.trim(), 40)}" is not "type=value"`);
  const type = token.slice(0, equals).trim().replace(/^oid\./i, "");
  const raw = token.slice(equals + 1).trimStart();
  const value = raw.startsWith("#") ? hexValue(raw.trim(), whole) : unescapeValue(trimEnd(raw), whole);
  return nameAttribute(type, value);
}

/** Trailing spaces go, but not an escaped one. */
function trimEnd(text: string): string {
  const trimmed = text.trimEnd();
  const backslashes = /\\*$/.exec(trimmed)![0].length;
  return backslashes % 2 === 1 && trimmed.length < text.length ? `${trimmed} ` : trimmed;
}

function unescapeValue(text: string, whole: string): string {
  const quoted = text.length >= 2 && text.startsWith('"') && text.endsWith('"');
  const body = quoted ? text.slice(1, -1) : text;
  const octets: number[] = [];
  for (const part of body.matchAll(/\\([0-9A-Fa-f]{2})|\\([\s\S])|([^\\]+)/g)) {
    if (part[1] !== undefined) octets.push(parseInt(part[1], 16));
    else octets.push(...new TextEncoder().encode(part[2] ?? part[3]));
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(octets));
  } catch {
    throw textError(whole, "the escaped bytes are not UTF-8");
  }
}

function hexValue(text: string, whole: string): string {
  if (!/^#([0-9A-Fa-f]{2})+$/.test(text)) throw textError(whole, `"${shorten(text, 40)}" is not "#" and hex digits`);
  return readString(readDer(Uint8Array.fromHex(text.slice(1))), "attribute value");
}

function textError(text: string, reason: string): InputError {
  return new InputError(`Cannot read the name "${shorten(text)}": ${reason}`, {
    code: "name.invalid",
    hint: 'Write it as "CN=Example,O=Organization"',
  });
}

/** The most specific common name: the last CN of a Name, DER or decoded; undefined when it has none. */
export function commonName(name: Uint8Array | Name): string | undefined {
  return toName(name).flat().findLast(({ type }) => type === OID_AT_COMMON_NAME)?.value;
}

/** A name as JSON: one object a set, keys are attribute names, in order. */
export function nameJson(name: Uint8Array | Name): Record<string, string>[] {
  return toName(name).map((rdn) => Object.fromEntries(rdn.map(({ type, value }) => [attributeName(type), value])));
}
