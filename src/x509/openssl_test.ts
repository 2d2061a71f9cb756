import { deepStrictEqual as eq, match, ok } from "node:assert/strict";
import { caExtensions, daysFromNow, issue, leafExtensions } from "../../tests/support/pki.ts";
import { opensslFor } from "../../tests/support/openssl.ts";
import { openssl, opensslJudges, run } from "../../tests/support/openssl_x509.ts";
import { testWith } from "../../tests/support/require.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { keyRows } from "../alg/find.ts";
import { certificatePem, readCertificates } from "./certificate.ts";
import { readCsr, verifyCsr } from "./csr.ts";
import { formatName, parseNameText } from "./name.ts";
import type { ExtensionValues } from "./types.ts";
import { verifyCertificate } from "./verify.ts";

/** OpenSSL, GnuTLS and pkijs as judges of what is built here, and their requests as input. */

for (const row of keyRows().filter((row) => row.kind === "signature" && opensslFor(row) === "openssl")) {
  const name = `${row.name}: OpenSSL verifies certificate, request and CRL of every scheme`;
  testWith(name, { needs: ["openssl"] }, () => opensslJudges(row));
}

const EVERYTHING: ExtensionValues = {
  basicConstraints: { critical: true, ca: false },
  keyUsage: { critical: true, values: ["digitalSignature", "nonRepudiation"] },
  extKeyUsage: { critical: false, values: ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4"] },
  subjectAltName: {
    critical: false,
    names: [
      { type: "dns", value: "*.host.test" },
      { type: "email", value: "a@host.test" },
      { type: "uri", value: "urn:x:y" },
      { type: "ip", value: "10.1.2.3" },
      { type: "ip", value: "fd00::1" },
      { type: "directory", value: parseNameText("C=FR,CN=dir") },
      { type: "registeredId", value: "1.2.3.4" },
      { type: "other", oid: "1.3.6.1.4.1.311.20.2.3", value: new TextEncoder().encode("\x0c\x03upn") },
    ],
  },
  certificatePolicies: { critical: false, policies: [{ oid: "1.2.3.4.5", cps: "http://p.test/", userNotice: "Été" }] },
  crlDistributionPoints: { critical: false, urls: ["http://c.test/1.crl", "http://c.test/2.crl"] },
  authorityInfoAccess: { ocsp: ["http://o.test/"], caIssuers: ["http://i.test/"] },
  qcStatements: {
    critical: false,
    qcCompliance: true,
    qcSscd: true,
    qcTypes: ["0.4.0.1862.1.6.1"],
    qcPds: [{ url: "https://p.test/", language: "en" }],
  },
  custom: [{ oid: "1.2.3.4.5.6", critical: false, value: Uint8Array.of(5, 0) }],
};

testWith("OpenSSL shows every extension as it was meant", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const root = await issue({ name: "CN=Root,O=x" });
  const { certificate } = await issue({ name: "CN=Leaf", issuer: root, extensions: EVERYTHING });
  const text = openssl("x509", "-in", tmp.write("a.pem", certificatePem(certificate)), "-noout", "-text");
  const extensions = text.slice(text.indexOf("X509v3 extensions:"), text.indexOf("Signature Algorithm:", 900));
  const expected = [
    /X509v3 Basic Constraints: critical\n\s+CA:FALSE\n/,
    /X509v3 Key Usage: critical\n\s+Digital Signature, Non Repudiation\n/,
    /X509v3 Extended Key Usage: \n\s+TLS Web Client Authentication, E-mail Protection\n/,
    /DNS:\*\.host\.test, email:a@host\.test, URI:urn:x:y, IP Address:10\.1\.2\.3, IP Address:FD00:0:0:0:0:0:0:1/,
    /DirName:.?C ?= ?FR.*CN ?= ?dir, Registered ID:1\.2\.3\.4, othername: UPN::?upn/,
    /Policy: 1\.2\.3\.4\.5\n\s+CPS: http:\/\/p\.test\/\n\s+User Notice:\n\s+Explicit Text: Ét/,
    /Full Name:\n\s+URI:http:\/\/c\.test\/1\.crl\n\s*(Full Name:)?\n?\s+(Full Name:\n\s+)?URI:http:\/\/c\.test\/2\.crl/,
    /OCSP - URI:http:\/\/o\.test\/\n\s+CA Issuers - URI:http:\/\/i\.test\//,
    /qcStatements/,
    /1\.2\.3\.4\.5\.6:/,
  ];
  for (const pattern of expected) match(extensions, pattern);
});

