import assert from "node:assert/strict";
import { findKeyRow } from "../../src/alg/find.ts";
import { encodePem } from "../../src/bytes.ts";
import type { SoftwareKey } from "../../src/keys/software.ts";
import { readCsr } from "../../src/x509/csr.ts";
import { describe, runCli, runJson, runOk } from "../support/cli.ts";
import { caExtensions, issue } from "../support/pki.ts";
import { testWith } from "../support/require.ts";
import { tempFolder } from "../support/tmp.ts";
import { openssl, treeOf } from "./support.ts";

testWith("ca init --csr-only, ca accept: an issuing CA below an offline root", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const at = tmp.join;
  const sub = at("sub");
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Offline Root", "-d", at("root")]);
  const made = await runJson([
    ...["ca", "init", "--csr-only", "--profile", "ec/issuing-ca", "--var", "cn=Issuing", "-d", sub],
    ...["--out", at("sub.csr")],
  ]) as { status: string; csr: string };
  assert.equal(made.status, "pending");
  assert.equal(made.csr, at("sub.csr"));
  assert.equal(tmp.read("sub.csr"), tmp.read("sub/versions/v1/ca.csr"));
  await openssl(["req", "-in", at("sub.csr"), "-noout", "-verify"]);
  const meta = JSON.parse(tmp.read("sub/ca.meta.json"));
  assert.equal(meta.active, "");
  assert.equal(meta.versions.v1.status, "pending");
  assert.equal((await runJson(["ca", "info", "-d", sub]) as { subject: string }).subject, "CN=Issuing");

  const early = await runCli(["crl", "gen", "-d", sub]);
  assert.equal(early.code, 4, describe("crl gen", early));
  assert.match(early.stderr, /certificate is still missing[\s\S]*ca accept/);

  const root = [
    "-CA",
    at("root/ca.crt"),
    "-CAkey",
    at("root/versions/v1/keys/ca.ecdsa-p384.key"),
    "-set_serial",
    "0x77",
  ];
  const sign = async (name: string, extensions: string, more: string[] = []) => {
    const file = tmp.write(`${name}.ext`, extensions);
    await openssl([
      ...["x509", "-req", "-in", at("sub.csr"), ...root, "-days", "100", "-extfile", file, ...more],
      ...["-out", at(`${name}.pem`)],
    ]);
    return at(`${name}.pem`);
  };
  const caBits = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n" +
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
  const good = await sign("good", caBits);
  const notCa = await sign("not-ca", caBits.replace("CA:TRUE,pathlen:0", "CA:FALSE"));
  const noSign = await sign("no-sign", caBits.replace("keyCertSign,", "digitalSignature,"));
  const noKeyId = await sign("no-ski", caBits.replace("subjectKeyIdentifier=hash", "subjectKeyIdentifier=none"));
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Offline Root", "-d", at("impostor")]);

  const before = treeOf(sub);
  const cases: [name: string, args: string[], exit: number, message: RegExp][] = [
    ["another key", [at("root/ca.crt")], 4, /not for the key of version v1/],
    ["no CA", [notCa], 4, /cA TRUE/],
    ["key usage", [noSign], 4, /keyCertSign/],
    ["no key identifier", [noKeyId], 4, /subjectKeyIdentifier/],
    ["an issuer of the same name that did not sign", [good, "--parent-cert", at("impostor/ca.crt")], 1, /signature/],
    ["no certificate at all", [at("sub.csr")], 4, /certificate/],
  ];
  for (const [name, args, exit, message] of cases) {
    const result = await runCli(["ca", "accept", "-d", sub, ...args]);
    assert.equal(result.code, exit, describe(name, result));
    assert.match(result.stderr, message, name);
    assert.deepEqual(treeOf(sub), before, name);
  }

  const accepted = await runJson(["ca", "accept", good, "-d", sub, "--parent-cert", at("root/ca.crt")]) as {
    chain: string[];
    serial: string;
  };
  assert.deepEqual(accepted.chain, ["CN=Offline Root"]);
  assert.equal(accepted.serial, "77");
  assert.equal(JSON.parse(tmp.read("sub/ca.meta.json")).active, "v1");
  await runOk(["crl", "gen", "-d", sub]);
  await openssl(["verify", "-CAfile", at("root/ca.crt"), at("sub/ca.crt")]);
  assert.equal(tmp.read("sub/chain.pem").match(/BEGIN CERTIFICATE/g)?.length, 2);
  const twice = await runCli(["ca", "accept", good, "-d", sub]);
  assert.equal(twice.code, 4);
  assert.match(twice.stderr, /no version waits/);
});

