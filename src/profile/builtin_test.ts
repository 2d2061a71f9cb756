import assert from "node:assert/strict";
import { shellWords } from "../../tests/support/in_process.ts";
import { OID_KP_OCSP_SIGNING, OID_KP_TIME_STAMPING } from "../asn1/oid.ts";
import { formatName } from "../x509/name.ts";
import { compileProfile } from "./compile.ts";
import { lintProfile } from "./lint.ts";
import { listProfiles } from "./load.ts";
import { sampleValues } from "./samples.ts";
import type { Profile } from "./types.ts";
import { parseVarFlags } from "./variables.ts";

const USES = [
  "code-signing",
  "email",
  "encryption",
  "issuing-ca",
  "ocsp-responder",
  "root-ca",
  "signing",
  "timestamping",
  "tls-client",
  "tls-server",
];

const HYBRID_USES = ["root-ca", "issuing-ca", "tls-server", "tls-client", "timestamping", "ocsp-responder", "signing"];
const ML_USES = [...USES.filter((use) => use !== "email"), "email-sign", "email-encrypt"];

/** Every built-in profile and the rows of its keys. */
const EXPECTED: Readonly<Record<string, string>> = Object.fromEntries([
  ...USES.map((use) => [`ec/${use}`, use === "root-ca" ? "ecdsa-p384" : "ecdsa-p256"]),
  ...USES.map((use) => [`rsa/${use}`, use.endsWith("-ca") ? "rsa-4096" : "rsa-2048"]),
  ...["qc-eseal", "qc-esign", "qc-tsa", "qc-web"].map((use) => [`eidas/${use}`, "ecdsa-p256"]),
  ["rsa-pss/tls-server", "rsa-2048"],
  ...ML_USES.map((use) => [`ml/${use}`, /encrypt/.test(use) ? "ml-kem-768" : "ml-dsa-65"]),
  ["ml/root-ca", "ml-dsa-87"],
  ...HYBRID_USES.map((use) => [`slh/${use}`, "slh-dsa-sha2-256s"]),
  ["slh/root-ca", "slh-dsa-sha2-256f"],
  ["slh/issuing-ca", "slh-dsa-sha2-192f"],
  ["slh/tls-server", "slh-dsa-sha2-128f"],
  ["slh/tls-client", "slh-dsa-sha2-128f"],
  ...HYBRID_USES.map((use) => [`hybrid/catalyst/${use}`, "ecdsa-p256 ml-dsa-65"]),
  ["hybrid/catalyst/root-ca", "ecdsa-p384 ml-dsa-87"],
  ["hybrid/catalyst/issuing-ca", "ecdsa-p384 ml-dsa-65"],
  ...HYBRID_USES.map((use) => [`hybrid/composite/${use}`, "mldsa65-ecdsa-p256-sha512"]),
  ["hybrid/composite/root-ca", "mldsa87-ecdsa-p521-sha512"],
  ["hybrid/composite/issuing-ca", "mldsa65-ecdsa-p384-sha512"],
]);

const DAY = 86_400;

async function builtins(): Promise<Profile[]> {
  const summaries = await listProfiles();
  for (const { name, error } of summaries) assert.equal(error, undefined, `${name}: ${error?.message}`);
  return summaries.map((summary) => summary.profile!);
}

Deno.test("the built-in profiles are there, each with its algorithm", async () => {
  const found = (await builtins()).map((profile) => {
    const { rows } = compileProfile(profile, sampleValues(profile).required);
    return [profile.name, rows.map((row) => row.name).join(" ")];
  });
  assert.deepEqual(Object.fromEntries(found), EXPECTED);
});

