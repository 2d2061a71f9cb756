import { allowsScheme, schemeRows } from "../alg/find.ts";
import {
  OID_AT_COMMON_NAME,
  OID_AT_COUNTRY,
  OID_AT_EMAIL_ADDRESS,
  OID_AT_ORGANIZATION,
  OID_AT_SERIAL_NUMBER,
  OID_KP_CLIENT_AUTH,
  OID_KP_CODE_SIGNING,
  OID_KP_EMAIL_PROTECTION,
  OID_KP_OCSP_SIGNING,
  OID_KP_SERVER_AUTH,
  OID_KP_TIME_STAMPING,
  OID_QCS_TYPE,
  oidByName,
  oidName,
} from "../asn1/oid.ts";
import type { CompiledProfile, ParsedProfile, ProfileFinding, Template } from "./types.ts";

/** What a rule about profiles looks at. */
export interface ProfileLintSubject {
  readonly profile: ParsedProfile;
  /** Compiled with the required variables alone; absent when that failed. */
  readonly least?: CompiledProfile | undefined;
  /** Compiled with samples for all variables. */
  readonly most?: CompiledProfile | undefined;
}

/** One thing a rule finds, and the path in the profile where it stands. */
export interface ProfileRemark {
  readonly message: string;
  readonly path: string;
}

/** One rule about profiles, beside those about the certificates that come out. */
export interface ProfileRule {
  readonly id: string;
  readonly severity: ProfileFinding["severity"];
  readonly reference: string;
  check(subject: ProfileLintSubject): readonly ProfileRemark[];
}

function when(failed: boolean | undefined, path: string, message: string): readonly ProfileRemark[] {
  return failed ? [{ path, message }] : [];
}

function hasPurpose(profile: ParsedProfile, oid: string): boolean {
  return profile.extensions.extKeyUsage?.values.includes(oid) ?? false;
}

function isCa(profile: ParsedProfile): boolean {
  return profile.extensions.basicConstraints?.ca ?? false;
}

function hasAttribute(profile: ParsedProfile, oid: string): boolean {
  return profile.subject.some((attribute) => attribute.type === oid);
}

/** Every template of a profile, for finding unused variables. */
function allTemplates({ subject, extensions: e, validity }: ParsedProfile): Template[] {
  const qc = e.qcStatements;
  const subtrees = [e.nameConstraints?.permitted, e.nameConstraints?.excluded].flatMap((s) =>
    s ? Object.values(s) : []
  );
  const san = e.subjectAltName;
  return [
    validity,
    ...subject.flatMap((attribute) => attribute.values),
    ...(san ? [san.dns, san.ip, san.email, san.uri].flat() : []),
    ...(e.certificatePolicies?.policies ?? []).flatMap((policy) => [policy.oid, policy.cps, policy.userNotice]),
    ...e.crlDistributionPoints?.urls ?? [],
    ...e.authorityInfoAccess?.ocsp ?? [],
    ...e.authorityInfoAccess?.caIssuers ?? [],
    ...(subtrees as Template[][]).flat(),
    ...(qc ? [qc.qcCompliance, qc.qcSscd, qc.qcRetentionPeriod].filter((one) => typeof one === "object") : []),
    ...(qc?.qcPds ?? []).flatMap((location) => [location.url, location.language]),
    ...qc?.qcLegislation ?? [],
  ].filter((template) => template !== undefined);
}

const VARIABLE_RULES: readonly ProfileRule[] = [
  {
    id: "variable.unused",
    severity: "warning",
    reference: "qpki",
    check: ({ profile }) => {
      const used = new Set(allTemplates(profile).flatMap((template) => template.variables));
      return Object.keys(profile.variables).filter((name) => !used.has(name))
        .map((name) => ({ path: `variables.${name}`, message: `variable "${name}" is not used` }));
    },
  },
  {
    id: "variable.star_is_one_label",
    severity: "warning",
    reference: "RFC 6125 section 6.4.3",
    check: ({ profile }) =>
      Object.values(profile.variables).flatMap(({ name, wildcard }) =>
        when(
          wildcard?.singleLabel === false,
          `variables.${name}.wildcard`,
          `single_label: false changes nothing: a star stands for exactly one label`,
        )
      ),
  },
];

