import { OID_AT_COMMON_NAME, OID_AT_EMAIL_ADDRESS } from "../asn1/oid.ts";
import { subjectAltNames } from "./certificate_fields.ts";
import { formatGeneralName, type ReadGeneralName } from "./extensions/general_name.ts";
import { uriHost } from "./extensions/host_names.ts";
import { inRange, parseAnyRange, parseIp } from "./extensions/ip_address.ts";
import type { NameConstraints } from "./extensions/name_constraints.ts";
import { decodeName, isEmptyName } from "./name_codec.ts";
import { isWithin } from "./name_match.ts";
import type { Certificate } from "./types.ts";

/** A certificate, signed or not yet. */
type NamedCertificate = Pick<Certificate, "subject" | "extensions">;

/** What one CA states. */
interface Stated extends NameConstraints {
  /** Its name, for messages. */
  readonly by: string;
}

/**
 * Name constraints of a path (RFC 5280 sections 4.2.1.10 and 6.1.3 b, c). What cannot be judged counts as violated:
 * names of a constrained type without a rule here, malformed hosts, a product of names and constraints beyond the limit.
 */
export class NameConstraintSet {
  readonly #sets: Stated[] = [];
  #comparisons = 0;

  /** Adds what the certificate of one CA of the path states; `by` is the name of that CA. */
  add(constraints: NameConstraints, by: string): void {
    this.#sets.push({ ...constraints, by });
  }

  /** The same constraints, to go on with independently. */
  copy(): NameConstraintSet {
    const copy = new NameConstraintSet();
    copy.#sets.push(...this.#sets);
    copy.#comparisons = this.#comparisons;
    return copy;
  }

  /**
   * What is wrong with the names of a certificate, in words.
   * @throws {InputError} when its subjectAltName is malformed.
   */
  violations(certificate: NamedCertificate, options: { readonly leaf: boolean }): string[] {
    if (this.#sets.length === 0) return [];
    const names = namesOf(certificate, options.leaf);
    return this.#sets.flatMap((set) => names.flatMap((name) => this.#violation(set, name)));
  }

  #violation(set: Stated, name: ReadGeneralName): string[] {
    const excluded = set.excluded.filter(({ type }) => type === name.type);
    const permitted = set.permitted.filter(({ type }) => type === name.type);
    this.#comparisons += excluded.length + permitted.length;
    if (this.#comparisons > MAX_COMPARISONS) return ["there are too many names and constraints to compare"];
    if (excluded.length + permitted.length === 0) return [];
    const shown = formatGeneralName(name);
    const matcher = matcherOf(name);
    if (matcher === undefined) return [`${shown} cannot be compared with the name constraints of "${set.by}"`];
    const hit = excluded.find((base) => matcher(base, "excluded"));
    if (hit) return [`${shown} is excluded by "${set.by}" (${formatGeneralName(hit)})`];
    if (permitted.length > 0 && !permitted.some((base) => matcher(base, "permitted"))) {
      return [`${shown} is not among the names that "${set.by}" permits (${list(permitted)})`];
    }
    return [];
  }
}

const MAX_COMPARISONS = 500_000;

/** Most constraints that a message names. */
const MAX_SHOWN = 5;

function list(names: readonly ReadGeneralName[]): string {
  return [...names.slice(0, MAX_SHOWN).map(formatGeneralName), ...(names.length > MAX_SHOWN ? ["…"] : [])].join(", ");
}

/** Names that constraints apply to: subjectAltName, the subject, and what stands in the subject from older times. */
function namesOf(certificate: NamedCertificate, leaf: boolean): ReadGeneralName[] {
  const names = [...subjectAltNames(certificate)];
  if (isEmptyName(certificate.subject)) return names;
  const subject = decodeName(certificate.subject);
  const attributes = subject.flat();
  const emails = attributes.filter(({ type }) => type === OID_AT_EMAIL_ADDRESS);
  names.push({ type: "directory", value: subject }, ...emails.map(({ value }) => ({ type: "email", value }) as const));
  // Clients once took a host from CN: without this a constraint on DNS names could be passed by that way.
  if (leaf && !names.some(({ type }) => type === "dns")) {
    const hosts = attributes.filter(({ type, value }) => type === OID_AT_COMMON_NAME && looksLikeHost(value));
    names.push(...hosts.map(({ value }) => ({ type: "dns", value }) as const));
  }
  return names;
}

function looksLikeHost(text: string): boolean {
  return /^(\*\.)?([a-z0-9_-]{1,63}\.)+[a-z0-9-]{1,63}$/i.test(text) && parseIp(text) === undefined;
}

type Matcher = (base: ReadGeneralName, list: "permitted" | "excluded") => boolean;

/** Compares one name with constraints of its own type; undefined when it cannot be compared. */
function matcherOf(name: ReadGeneralName): Matcher | undefined {
  switch (name.type) {
    case "dns":
      return dnsMatcher(name.value);
    case "email":
      return emailMatcher(name.value);
    case "uri":
      return uriMatcher(name.value);
    case "ip":
      return ipMatcher(name.value);
    case "directory":
      return (base) => base.type === "directory" && isWithin(name.value, base.value);
    default:
      return undefined;
  }
}

const HOST = /^([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/;

function dnsMatcher(value: string): Matcher | undefined {
  const name = value.toLowerCase();
  const wildcard = name.startsWith("*.");
  const host = wildcard ? name.slice(2) : name;
  if (!HOST.test(host)) return undefined;
  return (base, list) => {
    const constraint = textOf(base);
    if (constraint === undefined) return false;
    // A wildcard stands for names below it too: any of them in an excluded subtree excludes it.
    if (wildcard && list === "excluded" && constraint.replace(/^\./, "").endsWith(`.${host}`)) return true;
    return isBelow(name, constraint) || (!wildcard && name === constraint);
  };
}

/** Whether a host lies below a domain; every host lies below the empty one. */
function isBelow(host: string, domain: string): boolean {
  if (domain === "" || domain === ".") return true;
  return host.endsWith(domain.startsWith(".") ? domain : `.${domain}`);
}

function emailMatcher(value: string): Matcher | undefined {
  const at = value.lastIndexOf("@");
  const host = value.slice(at + 1).toLowerCase();
  if (at < 1 || !HOST.test(host)) return undefined;
  const local = value.slice(0, at);
  return (base) => {
    if (base.type !== "email") return false;
    const split = base.value.lastIndexOf("@");
    const domain = base.value.slice(split + 1).toLowerCase();
    if (split >= 0) return base.value.slice(0, split) === local && domain === host;
    return hostMatches(host, domain);
  };
}

/** E-mail and URI constraints: `.domain` is what lies below it, anything else one host (RFC 5280). */
function hostMatches(host: string, constraint: string): boolean {
  return constraint.startsWith(".") ? host.endsWith(constraint) : host === constraint;
}

function uriMatcher(value: string): Matcher | undefined {
  const host = uriHost(value)?.toLowerCase();
  if (host === undefined || !HOST.test(host) || parseIp(host) !== undefined) return undefined;
  return (base) => {
    const constraint = textOf(base);
    return constraint !== undefined && hostMatches(host, constraint);
  };
}

function ipMatcher(value: string): Matcher | undefined {
  const address = parseIp(value);
  if (!address) return undefined;
  return (base, list) => {
    const range = base.type === "ip" ? parseAnyRange(base.value) : undefined;
    return range === undefined ? list === "excluded" : inRange(address, range);
  };
}

function textOf(base: ReadGeneralName): string | undefined {
  return typeof base.value === "string" ? base.value.toLowerCase() : undefined;
}
