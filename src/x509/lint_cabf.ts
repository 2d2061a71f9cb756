import type { KeyRow } from "../alg/find.ts";
import {
  OID_AD_OCSP,
  OID_ANY_POLICY,
  OID_AT_COMMON_NAME,
  OID_AT_COUNTRY,
  OID_AT_ORGANIZATION,
  OID_AT_ORGANIZATIONAL_UNIT,
  OID_KP_ANY,
  OID_KP_CLIENT_AUTH,
  OID_KP_SERVER_AUTH,
  OID_PE_AUTHORITY_INFO_ACCESS,
  OID_QT_CPS,
  oidByName,
  oidName,
} from "../asn1/oid.ts";
import { inRange, parseCidr, parseIp } from "./extensions/ip_address.ts";
import { findExtension } from "./extensions/list.ts";
import { type LintRule, type LintSubject, when } from "./lint_subject.ts";
import { attributeName } from "./name_attributes.ts";
import { isEmptyName } from "./name_codec.ts";

/** Rules of the CA/Browser Forum's Baseline Requirements for TLS server certificates, version 2.2.6. */

const DAY_SECONDS = 86_400;

/** Longest validity in days of a subscriber certificate by the date it begins (BR 6.3.2), newest first. */
const MAX_DAYS: readonly [from: string, days: number][] = [
  ["2029-03-15", 47],
  ["2027-03-15", 100],
  ["2026-03-15", 200],
  ["2020-09-01", 398],
];

/** Seconds of validity, both ends counted. */
function validitySeconds({ facts: { notBefore, notAfter } }: LintSubject): number {
  return (notAfter.getTime() - notBefore.getTime()) / 1000 + 1;
}

function maxDays(notBefore: Date): number {
  return MAX_DAYS.find(([from]) => notBefore.getTime() >= Date.parse(from))?.[1] ?? 825;
}

/** Not more than 7 days: needs no revocation information (BR 1.6.1, from 2026-03-15). */
function isShortLived(s: LintSubject): boolean {
  return validitySeconds(s) <= 7 * DAY_SECONDS;
}

/** SPKI parameters of the curves the BR allows (6.1.5); the rest of what it allows is RSA. */
const CURVES: ReadonlySet<string> = new Set(["1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"]);

function isPermittedKey({ spki: { parameters }, modulusBits }: KeyRow): boolean {
  if (typeof parameters === "object") return CURVES.has(parameters.curve);
  return modulusBits >= 2048 && modulusBits % 8 === 0;
}

/** Policies that state how the subject was validated (BR 7.1.6.1). */
const RESERVED_POLICIES: readonly string[] = [
  "2.23.140.1.1",
  "2.23.140.1.2.1",
  "2.23.140.1.2.2",
  "2.23.140.1.2.3",
];
const DOMAIN_VALIDATED = "2.23.140.1.2.1";

/** Ranges nobody can be validated for (IANA special-purpose registries). */
const RESERVED_RANGES = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
  "::/127",
  "100::/64",
  "2001:db8::/32",
  "fc00::/7",
  "fe80::/10",
  "ff00::/8",
].map((range) => parseCidr(range)!);

/** Top-level names that are not in the public DNS (RFC 6761, RFC 6762, RFC 9476, ICANN's resolution on internal). */
const INTERNAL_TLDS: ReadonlySet<string> = new Set(
  ["local", "localhost", "internal", "lan", "home", "corp", "mail", "test", "example", "invalid", "alt", "intranet"],
);

function unusableNames({ subjectAltName }: LintSubject): string[] {
  return (subjectAltName?.value ?? []).flatMap((name) => {
    if (name.type === "dns") {
      const labels = name.value.toLowerCase().split(".");
      if (labels.length < 2 || INTERNAL_TLDS.has(labels.at(-1)!)) return [`"${name.value}" is an internal name`];
      return name.value.includes("_") ? [`"${name.value}" has an underscore`] : [];
    }
    if (name.type === "ip") {
      const address = parseIp(name.value);
      const reserved = address !== undefined && RESERVED_RANGES.some((range) => inRange(address, range));
      return reserved ? [`"${name.value}" is a reserved address`] : [];
    }
    return [`subjectAltName has a name of type ${name.type}`];
  });
}

function commonNames({ subject }: LintSubject): string[] {
  return subject.flat().filter(({ type }) => type === OID_AT_COMMON_NAME).map(({ value }) => value);
}

function hasAttribute({ subject }: LintSubject, type: string): boolean {
  return subject.flat().some((attribute) => attribute.type === type);
}

function policyOids(s: LintSubject): string[] {
  return s.policies?.value.map(({ oid }) => oid) ?? [];
}