testWith("OpenSSL and we agree on name constraints", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const root = await issue({
    name: "CN=Root,O=x",
    extensions: caExtensions(undefined, {
      nameConstraints: {
        critical: true,
        permitted: [
          { type: "dns", value: "a.test" },
          { type: "email", value: ".a.test" },
          { type: "ip", value: "10.0.0.0/8" },
          { type: "ip", value: "fd00::/8" },
          { type: "directory", value: parseNameText("O=x") },
        ],
        excluded: [{ type: "dns", value: "no.a.test" }, { type: "uri", value: "bad.test" }],
      },
    }),
  });
  const rootFile = tmp.write("root.pem", certificatePem(root.certificate));
  const names: [name: string, type: "dns" | "email" | "ip" | "uri", value: string][] = [
    ["O=x,CN=1", "dns", "a.test"],
    ["O=X ,CN=2", "dns", "b.A.test"],
    ["O=x,CN=3", "dns", "no.a.test"],
    ["O=x,CN=4", "dns", "x.no.a.test"],
    ["O=x,CN=5", "dns", "ba.test"],
    ["O=y,CN=6", "dns", "a.test"],
    ["CN=7", "dns", "a.test"],
    ["O=x,CN=8", "email", "u@b.a.test"],
    ["O=x,CN=9", "email", "u@a.test"],
    ["O=x,CN=10", "ip", "10.255.0.1"],
    ["O=x,CN=11", "ip", "11.0.0.1"],
    ["O=x,CN=12", "ip", "fd12::1"],
    ["O=x,CN=13", "ip", "fe12::1"],
    ["O=x,CN=14", "uri", "http://bad.test/x"],
    ["O=x,CN=15", "uri", "http://good.test/x"],
    ["O=x,CN=host.b.test", "ip", "10.0.0.1"],
  ];
  const judged: string[] = [];
  for (const [name, type, value] of names) {
    const leaf = await issue({
      name,
      issuer: root,
      extensions: leafExtensions("", { subjectAltName: { critical: false, names: [{ type, value }] } }),
    });
    const file = tmp.write("leaf.pem", certificatePem(leaf.certificate));
    const theirs = run("openssl", "verify", "-CAfile", rootFile, file).code === 0;
    const { valid, reasons } = await verifyCertificate(leaf.certificate, {
      intermediates: [],
      anchors: [root.certificate],
      at: daysFromNow(0),
    });
    eq(valid, theirs, `${name} ${value}: OpenSSL says ${theirs}; ${JSON.stringify(reasons)}`);
    judged.push(`${valid}`);
  }
  // Both answers must occur, or the judge judged nothing.
  eq(judged.filter((answer) => answer === "true").length, 6);
});

testWith("requests of OpenSSL are read and verified", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const kinds: string[][] = [
    ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha384"],
    ["-newkey", "ed25519"],
    ["-newkey", "ed448"],
    ["-newkey", "rsa:2048"],
    ["-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sha256"],
    // the salt is as long as it can be: 222, 206 and 190 bytes
    ...["-sha256", "-sha384", "-sha512"].map((
      hash,
    ) => ["-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss", hash]),
    ["-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:0", "-sha256"],
  ];
  const common = ["-nodes", "-subj", "/C=FR/O=Été/CN=a.test", "-utf8", "-addext", "subjectAltName=DNS:a.test,IP:::1"];
  for (const kind of kinds) {
    const file = tmp.join("a.csr");
    openssl("req", "-new", ...kind, ...common, "-keyout", tmp.join("a.key"), "-out", file);
    for (const form of ["PEM", "DER"]) {
      openssl("req", "-in", file, "-outform", form, "-out", tmp.join("b.csr"));
      const csr = readCsr(Deno.readFileSync(tmp.join("b.csr")));
      eq(formatName(csr.subject), "C=FR,O=Été,CN=a.test");
      eq(csr.extensions.map(({ oid }) => oid), ["2.5.29.17"]);
      eq((await verifyCsr(csr)).valid, true, kind.join(" "));
    }
  }
  openssl(
    "req",
    "-new",
    "-newkey",
    "ed25519",
    ...common,
    "-newhdr",
    "-keyout",
    tmp.join("a.key"),
    "-out",
    tmp.join("n.csr"),
  );
  match(tmp.read("n.csr"), /BEGIN NEW CERTIFICATE REQUEST/);
  ok((await verifyCsr(readCsr(Deno.readFileSync(tmp.join("n.csr"))))).valid);
});