const NAME_RULES: readonly ProfileRule[] = [
  {
    id: "san.missing",
    severity: "error",
    reference: "RFC 9525 section 2, CA/Browser Forum BR 7.1.2.7.12",
    check: ({ profile, least }) =>
      when(
        least && !isCa(profile) && hasPurpose(profile, OID_KP_SERVER_AUTH) && !least.extensions.subjectAltName,
        "extensions.subjectAltName",
        "a TLS server certificate can come out without subjectAltName: clients look nowhere else",
      ),
  },
  {
    id: "san.email_missing",
    severity: "warning",
    reference: "RFC 8550 section 3",
    check: ({ profile, most }) =>
      when(
        most && !isCa(profile) && hasPurpose(profile, OID_KP_EMAIL_PROTECTION) &&
          !most.extensions.subjectAltName?.names.some((name) => name.type === "email") &&
          !hasAttribute(profile, OID_AT_EMAIL_ADDRESS),
        "extensions.subjectAltName",
        "a certificate for mail has no e-mail address in subjectAltName",
      ),
  },
  {
    id: "san.cn_without_cn",
    severity: "warning",
    reference: "qpki",
    check: ({ profile }) =>
      when(
        profile.extensions.subjectAltName?.dnsIncludeCn && !hasAttribute(profile, OID_AT_COMMON_NAME),
        "extensions.subjectAltName.dns_include_cn",
        "dns_include_cn without cn in the subject does nothing",
      ),
  },
];

/** Purposes that only a key that signs can serve. */
const SIGNING_PURPOSES = [
  OID_KP_SERVER_AUTH,
  OID_KP_CLIENT_AUTH,
  OID_KP_CODE_SIGNING,
  OID_KP_TIME_STAMPING,
  OID_KP_OCSP_SIGNING,
];

const KEY_RULES: readonly ProfileRule[] = [
  {
    id: "key_usage.missing",
    severity: "warning",
    reference: "RFC 5280 section 4.2.1.3",
    check: ({ profile }) =>
      when(
        !isCa(profile) && !profile.extensions.keyUsage,
        "extensions",
        "keyUsage is not stated: every use is allowed",
      ),
  },
  {
    id: "key_usage.second_key",
    severity: "error",
    reference: "RFC 5280 section 4.2.1.3",
    check: ({ profile, least, most }) => {
      const second = (most ?? least)?.rows[1];
      if (!second) return [];
      return (profile.extensions.keyUsage?.values ?? []).filter((bit) => !second.keyUsage.includes(bit)).map((bit) => ({
        path: "extensions.keyUsage",
        message: `keyUsage ${bit} is not allowed for a key of type ${second.label}`,
      }));
    },
  },
  {
    id: "key.kem_purpose",
    severity: "warning",
    reference: "RFC 9935 section 1",
    check: ({ profile, least, most }) => {
      const row = (most ?? least)?.rows[0];
      const useless = SIGNING_PURPOSES.filter((oid) => hasPurpose(profile, oid)).map((oid) => oidName(oid) ?? oid);
      return when(
        row?.kind === "kem" && useless.length > 0,
        "extensions.extKeyUsage",
        `a key of type ${row?.label} signs nothing, as ${useless.join(" and ")} would need`,
      );
    },
  },
  {
    id: "signature.own_key",
    severity: "warning",
    reference: "qpki",
    check: ({ profile, least, most }) => {
      const row = (most ?? least)?.rows[0];
      const wish = profile.signature;
      const fits = !row || !wish || schemeRows().some((scheme) =>
        allowsScheme(row, scheme.name) &&
        (wish.scheme === undefined || wish.scheme === scheme.profileScheme) &&
        (wish.hash === undefined || wish.hash === scheme.hash) &&
        (wish.saltBytes === undefined || wish.saltBytes === scheme.saltBytes)
      );
      return when(
        !fits && isCa(profile),
        "signature",
        `a key of type ${row?.label} cannot make the stated signature: no root CA comes out of this profile`,
      );
    },
  },
];

