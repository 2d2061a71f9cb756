import type { KeyRow } from "../alg/find.ts";
import { OID_AT_COMMON_NAME, OID_CE_SUBJECT_ALT_NAME, oidName } from "../asn1/oid.ts";
import { shorten } from "../bytes.ts";
import { InputError, QpkiError } from "../errors.ts";
import { describeSpki, type SpkiInfo } from "../keys/spki.ts";
import { onlyVariable } from "../profile/templates.ts";
import type { Profile, Template, Variable } from "../profile/types.ts";
import { subjectAltNames } from "../x509/certificate.ts";
import { verifyCsr } from "../x509/csr.ts";
import { decodeName } from "../x509/name.ts";
import type { Csr } from "../x509/types.ts";

/** Values for the variables of a profile, before they are checked. */
export type Given = Record<string, unknown>;

/** Smallest RSA modulus, in bits, and public exponent that are certified (NIST SP 800-57, CA/B BR 6.1.6). */
const MIN_RSA_BITS = 2048;
const MIN_RSA_EXPONENT = 65537n;
/** FIPS 186-5 section 5.4. */
const RSA_EXPONENT_LIMIT = 1n << 256n;

/**
 * Checks a request before its key is certified: the signature (proof of possession) and the key against the profile, which
 * sets the family and the least strength.
 * @throws {InputError} `csr.bad_signature`, `csr.weak_key`, `csr.key_unsupported`, `csr.key_mismatch`.
 */
export async function checkCsr(csr: Csr, profile: { name: string; rows: readonly KeyRow[] }): Promise<KeyRow> {
  const info = readKey(csr);
  checkRsa(info);
  if (!info.row) {
    throw new InputError(`Cannot issue for the request: its key is ${info.description}, which is not supported`, {
      code: "csr.key_unsupported",
      hint: `Profile "${profile.name}" is for ${profile.rows.map((row) => row.label).join(" and ")}`,
    });
  }
  const wanted = profile.rows[0];
  if (!wanted || profile.rows.length > 1) {
    throw new InputError(`Cannot issue for the request: profile "${profile.name}" is for ${profile.rows.length} keys`, {
      code: "csr.key_mismatch",
    });
  }
  const fits = info.row.family === wanted.family && info.row.strength >= wanted.strength;
  if (info.row.name !== wanted.name && !fits) {
    throw new InputError(
      `Cannot issue for the request: its key is ${info.row.label}, and profile "${profile.name}" is for ${wanted.label}` +
        (info.row.family === wanted.family ? " or stronger" : ""),
      { code: "csr.key_mismatch", hint: "Choose a profile for this kind of key: qpki profile list" },
    );
  }
  const verdict = await verifyCsr(csr);
  if (!verdict.valid) {
    throw new InputError(
      `Cannot issue for the request: its signature does not verify${verdict.reason ? ` (${verdict.reason})` : ""}`,
      { code: "csr.bad_signature", hint: "The request was changed after it was signed, or signed with another key" },
    );
  }
  return info.row;
}

/**
 * Adds to `given` what the request says for variables that the operator left open. Names enter only where the profile has a
 * place for them, through its own variables and their checks; everything else is returned as `ignored`, in words.
 */
export function takeNames(profile: Profile, csr: Csr, given: Given): { given: Given; ignored: string[] } {
  const out: Given = { ...given };
  const ignored: string[] = [];
  takeSubject(profile, csr, { given, out, ignored });
  takeAlternativeNames(profile, csr, { given, out, ignored });
  for (const { oid } of csr.extensions) {
    if (oid !== OID_CE_SUBJECT_ALT_NAME) ignored.push(`extension ${oidName(oid) ?? oid}`);
  }
  return { given: out, ignored };
}

/** Names given by a flag instead of `--var`: what kind, and the texts. */
export interface NameFlags {
  readonly cn?: string;
  readonly dns: readonly string[];
  readonly ip: readonly string[];
}

/**
 * `given` with the name flags put into the variables that the profile has for them.
 * @throws {InputError} `profile.no_place` when it has none.
 */
export function withNameFlags(profile: Profile, given: Given, flags: NameFlags): Given {
  const out: Given = { ...given };
  const put = (flag: string, templates: readonly Template[], values: readonly string[]) => {
    if (values.length === 0) return;
    const variable = variableOf(profile, templates);
    if (!variable) {
      throw new InputError(`Cannot use --${flag}: profile "${profile.name}" has no variable for it`, {
        code: "profile.no_place",
        hint: `List its variables with: qpki profile vars ${profile.name}`,
      });
    }
    out[variable.name] = isList(variable) ? values : values.join(",");
  };
  const commonName = profile.subject.find((attribute) => attribute.type === OID_AT_COMMON_NAME);
  const names = profile.extensions.subjectAltName;
  put("cn", commonName?.values ?? [], flags.cn === undefined ? [] : [flags.cn]);
  put("dns", names?.dns ?? [], flags.dns);
  put("ip", names?.ip ?? [], flags.ip);
  return out;
}

