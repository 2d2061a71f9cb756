import {
  OID_ANY_POLICY,
  OID_CE_AUTHORITY_KEY_IDENTIFIER,
  OID_CE_INHIBIT_ANY_POLICY,
  OID_CE_POLICY_CONSTRAINTS,
  OID_CE_SUBJECT_KEY_IDENTIFIER,
  OID_KP_ANY,
  OID_PE_AUTHORITY_INFO_ACCESS,
  OID_PKIX_OCSP_NOCHECK,
  oidByName,
  oidName,
} from "../asn1/oid.ts";
import { formatGeneralName } from "./extensions/general_name.ts";
import { findExtension } from "./extensions/list.ts";
import { ALTERNATIVE_RULES } from "./lint_alternative.ts";
import { EKU_RULES } from "./lint_purposes.ts";
import { type LintRule, type LintSubject, when } from "./lint_subject.ts";
import { attributeName, attributeProblem } from "./name_attributes.ts";
import { isEmptyName } from "./name_codec.ts";
import { MAX_SERIAL_OCTETS } from "./serial.ts";
import { formatTime } from "./time_text.ts";

/** Rules of RFC 5280, X.509 and the documents that update them. An error is a MUST that would be broken. */

function hasBit(subject: LintSubject, bit: string): boolean {
  return subject.keyUsage?.value.some((value) => value === bit) === true;
}

function isCritical(subject: LintSubject, oid: string): boolean | undefined {
  return findExtension(subject.facts.extensions, oid)?.critical;
}

const SERIAL_RULES: readonly LintRule[] = [
  {
    id: "serial.shape",
    severity: "error",
    reference: "RFC 5280 section 4.1.2.2",
    check: ({ facts: { serial } }) => {
      if (serial.startsWith("-") || /^0+$/.test(serial)) return ["the serial number is not positive"];
      const octets = serial.length / 2 + (parseInt(serial.slice(0, 2), 16) >= 0x80 ? 1 : 0);
      return when(octets > MAX_SERIAL_OCTETS, `the serial number has ${octets} octets, more than ${MAX_SERIAL_OCTETS}`);
    },
  },
];

const VALIDITY_RULES: readonly LintRule[] = [
  {
    id: "validity.inverted",
    severity: "error",
    reference: "RFC 5280 section 4.1.2.5",
    check: ({ facts: { notBefore, notAfter } }) =>
      when(
        notAfter.getTime() < notBefore.getTime(),
        `notAfter ${formatTime(notAfter)} lies before notBefore ${formatTime(notBefore)}`,
      ),
  },
];

const NAME_RULES: readonly LintRule[] = [
  {
    id: "issuer.empty",
    severity: "error",
    reference: "RFC 5280 section 4.1.2.4",
    check: ({ facts }) => when(isEmptyName(facts.issuer), "the issuer name is empty"),
  },
  {
    id: "subject.empty_ca",
    severity: "error",
    reference: "RFC 5280 section 4.1.2.6",
    check: (s) => when(s.ca && isEmptyName(s.facts.subject), "a CA certificate has an empty subject"),
  },
  {
    id: "subject.empty_without_san",
    severity: "error",
    reference: "RFC 5280 section 4.1.2.6",
    check: (s) =>
      when(
        isEmptyName(s.facts.subject) && s.subjectAltName?.critical !== true,
        "the subject is empty and there is no critical subjectAltName",
      ),
  },
  {
    id: "san.critical_with_subject",
    severity: "warning",
    reference: "RFC 5280 section 4.2.1.6",
    check: (s) =>
      when(
        !isEmptyName(s.facts.subject) && s.subjectAltName?.critical === true,
        "subjectAltName is critical although the subject is not empty",
      ),
  },
  {
    id: "subject.attribute",
    severity: "error",
    reference: "RFC 5280 appendix A.1",
    check: ({ subject }) =>
      subject.flat().flatMap((attribute) => {
        const problem = attributeProblem(attribute);
        return problem === undefined ? [] : [`subject attribute ${attributeName(attribute.type)}: ${problem}`];
      }),
  },
  {
    id: "san.duplicate",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.6",
    check: ({ subjectAltName }) => {
      const names = subjectAltName?.value.map(formatGeneralName) ?? [];
      const repeated = names.filter((name, i) => names.indexOf(name) !== i);
      return [...new Set(repeated)].map((name) => `subjectAltName lists ${name} twice`);
    },
  },
  {
    id: "san.dns_underscore",
    severity: "warning",
    reference: "RFC 5280 section 4.2.1.6",
    check: ({ subjectAltName }) =>
      subjectAltName?.value.flatMap((name) =>
        name.type === "dns" && name.value.includes("_") ? [`the DNS name "${name.value}" has an underscore`] : []
      ) ?? [],
  },
];