const REVOCATION_RULES: readonly ProfileRule[] = [
  {
    id: "ocsp.no_check_missing",
    severity: "warning",
    reference: "RFC 6960 section 4.2.2.2.1",
    check: ({ profile }) =>
      when(
        hasPurpose(profile, OID_KP_OCSP_SIGNING) && !isCa(profile) && !profile.extensions.ocspNoCheck,
        "extensions.extKeyUsage",
        "an OCSP responder without ocspNoCheck makes clients ask whether the responder is revoked",
      ),
  },
  {
    id: "ocsp.asks_itself",
    severity: "warning",
    reference: "RFC 6960 section 4.2.2.2.1",
    check: ({ profile }) =>
      when(
        profile.extensions.ocspNoCheck !== undefined &&
          (profile.extensions.authorityInfoAccess?.ocsp.length ?? 0) > 0,
        "extensions.authorityInfoAccess.ocsp",
        "an OCSP address beside ocspNoCheck is of no use",
      ),
  },
  {
    id: "url.https",
    severity: "warning",
    reference: "RFC 5280 section 8",
    check: ({ profile: { extensions } }) => {
      const places: [string, readonly Template[]][] = [
        ["extensions.crlDistributionPoints.urls", extensions.crlDistributionPoints?.urls ?? []],
        ["extensions.authorityInfoAccess.ocsp", extensions.authorityInfoAccess?.ocsp ?? []],
        ["extensions.authorityInfoAccess.caIssuers", extensions.authorityInfoAccess?.caIssuers ?? []],
      ];
      return places.flatMap(([path, templates]) =>
        templates.filter((template) => /^https:/i.test(template.text)).map((template) => ({
          path,
          message: `"${template.text}": fetching it over https needs a certificate to be checked first`,
        }))
      );
    },
  },
];

/** Attributes that each type of qualified certificate must have (EN 319 412-2 section 4.2.4, EN 319 412-3 section 4.2.1). */
const QC_ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  [`${OID_QCS_TYPE}.1`]: [OID_AT_COUNTRY, OID_AT_COMMON_NAME, OID_AT_SERIAL_NUMBER],
  [`${OID_QCS_TYPE}.2`]: [
    OID_AT_COUNTRY,
    OID_AT_ORGANIZATION,
    oidByName("organizationIdentifier", "attribute")!,
    OID_AT_COMMON_NAME,
  ],
};

const QC_RULES: readonly ProfileRule[] = [
  {
    id: "qc_statements.pds_missing",
    severity: "error",
    reference: "ETSI EN 319 412-5 section 4.3.4",
    check: ({ profile: { extensions: { qcStatements } } }) =>
      when(
        qcStatements !== undefined && qcStatements.qcCompliance !== false && qcStatements.qcPds.length === 0,
        "extensions.qcStatements",
        "a qualified certificate states where its PKI disclosure statement is (qcPds)",
      ),
  },
  {
    id: "qc_statements.type_missing",
    severity: "warning",
    reference: "ETSI EN 319 412-5 section 4.2.3",
    check: ({ profile: { extensions: { qcStatements } } }) =>
      when(
        qcStatements !== undefined && qcStatements.qcCompliance !== false && qcStatements.qcTypes.length === 0,
        "extensions.qcStatements",
        "without qcTypes a qualified certificate is taken for one for signatures",
      ),
  },
  {
    id: "qc_statements.on_ca",
    severity: "error",
    reference: "ETSI EN 319 412-5 section 4.2.1",
    check: ({ profile }) =>
      when(
        profile.extensions.qcStatements !== undefined && isCa(profile),
        "extensions.qcStatements",
        "statements of qualified certificates are about end entities, not CAs",
      ),
  },
  {
    id: "qc_statements.web_purpose",
    severity: "error",
    reference: "ETSI EN 319 412-4 section 4.1",
    check: ({ profile }) =>
      when(
        profile.extensions.qcStatements?.qcTypes.includes(`${OID_QCS_TYPE}.3`) &&
          !hasPurpose(profile, OID_KP_SERVER_AUTH),
        "extensions.qcStatements.qcTypes",
        "a qualified certificate for websites needs the purpose serverAuth",
      ),
  },
  {
    id: "qc_statements.subject",
    severity: "error",
    reference: "ETSI EN 319 412-2 section 4.2.4, EN 319 412-3 section 4.2.1",
    check: ({ profile }) =>
      (profile.extensions.qcStatements?.qcTypes ?? []).flatMap((type) =>
        (QC_ATTRIBUTES[type] ?? []).filter((oid) => !hasAttribute(profile, oid)).map((oid) => ({
          path: "subject",
          message: `a qualified certificate of type ${oidName(type)} needs ${oidName(oid)} in its subject`,
        }))
      ),
  },
];

/** Every rule about profiles. */
export const PROFILE_RULES: readonly ProfileRule[] = [
  ...VARIABLE_RULES,
  ...NAME_RULES,
  ...KEY_RULES,
  ...REVOCATION_RULES,
  ...QC_RULES,
];
