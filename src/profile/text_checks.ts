import { isDottedOid } from "../asn1/oid.ts";
import { shorten } from "../bytes.ts";
import { checkDnsName } from "./dns.ts";
import type { Checked } from "./types.ts";

/** An address of the form that rfc822Name holds (RFC 5280 section 4.2.1.6): ASCII local part, host in lower case. */
export function checkEmail(text: string): Checked<string> {
  const at = text.lastIndexOf("@");
  const [local, host] = [text.slice(0, at), text.slice(at + 1)];
  const shown = `"${shorten(text)}" is not an e-mail address`;
  if (at < 1) return refuse(shown);
  if (local.length > 64 || !/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/.test(local)) {
    return refuse(`${shown} (the part before @)`);
  }
  const domain = checkDnsName(host);
  return domain.ok ? { ok: true, value: `${local}@${domain.value}` } : refuse(`${shown} (${domain.reason})`);
}

/** An absolute URI in ASCII (RFC 3986); the scheme in lower case, the rest as written. */
export function checkUriText(text: string): Checked<string> {
  const shown = `"${shorten(text)}" is not a URI`;
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):(.+)$/.exec(text);
  if (!scheme) return refuse(`${shown} (it must start with a scheme such as http:)`);
  if (!/^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/.test(text)) {
    return refuse(`${shown} (percent-encode other characters)`);
  }
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return refuse(`${shown} (% without two hex digits)`);
  const normal = scheme[1]!.toLowerCase() + text.slice(scheme[1]!.length);
  if (!URL.canParse(normal)) return refuse(shown);
  if (/^(https?|ldaps?|ftp):/.test(normal)) {
    if (!/^[a-z]+:\/\/[^/?#]/.test(normal)) return refuse(`${shown} (no host)`);
    const { username, password } = new URL(normal);
    if (username !== "" || password !== "") {
      return refuse(`${shown} for a certificate: it carries a user name or password`);
    }
  }
  return { ok: true, value: normal };
}

/** A policy OID. */
export function checkOid(text: string): Checked<string> {
  return isDottedOid(text)
    ? { ok: true, value: text }
    : { ok: false, reason: `"${shorten(text)}" is not a dotted OID` };
}

/** Explicit text of a user notice: at most 200 characters (RFC 5280 section 4.2.1.4). */
export function checkNotice(text: string): Checked<string> {
  const length = [...text].length;
  return length <= 200 ? { ok: true, value: text } : { ok: false, reason: `${length} characters, more than 200` };
}

/** A language code of two letters (ISO 639-1), in lower case. */
export function checkLanguage(text: string): Checked<string> {
  const lower = text.toLowerCase();
  return /^[a-z]{2}$/.test(lower)
    ? { ok: true, value: lower }
    : { ok: false, reason: `"${shorten(text)}" is not a language code of two letters (ISO 639-1)` };
}

/** A country code of two letters (ISO 3166-1), in upper case. */
export function checkCountry(text: string): Checked<string> {
  const upper = text.toUpperCase();
  return /^[A-Z]{2}$/.test(upper)
    ? { ok: true, value: upper }
    : { ok: false, reason: `"${shorten(text)}" is not a country code of two letters (ISO 3166-1)` };
}

function refuse(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
