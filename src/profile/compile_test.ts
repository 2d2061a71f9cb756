import assert from "node:assert/strict";
import { InputError } from "../errors.ts";
import { formatName } from "../x509/name.ts";
import { compileProfile } from "./compile.ts";
import { parseProfile } from "./load.ts";
import type { CompiledProfile } from "./types.ts";

const YAML = `name: t
algorithm: ecdsa-p256
validity: "{{ validity }}"
variables:
  cn: {type: string}
  o: {type: string}
  units: {type: list}
  validity: {type: duration, default: 30d, min_duration: 1d, max_duration: 60d}
  dns_names: {type: dns_names}
  ips: {type: ip_list}
  emails: {type: list}
  uris: {type: list}
  policy: {type: oid}
  cps: {type: uri}
  notice: {type: string}
  crl: {type: list}
  host: {type: string}
  ocsp: {type: uri}
  permitted: {type: list}
  qc: {type: boolean}
  pds: {type: uri}
  lang: {type: string}
  years: {type: integer}
subject:
  o: "{{ o }}"
  ou: "{{ units }}"
  cn: "{{ cn }}"
extensions:
  basicConstraints: {ca: false}
  subjectAltName:
    dns: "{{ dns_names }}"
    ip: "{{ ips }}"
    email: "{{ emails }}"
    uri: ["{{ uris }}"]
    dns_include_cn: true
  certificatePolicies: {policies: [{oid: "{{ policy }}", cps: "{{ cps }}", userNotice: "{{ notice }}"}]}
  crlDistributionPoints: {urls: ["{{ crl }}", "http://{{ host }}/ca.crl"]}
  authorityInfoAccess: {ocsp: "{{ ocsp }}"}
  nameConstraints: {permitted: {dns: "{{ permitted }}"}}
  qcStatements:
    qcCompliance: "{{ qc }}"
    qcRetentionPeriod: "{{ years }}"
    qcPds: [{url: "{{ pds }}", language: "{{ lang }}"}]
`;

function compile(given: Record<string, unknown>, validity?: string): CompiledProfile {
  return compileProfile(parseProfile(YAML, "t.yaml"), given, validity === undefined ? {} : { validity });
}

Deno.test("without values nothing but the fixed parts is there: no empty extension, no empty attribute", () => {
  const compiled = compile({});
  assert.deepEqual(compiled.subject, []);
  assert.deepEqual(compiled.extensions, { basicConstraints: { critical: true, ca: false } });
  assert.equal(compiled.validitySeconds, 30 * 86_400);
  assert.equal(compiled.isCa, false);
  assert.deepEqual(compiled.rows.map((row) => row.name), ["ecdsa-p256"]);
});

Deno.test("the subject keeps the order written; a list gives one attribute each", () => {
  const { subject } = compile({ cn: "x", o: "Acme", units: "a,b" });
  assert.equal(formatName(subject), "O=Acme,OU=a,OU=b,CN=x");
});

Deno.test("subjectAltName: the CN comes first when it is a DNS name, names are normal and each once", () => {
  const { extensions } = compile({
    cn: "WWW.example.com",
    dns_names: "www.example.com,b.example.com,B.EXAMPLE.com",
    ips: "10.0.0.1,2001:DB8::0:1,2001:db8::1",
    emails: ["a@Example.com", "a@example.com"],
    uris: "spiffe://example.com/x",
  });
  assert.deepEqual(extensions.subjectAltName, {
    critical: false,
    names: [
      { type: "dns", value: "www.example.com" },
      { type: "dns", value: "b.example.com" },
      { type: "ip", value: "10.0.0.1" },
      { type: "ip", value: "2001:db8::1" },
      { type: "email", value: "a@example.com" },
      { type: "uri", value: "spiffe://example.com/x" },
    ],
  });
});

Deno.test("a CN that is a person, an address or a single label does not become a DNS name", () => {
  for (const cn of ["Alice Martin", "Alice", "10.0.0.1", "alice@example.com", "a_b.example"]) {
    assert.equal(compile({ cn }).extensions.subjectAltName, undefined, cn);
  }
});

Deno.test("with an empty subject subjectAltName is critical unless the profile says otherwise", () => {
  assert.equal(compile({ dns_names: "a.example" }).extensions.subjectAltName?.critical, true);
  const stated = parseProfile(
    "name: t\nalgorithm: ed25519\nvalidity: 1d\nextensions: {subjectAltName: {critical: false, dns: a.example}}\n",
    "t.yaml",
  );
  assert.equal(compileProfile(stated, {}).extensions.subjectAltName?.critical, false);
});