const BASIC_CONSTRAINTS_RULES: readonly LintRule[] = [
  {
    id: "basic_constraints.not_critical",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.9",
    check: (s) => when(s.ca && !s.basicConstraints!.critical, "basicConstraints of a CA is not critical"),
  },
  {
    id: "basic_constraints.path_len_without_ca",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.9",
    check: (s) =>
      when(!s.ca && s.basicConstraints?.value.pathLen !== undefined, "basicConstraints has a path length without CA"),
  },
  {
    id: "basic_constraints.path_len_without_cert_sign",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.9",
    check: (s) =>
      when(
        s.ca && s.basicConstraints?.value.pathLen !== undefined && !hasBit(s, "keyCertSign"),
        "basicConstraints has a path length but keyUsage has no keyCertSign",
      ),
  },
  {
    id: "name_constraints.on_leaf",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.10",
    check: (s) => when(s.nameConstraints !== undefined && !s.ca, "nameConstraints in a certificate that is no CA's"),
  },
  {
    id: "name_constraints.not_critical",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.10",
    check: (s) => when(s.nameConstraints?.critical === false, "nameConstraints is not critical"),
  },
];

const KEY_USAGE_RULES: readonly LintRule[] = [
  {
    id: "key_usage.empty",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.3",
    check: (s) => when(s.keyUsage?.value.length === 0, "keyUsage has no bit set"),
  },
  {
    id: "key_usage.not_critical",
    severity: "warning",
    reference: "RFC 5280 section 4.2.1.3",
    check: (s) => when(s.keyUsage?.critical === false, "keyUsage is not critical"),
  },
  {
    id: "key_usage.ca_without_cert_sign",
    severity: "error",
    reference: "RFC 5280 sections 4.2.1.3 and 4.2.1.9",
    check: (s) => when(s.ca && !hasBit(s, "keyCertSign"), "a CA certificate has no keyUsage with keyCertSign"),
  },
  {
    id: "key_usage.cert_sign_without_ca",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.9",
    check: (s) =>
      when(!s.ca && hasBit(s, "keyCertSign"), "keyUsage has keyCertSign but basicConstraints does not say CA"),
  },
  {
    id: "key_usage.ca_without_crl_sign",
    severity: "warning",
    reference: "RFC 5280 section 4.2.1.3",
    check: (s) => when(s.ca && !hasBit(s, "cRLSign"), "a CA certificate has no cRLSign: it cannot sign its own CRLs"),
  },
  {
    id: "key_usage.key_type",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.3, RFC 8813, RFC 9295, RFC 9881, RFC 9909, RFC 9935",
    check: ({ facts: { row }, keyUsage }) =>
      row === undefined ? [] : (keyUsage?.value ?? [])
        .filter((bit) => !row.keyUsage.includes(bit))
        .map((bit) => `keyUsage ${bit} is not allowed for a key of type ${row.label}`),
  },
  {
    id: "key_usage.agreement_direction",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.3",
    check: (s) =>
      when(
        (hasBit(s, "encipherOnly") || hasBit(s, "decipherOnly")) && !hasBit(s, "keyAgreement"),
        "encipherOnly and decipherOnly have no meaning without keyAgreement",
      ),
  },
];

const KEY_RULES: readonly LintRule[] = [
  {
    id: "key.unknown",
    severity: "error",
    reference: "algorithm table",
    check: ({ facts }) => when(facts.row === undefined, `a key of type ${facts.keyDescription} is not supported`),
  },
  {
    id: "key.rsa_exponent",
    severity: "error",
    reference: "NIST SP 800-56B section 6.2, CA/Browser Forum BR 6.1.6",
    check: ({ facts: { rsa } }) =>
      when(rsa !== undefined && rsa.exponent < 65537n, `the RSA exponent ${rsa?.exponent} is below 65537`),
  },
  {
    id: "key.kem_signs",
    severity: "error",
    reference: "RFC 9935 section 5",
    check: ({ facts: { row }, ca, selfIssued }) =>
      when(row?.kind === "kem" && (ca || selfIssued), "a KEM key cannot sign: no CA, no self-signed certificate"),
  },
  {
    id: "key_id.subject_missing",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.2",
    check: (s) =>
      when(s.ca && isCritical(s, OID_CE_SUBJECT_KEY_IDENTIFIER) === undefined, "a CA has no subjectKeyIdentifier"),
  },
  {
    id: "key_id.subject_missing_leaf",
    severity: "warning",
    reference: "RFC 5280 section 4.2.1.2",
    check: (s) =>
      when(!s.ca && isCritical(s, OID_CE_SUBJECT_KEY_IDENTIFIER) === undefined, "there is no subjectKeyIdentifier"),
  },
  {
    id: "key_id.authority_missing",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.1",
    check: (s) =>
      when(
        !s.selfIssued && isCritical(s, OID_CE_AUTHORITY_KEY_IDENTIFIER) === undefined,
        "there is no authorityKeyIdentifier and the certificate is not self-signed",
      ),
  },
];

