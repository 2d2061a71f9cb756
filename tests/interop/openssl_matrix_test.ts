/**
 * OpenSSL judges everything that a CA hands out: chains with CRL check, requests and CRLs of every classical algorithm
 * and signature scheme, certificates of every classical built-in profile with exactly the extensions that belong there;
 * and the other way round, requests and token keys that other tools made. Commands run in this process.
 */
import assert from "node:assert/strict";
import { type KeyRow, keyRows, type SchemeRow, schemeRows } from "../../src/alg/find.ts";
import { pkcs11Tool } from "../hsm/support.ts";
import { run } from "../support/cli.ts";
import { runInProcess } from "../support/in_process.ts";
import { needs, testWith } from "../support/require.ts";
import { type SoftHsmToken, softhsmToken } from "../support/softhsm.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

const CLASSICAL: ReadonlySet<string> = new Set(["ecdsa", "eddsa", "rsa"]);
const ROWS: readonly KeyRow[] = keyRows().filter(({ family }) => CLASSICAL.has(family));

/** Names by which OpenSSL prints the schemes. */
const OPENSSL_SCHEME: Readonly<Record<string, RegExp>> = {
  "ecdsa-sha256": /Signature Algorithm: ecdsa-with-SHA256$/m,
  "ecdsa-sha384": /Signature Algorithm: ecdsa-with-SHA384$/m,
  "ecdsa-sha512": /Signature Algorithm: ecdsa-with-SHA512$/m,
  ed25519: /Signature Algorithm: ED25519$/m,
  ed448: /Signature Algorithm: ED448$/m,
  "rsa-pkcs1-sha256": /Signature Algorithm: sha256WithRSAEncryption$/m,
  "rsa-pkcs1-sha384": /Signature Algorithm: sha384WithRSAEncryption$/m,
  "rsa-pkcs1-sha512": /Signature Algorithm: sha512WithRSAEncryption$/m,
  "rsa-pss-sha256": pssParameters("sha256", "0x20"),
  "rsa-pss-sha384": pssParameters("sha384", "0x30"),
  "rsa-pss-sha512": pssParameters("sha512", "0x40"),
};

function pssParameters(hash: string, salt: string): RegExp {
  return new RegExp(
    `Signature Algorithm: rsassaPss\\s+Hash Algorithm: ${hash}\\s+` +
      `Mask Algorithm: mgf1 with ${hash}\\s+Salt Length: ${salt}`,
  );
}