Deno.test("addresses, policies, constraints and statements are filled in", () => {
  const { extensions } = compile({
    policy: "1.2.3",
    cps: "http://a.example/cps",
    notice: "mind",
    crl: "http://a.example/1.crl,http://a.example/2.crl,http://a.example/1.crl",
    host: "b.example",
    ocsp: "http://o.example",
    permitted: ".example.com,example.com",
    qc: "true",
    pds: "https://a.example/pds",
    lang: "EN",
    years: "7",
  });
  assert.deepEqual(extensions.certificatePolicies?.policies, [
    { oid: "1.2.3", cps: "http://a.example/cps", userNotice: "mind" },
  ]);
  assert.deepEqual(extensions.crlDistributionPoints?.urls, [
    "http://a.example/1.crl",
    "http://a.example/2.crl",
    "http://b.example/ca.crl",
  ]);
  assert.deepEqual(extensions.authorityInfoAccess, { ocsp: ["http://o.example"], caIssuers: [] });
  assert.deepEqual(extensions.nameConstraints, {
    critical: true,
    permitted: [{ type: "dns", value: ".example.com" }, { type: "dns", value: "example.com" }],
    excluded: [],
  });
  assert.deepEqual(extensions.qcStatements, {
    critical: false,
    qcCompliance: true,
    qcSscd: false,
    qcTypes: [],
    qcPds: [{ url: "https://a.example/pds", language: "en" }],
    qcRetentionYears: 7,
  });
});

Deno.test("validity: the option wins, within the bounds of the profile's variable", () => {
  assert.equal(compile({ validity: "45d" }).validitySeconds, 45 * 86_400);
  assert.equal(compile({}, "2d").validitySeconds, 2 * 86_400);
  assert.equal(compile({ validity: "45d" }, "2d").validitySeconds, 2 * 86_400);
  assert.throws(() => compile({}, "90d"), { code: "variable.invalid", message: /above the maximum 60d/ });
  const fixed = parseProfile("name: t\nalgorithm: ed25519\nvalidity: 1y\n", "t.yaml");
  assert.equal(compileProfile(fixed, {}).validitySeconds, 365 * 86_400);
  assert.equal(compileProfile(fixed, {}, { validity: "1h" }).validitySeconds, 3600);
  assert.throws(() => compileProfile(fixed, {}, { validity: "soon" }), { code: "duration.invalid" });
});

const REFUSED: readonly [given: Record<string, unknown>, message: RegExp][] = [
  [{ cn: "x".repeat(65) }, /subject\.cn: cannot encode CN .*64 allowed/],
  [{ emails: "nobody" }, /subjectAltName\.email: "nobody" is not an e-mail address/],
  [{ uris: "nothing" }, /subjectAltName\.uri: "nothing" is not a URI/],
  [{ crl: "nothing" }, /crlDistributionPoints\.urls: "nothing" is not a URI/],
  [{ host: "a b" }, /crlDistributionPoints\.urls: .*percent-encode/],
  [
    { cps: "http://a.example/" },
    /certificatePolicies: a CPS or notice is given without its policy OID \(variable "policy"\)/,
  ],
  [{ policy: "1.2.3", notice: "x".repeat(201) }, /certificatePolicies\.userNotice: 201 characters/],
  [{ permitted: "*.example.com" }, /nameConstraints\.permitted\.dns: .*wildcard/],
  [{ pds: "https://a.example/" }, /qcStatements\.qcPds\.language: it has no value/],
  [{ pds: "https://a.example/", lang: "english" }, /two letters/],
  [{ years: "-1" }, /qcRetentionPeriod: it is negative/],
];

Deno.test("a value that cannot stand where the template puts it is refused, naming the place", () => {
  for (const [given, message] of REFUSED) {
    assert.throws(() => compile(given), (error) => {
      assert(error instanceof InputError);
      assert.equal(error.code, "profile.value");
      assert.match(error.message, /^Cannot use profile "t": /);
      assert.match(error.message, message);
      return true;
    }, JSON.stringify(given));
  }
});

Deno.test("a single-label CN joins the names when its variable allows single labels", () => {
  const profile = parseProfile(
    `name: t
algorithm: ed25519
validity: 1d
variables: {cn: {type: dns_name, allow_single_label: true}}
subject: {cn: "{{ cn }}"}
extensions: {subjectAltName: {dns_include_cn: true}}
`,
    "t.yaml",
  );
  assert.deepEqual(compileProfile(profile, { cn: "localhost" }).extensions.subjectAltName?.names, [
    { type: "dns", value: "localhost" },
  ]);
});
