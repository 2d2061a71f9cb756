import { deepStrictEqual as eq, match, ok, throws } from "node:assert/strict";
import { caExtensions, leafExtensions } from "../../tests/support/pki.ts";
import { findKeyRow, findSchemeRow, type KeyRow } from "../alg/find.ts";
import type { KeyUsageBit } from "../alg/registry.ts";
import { ia5String, implicit, sequence } from "../asn1/der.ts";
import { OperationError } from "../errors.ts";
import { encodeScheme } from "../keys/scheme.ts";
import { encodeExtensions } from "./extensions/mod.ts";
import { lintFindings, type LintOptions, lintTbs } from "./lint.ts";
import { encodeName, parseNameText } from "./name.ts";
import type { Tbs, TbsFacts } from "./tbs.ts";
import type { Extension, ExtensionValues } from "./types.ts";

const SKI: Extension = { oid: "2.5.29.14", critical: false, value: Uint8Array.of(4, 1, 1) };
const AKI: Extension = { oid: "2.5.29.35", critical: false, value: Uint8Array.of(0x30, 3, 0x80, 1, 1) };

interface Case extends Partial<Omit<TbsFacts, "extensions">> {
  readonly subjectText?: string;
  readonly values?: ExtensionValues;
  /** Instead of `values`. */
  readonly extensions?: readonly Extension[];
  /** Added to `values`. */
  readonly more?: readonly Extension[];
}

function facts(c: Case): TbsFacts {
  const { subjectText, values, extensions, more, ...rest } = c;
  return {
    serial: "0123456789ABCDEF0123456789ABCDEF",
    issuer: encodeName(parseNameText("CN=CA")),
    subject: encodeName(parseNameText(subjectText ?? "CN=host.test")),
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2026-03-01T00:00:00Z"),
    row: findKeyRow("ecdsa-p256"),
    keyDescription: "ECDSA P-256",
    scheme: findSchemeRow("ecdsa-sha256"),
    extensions: extensions ?? [SKI, AKI, ...encodeExtensions(values ?? leafExtensions()), ...(more ?? [])],
    ...rest,
  };
}

function rules(c: Case, options: LintOptions = {}): string[] {
  return lintFindings(facts(c), options).map(({ rule }) => rule);
}

const usage = (...values: KeyUsageBit[]) => ({ keyUsage: { critical: true, values } });
const purposes = (...values: string[]) => ({ extKeyUsage: { critical: false, values } });
const KEM = findKeyRow("ml-kem-768");

/** Facts and extensions of a certificate with an alternative key and signature. */
function alternative(change: Partial<NonNullable<TbsFacts["alternative"]>["key"]> & { scheme?: string } = {}): Case {
  const { scheme = "ml-dsa-44", ...key } = change;
  const facts = {
    scheme: findSchemeRow(scheme),
    key: { spki: Uint8Array.of(0x30, 0), row: findKeyRow("ml-dsa-44"), description: "ML-DSA-44", ...key },
  };
  return {
    alternative: facts,
    more: [
      { oid: "2.5.29.72", critical: false, value: facts.key.spki },
      { oid: "2.5.29.73", critical: false, value: encodeScheme(facts.scheme) },
    ],
  };
}

function withExtensions(c: Case, change: (more: readonly Extension[]) => readonly Extension[]): Case {
  return { ...c, more: change(c.more!) };
}

/** What a self-signed certificate has: its issuer's name and no authorityKeyIdentifier. */
function selfSigned(c: Case): Case {
  return { ...c, subjectText: "CN=CA", extensions: [SKI, ...encodeExtensions(caExtensions()), ...c.more!] };
}

Deno.test("a plain leaf, a root and a sub-CA have no finding", () => {
  eq(rules({}), []);
  eq(
    rules({ subjectText: "CN=CA", values: caExtensions(1), extensions: [SKI, ...encodeExtensions(caExtensions(1))] }),
    [],
  );
  eq(rules({ subjectText: "CN=Sub", values: caExtensions(0) }), []);
});