testWith("requests of GnuTLS are read and verified", { needs: ["gnutls"] }, async () => {
  using tmp = tempFolder();
  const template = tmp.write(
    "t.cfg",
    'cn = "b.test"\norganization = "G"\ndns_name = "b.test"\nip_address = "10.0.0.1"\nsigning_key\ntls_www_server\n',
  );
  for (const type of ["rsa", "ecdsa", "ed25519"]) {
    const key = tmp.join("k.pem");
    eq(run("certtool", "--generate-privkey", "--key-type", type, "--outfile", key).code, 0);
    const { code, text } = run(
      "certtool",
      ...["--generate-request", "--load-privkey", key, "--template", template, "--outfile", tmp.join("g.csr")],
    );
    eq(code, 0, text);
    const csr = readCsr(Deno.readFileSync(tmp.join("g.csr")));
    match(formatName(csr.subject), /CN=b\.test/);
    ok(csr.extensions.some(({ oid }) => oid === "2.5.29.17"));
    eq((await verifyCsr(csr)).valid, true, type);
  }
});

testWith("certificates and CRLs of OpenSSL are read and verified", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const config = tmp.write(
    "ca.cnf",
    `[ca]\ndefault_ca=d\n[d]\ndatabase=${tmp.path}/index.txt\nserial=${tmp.path}/serial\nnew_certs_dir=${tmp.path}
default_md=sha256\npolicy=p\ncrlnumber=${tmp.path}/crlnumber\ndefault_crl_days=7\ncrl_extensions=c\nx509_extensions=e\n[p]\ncommonName=supplied
[c]\nauthorityKeyIdentifier=keyid\n[e]\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid,issuer\nsubjectAltName=DNS:a.test
[req]\ndistinguished_name=n\n[n]\n[v3]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n`,
  );
  for (const name of ["index.txt"]) tmp.write(name, "");
  for (const name of ["serial", "crlnumber"]) tmp.write(name, "01\n");
  const [ca, caKey] = [tmp.join("ca.pem"), tmp.join("ca.key")];
  openssl(
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", caKey, "-out", ca, "-subj", "/CN=OpenSSL CA"],
    ...["-config", config, "-extensions", "v3", "-days", "30"],
  );
  const signer = ["-config", config, "-batch", "-cert", ca, "-keyfile", caKey];
  openssl(
    "req",
    "-new",
    "-newkey",
    "ed25519",
    "-nodes",
    "-keyout",
    tmp.join("l.key"),
    "-subj",
    "/CN=l",
    "-out",
    tmp.join("l.csr"),
    "-config",
    config,
  );
  openssl("ca", ...signer, "-in", tmp.join("l.csr"), "-out", tmp.join("l.pem"), "-days", "5", "-notext");
  openssl("ca", ...signer, "-revoke", tmp.join("l.pem"), "-crl_reason", "superseded");
  openssl("ca", ...signer, "-gencrl", "-out", tmp.join("crl.pem"));
  const { readCrl, verifyCrl } = await import("./crl.ts");
  const [anchor] = readCertificates(Deno.readFileSync(ca));
  const [leaf] = readCertificates(Deno.readFileSync(tmp.join("l.pem")));
  const crl = readCrl(Deno.readFileSync(tmp.join("crl.pem")));
  eq(crl.number, "01");
  eq(crl.revoked.map(({ serial, reason }) => ({ serial, reason })), [{ serial: "01", reason: "superseded" }]);
  eq((await verifyCrl(crl, anchor!)).valid, true);
  const options = { intermediates: [], anchors: [anchor!], at: new Date() };
  eq((await verifyCertificate(leaf!, options)).reasons, []);
  eq((await verifyCertificate(leaf!, { ...options, crls: [crl] })).reasons.map(({ code }) => code), [
    "certificate.revoked",
  ]);
});
