import type { KeyUsageBit } from "../alg/registry.ts";
import { readDer } from "../asn1/der.ts";
import {
  OID_KP_CLIENT_AUTH,
  OID_KP_CODE_SIGNING,
  OID_KP_EMAIL_PROTECTION,
  OID_KP_OCSP_SIGNING,
  OID_KP_SERVER_AUTH,
  OID_KP_TIME_STAMPING,
  OID_QCS_COMPLIANCE,
  OID_QCS_PDS,
  OID_QCS_SSCD,
  oidName,
} from "../asn1/oid.ts";
import { qcPdsLocations } from "./extensions/qc_statements.ts";
import { type LintRule, type LintSubject, when } from "./lint_subject.ts";

/** Rules about purposes: extKeyUsage against keyUsage, time stamping, qualified certificates. */

/** keyUsage bits of which a purpose needs at least one (RFC 5280 section 4.2.1.12). */
const BITS_OF_PURPOSE: Readonly<Record<string, readonly KeyUsageBit[]>> = {
  [OID_KP_SERVER_AUTH]: ["digitalSignature", "keyEncipherment", "keyAgreement"],
  [OID_KP_CLIENT_AUTH]: ["digitalSignature", "keyEncipherment", "keyAgreement"],
  [OID_KP_CODE_SIGNING]: ["digitalSignature"],
  [OID_KP_EMAIL_PROTECTION]: ["digitalSignature", "nonRepudiation", "keyEncipherment", "keyAgreement"],
  [OID_KP_TIME_STAMPING]: ["digitalSignature", "nonRepudiation"],
  [OID_KP_OCSP_SIGNING]: ["digitalSignature", "nonRepudiation"],
};

function inconsistentPurposes({ ca, keyUsage, extKeyUsage }: LintSubject): string[] {
  // In a CA certificate the purposes restrict what is below it, not its own key.
  if (ca || !keyUsage) return [];
  return (extKeyUsage?.value ?? []).flatMap((purpose) => {
    const bits = BITS_OF_PURPOSE[purpose];
    if (!bits || bits.some((bit) => keyUsage.value.includes(bit))) return [];
    return [`the purpose ${oidName(purpose)} needs keyUsage ${bits.join(" or ")}`];
  });
}

/** ETSI's own statements, all below this arc. */
const ETSI_QCS = "0.4.0.1862.1.";

function statementOids(subject: LintSubject): string[] {
  return subject.qcStatements?.value.map(({ oid }) => oid) ?? [];
}

/** Rules for {@link RFC5280_RULES}. */
export const EKU_RULES: readonly LintRule[] = [
  {
    id: "eku.key_usage",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.12",
    check: inconsistentPurposes,
  },
  {
    id: "eku.time_stamping",
    severity: "error",
    reference: "RFC 3161 section 2.3",
    check: ({ ca, extKeyUsage }) =>
      when(
        !ca && extKeyUsage?.value.includes(OID_KP_TIME_STAMPING) === true &&
          (extKeyUsage.value.length > 1 || !extKeyUsage.critical),
        "timeStamping must be the only purpose and extKeyUsage critical",
      ),
  },
  {
    id: "eku.duplicate",
    severity: "warning",
    reference: "RFC 5280 section 4.2.1.12",
    check: ({ extKeyUsage }) =>
      when(
        extKeyUsage !== undefined && new Set(extKeyUsage.value).size < extKeyUsage.value.length,
        "extKeyUsage has a purpose twice",
      ),
  },
  {
    id: "qc_statements.critical",
    severity: "error",
    reference: "ETSI EN 319 412-5 section 4.1",
    check: (s) =>
      when(
        s.qcStatements?.critical === true && statementOids(s).some((oid) => oid.startsWith(ETSI_QCS)),
        "qcStatements with statements of ETSI is critical",
      ),
  },
  {
    id: "qc_statements.sscd_without_compliance",
    severity: "warning",
    reference: "ETSI EN 319 412-5 section 4.2.2",
    check: (s) =>
      when(
        statementOids(s).includes(OID_QCS_SSCD) && !statementOids(s).includes(OID_QCS_COMPLIANCE),
        "qcStatements has QcSSCD without QcCompliance",
      ),
  },
  {
    id: "qc_statements.pds_https",
    severity: "warning",
    reference: "ETSI EN 319 412-5 section 4.3.4",
    check: ({ qcStatements }) => {
      const info = qcStatements?.value.find(({ oid }) => oid === OID_QCS_PDS)?.info;
      const locations = info === undefined ? [] : qcPdsLocations(readDer(info));
      return locations
        .filter(({ url }) => !/^https:/i.test(url))
        .map(({ url }) => `the disclosure statement "${url}" is not at an https address`);
    },
  },
];