/** Where taken values go: what the operator gave, what comes out, what found no place. */
interface Taking {
  readonly given: Given;
  readonly out: Given;
  readonly ignored: string[];
}

function takeSubject(profile: Profile, csr: Csr, taking: Taking): void {
  const found = new Map<string, string[]>();
  for (const { type, value } of decodeName(csr.subject).flat()) {
    found.set(type, [...found.get(type) ?? [], value]);
  }
  for (const [type, values] of found) {
    const templates = profile.subject.filter((attribute) => attribute.type === type).flatMap((each) => each.values);
    take(profile, taking, { what: oidName(type) ?? type, templates, values });
  }
}

const PLACES = [["dns", "DNS"], ["ip", "IP"], ["email", "email"], ["uri", "URI"]] as const;

function takeAlternativeNames(profile: Profile, csr: Csr, taking: Taking): void {
  const names = subjectAltNames(csr);
  for (const [kind, what] of PLACES) {
    const values = names.flatMap((name) => name.type === kind ? [name.value] : []);
    if (values.length === 0) continue;
    take(profile, taking, { what, templates: profile.extensions.subjectAltName?.[kind] ?? [], values });
  }
  const rest = names.filter((name) => !PLACES.some(([kind]) => kind === name.type));
  if (rest.length > 0) taking.ignored.push(`${rest.length} subjectAltName of type ${rest[0]!.type}`);
}

/** Gives the values to the variable behind the templates; those without a place, or against the operator's, are ignored. */
function take(
  profile: Profile,
  { given, out, ignored }: Taking,
  from: { what: string; templates: readonly Template[]; values: readonly string[] },
): void {
  const literal = new Set(from.templates.filter((one) => one.variables.length === 0).map((one) => one.text));
  const values = from.values.filter((value) => !literal.has(value));
  if (values.length === 0) return;
  const variable = variableOf(profile, from.templates);
  const accepted = variable ? acceptedValues(variable, values, given) : [];
  if (variable && accepted.length > 0 && !Object.hasOwn(given, variable.name)) {
    out[variable.name] = isList(variable) ? accepted : accepted[0];
  }
  for (const value of values) {
    if (!accepted.includes(value)) ignored.push(`${from.what}=${shorten(value, 60)}`);
  }
}

/** Which of the request's values end up in the certificate: the operator's own word wins. */
function acceptedValues(variable: Variable, values: readonly string[], given: Given): readonly string[] {
  if (!Object.hasOwn(given, variable.name)) return isList(variable) ? values : values.slice(0, 1);
  const own = given[variable.name];
  const texts = Array.isArray(own) ? own.map(String) : String(own).split(",").map((item) => item.trim());
  return values.filter((value) => texts.includes(value));
}

/** The one variable that a place of the profile consists of. */
function variableOf(profile: Profile, templates: readonly Template[]): Variable | undefined {
  for (const template of templates) {
    const name = onlyVariable(template);
    if (name !== undefined && Object.hasOwn(profile.variables, name)) return profile.variables[name];
  }
  return undefined;
}

function isList({ type }: Variable): boolean {
  return type === "list" || type === "ip_list" || type === "dns_names";
}

function readKey(csr: Csr): SpkiInfo {
  try {
    return describeSpki(csr.spki);
  } catch (cause) {
    if (!(cause instanceof QpkiError)) throw cause;
    throw new InputError(`Cannot issue for the request: ${cause.message.replace(/^Cannot [^:]*: /, "")}`, {
      code: "csr.weak_key",
      cause,
    });
  }
}

function checkRsa({ rsa }: SpkiInfo): void {
  if (!rsa) return;
  const { modulusBits, exponent } = rsa;
  const shown = exponent.toString().length > 20 ? `0x${exponent.toString(16).slice(0, 16)}…` : exponent.toString();
  const reason = modulusBits < MIN_RSA_BITS
    ? `its RSA key has ${modulusBits} bits, less than ${MIN_RSA_BITS}`
    : exponent % 2n === 0n || exponent < MIN_RSA_EXPONENT || exponent >= RSA_EXPONENT_LIMIT
    ? `its RSA public exponent is ${shown}, which is not an odd number from ${MIN_RSA_EXPONENT}`
    : undefined;
  if (reason === undefined) return;
  throw new InputError(`Cannot issue for the request: ${reason}`, {
    code: "csr.weak_key",
    hint: "Have a new key made: RSA from 2048 bits with exponent 65537, or an elliptic curve",
  });
}
