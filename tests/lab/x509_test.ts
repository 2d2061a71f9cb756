/** Certificates, requests and CRLs that are built in process, with OpenSSL 3.5 or later and BouncyCastle as judges. */
import assert from "node:assert/strict";
import { findKeyRow, keyRows } from "../../src/alg/find.ts";
import { certificatePem, readCertificates } from "../../src/x509/certificate.ts";
import { crlPem, readCrl, verifyCrl } from "../../src/x509/crl.ts";
import { buildCsr, csrPem, readCsr, verifyCsr } from "../../src/x509/csr.ts";
import { formatName, parseNameText } from "../../src/x509/name.ts";
import { verifyCertificate } from "../../src/x509/verify.ts";
import { type Judgement, startJudge } from "../support/judge.ts";
import { opensslFor } from "../support/openssl.ts";
import { openssl, opensslJudges, run } from "../support/openssl_x509.ts";
import {
  altSignerOf,
  caExtensions,
  crlOf,
  daysFromNow,
  type Holder,
  issue,
  leafExtensions,
  signerOf,
  testKey,
} from "../support/pki.ts";
import { testWith } from "../support/require.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

const PQC = keyRows().filter((row) => row.kind === "signature" && opensslFor(row) === "openssl-pqc");

for (const row of PQC) {
  const isSlow = row.family === "slh-dsa" && row.name.endsWith("s") && row.name !== "slh-dsa-sha2-128s";
  testWith(`${row.name}: OpenSSL verifies certificate, request and CRL`, {
    needs: ["lab", "openssl-pqc"],
    skip: isSlow ? "it signs for minutes, and is written as its fast twin" : undefined,
  }, () => opensslJudges(row));
}

for (const name of ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "SLH-DSA-SHA2-128f", "SLH-DSA-SHAKE-192f"]) {
  testWith(`${name}: OpenSSL's certificates, requests and CRLs are read and verified`, {
    needs: ["lab", "openssl-pqc"],
  }, async () => {
    using tmp = tempFolder();
    opensslCa(tmp, name);
    const [anchor] = readCertificates(Deno.readFileSync(tmp.join("ca.pem")));
    const [leaf] = readCertificates(Deno.readFileSync(tmp.join("leaf.pem")));
    const crl = readCrl(Deno.readFileSync(tmp.join("ca.crl")));
    const csr = readCsr(Deno.readFileSync(tmp.join("leaf.csr")));
    assert.equal((await verifyCrl(crl, anchor!)).valid, true);
    assert.deepEqual((await verifyCsr(csr)).signatures.map(({ scheme }) => scheme), [name]);
    const options = { intermediates: [], anchors: [anchor!], at: new Date() };
    const good = await verifyCertificate(leaf!, options);
    assert.deepEqual([good.reasons, good.signatures.map(({ scheme }) => scheme)], [[], [name]]);
    const revoked = await verifyCertificate(leaf!, { ...options, crls: [crl] });
    assert.deepEqual(revoked.reasons.map(({ code }) => code), ["certificate.revoked"]);
  });
}

