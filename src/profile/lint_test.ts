import assert from "node:assert/strict";
import { lintProfile } from "./lint.ts";
import { parseProfile } from "./load.ts";
import type { ProfileFinding } from "./types.ts";

const NOW = new Date("2026-11-21T00:00:00Z");
const HEAD = "name: t\nalgorithm: ecdsa-p256\nvalidity: 30d\n";
const LEAF = `${HEAD}subject: {cn: x}\nextensions:\n  keyUsage: {values: [digitalSignature]}\n`;
const CA = `${HEAD}subject: {cn: x}\nextensions:\n  basicConstraints: {ca: true}\n`;
const SERVER = `${HEAD}variables: {cn: {type: dns_name, required: true}}\nsubject: {cn: "{{ cn }}"}\nextensions:\n` +
  `  keyUsage: {values: [digitalSignature]}\n  extKeyUsage: {values: [serverAuth]}\n`;
const SAN = "  subjectAltName: {dns_include_cn: true}\n";

function lint(yaml: string, now = NOW): ProfileFinding[] {
  return lintProfile(parseProfile(yaml, "t.yaml"), { now });
}

/** [YAML, rule, severity, line] */
const FINDINGS: readonly [yaml: string, rule: string, severity: string, line: number][] = [
  [LEAF.replace("digitalSignature", "keyEncipherment"), "key_usage.key_type", "error", 6],
  [LEAF.replace("digitalSignature", "keyCertSign"), "key_usage.cert_sign_without_ca", "error", 6],
  [LEAF.replace("digitalSignature", "encipherOnly"), "key_usage.agreement_direction", "error", 6],
  [LEAF.replace("{values", "{critical: false, values"), "key_usage.not_critical", "warning", 6],
  [`${HEAD}subject: {cn: x}\nextensions: {basicConstraints: {ca: false}}\n`, "key_usage.missing", "warning", 5],
  [CA, "key_usage.ca_without_cert_sign", "error", 5],
  [`${CA}  keyUsage: {values: [keyCertSign]}\n`, "key_usage.ca_without_crl_sign", "warning", 7],
  [CA.replace("{ca", "{critical: false, ca"), "basic_constraints.not_critical", "error", 6],
  [
    `${HEAD}extensions:\n  basicConstraints: {ca: true}\n  keyUsage: {values: [keyCertSign, cRLSign]}\n`,
    "subject.empty_ca",
    "error",
    1,
  ],
  [`${LEAF}  nameConstraints: {permitted: {dns: a.example}}\n`, "name_constraints.on_leaf", "error", 7],
  [`${LEAF}  extKeyUsage: {values: [timeStamping]}\n`, "eku.time_stamping", "error", 7],
  [`${LEAF}  extKeyUsage: {critical: true, values: [timeStamping, codeSigning]}\n`, "eku.time_stamping", "error", 7],
  [`${LEAF}  extKeyUsage: {critical: true, values: [any]}\n`, "eku.any_critical", "warning", 7],
  [`${LEAF}  extKeyUsage: {values: [ocspSigning]}\n`, "ocsp.no_check_missing", "warning", 7],
  [`${LEAF}  ocspNoCheck: {}\n`, "ocsp_no_check.purpose", "warning", 7],
  [
    `${LEAF}  extKeyUsage: {values: [ocspSigning]}\n  ocspNoCheck: {}\n  authorityInfoAccess: {ocsp: 'http://a.example'}\n`,
    "ocsp.asks_itself",
    "warning",
    9,
  ],
  [`${LEAF}  extKeyUsage: {values: [emailProtection]}\n`, "san.email_missing", "warning", 5],
  [
    LEAF.replace("digitalSignature", "keyAgreement") + "  extKeyUsage: {values: [codeSigning]}\n",
    "eku.key_usage",
    "error",
    7,
  ],
  [`${LEAF}  crlDistributionPoints: {urls: ['https://a.example/x.crl']}\n`, "url.https", "warning", 7],
  [SERVER, "san.missing", "error", 6],
  [SERVER + SAN, "cabf.aia_missing", "warning", 6],
  [SERVER + SAN, "cabf.crl_dp_missing", "warning", 6],
  [SERVER + SAN, "cabf.policies", "warning", 6],
  [SERVER.replace("30d", "365d") + SAN, "cabf.validity", "warning", 3],
  [SERVER.replace("subject: {", "subject: {ou: IT, ") + SAN, "cabf.ou", "warning", 5],
  [SERVER.replace("ecdsa-p256", "ed25519") + SAN, "cabf.key", "warning", 2],
  [`${LEAF}  subjectAltName: {critical: true, dns: a.example}\n`, "san.critical_with_subject", "warning", 7],
  [
    `${HEAD}extensions:\n  keyUsage: {values: [digitalSignature]}\n  subjectAltName: {critical: false, dns: a.example}\n`,
    "subject.empty_without_san",
    "error",
    1,
  ],
  [
    `${HEAD}subject: {o: x}\nextensions:\n  keyUsage: {values: [digitalSignature]}\n  subjectAltName: {dns: a.example, dns_include_cn: true}\n`,
    "san.cn_without_cn",
    "warning",
    7,
  ],
  [`${HEAD}variables: {spare: {type: string}}\nsubject: {cn: x}\n`, "variable.unused", "warning", 4],
  [
    `${HEAD}variables:\n  cn: {type: dns_name, wildcard: {allowed: true, single_label: false}}\nsubject: {cn: "{{ cn }}"}\n`,
    "variable.star_is_one_label",
    "warning",
    5,
  ],
  [
    `${HEAD}variables:\n  cn: {type: string, pattern: "[a-z]{3}", minLength: 5}\nsubject: {cn: "{{ cn }}"}\n`,
    "variable.no_sample",
    "warning",
    5,
  ],
  [
    `${CA}  keyUsage: {values: [keyCertSign, cRLSign]}\nsignature: {scheme: rsassa-pss}\n`,
    "signature.own_key",
    "warning",
    8,
  ],
  [`${LEAF}  qcStatements: {qcCompliance: true, qcTypes: [esign]}\n`, "qc_statements.pds_missing", "error", 7],
  [`${LEAF}  qcStatements: {qcCompliance: true}\n`, "qc_statements.type_missing", "warning", 7],
  [`${LEAF}  qcStatements: {qcTypes: [esign]}\n`, "qc_statements.subject", "error", 4],
  [`${LEAF}  qcStatements: {qcTypes: [web]}\n`, "qc_statements.web_purpose", "error", 7],
  [`${LEAF}  qcStatements: {qcSscd: true}\n`, "qc_statements.sscd_without_compliance", "warning", 7],
  [`${LEAF}  qcStatements: {critical: true, qcCompliance: true}\n`, "qc_statements.critical", "error", 7],
  [
    `${LEAF}  qcStatements: {qcCompliance: true, qcPds: [{url: 'http://a.example/', language: en}]}\n`,
    "qc_statements.pds_https",
    "warning",
    7,
  ],
  [`${CA}  qcStatements: {qcCompliance: true}\n`, "qc_statements.on_ca", "error", 7],
];