/** Rules for every certificate. */
const COMMON_RULES: readonly LintRule[] = [
  {
    id: "cabf.key_type",
    severity: "error",
    reference: "BR 6.1.5",
    check: ({ facts: { row } }) =>
      when(row !== undefined && !isPermittedKey(row), `a key of type ${row?.label} is not permitted`),
  },
  {
    id: "cabf.serial_entropy",
    severity: "error",
    reference: "BR 7.1",
    check: ({ facts: { serial } }) => when(serial.length < 16, "the serial number has less than 64 bits"),
  },
  {
    id: "cabf.ecdsa_hash",
    severity: "error",
    reference: "BR 7.1.3.2.2",
    check: ({ facts: { row, scheme }, selfIssued }) =>
      // The issuer's curve is known here only when the certificate is its own issuer.
      when(
        selfIssued && row !== undefined && typeof row.spki.parameters === "object" && row.schemes[0] !== scheme.name,
        `a key of type ${row?.label} must sign with ${row?.schemes[0]}`,
      ),
  },
  {
    id: "cabf.rdn_single",
    severity: "error",
    reference: "BR 7.1.4.1",
    check: ({ subject }) =>
      when(subject.some((rdn) => rdn.length > 1), "the subject has several attributes in one set"),
  },
  {
    id: "cabf.key_usage_critical",
    severity: "error",
    reference: "BR 7.1.2.1.2, 7.1.2.7.11",
    check: ({ keyUsage }) => when(keyUsage?.critical === false, "keyUsage is not critical"),
  },
];

/** Rules for CA certificates (BR 7.1.2.1, 7.1.2.6). */
const CA_RULES: readonly LintRule[] = [
  {
    id: "cabf.ca_key_usage",
    severity: "error",
    reference: "BR 7.1.2.1.2",
    check: ({ keyUsage }) =>
      when(
        !keyUsage?.value.includes("keyCertSign") || !keyUsage.value.includes("cRLSign"),
        "keyUsage of a CA lacks keyCertSign or cRLSign",
      ),
  },
  {
    id: "cabf.ca_subject",
    severity: "error",
    reference: "BR 7.1.2.10.2",
    check: (s) =>
      [OID_AT_COUNTRY, OID_AT_ORGANIZATION, OID_AT_COMMON_NAME]
        .filter((type) => !hasAttribute(s, type))
        .map((type) => `the subject of a CA lacks ${attributeName(type)}`),
  },
  {
    id: "cabf.ca_ou",
    severity: "error",
    reference: "BR 7.1.2.10.2",
    check: (s) => when(hasAttribute(s, OID_AT_ORGANIZATIONAL_UNIT), "the subject of a CA has OU"),
  },
  {
    id: "cabf.root_validity",
    severity: "error",
    reference: "BR 7.1.2.1.1",
    check: (s) => {
      const days = validitySeconds(s) / DAY_SECONDS;
      return when(s.selfIssued && (days < 2922 || days > 9132), "a root is not valid for 2922 to 9132 days");
    },
  },
  {
    id: "cabf.root_eku",
    severity: "error",
    reference: "BR 7.1.2.1.2",
    check: (s) => when(s.selfIssued && s.extKeyUsage !== undefined, "a root has extKeyUsage"),
  },
  {
    id: "cabf.sub_ca_eku",
    severity: "error",
    reference: "BR 7.1.2.10.6",
    check: (s) =>
      when(
        !s.selfIssued &&
          (!s.extKeyUsage?.value.includes(OID_KP_SERVER_AUTH) || s.extKeyUsage.value.includes(OID_KP_ANY)),
        "a subordinate TLS CA needs the purpose serverAuth and not anyExtendedKeyUsage",
      ),
  },
  {
    id: "cabf.sub_ca_policies",
    severity: "error",
    reference: "BR 7.1.2.10.5",
    check: (s) => when(!s.selfIssued && s.policies === undefined, "a subordinate CA has no certificatePolicies"),
  },
];

const PURPOSES_OF_SUBSCRIBER: ReadonlySet<string> = new Set([OID_KP_SERVER_AUTH, OID_KP_CLIENT_AUTH]);