/** A root, a revoked leaf, its request and the CRL, by OpenSSL alone. */
function opensslCa(tmp: TempFolder, algorithm: string): void {
  const config = tmp.write(
    "ca.cnf",
    `[ca]\ndefault_ca=d\n[d]\ndatabase=${tmp.path}/index.txt\ncrlnumber=${tmp.path}/crlnumber\ndefault_md=default\n` +
      "default_crl_days=7\n[req]\ndistinguished_name=n\n[n]\n",
  );
  tmp.write("index.txt", "");
  tmp.write("crlnumber", "01\n");
  const at = tmp.join;
  const key = ["-newkey", algorithm, "-nodes", "-config", config];
  const ca = ["-config", config, "-cert", at("ca.pem"), "-keyfile", at("ca.key")];
  openssl(
    ...["req", "-x509", ...key, "-keyout", at("ca.key"), "-out", at("ca.pem"), "-subj", "/CN=ca"],
    ...["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
    ...["-addext", "subjectKeyIdentifier=hash"],
  );
  openssl("req", "-new", ...key, "-keyout", at("leaf.key"), "-out", at("leaf.csr"), "-subj", "/CN=leaf");
  openssl(
    ...["x509", "-req", "-in", at("leaf.csr"), "-CA", at("ca.pem"), "-CAkey", at("ca.key")],
    ...["-out", at("leaf.pem"), "-days", "5"],
  );
  openssl("ca", ...ca, "-revoke", at("leaf.pem"));
  openssl("ca", ...ca, "-gencrl", "-out", at("ca.crl"));
}

/** What the judges get: files of a small PKI of one kind. */
interface Samples {
  readonly root: string;
  readonly leaf: string;
  readonly crl: string;
  readonly csr: string;
}

async function samples(tmp: TempFolder, root: Holder, leaf: Holder): Promise<Samples> {
  const spec = { subject: parseNameText("CN=Ask"), spki: leaf.key.spki, extensions: leafExtensions() };
  const csr = await buildCsr(spec, signerOf(leaf), altSignerOf(leaf));
  return {
    root: tmp.write("root.pem", certificatePem(root.certificate)),
    leaf: tmp.write("leaf.pem", certificatePem(leaf.certificate)),
    crl: tmp.write("crl.pem", crlPem(await crlOf(root))),
    csr: tmp.write("csr.pem", csrPem(csr)),
  };
}

function accepted({ error, names, signature, alternative }: Judgement, hasTwo: boolean, what: string): void {
  assert.equal(error, undefined, what);
  assert.notEqual(names, false, what);
  assert.equal(signature?.valid, true, what);
  assert.equal(alternative?.valid, hasTwo ? true : undefined, what);
}

/** The first three are the pairs that BouncyCastle publishes. */
const PAIRS: [algorithm: string, alternative: string][] = [
  ["ecdsa-p256", "ml-dsa-44"],
  ["ecdsa-p521", "ml-dsa-87"],
  ["rsa-3072", "ml-dsa-44"],
  ["ed25519", "ml-dsa-65"],
  ["ecdsa-p384", "slh-dsa-sha2-128f"],
  ["ml-dsa-65", "ecdsa-p256"],
];

for (const [algorithm, alternative] of PAIRS) {
  testWith(`${algorithm} with alternative ${alternative}: OpenSSL verifies one side, BouncyCastle both`, {
    needs: ["lab", "openssl-pqc", "bouncycastle"],
  }, async () => {
    using tmp = tempFolder();
    await using judge = startJudge();
    const root = await issue({ name: "CN=Root,O=x", algorithm, alternative });
    const leaf = await issue({ name: "CN=Leaf", issuer: root, algorithm, alternative });
    const files = await samples(tmp, root, leaf);
    const trust = ["-x509_strict", "-check_ss_sig", "-CAfile", files.root, "-CRLfile", files.crl, "-crl_check"];
    assert.match(openssl("verify", ...trust, files.leaf), /OK/);
    assert.match(openssl("req", "-in", files.csr, "-verify", "-noout"), /verify OK/i);
    assert.match(openssl("crl", "-in", files.crl, "-CAfile", files.root, "-noout"), /verify OK/);
    accepted(await judge.certificate(files.root, files.root), true, "root");
    accepted(await judge.certificate(files.leaf, files.root), true, "leaf");
    accepted(await judge.crl(files.crl, files.root), true, "CRL");
    accepted(await judge.csr(files.csr), true, "request");
    // a holder with one key
    const single = await issue({ name: "CN=Single", issuer: root });
    const file = tmp.write("single.pem", certificatePem(single.certificate));
    accepted(await judge.certificate(file, files.root), true, "single key");
    // an alternative signature by another key
    const key = await testKey(alternative, "stranger");
    const impostor = { ...root, alternative: { key, scheme: root.alternative!.scheme } };
    const forged = await issue({ name: "CN=Leaf", issuer: impostor });
    const judged = await judge.certificate(tmp.write("forged.pem", certificatePem(forged.certificate)), files.root);
    assert.deepEqual([judged.signature?.valid, judged.alternative?.valid], [true, false]);
  });
}

const COMPOSITES = keyRows().filter(({ family }) => family === "composite");

for (const row of COMPOSITES) {
  testWith(`${row.name}: BouncyCastle verifies certificate, request and CRL`, {
    needs: ["lab", "bouncycastle"],
  }, async () => {
    using tmp = tempFolder();
    await using judge = startJudge();
    const root = await issue({ name: "CN=Root,O=x", algorithm: row.name });
    const files = await samples(tmp, root, await issue({ name: "CN=Leaf", issuer: root, key: root.key }));
    accepted(await judge.certificate(files.root, files.root), false, "root");
    accepted(await judge.certificate(files.leaf, files.root), false, "leaf");
    accepted(await judge.crl(files.crl, files.root), false, "CRL");
    accepted(await judge.csr(files.csr), false, "request");
  });
}

testWith("a path of mixed algorithms: BouncyCastle says what we say", {
  needs: ["lab", "bouncycastle", "openssl-pqc"],
}, async () => {
  using tmp = tempFolder();
  await using judge = startJudge();
  const root = await issue({ name: "CN=Root,O=x", algorithm: "ecdsa-p384" });
  const upper = await issue({
    name: "CN=Upper",
    issuer: root,
    algorithm: "mldsa65-ecdsa-p256-sha512",
    extensions: caExtensions(1),
  });
  const lower = await issue({ name: "CN=Lower", issuer: upper, algorithm: "ml-dsa-65", extensions: caExtensions(0) });
  const leaf = await issue({ name: "CN=Leaf", issuer: lower, algorithm: "ed25519" });
  const chain = [leaf, lower, upper, root];
  const files = chain.map(({ certificate }, i) => tmp.write(`${i}.pem`, certificatePem(certificate)));
  assert.deepEqual(await judge.path(files), { valid: true });
  const verdict = await verifyCertificate(leaf.certificate, {
    anchors: [root.certificate],
    intermediates: [upper.certificate, lower.certificate],
    at: daysFromNow(0),
  });
  assert.deepEqual(verdict.signatures.map(({ scheme }) => scheme), [
    "ML-DSA-65",
    "MLDSA65-ECDSA-P256-SHA512",
    "ECDSA-SHA384",
  ]);
  // below the composite certificate OpenSSL can follow
  const below = tmp.write("lower.pem", certificatePem(lower.certificate));
  assert.match(openssl("verify", "-partial_chain", "-CAfile", below, files[0]!), /OK/);
});

for (const name of ["ml-kem-512", "ml-kem-768", "ml-kem-1024"]) {
  testWith(`${name}: certificate and request with a statement of possession`, {
    needs: ["lab", "openssl-pqc", "bouncycastle"],
  }, async () => {
    using tmp = tempFolder();
    await using judge = startJudge();
    const root = await issue({ name: "CN=Root,O=x", algorithm: "ml-dsa-87" });
    const sign = await issue({ name: "CN=Alice", issuer: root, algorithm: "ml-dsa-87" });
    const extensions = { ...leafExtensions(), keyUsage: { critical: true, values: ["keyEncipherment"] as const } };
    const kem = await issue({ name: "CN=Alice", issuer: root, algorithm: name, extensions });
    const files = {
      root: tmp.write("root.pem", certificatePem(root.certificate)),
      sign: tmp.write("sign.pem", certificatePem(sign.certificate)),
      kem: tmp.write("kem.pem", certificatePem(kem.certificate)),
    };
    assert.match(openssl("verify", "-x509_strict", "-CAfile", files.root, files.kem), /OK/);
    assert.match(openssl("x509", "-in", files.kem, "-noout", "-text"), /ML-KEM-\d+[\s\S]*Key Encipherment/);
    accepted(await judge.certificate(files.kem, files.root), false, "KEM certificate");
    assert.equal((await judge.kem(files.kem)).reencoded, true);
    for (const include of [true, false]) {
      const possession = { certificate: sign.certificate, include };
      const spec = { subject: parseNameText("CN=Alice"), spki: kem.key.spki, extensions, possession };
      const file = tmp.write("kem.csr", csrPem(await buildCsr(spec, signerOf(sign))));
      const judged = await judge.csr(file, files.sign);
      accepted(judged, false, "KEM request");
      assert.deepEqual(
        judged.possession,
        include ? { names: true, included: true, same: true } : {
          names: true,
          included: false,
        },
      );
      const csr = readCsr(Deno.readFileSync(file));
      assert.equal(formatName(csr.subject), "CN=Alice");
      const trust = { anchors: [root.certificate], intermediates: [], at: daysFromNow(0) };
      const verdict = await verifyCsr(csr, { attestTrust: trust, attestCertificates: [sign.certificate] });
      assert.deepEqual([verdict.valid, verdict.possession], [true, "asserted"], verdict.reason);
      assert.match(run("openssl", "req", "-in", file, "-noout", "-text").text, /Public Key Algorithm: ML-KEM/);
    }
    assert.equal(findKeyRow(name).kind, "kem");
  });
}