Deno.test("post-quantum, composite, KEM and Catalyst certificates have no finding", () => {
  for (const name of ["ml-dsa-44", "slh-dsa-256s", "mldsa65-rsa3072-pss-sha512"]) {
    const row = findKeyRow(name);
    eq(rules({ row, values: caExtensions(0), subjectText: "CN=Sub" }), [], name);
    eq(rules({ row }), [], name);
    ok(rules({ ...SERVER_CASE, row }, { cabf: true }).includes("cabf.key_type"), name);
  }
  eq(rules({ row: KEM, values: usage("keyEncipherment") }), []);
  eq(rules({ row: KEM, values: { ...usage("keyEncipherment"), ...purposes("1.3.6.1.5.5.7.3.4") } }), []);
  eq(rules(alternative()), []);
  eq(rules(selfSigned(alternative())), []);
  const { key: _, ...single } = alternative().alternative!;
  eq(rules({ alternative: single, more: alternative().more!.slice(1) }), []);
});

const CASES: [rule: string, c: Case][] = [
  ["serial.shape", { serial: "00" }],
  ["serial.shape", { serial: "-01" }],
  ["serial.shape", { serial: "80" + "00".repeat(19) }],
  ["validity.inverted", { notAfter: new Date("2025-01-01T00:00:00Z") }],
  ["issuer.empty", { issuer: encodeName([]) }],
  ["subject.empty_ca", { subjectText: "", values: caExtensions() }],
  ["subject.empty_without_san", { subjectText: "" }],
  ["san.critical_with_subject", {
    values: leafExtensions("a.test", { subjectAltName: { critical: true, names: [{ type: "dns", value: "a.test" }] } }),
  }],
  ["subject.attribute", { subject: Uint8Array.fromHex("300e310c300a06035504060c03465241") }],
  ["san.duplicate", {
    values: usage("digitalSignature"),
    more: [{ oid: "2.5.29.17", critical: false, value: sequence(dns("a.test"), dns("a.test")) }],
  }],
  ["san.dns_underscore", { values: leafExtensions("a_b.test") }],
  ["basic_constraints.not_critical", {
    values: caExtensions(undefined, { basicConstraints: { critical: false, ca: true } }),
  }],
  ["basic_constraints.path_len_without_ca", {
    values: leafExtensions("a.test", { basicConstraints: { critical: true, ca: false, pathLen: 0 } }),
  }],
  ["basic_constraints.path_len_without_cert_sign", { values: caExtensions(0, usage("cRLSign")) }],
  ["name_constraints.on_leaf", { values: leafExtensions("a.test", constraints(true)) }],
  ["name_constraints.not_critical", { values: caExtensions(undefined, constraints(false)) }],
  ["key_usage.empty", { more: [{ oid: "2.5.29.15", critical: true, value: Uint8Array.of(3, 1, 0) }], values: {} }],
  ["key_usage.not_critical", { values: { keyUsage: { critical: false, values: ["digitalSignature"] } } }],
  ["key_usage.ca_without_cert_sign", { values: caExtensions(undefined, usage("digitalSignature")) }],
  ["key_usage.ca_without_cert_sign", { values: { basicConstraints: { critical: true, ca: true } } }],
  ["key_usage.cert_sign_without_ca", { values: usage("keyCertSign") }],
  ["key_usage.ca_without_crl_sign", { values: caExtensions(undefined, usage("keyCertSign")) }],
  ["key_usage.key_type", { values: usage("digitalSignature", "keyEncipherment") }],
  ["key_usage.key_type", { row: findKeyRow("ed25519"), values: usage("keyAgreement") }],
  ["key_usage.key_type", { row: KEM, values: usage("digitalSignature") }],
  ["key_usage.agreement_direction", { values: usage("encipherOnly") }],
  ["key.unknown", { row: undefined as unknown as KeyRow, keyDescription: "RSA 1024" }],
  ["key.rsa_exponent", { row: findKeyRow("rsa-2048"), rsa: { modulusBits: 2048, exponent: 3n } }],
  ["key.kem_signs", { row: KEM, subjectText: "CN=CA" }],
  ["key.kem_signs", { row: KEM, values: caExtensions() }],
  ["key_usage.key_type", { row: KEM, values: usage("keyEncipherment", "keyAgreement") }],
  ["key_usage.key_type", { row: findKeyRow("ml-dsa-65"), values: usage("digitalSignature", "keyEncipherment") }],
  ["key_usage.key_type", { row: findKeyRow("slh-dsa-128f"), values: usage("digitalSignature", "keyAgreement") }],
  ["key_usage.key_type", {
    row: findKeyRow("mldsa65-ecdsa-p256-sha512"),
    values: usage("digitalSignature", "dataEncipherment"),
  }],
  ["key.unknown", { row: undefined as unknown as KeyRow, keyDescription: "id-ml-dsa-65 with parameters" }],
  ["alternative.key", withExtensions(alternative(), (more) => more.slice(1))],
  [
    "alternative.key",
    withExtensions(alternative(), (more) => [{ ...more[0]!, value: sequence(sequence()) }, more[1]!]),
  ],
  ["alternative.key", { more: alternative().more!.slice(0, 1) }],
  ["alternative.algorithm", withExtensions(alternative(), (more) => more.slice(0, 1))],
  ["alternative.algorithm", { ...alternative(), more: alternative({ scheme: "ml-dsa-65" }).more! }],
  ["alternative.algorithm", { more: alternative().more!.slice(1) }],
  [
    "alternative.value",
    withExtensions(alternative(), (more) => [...more, { oid: "2.5.29.74", critical: false, value: sequence() }]),
  ],
  ["alternative.key_unknown", alternative({ row: undefined as unknown as KeyRow, description: "id-falcon" })],
  ["alternative.key_signs", alternative({ row: KEM })],
  ["alternative.scheme", selfSigned(alternative({ scheme: "ml-dsa-65" }))],
  ["alternative.key_usage", { ...alternative(), values: usage("digitalSignature", "keyAgreement") }],
  ["key_id.subject_missing", { extensions: [AKI, ...encodeExtensions(caExtensions())] }],
  ["key_id.subject_missing_leaf", { extensions: [AKI, ...encodeExtensions(leafExtensions())] }],
  ["key_id.authority_missing", { extensions: [SKI, ...encodeExtensions(leafExtensions())] }],
  ["criticality.subjectKeyIdentifier", { extensions: [{ ...SKI, critical: true }, AKI] }],
  ["criticality.authorityKeyIdentifier", { extensions: [SKI, { ...AKI, critical: true }] }],
  ["criticality.policyConstraints", {
    more: [{ oid: "2.5.29.36", critical: false, value: sequence(implicit(0, Uint8Array.of(2, 1, 0))) }],
  }],
  ["extension.malformed", { more: [{ oid: "2.5.29.31", critical: false, value: Uint8Array.of(0x30, 0) }] }],
  ["extension.duplicate", { more: [SKI] }],
  ["policies.duplicate", {
    values: leafExtensions("a.test", {
      certificatePolicies: { critical: false, policies: [{ oid: "1.2" }, { oid: "1.2" }] },
    }),
  }],
  ["policies.any_with_others", {
    values: leafExtensions("a.test", {
      certificatePolicies: { critical: false, policies: [{ oid: "1.2" }, { oid: "2.5.29.32.0" }] },
    }),
  }],
  ["eku.any_critical", {
    values: leafExtensions("a.test", { extKeyUsage: { critical: true, values: ["2.5.29.37.0"] } }),
  }],
  ["eku.key_usage", { values: leafExtensions("a.test", { ...usage("cRLSign"), ...purposes("1.3.6.1.5.5.7.3.3") }) }],
  ["eku.time_stamping", { values: leafExtensions("a.test", purposes("1.3.6.1.5.5.7.3.8")) }],
  ["eku.time_stamping", {
    values: leafExtensions("a.test", {
      extKeyUsage: { critical: true, values: ["1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.1"] },
    }),
  }],
  ["ocsp_no_check.purpose", { values: leafExtensions("a.test", { ocspNoCheck: { critical: false } }) }],
  ["qc_statements.critical", { values: leafExtensions("a.test", qc({ critical: true })) }],
  ["qc_statements.sscd_without_compliance", {
    values: leafExtensions("a.test", qc({ qcCompliance: false, qcSscd: true })),
  }],
  ["qc_statements.pds_https", {
    values: leafExtensions("a.test", qc({ qcPds: [{ url: "http://a.test/", language: "en" }] })),
  }],
];