/** Extensions whose criticality the RFC fixes. */
const FIXED_CRITICALITY: readonly [oid: string, critical: boolean, section: string][] = [
  [OID_CE_SUBJECT_KEY_IDENTIFIER, false, "4.2.1.2"],
  [OID_CE_AUTHORITY_KEY_IDENTIFIER, false, "4.2.1.1"],
  [OID_PE_AUTHORITY_INFO_ACCESS, false, "4.2.2.1"],
  [oidByName("subjectInfoAccess", "extension")!, false, "4.2.2.2"],
  [oidByName("freshestCRL", "extension")!, false, "4.2.1.15"],
  [oidByName("subjectDirectoryAttributes", "extension")!, false, "4.2.1.8"],
  [OID_CE_POLICY_CONSTRAINTS, true, "4.2.1.11"],
  [OID_CE_INHIBIT_ANY_POLICY, true, "4.2.1.14"],
];

const CRITICALITY_RULES: readonly LintRule[] = FIXED_CRITICALITY.map(([oid, critical, section]) => ({
  id: `criticality.${oidName(oid)}`,
  severity: "error",
  reference: `RFC 5280 section ${section}`,
  check: (s) => when(isCritical(s, oid) === !critical, `${oidName(oid)} is ${critical ? "not critical" : "critical"}`),
}));

const OTHER_RULES: readonly LintRule[] = [
  {
    id: "extension.malformed",
    severity: "error",
    reference: "RFC 5280 section 4.2",
    check: ({ malformed }) => malformed,
  },
  {
    id: "extension.duplicate",
    severity: "error",
    reference: "RFC 5280 section 4.2",
    check: ({ facts: { extensions } }) => {
      const oids = extensions.map(({ oid }) => oid);
      const repeated = oids.filter((oid, i) => oids.indexOf(oid) !== i);
      return [...new Set(repeated)].map((oid) => `the extension ${oidName(oid) ?? oid} is there twice`);
    },
  },
  {
    id: "policies.duplicate",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.4",
    check: ({ policies }) => {
      const oids = policies?.value.map(({ oid }) => oid) ?? [];
      return [...new Set(oids.filter((oid, i) => oids.indexOf(oid) !== i))].map((oid) =>
        `policy ${oid} is there twice`
      );
    },
  },
  {
    id: "policies.any_with_others",
    severity: "warning",
    reference: "RFC 5280 section 4.2.1.4",
    check: ({ policies }) =>
      when(
        policies !== undefined && policies.value.length > 1 && policies.value.some(({ oid }) => oid === OID_ANY_POLICY),
        "certificatePolicies has anyPolicy beside other policies",
      ),
  },
  {
    id: "eku.any_critical",
    severity: "warning",
    reference: "RFC 5280 section 4.2.1.12",
    check: ({ extKeyUsage }) =>
      when(
        extKeyUsage?.critical === true && extKeyUsage.value.includes(OID_KP_ANY),
        "extKeyUsage is critical although it has anyExtendedKeyUsage",
      ),
  },
  {
    id: "ocsp_no_check.purpose",
    severity: "warning",
    reference: "RFC 6960 section 4.2.2.2.1",
    check: (s) =>
      when(
        isCritical(s, OID_PKIX_OCSP_NOCHECK) !== undefined &&
          !s.extKeyUsage?.value.includes(oidByName("OCSPSigning", "purpose")!),
        "ocspNoCheck is there without the purpose OCSPSigning",
      ),
  },
];

/** Every rule, in the order findings are listed. */
export const RFC5280_RULES: readonly LintRule[] = [
  ...SERIAL_RULES,
  ...VALIDITY_RULES,
  ...NAME_RULES,
  ...BASIC_CONSTRAINTS_RULES,
  ...KEY_USAGE_RULES,
  ...EKU_RULES,
  ...KEY_RULES,
  ...ALTERNATIVE_RULES,
  ...CRITICALITY_RULES,
  ...OTHER_RULES,
];