Deno.test("each is named after its file and teaches: purpose, standards, examples", async () => {
  for (const profile of await builtins()) {
    assert.match(profile.text, new RegExp(`^name: ${profile.name}$`, "m"));
    assert.notEqual(profile.description, "", profile.name);
    assert.match(profile.text, /^# Standards: /m, profile.name);
    assert.match(profile.text, new RegExp(`^#   qpki .*--profile ${profile.name}`, "m"));
    assert.equal(profile.source, "default");
  }
});

Deno.test("the examples in the header give values that the profile takes", async () => {
  for (const profile of await builtins()) {
    const comments = profile.text.split("\n").filter((line) => line.startsWith("#   ")).map((line) => line.slice(4));
    const commands = comments.join("\n").replaceAll(/\\\n\s*/g, "").split("\n").map(shellWords);
    const made = commands.filter((words) => words.includes("--profile"));
    assert(made.length > 0, profile.name);
    for (const words of made) {
      const vars = words.filter((_, i) => words[i - 1] === "--var");
      compileProfile(profile, parseVarFlags(vars));
    }
  }
});

Deno.test("each lints without errors, whatever the year", async () => {
  for (const profile of await builtins()) {
    for (const now of ["2025-01-01", "2026-11-21", "2030-01-01"]) {
      const errors = lintProfile(profile, { now: new Date(now) }).filter((finding) => finding.severity === "error");
      assert.deepEqual(errors, [], `${profile.name} ${now}`);
    }
  }
});

Deno.test("the only warnings are limits of the CA/Browser Forum that a private CA may pass: validity, new kinds of keys", async () => {
  for (const profile of await builtins()) {
    const classical = /^(ec|rsa|rsa-pss|eidas)\//.test(profile.name);
    for (const finding of lintProfile(profile, { now: new Date("2026-11-21") })) {
      const may = ["cabf.validity", ...classical ? [] : ["cabf.key_type"]];
      assert(may.includes(finding.rule), `${profile.name}: ${finding.rule} ${finding.message}`);
    }
  }
});

Deno.test("with its required variables alone a profile brings no address, organisation or policy", async () => {
  for (const profile of await builtins()) {
    const { required } = sampleValues(profile);
    const given = Object.values(required).map(String);
    const compiled = compileProfile(profile, required);
    for (const { value } of compiled.subject.flat()) assert(given.includes(value), `${profile.name}: ${value}`);
    const urls = JSON.stringify(compiled).match(/[a-z]+:\/\/[^"]*/g) ?? [];
    for (const url of urls) assert(given.includes(url), `${profile.name}: ${url}`);
    for (const absent of ["certificatePolicies", "crlDistributionPoints", "authorityInfoAccess"]) {
      assert(!(absent in compiled.extensions), `${profile.name}: ${absent}`);
    }
    const body = profile.text.replaceAll(/^\s*#.*$/gm, "");
    assert.doesNotMatch(body, /:\/\/|example\.|acme/i, profile.name);
  }
});

Deno.test("only the validity and the wording of statements have defaults", async () => {
  for (const profile of await builtins()) {
    for (const variable of Object.values(profile.variables)) {
      const may = ["validity", "pds_language", "qscd"].includes(variable.name);
      assert(variable.default === undefined || may, `${profile.name}: ${variable.name}`);
      assert.notEqual(variable.description, undefined, `${profile.name}: ${variable.name}`);
    }
    assert(profile.variables["cn"]?.required, profile.name);
  }
});

Deno.test("a leaf is valid for a year, an issuing CA for ten, a root for twenty", async () => {
  for (const profile of await builtins()) {
    const compiled = compileProfile(profile, sampleValues(profile).required);
    const [years, pathLen] = profile.name.endsWith("/root-ca")
      ? [20, 1]
      : profile.name.endsWith("/issuing-ca")
      ? [10, 0]
      : [1, undefined];
    assert.equal(compiled.validitySeconds, years * 365 * DAY, profile.name);
    assert.equal(compiled.pathLen, pathLen, profile.name);
    assert.equal(compiled.isCa, pathLen !== undefined, profile.name);
    assert.equal(compileProfile(profile, sampleValues(profile).required, { validity: "7d" }).validitySeconds, 7 * DAY);
  }
});

Deno.test("no EC key is said to encipher, and every bit fits its key", async () => {
  for (const profile of await builtins()) {
    const { rows, extensions } = compileProfile(profile, sampleValues(profile).all);
    for (const row of rows) {
      for (const bit of extensions.keyUsage!.values) assert(row.keyUsage.includes(bit), `${profile.name}: ${bit}`);
      if (row.kind === "kem") assert.deepEqual(extensions.keyUsage!.values, ["keyEncipherment"], profile.name);
    }
    if (rows[0]!.family === "ecdsa") assert(!extensions.keyUsage!.values.includes("keyEncipherment"), profile.name);
  }
});

Deno.test("time stamping is critical and alone; a responder has ocspNoCheck", async () => {
  for (const { name, extensions } of await builtins()) {
    const purposes = extensions.extKeyUsage?.values ?? [];
    if (purposes.includes(OID_KP_TIME_STAMPING)) {
      assert.deepEqual([extensions.extKeyUsage!.critical, purposes.length], [true, 1], name);
    }
    assert.equal(purposes.includes(OID_KP_OCSP_SIGNING), extensions.ocspNoCheck !== undefined, name);
  }
});

Deno.test("with everything set, a TLS server carries exactly that", async () => {
  const profile = (await builtins()).find((one) => one.name === "ec/tls-server")!;
  const compiled = compileProfile(profile, {
    cn: "www.example.com",
    dns_names: "www.example.com,*.example.com",
    ip_addresses: "192.0.2.1",
    organization: "Acme",
    organizational_unit: "IT",
    country: "FR",
    state: "IDF",
    locality: "Paris",
    policy_oid: "1.2.3",
    cps_url: "http://p.example/cps",
    crl_url: "http://p.example/crl",
    ocsp_url: "http://p.example/ocsp",
    ca_issuer_url: "http://p.example/ca",
  });
  assert.equal(formatName(compiled.subject), "C=FR,ST=IDF,L=Paris,O=Acme,OU=IT,CN=www.example.com");
  assert.deepEqual(compiled.extensions, {
    basicConstraints: { critical: true, ca: false },
    keyUsage: { critical: true, values: ["digitalSignature"] },
    extKeyUsage: { critical: false, values: ["1.3.6.1.5.5.7.3.1"] },
    subjectAltName: {
      critical: false,
      names: [
        { type: "dns", value: "www.example.com" },
        { type: "dns", value: "*.example.com" },
        { type: "ip", value: "192.0.2.1" },
      ],
    },
    certificatePolicies: { critical: false, policies: [{ oid: "1.2.3", cps: "http://p.example/cps" }] },
    crlDistributionPoints: { critical: false, urls: ["http://p.example/crl"] },
    authorityInfoAccess: { ocsp: ["http://p.example/ocsp"], caIssuers: ["http://p.example/ca"] },
  });
});