/** Rules for subscriber certificates (BR 7.1.2.7). */
const SUBSCRIBER_RULES: readonly LintRule[] = [
  {
    id: "cabf.validity",
    severity: "error",
    reference: "BR 6.3.2",
    check: (s) => {
      const days = maxDays(s.facts.notBefore);
      return when(validitySeconds(s) > days * DAY_SECONDS, `the certificate is valid for more than ${days} days`);
    },
  },
  {
    id: "cabf.san_missing",
    severity: "error",
    reference: "BR 7.1.2.7.12",
    check: (s) => when(s.subjectAltName === undefined, "there is no subjectAltName"),
  },
  { id: "cabf.san_names", severity: "error", reference: "BR 7.1.2.7.12, 7.1.4.2.1", check: unusableNames },
  {
    id: "cabf.san_critical",
    severity: "error",
    reference: "BR 7.1.2.7.12",
    check: (s) =>
      when(
        s.subjectAltName !== undefined && s.subjectAltName.critical !== isEmptyName(s.facts.subject),
        "subjectAltName must be critical exactly when the subject is empty",
      ),
  },
  {
    id: "cabf.cn_in_san",
    severity: "error",
    reference: "BR 7.1.4.3",
    check: (s) => {
      const names = s.subjectAltName?.value.map(({ value }) => value) ?? [];
      return commonNames(s).filter((cn) => !names.includes(cn)).map((cn) => `CN "${cn}" is not in subjectAltName`);
    },
  },
  {
    id: "cabf.eku",
    severity: "error",
    reference: "BR 7.1.2.7.10",
    check: ({ extKeyUsage }) => {
      const purposes = extKeyUsage?.value ?? [];
      return [
        ...when(!purposes.includes(OID_KP_SERVER_AUTH), "extKeyUsage lacks serverAuth"),
        ...purposes.filter((p) => !PURPOSES_OF_SUBSCRIBER.has(p)).map((p) => `the purpose ${oidName(p) ?? p} is there`),
      ];
    },
  },
  {
    id: "cabf.key_usage_bits",
    severity: "error",
    reference: "BR 7.1.2.7.11",
    check: ({ keyUsage }) =>
      (keyUsage?.value ?? [])
        .filter((bit) => bit === "nonRepudiation" || bit === "dataEncipherment" || bit === "cRLSign")
        .map((bit) => `keyUsage ${bit} is not permitted`),
  },
  {
    id: "cabf.key_usage_missing",
    severity: "warning",
    reference: "BR 7.1.2.7.11",
    check: (s) => when(s.keyUsage === undefined, "there is no keyUsage"),
  },
  {
    id: "cabf.basic_constraints_critical",
    severity: "error",
    reference: "BR 7.1.2.7.8",
    check: (s) => when(s.basicConstraints?.critical === false, "basicConstraints is not critical"),
  },
  {
    id: "cabf.aia_missing",
    severity: "error",
    reference: "BR 7.1.2.7.7",
    check: ({ facts }) =>
      when(
        findExtension(facts.extensions, OID_PE_AUTHORITY_INFO_ACCESS) === undefined,
        "there is no authorityInfoAccess",
      ),
  },
  {
    id: "cabf.crl_dp_missing",
    severity: "error",
    reference: "BR 7.1.2.11.2",
    check: (s) =>
      when(
        !s.crlDistributionPoints && !s.accessMethods.includes(OID_AD_OCSP) && !isShortLived(s),
        "there is neither crlDistributionPoints nor an OCSP address",
      ),
  },
  {
    id: "cabf.policies",
    severity: "error",
    reference: "BR 7.1.2.7.9, 7.1.6.1",
    check: (s) => {
      const oids = policyOids(s);
      const reserved = oids.filter((oid) => RESERVED_POLICIES.includes(oid));
      return [
        ...when(reserved.length !== 1, `certificatePolicies has ${reserved.length} reserved policies instead of one`),
        ...when(oids.includes(OID_ANY_POLICY), "certificatePolicies has anyPolicy"),
      ];
    },
  },
  {
    id: "cabf.policy_qualifiers",
    severity: "error",
    reference: "BR 7.1.2.7.9",
    check: ({ policies }) =>
      when(
        policies?.value.some(({ qualifiers }) => qualifiers.some(({ oid }) => oid !== OID_QT_CPS)) === true,
        "certificatePolicies has a qualifier other than a CPS address",
      ),
  },
  {
    id: "cabf.dv_subject",
    severity: "error",
    reference: "BR 7.1.2.7.2",
    check: (s) => {
      if (!policyOids(s).includes(DOMAIN_VALIDATED)) return [];
      const foreign = s.subject.flat().filter(({ type }) => type !== OID_AT_COMMON_NAME && type !== OID_AT_COUNTRY);
      return foreign.map(({ type }) => `a domain-validated subject has ${attributeName(type)}`);
    },
  },
  {
    id: "cabf.ou",
    severity: "error",
    reference: "BR 7.1.4.2",
    check: (s) => when(hasAttribute(s, OID_AT_ORGANIZATIONAL_UNIT), "the subject has OU"),
  },
  {
    id: "cabf.ski",
    severity: "warning",
    reference: "BR 7.1.2.7.6",
    check: ({ facts }) =>
      when(
        findExtension(facts.extensions, oidByName("subjectKeyIdentifier", "extension")!) !== undefined,
        "subjectKeyIdentifier is not recommended",
      ),
  },
];

/** Every rule that applies to a certificate: those for all, and those for a CA or for a subscriber. */
export function cabfRules(subject: LintSubject): readonly LintRule[] {
  return [...COMMON_RULES, ...(subject.ca ? CA_RULES : SUBSCRIBER_RULES)];
}