Deno.test("ca accept: a certificate that came without its issuer, again with it, completes the chain", async () => {
  using tmp = tempFolder();
  const at = tmp.join;
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", at("root")]);
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", at("impostor")]);
  await runOk(["ca", "init", "--csr-only", "--profile", "ec/issuing-ca", "--var", "cn=Sub", "-d", at("sub")]);
  const issue = ["cert", "issue", "-d", at("root"), "--profile", "ec/issuing-ca", "--validity", "30d"];
  await runOk([...issue, "--csr", at("sub/versions/v1/ca.csr"), "--out", at("sub.pem")]);
  const accept = ["ca", "accept", at("sub.pem"), "-d", at("sub")];
  assert.match((await runOk(accept)).stderr, /again with --parent-cert/);
  const before = treeOf(at("sub"));
  for (
    const [args, exit, says] of [
      [accept, 4, /no issuer is given[\s\S]*--parent-cert/],
      [[...accept, "--parent-cert", at("impostor/ca.crt")], 1, /signature/],
      [["ca", "export", "-d", at("sub"), "-b", "root"], 4, /ca accept FILE --parent-cert/],
    ] as const
  ) {
    const refused = await runCli(args);
    assert.equal(refused.code, exit, describe(args.join(" "), refused));
    assert.match(refused.stderr, says);
  }
  assert.deepEqual(treeOf(at("sub")), before);
  const completed = await runJson([...accept, "--parent-cert", at("root/ca.crt")]) as Record<string, unknown>;
  assert.deepEqual([completed["completed"], completed["status"], completed["chain"]], [true, "active", ["CN=Root"]]);
  const root = tmp.read("root/ca.crt");
  assert.equal((await runOk(["ca", "export", "-d", at("sub"), "-b", "root"])).stdout, root);
  assert.equal((await runOk(["ca", "export", "-d", at("sub"), "-b", "chain"])).stdout, tmp.read("sub/ca.crt") + root);
  const again = await runCli([...accept, "--parent-cert", at("root/ca.crt")]);
  assert.match(again.stderr, /no version waits/);
});

Deno.test("ca accept: a CA that its issuer may not certify is refused", async () => {
  using tmp = tempFolder();
  await runOk(["ca", "init", "--csr-only", "--profile", "ec/issuing-ca", "--var", "cn=Sub", "-d", tmp.join("sub")]);
  const csr = readCsr(Deno.readFileSync(tmp.join("sub/versions/v1/ca.csr")));
  const root = await issue({ name: "CN=Root", extensions: caExtensions(0) });
  const key = { spki: csr.spki, algorithm: findKeyRow("ecdsa-p256") } as SoftwareKey;
  const { certificate } = await issue({ name: "CN=Sub", key, issuer: root, extensions: caExtensions() });
  tmp.write("chain.pem", [certificate, root.certificate].map(({ der }) => encodePem("CERTIFICATE", der)).join(""));
  const refused = await runCli(["ca", "accept", tmp.join("chain.pem"), "-d", tmp.join("sub")]);
  assert.equal(refused.code, 1, describe("ca accept", refused));
  assert.match(refused.stderr, /no certificate below it can be valid.*pathLenConstraint 0/);
});

testWith("ca accept: without its issuer the certificate is taken with a warning", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", tmp.join("root")]);
  await runOk(["ca", "init", "--csr-only", "--profile", "ec/issuing-ca", "--var", "cn=Sub", "-d", tmp.join("sub")]);
  const root = ["-CA", tmp.join("root/ca.crt"), "-CAkey", tmp.join("root/versions/v1/keys/ca.ecdsa-p384.key")];
  const csr = tmp.join("sub/versions/v1/ca.csr");
  await openssl([
    ...["x509", "-req", "-in", csr, ...root, "-days", "9", "-set_serial", "5", "-copy_extensions", "copyall"],
    ...["-subj", "/O=Renamed/CN=Sub", "-out", tmp.join("sub.pem")],
  ]);
  // OpenSSL 3.0 adds no key identifier of its own here
  const taken = await runCli(["ca", "accept", tmp.join("sub.pem"), "-d", tmp.join("sub")]);
  if (taken.code === 4) {
    assert.match(taken.stderr, /subjectKeyIdentifier/);
    return;
  }
  assert.equal(taken.code, 0, describe("ca accept", taken));
  assert.match(taken.stderr, /warning: The issuer changed the subject from "CN=Sub" to "O=Renamed,CN=Sub"/);
  assert.match(taken.stderr, /warning: The signature on the certificate was not checked/);
  const root2 = await runCli(["ca", "export", "-d", tmp.join("sub"), "--bundle", "root"]);
  assert.equal(root2.code, 4, describe("ca export", root2));
});
