import assert from "node:assert/strict";
import type { KeyRow } from "../../src/alg/find.ts";
import { decodePem } from "../../src/bytes.ts";
import type { Judge, Judgement } from "../support/judge.ts";
import type { Bench } from "./bench.ts";

/** What the judges have to look at. */
export interface Case {
  /** OpenSSL knows the (classical) signature. */
  readonly openssl: boolean;
  /** There is an alternative signature everywhere. */
  readonly catalyst: boolean;
}

/** Looks at the hierarchy that the matrix made: qpki, OpenSSL and BouncyCastle must agree on every artefact. */
export async function judgeHierarchy(bench: Bench, judge: Judge, kind: Case): Promise<void> {
  bench.write("leaf-chain.pem", bench.read("leaf.crt") + bench.read("issuing/ca.crt"));
  bench.write("revoked-chain.pem", bench.read("revoked.crt") + bench.read("issuing/ca.crt"));
  bench.write("all.crl", bench.read("root/crl/ca.crl") + bench.read("issuing/crl/ca.crl"));
  bench.write("flipped.crt", flipped(bench.read("leaf.crt")));
  await qpkiJudges(bench);
  if (kind.openssl) await opensslJudges(bench);
  await bouncyCastleJudges(bench, judge, kind);
}

async function qpkiJudges(bench: Bench): Promise<void> {
  const trust = ["--ca", "root/ca.crt", "--crl", "issuing/crl/ca.crl", "--crl", "root/crl/ca.crl"];
  await bench.qpki("cert", "verify", "leaf-chain.pem", ...trust);
  await bench.qpkiSaysNo(/revoked/i, "cert", "verify", "revoked-chain.pem", ...trust);
  await bench.qpkiSaysNo(/signature/i, "cert", "verify", "flipped.crt", "--ca", "issuing");
  for (const ca of ["root", "issuing"]) await bench.qpki("crl", "verify", `${ca}/crl/ca.crl`, "--ca", `${ca}/ca.crt`);
  await bench.qpki("csr", "verify", "leaf.csr");
}

async function opensslJudges(bench: Bench): Promise<void> {
  const verify = ["verify", "-x509_strict", "-CAfile", "root/ca.crt", "-untrusted", "issuing/ca.crt"];
  const crls = ["-CRLfile", "all.crl", "-crl_check_all"];
  await opensslSays(bench, /leaf\.crt: OK/, [...verify, ...crls, "leaf.crt"]);
  await opensslSays(bench, /certificate revoked/, [...verify, ...crls, "revoked.crt"]);
  await opensslSays(bench, /certificate signature failure/, [...verify, "flipped.crt"]);
  for (const ca of ["root", "issuing"]) {
    await opensslSays(bench, /verify OK/, ["crl", "-in", `${ca}/crl/ca.crl`, "-CAfile", `${ca}/ca.crt`, "-noout"]);
  }
  await opensslSays(bench, /verify OK/, ["req", "-in", "leaf.csr", "-verify", "-noout"]);
}

async function opensslSays(bench: Bench, what: RegExp, args: string[]): Promise<void> {
  const { stdout, stderr } = await bench.openssl(...args);
  assert.match(stdout + stderr, what, `openssl ${args.join(" ")}`);
}

async function bouncyCastleJudges(bench: Bench, judge: Judge, kind: Case): Promise<void> {
  const at = (name: string) => bench.path(name);
  const links = [["root/ca.crt", "root/ca.crt"], ["issuing/ca.crt", "root/ca.crt"], ["leaf.crt", "issuing/ca.crt"]];
  for (const [certificate, issuer] of links) {
    accepts(await judge.certificate(at(certificate!), at(issuer!)), `certificate ${certificate}`, kind);
  }
  for (const ca of ["root", "issuing"]) {
    accepts(await judge.crl(at(`${ca}/crl/ca.crl`), at(`${ca}/ca.crt`)), `CRL of ${ca}`, kind);
  }
  accepts(await judge.csr(at("leaf.csr")), "request leaf.csr", kind);
  const bad = await judge.certificate(at("flipped.crt"), at("issuing/ca.crt"));
  assert.notEqual(bad.signature?.valid, true, "BouncyCastle accepts flipped.crt");
  const above = [at("issuing/ca.crt"), at("root/ca.crt")];
  const crls = [at("root/crl/ca.crl"), at("issuing/crl/ca.crl")];
  const good = await judge.path([at("leaf.crt"), ...above], crls);
  assert.equal(good.valid, true, `BouncyCastle's path validation: ${good.error ?? good.reason}`);
  const revoked = await judge.path([at("revoked.crt"), ...above], crls);
  assert.match(`${revoked.valid} ${revoked.reason}`, /^false .*(revoked|revocation)/i);
}