function dns(name: string) {
  return implicit(2, ia5String(name));
}

function constraints(critical: boolean): ExtensionValues {
  return { nameConstraints: { critical, permitted: [{ type: "dns", value: "a.test" }], excluded: [] } };
}

function qc(change: Partial<NonNullable<ExtensionValues["qcStatements"]>>): ExtensionValues {
  return { qcStatements: { critical: false, qcCompliance: true, qcSscd: false, qcTypes: [], qcPds: [], ...change } };
}

Deno.test("each rule of RFC 5280 and its companions finds what it is for", () => {
  for (const [rule, c] of CASES) ok(rules(c).includes(rule), `${rule}: only ${rules(c).join(", ") || "nothing"}`);
});

Deno.test("time stamping as RFC 3161 wants it, and a CA with a purpose, have no error", () => {
  eq(
    rules({
      values: leafExtensions("a.test", { extKeyUsage: { critical: true, values: ["1.3.6.1.5.5.7.3.8"] } }),
    }),
    [],
  );
  eq(rules({ subjectText: "CN=Sub", values: caExtensions(0, purposes("1.3.6.1.5.5.7.3.1")) }), []);
});

/** A certificate that the Baseline Requirements accept. */
const SERVER: ExtensionValues = {
  ...leafExtensions("www.host.com"),
  extKeyUsage: { critical: false, values: ["1.3.6.1.5.5.7.3.1"] },
  certificatePolicies: { critical: false, policies: [{ oid: "2.23.140.1.2.1" }] },
  authorityInfoAccess: { ocsp: [], caIssuers: ["http://ca.host.com/ca.cer"] },
  crlDistributionPoints: { critical: false, urls: ["http://ca.host.com/ca.crl"] },
};
const SERVER_CASE: Case = { subjectText: "CN=www.host.com", values: SERVER };

