import { OID_AT_COMMON_NAME, OID_CE_SUBJECT_ALT_NAME, oidName } from "../asn1/oid.ts";
import { shorten } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { onlyVariable } from "../profile/templates.ts";
import type { Profile, Template, Variable } from "../profile/types.ts";
import { subjectAltNames } from "../x509/certificate.ts";
import { decodeName } from "../x509/name.ts";
import type { Csr } from "../x509/types.ts";

/** Values for the variables of a profile, before they are checked. */
export type Given = Record<string, unknown>;

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
