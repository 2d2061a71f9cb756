import { deepStrictEqual as eq, match, ok } from "node:assert/strict";
import { Certificate as PkijsCertificate, CertificateRevocationList, CertificationRequest } from "pkijs";
import type { KeyRow, SchemeRow } from "../../src/alg/find.ts";
import { type Bytes, encodeHex } from "../../src/bytes.ts";
import { certificatePem } from "../../src/x509/certificate.ts";
import { crlPem } from "../../src/x509/crl.ts";
import { buildCsr, csrPem, verifyCsr } from "../../src/x509/csr.ts";
import { parseNameText } from "../../src/x509/name.ts";
import { verifyCertificate } from "../../src/x509/verify.ts";
import { caExtensions, crlOf, daysFromNow, type Holder, issue, leafExtensions, schemesOf } from "./pki.ts";
import { tempFolder } from "./tmp.ts";

/** OpenSSL and pkijs as judges of certificates, requests and CRLs that are built here. */

/** Runs a program and waits; `text` is all it says. */
export function run(program: string, ...args: string[]): { code: number; text: string } {
  const { code, stdout, stderr } = new Deno.Command(program, { args, env: { LC_ALL: "C" } }).outputSync();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** What `openssl` says; throws when it fails. */
export function openssl(...args: string[]): string {
  const { code, text } = run("openssl", ...args);
  eq(code, 0, `openssl ${args.join(" ")}: ${text}`);
  return text;
}

/** What OpenSSL calls a scheme in `-text`. */
function opensslName({ name, hash }: SchemeRow): RegExp {
  if (name.includes("pss")) {
    return new RegExp(`rsassaPss[\\s\\S]*Hash Algorithm: ${hash!.replace("-", "").toLowerCase()}`);
  }
  const patterns: Record<string, string> = { ecdsa: "ecdsa-with-SHA", "rsa-pkcs1": "sha\\d+WithRSAEncryption" };
  const known = Object.entries(patterns).find(([prefix]) => name.startsWith(prefix))?.[1];
  return new RegExp(`Signature Algorithm: ${known ?? name}`, "i");
}

/** With keys of a row and each of its schemes: root, leaf, revoked leaf, CRL and request, judged by both and by us. */
export async function opensslJudges(row: KeyRow): Promise<void> {
  using tmp = tempFolder();
  let count = 0;
  for (const scheme of schemesOf(row)) {
    const root = await issue({ name: "CN=Root,O=x", algorithm: row.name, scheme, extensions: caExtensions(0) });
    const issuer: Holder = { ...root, scheme };
    const leaf = await issue({ name: "CN=Leaf", algorithm: row.name, issuer });
    const gone = await issue({ name: "CN=Gone", algorithm: row.name, key: leaf.key, issuer });
    const crl = await crlOf(issuer, {
      revoked: [{ serial: gone.certificate.serial, revocationDate: daysFromNow(-1) }],
    });
    const csr = await buildCsr(
      { subject: parseNameText("CN=Ask"), spki: leaf.key.spki, extensions: leafExtensions() },
      leaf.key.signer(scheme),
    );
    const files = {
      root: tmp.write("root.pem", certificatePem(root.certificate)),
      leaf: tmp.write("leaf.pem", certificatePem(leaf.certificate)),
      gone: tmp.write("gone.pem", certificatePem(gone.certificate)),
      crl: tmp.write("crl.pem", crlPem(crl)),
      csr: tmp.write("csr.pem", csrPem(csr)),
    };
    const trust = ["-x509_strict", "-check_ss_sig", "-CAfile", files.root, "-CRLfile", files.crl, "-crl_check"];
    match(openssl("verify", ...trust, files.leaf), /OK/, scheme.name);
    match(run("openssl", "verify", ...trust, files.gone).text, /certificate revoked/, scheme.name);
    match(openssl("req", "-in", files.csr, "-verify", "-noout"), /verify OK/i, scheme.name);
    match(openssl("crl", "-in", files.crl, "-CAfile", files.root, "-noout"), /verify OK/, scheme.name);
    match(openssl("x509", "-in", files.leaf, "-noout", "-text"), opensslName(scheme), scheme.name);
    eq((await verifyCsr(csr)).valid, true);
    const verdict = await verifyCertificate(leaf.certificate, {
      intermediates: [],
      anchors: [root.certificate],
      crls: [crl],
      at: daysFromNow(0),
    });
    eq(verdict.signatures, [{ subject: "CN=Leaf", scheme: scheme.label }]);
    judgeWithPkijs(leaf.certificate.der, csr.der, crl.der);
    count++;
  }
  ok(count > 0);
}

/** pkijs reads each object and writes the same bytes again. */
export function judgeWithPkijs(certificate: Bytes, csr: Bytes, crl: Bytes): void {
  const read = PkijsCertificate.fromBER(certificate);
  eq(encodeHex(new Uint8Array(read.toSchema(true).toBER())), encodeHex(certificate));
  const request = CertificationRequest.fromBER(csr);
  eq(encodeHex(new Uint8Array(request.toSchema(true).toBER())), encodeHex(csr));
  const list = CertificateRevocationList.fromBER(crl);
  ok(list.thisUpdate.value instanceof Date);
  eq(encodeHex(new Uint8Array(list.toSchema(true).toBER())), encodeHex(crl));
}