function server(values: ExtensionValues, rest: Case = {}): Case {
  return { ...SERVER_CASE, ...rest, values: { ...SERVER, ...values } };
}

function san(...names: NonNullable<ExtensionValues["subjectAltName"]>["names"][number][]): ExtensionValues {
  return { subjectAltName: { critical: false, names } };
}

const CABF_CASES: [rule: string, c: Case][] = [
  ["cabf.key_type", { ...SERVER_CASE, row: findKeyRow("ed25519") }],
  ["cabf.serial_entropy", { ...SERVER_CASE, serial: "01" }],
  ["cabf.rdn_single", { ...SERVER_CASE, subjectText: "CN=www.host.com+C=FR" }],
  ["cabf.key_usage_critical", server({ keyUsage: { critical: false, values: ["digitalSignature"] } })],
  ["cabf.validity", { ...SERVER_CASE, notAfter: new Date("2027-02-04T00:00:00Z") }],
  ["cabf.validity", {
    ...SERVER_CASE,
    notBefore: new Date("2026-03-15T00:00:00Z"),
    notAfter: new Date("2026-10-01T00:00:00Z"),
  }],
  ["cabf.san_missing", { ...SERVER_CASE, values: { ...SERVER, ...{ subjectAltName: undefined } } as ExtensionValues }],
  ["cabf.san_names", server(san({ type: "dns", value: "www.host.com" }, { type: "dns", value: "intern" }))],
  ["cabf.san_names", server(san({ type: "dns", value: "www.host.com" }, { type: "ip", value: "10.0.0.1" }))],
  ["cabf.san_names", server(san({ type: "dns", value: "www.host.com" }, { type: "ip", value: "fd00::1" }))],
  ["cabf.san_names", server(san({ type: "dns", value: "www.host.com" }, { type: "email", value: "a@host.com" }))],
  ["cabf.cn_in_san", { ...SERVER_CASE, subjectText: "CN=WWW.host.com" }],
  ["cabf.eku", server(purposes("1.3.6.1.5.5.7.3.2"))],
  ["cabf.eku", server(purposes("1.3.6.1.5.5.7.3.1", "2.5.29.37.0"))],
  ["cabf.key_usage_bits", server(usage("digitalSignature", "nonRepudiation"))],
  ["cabf.key_usage_missing", { ...SERVER_CASE, values: { ...SERVER, ...{ keyUsage: undefined } } as ExtensionValues }],
  ["cabf.basic_constraints_critical", server({ basicConstraints: { critical: false, ca: false } })],
  ["cabf.aia_missing", {
    ...SERVER_CASE,
    values: { ...SERVER, ...{ authorityInfoAccess: undefined } } as ExtensionValues,
  }],
  ["cabf.crl_dp_missing", {
    ...SERVER_CASE,
    values: { ...SERVER, ...{ crlDistributionPoints: undefined } } as ExtensionValues,
  }],
  ["cabf.policies", server({ certificatePolicies: { critical: false, policies: [{ oid: "1.2.3" }] } })],
  [
    "cabf.policy_qualifiers",
    server({
      certificatePolicies: { critical: false, policies: [{ oid: "2.23.140.1.2.1", userNotice: "x" }] },
    }),
  ],
  ["cabf.dv_subject", { ...SERVER_CASE, subjectText: "O=x,CN=www.host.com" }],
  ["cabf.ou", { ...SERVER_CASE, subjectText: "OU=x,CN=www.host.com" }],
  ["cabf.ca_subject", { subjectText: "CN=CA", values: caExtensions() }],
  ["cabf.ca_ou", { subjectText: "OU=x,CN=CA", values: caExtensions() }],
  ["cabf.root_validity", { subjectText: "CN=CA", values: caExtensions() }],
  ["cabf.root_eku", { subjectText: "CN=CA", values: caExtensions(undefined, purposes("1.3.6.1.5.5.7.3.1")) }],
  ["cabf.sub_ca_eku", { subjectText: "CN=Sub", values: caExtensions() }],
  ["cabf.sub_ca_policies", { subjectText: "CN=Sub", values: caExtensions() }],
  ["cabf.ecdsa_hash", { subjectText: "CN=CA", values: caExtensions(), scheme: findSchemeRow("ecdsa-sha384") }],
];