Deno.test("each rule finds its fault, with severity and line", () => {
  for (const [yaml, rule, severity, line] of FINDINGS) {
    const findings = lint(yaml);
    const found = findings.find((finding) => finding.rule === rule) ??
      findings.find((finding) => finding.rule.startsWith(`${rule}_`));
    assert(found, `${rule}: ${JSON.stringify(findings)}\n${yaml}`);
    assert.deepEqual([found.severity, found.line], [severity, line], rule);
    assert.notEqual(found.reference, "");
  }
});

Deno.test("a profile in order has no findings", () => {
  assert.deepEqual(lint(LEAF), []);
  assert.deepEqual(lint(`${CA}  keyUsage: {values: [keyCertSign, cRLSign]}\n`), []);
});

Deno.test("the CA/Browser Forum's limits follow the calendar and name those to come", () => {
  const text = (days: number, now: string) =>
    lint(SERVER.replace("30d", `${days}d`) + SAN, new Date(now)).find((f) => f.rule === "cabf.validity")?.message;
  assert.match(
    text(365, "2026-11-21")!,
    /more than 200 days; from 2027-03-15: more than 100 days; from 2029-03-15: .*47/,
  );
  assert.match(text(150, "2026-11-21")!, /^from 2027-03-15: more than 100/);
  assert.match(text(365, "2030-01-01")!, /^the certificate is valid for more than 47 days$/);
  assert.equal(text(46, "2026-11-21"), undefined);
});

Deno.test("samples fit the places where free variables are used", () => {
  const findings = lint(`${HEAD}variables:
  names: {type: list}
  ips: {type: list}
  mails: {type: list}
  crl: {type: string}
  c: {type: string}
subject: {c: "{{ c }}", cn: x}
extensions:
  keyUsage: {values: [digitalSignature]}
  subjectAltName: {dns: "{{ names }}", ip: "{{ ips }}", email: "{{ mails }}"}
  crlDistributionPoints: {urls: "{{ crl }}"}
`);
  assert.deepEqual(findings, []);
});