/** Looks at the root `ca`, its CRL and the request `x.csr`. */
export async function judgeRoot(bench: Bench, judge: Judge, kind: Case): Promise<void> {
  const [certificate, crl, csr] = ["ca/ca.crt", "ca/crl/ca.crl", "x.csr"] as const;
  await bench.qpki("cert", "verify", certificate, "--ca", certificate, "--crl", crl);
  await bench.qpki("crl", "verify", crl, "--ca", certificate);
  await bench.qpki("csr", "verify", csr);
  if (kind.openssl) {
    await opensslSays(bench, /ca\.crt: OK/, [
      "verify",
      "-x509_strict",
      "-check_ss_sig",
      "-CAfile",
      certificate,
      certificate,
    ]);
    await opensslSays(bench, /verify OK/, ["crl", "-in", crl, "-CAfile", certificate, "-noout"]);
    await opensslSays(bench, /verify OK/, ["req", "-in", csr, "-verify", "-noout"]);
  }
  const at = (name: string) => bench.path(name);
  accepts(await judge.certificate(at(certificate), at(certificate)), "certificate", kind);
  accepts(await judge.crl(at(crl), at(certificate)), "CRL", kind);
  accepts(await judge.csr(at(csr)), "request", kind);
}

/** Looks at the request `kem.csr`, signed by the key of `sign.crt`, and the certificate `kem.crt` under `ca`. */
export async function judgeKem(row: KeyRow, bench: Bench, judge: Judge): Promise<void> {
  const at = (name: string) => bench.path(name);
  await bench.qpki("cert", "verify", "kem.crt", "--ca", "ca/ca.crt");
  await opensslSays(bench, /kem\.crt: OK/, ["verify", "-x509_strict", "-CAfile", "ca/ca.crt", "kem.crt"]);
  const request = await judge.csr(at("kem.csr"), at("sign.crt"));
  accepts(request, "request kem.csr", { catalyst: false });
  assert.deepEqual(request.possession, { names: true, included: true, same: true });
  accepts(await judge.certificate(at("kem.crt"), at("ca/ca.crt")), "certificate kem.crt", { catalyst: false });
  const { error, ...kem } = await judge.kem(at("kem.crt"));
  assert.equal(error, undefined);
  assert.deepEqual(kem, {
    algorithm: row.label,
    key_bytes: row.publicKeyBytes,
    ciphertext_bytes: row.ciphertextBytes,
    key_encipherment_only: true,
    reencoded: true,
  });
}

/** Looks at a CA with several certificates and at leaves by either of them; paths are as qpki tells them. */
export async function judgeSeveral(
  bench: Bench,
  judge: Judge,
  { ca, leaves, kem }: { ca: readonly string[]; leaves: readonly string[]; kem: string },
): Promise<void> {
  bench.write("roots.pem", ca.map((file) => bench.read(file)).join(""));
  const crls = bench.filesIn("ca/crl").filter((name) => name.endsWith(".crl"));
  assert.equal(crls.length, ca.length, `CRLs: ${crls}`);
  bench.write("all.crl", crls.map((name) => bench.read(`ca/crl/${name}`)).join(""));
  for (const crl of crls) await bench.qpki("crl", "verify", `ca/crl/${crl}`, "--ca", "ca");
  for (const leaf of leaves) {
    await bench.qpki("cert", "verify", leaf, "--ca", "ca");
    // both issuers have one name: the key identifier tells which CRL is whose
    await opensslSays(bench, /: OK/, ["verify", "-x509_strict", "-CAfile", "roots.pem", leaf]);
    const said = await Promise.all(ca.map((file) => judge.certificate(bench.path(leaf), bench.path(file))));
    assert.equal(said.filter(({ signature }) => signature?.valid).length, 1, `BouncyCastle on ${leaf}`);
  }
  assert.equal((await judge.kem(bench.path(kem))).key_encipherment_only, true);
}

/** BouncyCastle accepts every signature that must be there. */
function accepts(said: Judgement, what: string, { catalyst }: Pick<Case, "catalyst">): void {
  assert.equal(said.error, undefined, `BouncyCastle on ${what}`);
  assert.notEqual(said.names, false, `BouncyCastle: the issuer of ${what} is another`);
  assert.equal(said.signature?.valid, true, `BouncyCastle refuses the signature of ${what}`);
  assert.equal(
    said.alternative?.valid,
    catalyst ? true : undefined,
    `BouncyCastle on the alternative signature of ${what}`,
  );
}

/** The certificate of a PEM file with the last bit of its signature changed, DER. */
function flipped(pem: string): Uint8Array {
  const [block] = decodePem(pem);
  const der = block!.bytes.slice();
  der[der.length - 1]! ^= 1;
  return der;
}