Deno.test("each rule of the Baseline Requirements finds what it is for, and only when asked", () => {
  eq(rules(SERVER_CASE, { cabf: true }), ["cabf.ski"]);
  for (const [rule, c] of CABF_CASES) {
    ok(rules(c, { cabf: true }).includes(rule), `${rule}: only ${rules(c, { cabf: true }).join(", ")}`);
    ok(!rules(c).some((found) => found.startsWith("cabf.")), rule);
  }
  // A short-lived certificate needs no CRL address.
  const short = { ...SERVER_CASE, notAfter: new Date("2026-01-07T23:59:59Z") };
  const values = { ...SERVER, crlDistributionPoints: undefined } as unknown as ExtensionValues;
  ok(!rules({ ...short, values }, { cabf: true }).includes("cabf.crl_dp_missing"));
});

Deno.test("every finding names its rule, severity, document and reason", () => {
  for (const [, c] of [...CASES, ...CABF_CASES]) {
    for (const finding of lintFindings(facts(c), { cabf: true })) {
      match(finding.rule, /^[a-z0-9_]+\.[A-Za-z0-9_]+$/);
      ok(finding.severity === "error" || finding.severity === "warning");
      ok(finding.reference.length > 3 && finding.message.length > 10);
    }
  }
});

Deno.test("an error stops issuance with all that was found; a warning does not", () => {
  const bad = facts({ serial: "00", values: usage("keyCertSign") }) as Tbs;
  throws(
    () => lintTbs(bad),
    (e) =>
      e instanceof OperationError && e.code === "lint.refused" && /serial number/.test(e.message) &&
      /keyCertSign/.test(e.message),
  );
  const warned = lintTbs(facts({ values: leafExtensions("a_b.test") }) as Tbs);
  eq(warned.warnings.map(({ rule }) => rule), ["san.dns_underscore"]);
});