async function qpki(tmp: TempFolder, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { status, stdout, stderr } = await runInProcess(args, { cwd: tmp.path, env });
  assert.equal(status, 0, `qpki ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** What OpenSSL printed, both streams. */
async function openssl(tmp: TempFolder, args: readonly string[], expected = 0): Promise<string> {
  const { code, stdout, stderr } = await run("openssl", args, { cwd: tmp.path });
  assert.equal(code, expected, `openssl ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout + stderr;
}

function schemesOf(row: KeyRow): SchemeRow[] {
  return schemeRows().filter(({ name }) => row.schemes.includes(name));
}

for (const row of ROWS) {
  testWith(`every scheme of ${row.label}: chain, CRL and request pass OpenSSL`, { needs: ["openssl"] }, async () => {
    using tmp = tempFolder();
    await qpki(tmp, ["key", "generate", "-a", row.name, "--out", "ca.key"]);
    await qpki(tmp, ["csr", "gen", "--key", "ca.key", "--cn", "request.test", "--dns", "a.test", "--out", "own.csr"]);
    assert.match(await openssl(tmp, ["req", "-in", "own.csr", "-verify", "-noout"]), /verify OK/);
    await qpki(tmp, [
      "csr",
      "gen",
      "-a",
      "ecdsa-p256",
      "--cn",
      "leaf.test",
      "--keyout",
      "leaf.key",
      "--out",
      "leaf.csr",
    ]);
    const root = await qpki(tmp, ["profile", "show", "ec/root-ca"]);
    const schemes = schemesOf(row);
    assert.equal(schemes.length, row.schemes.length);
    for (const scheme of schemes) {
      const wish = `signature: {scheme: ${scheme.profileScheme}${scheme.hash ? `, hash: ${scheme.hash}` : ""}}`;
      const text = root.replace(/^name:.*$/m, `name: matrix-${scheme.name}`)
        .replace(/^algorithm:.*$/m, `algorithm: ${row.name}\n${wish}`);
      await checkCa(tmp, { scheme, profile: tmp.write(`${scheme.name}.yaml`, text) });
    }
  });
}

/** Makes a root with the key that is there; OpenSSL must take one leaf, refuse the revoked one, and take the CRL. */
async function checkCa(tmp: TempFolder, { scheme, profile }: { scheme: SchemeRow; profile: string }): Promise<void> {
  const ca = `ca-${scheme.name}`;
  const key = ["--use-existing-key", "--key", "ca.key"];
  await qpki(tmp, ["ca", "init", "--profile", profile, "--var", "cn=Matrix Root", "-d", ca, ...key]);
  const serials = [];
  for (const leaf of ["good.crt", "bad.crt"]) {
    const issue = ["cert", "issue", "-d", ca, "--profile", "ec/tls-server", "--csr", "leaf.csr", "--json", "--force"];
    serials.push(JSON.parse(await qpki(tmp, [...issue, "--out", leaf])).serial);
  }
  await qpki(tmp, ["cert", "revoke", serials[1], "-d", ca, "--reason", "superseded", "--gen-crl"]);
  const crl = `${ca}/crl/ca.crl`;
  const verify = ["verify", "-x509_strict", "-CAfile", `${ca}/ca.crt`, "-CRLfile", crl, "-crl_check"];
  assert.match(await openssl(tmp, [...verify, "-purpose", "sslserver", "good.crt"]), /good\.crt: OK/);
  assert.match(await openssl(tmp, [...verify, "bad.crt"], 2), /certificate revoked/);
  assert.match(await openssl(tmp, ["crl", "-in", crl, "-CAfile", `${ca}/ca.crt`, "-verify", "-noout"]), /verify OK/);
  const der = ["crl", "-in", `${crl}.der`, "-inform", "DER", "-CAfile", `${ca}/ca.crt`, "-verify", "-noout"];
  assert.match(await openssl(tmp, der), /verify OK/);
  const pattern = OPENSSL_SCHEME[scheme.name];
  assert.ok(pattern, `this table lacks ${scheme.name}`);
  for (const args of [["x509", "-in", `${ca}/ca.crt`], ["x509", "-in", "good.crt"], ["crl", "-in", crl]]) {
    assert.match(await openssl(tmp, [...args, "-noout", "-text"]), pattern);
  }
}

/** Values for every variable of the profiles, as an operator would write them. */
const VALUES: Readonly<Record<string, string>> = {
  cn: "www.matrix.test",
  country: "FR",
  state: "Bretagne",
  locality: "Brest",
  organization: "Société Matrix",
  organizational_unit: "Atelier",
  surname: "Martin",
  given_name: "Anne",
  serial_number: "PNOFR-1234567890",
  organization_identifier: "VATFR-12345678901",
  postal_code: "29200",
  street: "1 rue de Siam",
  business_category: "Private Organization",
  jurisdiction_country: "FR",
  email: "anne@matrix.test",
  dns_names: "a.matrix.test,b.matrix.test",
  ip_addresses: "192.0.2.7,2001:db8::7",
  uris: "urn:matrix:7",
  validity: "30d",
  policy_oid: "1.3.6.1.4.1.55555.1",
  cps_url: "https://matrix.test/cps",
  crl_url: "http://matrix.test/ca.crl",
  ocsp_url: "http://ocsp.matrix.test",
  ca_issuer_url: "http://matrix.test/ca.cer",
  pds_url: "https://matrix.test/pds.pdf",
  pds_language: "fr",
  qscd: "true",
  retention_years: "15",
};

/** Variables that are parts of the name, as OpenSSL calls the attribute. */
const SUBJECT: Readonly<Record<string, string>> = {
  cn: "commonName",
  country: "countryName",
  state: "stateOrProvinceName",
  locality: "localityName",
  organization: "organizationName",
  organizational_unit: "organizationalUnitName",
  surname: "surname",
  given_name: "givenName",
  serial_number: "serialNumber",
  organization_identifier: "organizationIdentifier",
  postal_code: "postalCode",
  street: "streetAddress",
  business_category: "businessCategory",
  jurisdiction_country: "jurisdictionCountryName",
};

/** What a profile means, by its last word; the key usage depends on what the kind of key can do (RFC 8813, RFC 3279). */
interface Meaning {
  ca?: "CA:TRUE, pathlen:0" | "CA:TRUE, pathlen:1";
  usage: string;
  rsaUsage?: string;
  extendedUsage?: string;
  /** Variables that become alternative names, in this order. */
  names?: readonly (keyof typeof NAMES)[];
  noCheck?: boolean;
  qc?: "esign" | "eseal" | "web";
  purpose?: string;
}

const NAMES = {
  cn: (text: string) => [`DNS:${text}`],
  dns_names: (text: string) => text.split(",").map((name) => `DNS:${name}`),
  ip_addresses: () => ["IP Address:192.0.2.7", "IP Address:2001:DB8:0:0:0:0:0:7"],
  email: (text: string) => [`email:${text}`],
  uris: (text: string) => [`URI:${text}`],
} as const;

const SERVER: Meaning = {
  usage: "Digital Signature",
  rsaUsage: "Digital Signature, Key Encipherment",
  extendedUsage: "TLS Web Server Authentication",
  names: ["cn", "dns_names", "ip_addresses"],
  purpose: "sslserver",
};
const STAMP: Meaning = {
  usage: "Digital Signature",
  extendedUsage: "critical Time Stamping",
  purpose: "timestampsign",
};

const MEANINGS: Readonly<Record<string, Meaning>> = {
  "root-ca": { ca: "CA:TRUE, pathlen:1", usage: "Certificate Sign, CRL Sign" },
  "issuing-ca": { ca: "CA:TRUE, pathlen:0", usage: "Certificate Sign, CRL Sign" },
  "tls-server": SERVER,
  "tls-client": {
    usage: "Digital Signature",
    extendedUsage: "TLS Web Client Authentication",
    names: ["dns_names", "email", "uris"],
    purpose: "sslclient",
  },
  email: {
    usage: "Digital Signature, Key Agreement",
    rsaUsage: "Digital Signature, Key Encipherment",
    extendedUsage: "E-mail Protection",
    names: ["email"],
    purpose: "smimesign",
  },
  "code-signing": { usage: "Digital Signature", extendedUsage: "Code Signing" },
  timestamping: STAMP,
  "ocsp-responder": {
    usage: "Digital Signature",
    extendedUsage: "OCSP Signing",
    noCheck: true,
    purpose: "ocsphelper",
  },
  signing: { usage: "Digital Signature, Non Repudiation", names: ["email"] },
  encryption: { usage: "Key Agreement", rsaUsage: "Key Encipherment, Data Encipherment", names: ["email"] },
  "qc-esign": { usage: "Non Repudiation", names: ["email"], qc: "esign" },
  "qc-eseal": { usage: "Digital Signature, Non Repudiation", qc: "eseal" },
  "qc-web": { ...SERVER, names: ["cn", "dns_names"], qc: "web" },
  "qc-tsa": { ...STAMP, qc: "eseal" },
};

/** The extensions that OpenSSL must print for a profile with these values, and no others; key identifiers apart. */
function expectedExtensions(profile: string, values: Readonly<Record<string, string>>): Map<string, string> {
  const meaning = MEANINGS[profile.slice(profile.lastIndexOf("/") + 1)];
  assert.ok(meaning, `this table lacks the profile ${profile}`);
  // RFC 8017: a key that signs with PSS is not one that encrypts
  const usage = profile.startsWith("rsa/") ? meaning.rsaUsage ?? meaning.usage : meaning.usage;
  const expected = new Map([
    ["X509v3 Basic Constraints", `critical ${meaning.ca ?? "CA:FALSE"}`],
    ["X509v3 Key Usage", `critical ${usage}`],
  ]);
  if (meaning.extendedUsage) expected.set("X509v3 Extended Key Usage", meaning.extendedUsage);
  const names = (meaning.names ?? []).flatMap((name) => values[name] === undefined ? [] : NAMES[name](values[name]));
  if (names.length > 0) expected.set("X509v3 Subject Alternative Name", names.join(", "));
  if (meaning.noCheck) expected.set("OCSP No Check", "");
  if (meaning.qc) expected.set("qcStatements", "(octets)");
  if (profile.endsWith("root-ca")) return expected;
  if (values["policy_oid"]) {
    expected.set("X509v3 Certificate Policies", `Policy: ${values["policy_oid"]} CPS: ${values["cps_url"]}`);
  }
  if (values["crl_url"]) expected.set("X509v3 CRL Distribution Points", `Full Name: URI:${values["crl_url"]}`);
  const access = [
    ...(values["ocsp_url"] ? [`OCSP - URI:${values["ocsp_url"]}`] : []),
    ...(values["ca_issuer_url"] ? [`CA Issuers - URI:${values["ca_issuer_url"]}`] : []),
  ];
  if (access.length > 0) expected.set("Authority Information Access", access.join(" "));
  return expected;
}

/** The extensions in OpenSSL's text, white space made single; key identifiers apart, which must be there. */
function printedExtensions(text: string, { selfSigned }: { selfSigned: boolean }): Map<string, string> {
  const section = /X509v3 extensions:\n([\s\S]*?)\n {4}Signature Algorithm/.exec(text)?.[1] ?? "";
  const found = new Map<string, string>();
  for (const [, name, critical, value] of section.matchAll(/^ {12}(\S.*?): ?(critical)?\s*\n((?: {13,}.*\n?|\n)*)/gm)) {
    const words = `${critical ?? ""} ${name === "qcStatements" ? "(octets)" : value}`.replace(/\s+/g, " ").trim();
    assert.ok(!found.has(name!), `${name} is there twice`);
    found.set(name!, words);
  }
  assert.match(found.get("X509v3 Subject Key Identifier") ?? "", /^([0-9A-F]{2}:){19}[0-9A-F]{2}$/, text);
  assert.equal(found.has("X509v3 Authority Key Identifier"), !selfSigned, text);
  found.delete("X509v3 Subject Key Identifier");
  found.delete("X509v3 Authority Key Identifier");
  return found;
}

interface ProfileVariable {
  name: string;
  required: boolean;
  default: unknown;
}

/** Chains whose CAs are made once: root and issuing CA of both kinds of keys, with their CRLs. */
async function makeChains(tmp: TempFolder): Promise<void> {
  for (const family of ["ec", "rsa"]) {
    const root = ["ca", "init", "--profile", `${family}/root-ca`, "--var", "cn=Root", "-d", `${family}-root`];
    await qpki(tmp, root);
    const issuing = ["ca", "init", "--profile", `${family}/issuing-ca`, "--var", "cn=Issuing", "-d", `${family}-ca`];
    // the key that the RSA profiles of CAs are tried with serves here as well: making one takes seconds
    const key = family === "ec" ? [] : ["--use-existing-key", "--key", await keyOf(tmp, "rsa-4096")];
    await qpki(tmp, [...issuing, "--parent", `${family}-root`, ...key]);
    for (const ca of ["root", "ca"]) await qpki(tmp, ["crl", "gen", "-d", `${family}-${ca}`]);
    const crls = ["root", "ca"].map((ca) => tmp.read(`${family}-${ca}/crl/ca.crl`)).join("");
    tmp.write(`${family}-crls.pem`, crls);
  }
}

/** A request for a key of `algorithm` that names nobody: what is in the certificate then comes from the operator. */
async function namelessRequest(tmp: TempFolder, algorithm: string): Promise<string> {
  const file = `${algorithm}.csr`;
  await openssl(tmp, ["req", "-new", "-key", await keyOf(tmp, algorithm), "-subj", "/", "-out", file]);
  return file;
}

/** File of the one key of an algorithm. */
async function keyOf(tmp: TempFolder, algorithm: string): Promise<string> {
  const file = `${algorithm}.key`;
  if (!await exists(tmp.join(file))) await qpki(tmp, ["key", "generate", "-a", algorithm, "--out", file]);
  return file;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

testWith("every classical profile: its extensions, the operator's words, and nothing else", {
  needs: ["openssl"],
}, async (t) => {
  using tmp = tempFolder();
  await makeChains(tmp);
  const listed = JSON.parse(await qpki(tmp, ["profile", "list", "--json"])) as {
    profiles: { name: string; algorithms: string[] }[];
  };
  const rows = new Map(ROWS.map((row) => [row.name as string, row]));
  const profiles = listed.profiles.filter(({ algorithms }) => algorithms.every((name) => rows.has(name)));
  assert.ok(profiles.length >= 25, "the classical profiles are not all there");
  const used = new Set<string>();
  for (const { name, algorithms } of profiles) {
    await t.step(name, async () => {
      const { variables } = JSON.parse(await qpki(tmp, ["profile", "vars", name, "--json"])) as {
        variables: ProfileVariable[];
      };
      for (const all of [false, true]) {
        const values: Record<string, string> = {};
        for (const variable of variables) {
          if (!all && !variable.required) continue;
          const value = VALUES[variable.name];
          assert.ok(value, `this table lacks the variable ${variable.name} of ${name}`);
          values[variable.name] = value;
          used.add(variable.name);
        }
        await checkProfile(tmp, { name, algorithm: algorithms[0]!, values });
      }
    });
  }
  assert.deepEqual([...used].sort(), Object.keys(VALUES).sort(), "values that no profile takes");
});

async function checkProfile(
  tmp: TempFolder,
  { name, algorithm, values }: { name: string; algorithm: string; values: Record<string, string> },
): Promise<void> {
  const family = name.startsWith("rsa") ? "rsa" : "ec";
  const vars = Object.entries(values).flatMap(([variable, value]) => ["--var", `${variable}=${value}`]);
  const isRoot = name.endsWith("/root-ca");
  if (isRoot || name.endsWith("/issuing-ca")) {
    const folder = crypto.randomUUID();
    const own = ["--use-existing-key", "--key", await keyOf(tmp, algorithm), "-d", folder];
    const parent = isRoot ? [] : ["--parent", `${family}-root`];
    await qpki(tmp, ["ca", "init", "--profile", name, ...vars, ...own, ...parent]);
    Deno.copyFileSync(tmp.join(`${folder}/ca.crt`), tmp.join("it.crt"));
    await qpki(tmp, ["crl", "gen", "-d", `${family}-root`]);
    await openssl(tmp, ["verify", "-x509_strict", "-CAfile", isRoot ? "it.crt" : `${family}-root/ca.crt`, "it.crt"]);
  } else {
    const csr = await namelessRequest(tmp, algorithm);
    const issue = ["cert", "issue", "-d", `${family}-ca`, "--profile", name, "--csr", csr, ...vars];
    await qpki(tmp, [...issue, "--out", "it.crt", "--force"]);
    const { purpose } = MEANINGS[name.slice(name.lastIndexOf("/") + 1)]!;
    const chain = ["-CAfile", `${family}-root/ca.crt`, "-untrusted", `${family}-ca/ca.crt`];
    const check = ["-crl_check_all", "-CRLfile", `${family}-crls.pem`, ...(purpose ? ["-purpose", purpose] : [])];
    assert.match(await openssl(tmp, ["verify", "-x509_strict", ...chain, ...check, "it.crt"]), /OK/);
  }
  const text = await openssl(tmp, ["x509", "-in", "it.crt", "-noout", "-text"]);
  const printed = printedExtensions(text, { selfSigned: isRoot });
  assert.deepEqual([...printed].sort(), [...expectedExtensions(name, values)].sort(), `${name}\n${text}`);
  const format = ["-nameopt", "multiline,utf8,-esc_msb,-align"];
  const subject = await openssl(tmp, ["x509", "-in", "it.crt", "-noout", "-subject", ...format]);
  const parts = Object.entries(values).filter(([variable]) => SUBJECT[variable] !== undefined);
  assert.deepEqual(
    subject.trim().split("\n").slice(1).map((line) => line.trim()).sort(),
    parts.map(([variable, value]) => `${SUBJECT[variable]} = ${value}`).sort(),
    `${name}: the subject`,
  );
  if (name.startsWith("eidas/")) await checkQcStatements(tmp, name, values);
}

const QC_TYPES = { esign: "1", eseal: "2", web: "3" } as const;

/** ETSI EN 319 412-5: compliance and type always, the rest when it was stated. */
async function checkQcStatements(tmp: TempFolder, name: string, values: Record<string, string>): Promise<void> {
  const whole = await openssl(tmp, ["asn1parse", "-in", "it.crt"]);
  const at = /qcStatements\s*\n\s*(\d+):.*OCTET STRING/.exec(whole)?.[1];
  assert.ok(at, whole);
  const parsed = await openssl(tmp, ["asn1parse", "-in", "it.crt", "-strparse", at]);
  const statements = [...parsed.matchAll(/OBJECT\s+:(.*)$/gm)].map((match) => match[1]);
  const type = MEANINGS[name.slice(name.indexOf("/") + 1)]!.qc!;
  const expected = [
    "0.4.0.1862.1.1",
    "0.4.0.1862.1.6",
    `0.4.0.1862.1.6.${QC_TYPES[type]}`,
    ...(values["qscd"] === "true" ? ["0.4.0.1862.1.4"] : []),
    ...(values["retention_years"] ? ["0.4.0.1862.1.3"] : []),
    ...(values["pds_url"] ? ["0.4.0.1862.1.5"] : []),
  ];
  assert.deepEqual(statements.sort(), expected.sort(), parsed);
  if (values["pds_url"]) {
    assert.match(parsed, /IA5STRING\s+:https:\/\/matrix\.test\/pds\.pdf\n[^\n]*PRINTABLESTRING\s+:(fr|en)/);
  }
}

/** How OpenSSL and GnuTLS make keys of a row. */
const FOREIGN_KEYS: Readonly<Record<string, { openssl: string[]; gnutls?: string[] }>> = {
  "ecdsa-p256": {
    openssl: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    gnutls: ["--key-type", "ecdsa", "--curve", "secp256r1"],
  },
  "ecdsa-p384": {
    openssl: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    gnutls: ["--key-type", "ecdsa", "--curve", "secp384r1"],
  },
  "ecdsa-p521": {
    openssl: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
    gnutls: ["--key-type", "ecdsa", "--curve", "secp521r1"],
  },
  "brainpool-p256r1": { openssl: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"] },
  "brainpool-p384r1": { openssl: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP384r1"] },
  ed25519: { openssl: ["-newkey", "ed25519"], gnutls: ["--key-type", "ed25519"] },
  ed448: { openssl: ["-newkey", "ed448"], gnutls: ["--key-type", "ed448"] },
  "rsa-2048": { openssl: ["-newkey", "rsa:2048"], gnutls: ["--key-type", "rsa", "--bits", "2048"] },
  "rsa-3072": { openssl: ["-newkey", "rsa:3072"], gnutls: ["--key-type", "rsa", "--bits", "3072"] },
  "rsa-4096": { openssl: ["-newkey", "rsa:4096"], gnutls: ["--key-type", "rsa", "--bits", "4096"] },
};

testWith("requests of OpenSSL and GnuTLS are issued, whatever their key", { needs: ["openssl"] }, async (t) => {
  using tmp = tempFolder();
  await qpki(tmp, ["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", "ca"]);
  const server = await qpki(tmp, ["profile", "show", "ec/tls-server"]);
  for (const { name, family } of ROWS) {
    const how = FOREIGN_KEYS[name];
    assert.ok(how, `this table lacks ${name}`);
    const text = server.replace(/^name:.*$/m, "name: foreign").replace(/^algorithm:.*$/m, `algorithm: ${name}`);
    const profile = tmp.write("foreign.yaml", text);
    await t.step(`openssl, ${name}`, async () => {
      const make = ["req", "-new", "-subj", "/CN=foreign.test", "-addext", "subjectAltName=DNS:foreign.test"];
      await openssl(tmp, [...make, ...how.openssl, "-nodes", "-keyout", "f.key", "-out", "f.csr"]);
      await issueForeign(tmp, profile);
      if (family !== "rsa") return;
      const pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"];
      await openssl(tmp, [...make, "-key", "f.key", ...pss, "-out", "f.csr"]);
      await issueForeign(tmp, profile);
    });
    const skipped = how.gnutls === undefined ? "GnuTLS makes no such keys" : needs("gnutls");
    await t.step({
      name: `gnutls, ${name}${skipped === undefined ? "" : ` [skipped: ${skipped}]`}`,
      ignore: skipped !== undefined,
      fn: async () => {
        tmp.write("template", 'cn = "foreign.test"\ndns_name = "foreign.test"\n');
        await certtool(tmp, ["--generate-privkey", ...how.gnutls!, "--outfile", "f.key"]);
        const request = [
          "--generate-request",
          "--load-privkey",
          "f.key",
          "--template",
          "template",
          "--outfile",
          "f.csr",
        ];
        await certtool(tmp, request);
        await issueForeign(tmp, profile);
      },
    });
  }
});

async function certtool(tmp: TempFolder, args: readonly string[]): Promise<void> {
  const result = await run("certtool", args, { cwd: tmp.path });
  assert.equal(result.code, 0, `certtool ${args.join(" ")}: ${result.stderr}`);
}

async function issueForeign(tmp: TempFolder, profile: string): Promise<void> {
  await qpki(tmp, ["csr", "verify", "f.csr"]);
  const issue = ["cert", "issue", "-d", "ca", "--profile", profile, "--csr", "f.csr", "--out", "f.crt", "--force"];
  await qpki(tmp, issue);
  assert.match(await openssl(tmp, ["verify", "-x509_strict", "-CAfile", "ca/ca.crt", "f.crt"]), /OK/);
  const certified = await openssl(tmp, ["x509", "-in", "f.crt", "-noout", "-pubkey"]);
  assert.equal(certified, await openssl(tmp, ["pkey", "-in", "f.key", "-pubout"]));
}

/** Keys that SoftHSM2 makes, and how pkcs11-tool makes and uses them. */
const TOKEN_KEYS: readonly { row: string; type: string; mechanism: string; profile: string; hashed: boolean }[] = [
  { row: "ecdsa-p256", type: "EC:prime256v1", mechanism: "ECDSA", profile: "ec/tls-server", hashed: true },
  { row: "ecdsa-p384", type: "EC:secp384r1", mechanism: "ECDSA", profile: "ec/root-ca", hashed: true },
  { row: "ecdsa-p521", type: "EC:secp521r1", mechanism: "ECDSA", profile: "", hashed: true },
  { row: "rsa-2048", type: "rsa:2048", mechanism: "SHA256-RSA-PKCS", profile: "rsa/tls-server", hashed: false },
  { row: "ed25519", type: "EC:edwards25519", mechanism: "EDDSA", profile: "", hashed: false },
];

testWith("pkcs11-tool sees our token keys and signs with them", {
  needs: ["softhsm", "pkcs11-tool", "openssl"],
}, async () => {
  using tmp = tempFolder();
  using token = softhsmToken();
  const yaml = token.hsmYaml();
  token.useInProcess();
  const message = tmp.write("message", "what is signed");
  for (const { row, mechanism, hashed } of TOKEN_KEYS) {
    await qpki(tmp, ["key", "generate", "-a", row, "--hsm-config", yaml, "--key-label", row], token.env);
    await qpki(tmp, ["key", "pub", "--hsm-config", yaml, "--key-label", row, "--out", `${row}.pub`], token.env);
    if (hashed) await openssl(tmp, ["dgst", "-sha256", "-binary", "-out", "input", "message"]);
    else Deno.copyFileSync(message, tmp.join("input"));
    const id = await idOf(tmp, token, { yaml, label: row });
    const form = mechanism === "ECDSA" ? ["--signature-format", "openssl"] : [];
    const files = ["--input-file", tmp.join("input"), "--output-file", tmp.join("signature")];
    await pkcs11Tool(token, "--sign", "--id", id, "--mechanism", mechanism, ...form, ...files);
    const verify = row === "ed25519"
      ? ["pkeyutl", "-verify", "-pubin", "-inkey", `${row}.pub`, "-rawin", "-in", "message", "-sigfile", "signature"]
      : ["dgst", "-sha256", "-verify", `${row}.pub`, "-signature", "signature", "message"];
    assert.match(await openssl(tmp, verify), /Verified OK|Verified Successfully/);
  }
  const { stdout } = await pkcs11Tool(token, "--list-objects", "--type", "privkey");
  for (const { row } of TOKEN_KEYS) assert.match(stdout, new RegExp(`label:\\s+${row}$`, "m"));
});

async function idOf(
  tmp: TempFolder,
  token: SoftHsmToken,
  { yaml, label }: { yaml: string; label: string },
): Promise<string> {
  const listed = await qpki(tmp, ["key", "list", "--hsm-config", yaml, "--json"], token.env);
  const { keys } = JSON.parse(listed) as { keys: { storage: { label: string; key_id: string } }[] };
  return keys.find((key) => key.storage.label === label)!.storage.key_id;
}

testWith("we request and issue with keys that pkcs11-tool made", {
  needs: ["softhsm", "pkcs11-tool", "openssl"],
}, async () => {
  using tmp = tempFolder();
  using token = softhsmToken();
  const yaml = token.hsmYaml();
  token.useInProcess();
  for (const [i, { row, type, profile }] of TOKEN_KEYS.entries()) {
    await pkcs11Tool(token, "--keypairgen", "--key-type", type, "--label", row, "--id", `0${i + 1}`, "--usage-sign");
    const names = ["--cn", "token.test", "--dns", "token.test"];
    const key = ["--hsm-config", yaml, "--key-label", row, "--key-id", `0${i + 1}`];
    await qpki(tmp, ["csr", "gen", "-a", row, ...key, ...names, "--out", `${row}.csr`], token.env);
    assert.match(await openssl(tmp, ["req", "-in", `${row}.csr`, "-verify", "-noout"]), /verify OK/);
    if (!profile.endsWith("root-ca")) continue;
    const init = ["ca", "init", "--profile", profile, "--var", "cn=Theirs", "-d", "ca", "--use-existing-key", ...key];
    await qpki(tmp, init, token.env);
  }
  for (const { row, profile } of TOKEN_KEYS.filter((key) => key.profile.endsWith("tls-server"))) {
    const issue = ["cert", "issue", "-d", "ca", "--profile", profile, "--csr", `${row}.csr`, "--out", `${row}.crt`];
    await qpki(tmp, issue, token.env);
  }
  await qpki(tmp, ["crl", "gen", "-d", "ca"], token.env);
  const verify = ["verify", "-x509_strict", "-CAfile", "ca/ca.crt", "-CRLfile", "ca/crl/ca.crl", "-crl_check"];
  await openssl(tmp, [...verify, "ecdsa-p256.crt", "rsa-2048.crt"]);
});
