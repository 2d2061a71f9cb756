/** Rotation below another CA, by request, and with link certificates between the versions. */
import assert from "node:assert/strict";
import { testWith } from "../support/require.ts";
import { Work } from "../support/work.ts";
import { openssl } from "./support.ts";

async function leaf(work: Work, ca: string, name: string, profile = "ec/tls-client"): Promise<string> {
  await work.run("credential", "enroll", name, "-d", ca, "-P", profile, "--var", `cn=${name}`);
  await work.run("credential", "export", name, "--out", `${name}.crt`);
  return `${name}.crt`;
}

const issuing = ["-P", "ec/issuing-ca", "--var", "cn=Issuing", "--var", "crl_url=http://pki.test/root.crl"];

testWith("a subordinate CA rotates through its parent, wherever both are", { needs: ["openssl"] }, async () => {
  using work = new Work();
  const at = work.tmp.join;
  Deno.mkdirSync(at("pki"));
  await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "pki/root");
  await work.run("ca", "init", ...issuing, "--parent", "pki/root", "-d", "pki/sub");
  assert.equal(work.meta("pki/sub").parent, "../root");
  const first = await leaf(work, "pki/sub", "first");
  // moved together: the way from one to the other stays
  Deno.renameSync(at("pki"), at("moved"));
  const plan = await work.json<{ parent: string; files: string[] }>("ca", "rotate", "-d", "moved/sub", "--dry-run");
  assert.equal(plan.parent, at("moved/sub/../root"));
  assert.ok(plan.files.includes("versions/v2/certs/chain.pem"));
  await work.run("ca", "rotate", "-d", "moved/sub");
  const { certificates } = await work.json<{ certificates: unknown[] }>("cert", "list", "-d", "moved/root");
  assert.equal(certificates.length, 2, "the parent recorded it");
  const two = await work.json<{ extensions: Record<string, unknown> }>(
    ...["inspect", "moved/sub/versions/v2/certs/ca.ecdsa-p256.pem"],
  );
  assert.match(JSON.stringify(two), /http:\/\/pki\.test\/root\.crl/, "variables are kept");
  await work.run("ca", "activate", "-d", "moved/sub", "-v", "v2");
  const second = await leaf(work, "moved/sub", "second");
  for (const [file, version] of [[first, "v1"], [second, "v2"]] as const) {
    await openssl([
      ...["verify", "-x509_strict", "-CAfile", at("moved/root/ca.crt")],
      ...["-untrusted", at(`moved/sub/versions/${version}/certs/chain.pem`), at(file)],
    ]);
    await work.run("cert", "verify", file, "--ca", "moved/sub");
    const chain = await work.run("ca", "export", "-d", "moved/sub", "--bundle", "chain", "--version", version);
    assert.equal(chain, work.tmp.read(`moved/sub/versions/${version}/certs/chain.pem`));
  }
  assert.equal(work.tmp.read("moved/sub/chain.pem"), work.tmp.read("moved/sub/versions/v2/certs/chain.pem"));
  await work.run("ca", "activate", "-d", "moved/sub", "-v", "v1");
  assert.equal(work.tmp.read("moved/sub/chain.pem"), work.tmp.read("moved/sub/versions/v1/certs/chain.pem"));
  const all = await work.run("ca", "export", "-d", "moved/sub", "--all");
  assert.equal(all.match(/BEGIN CERTIFICATE/g)!.length, 2);
  await work.run("ca", "check", "-d", "moved/sub");
  await work.run("ca", "check", "-d", "moved/root");

  // the parent is not where metadata says
  Deno.renameSync(at("moved/root"), at("elsewhere"));
  await work.fails(4, /moved\/sub\/\.\.\/root/, "ca", "rotate", "-d", "moved/sub");
  await work.run("ca", "rotate", "-d", "moved/sub", "--parent", "elsewhere");
  await work.run("ca", "discard", "-d", "moved/sub", "-v", "3");
});

testWith(
  "the parent is offline: rotate --csr-only, cert issue, ca accept, ca activate",
  { needs: ["openssl"] },
  async () => {
    using work = new Work();
    const at = work.tmp.join;
    await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "root");
    await work.run("ca", "init", ...issuing, "--parent", "root", "-d", "sub");
    const first = await leaf(work, "sub", "first");
    await work.run("ca", "rotate", "-d", "sub", "--csr-only", "--out", "sub.csr");
    await work.fails(1, /has no certificate yet/, "ca", "activate", "-d", "sub", "-v", "2");
    const between = await leaf(work, "sub", "between");
    await work.run(...["cert", "issue", "-d", "root", "-P", "ec/issuing-ca", "--csr", "sub.csr", "--out", "sub.pem"]);
    const other = [...issuing, "--parent", "root", "-d", "other"];
    await work.run("ca", "init", ...other);
    await work.fails(4, /not for the key of version v2/, "ca", "accept", "other/ca.crt", "-d", "sub");
    const shown = work.tmp.read("sub/ca.crt");
    const accepted = await work.json<{ status: string }>(
      ...["ca", "accept", "sub.pem", "-d", "sub", "--parent-cert", "root/ca.crt"],
    );
    assert.equal(accepted.status, "pending");
    assert.equal(work.tmp.read("sub/ca.crt"), shown, "the active version stays");
    await work.run("ca", "activate", "-d", "sub", "-v", "2");
    const second = await leaf(work, "sub", "second");
    for (const file of [first, between, second]) await work.run("cert", "verify", file, "--ca", "sub");
    await openssl(["verify", "-CAfile", at("root/ca.crt"), "-untrusted", at("sub/chain.pem"), at(second)]);
    await work.run("ca", "check", "-d", "sub");
  },
);

testWith("link certificates: who trusts either root verifies leaves of both", { needs: ["openssl"] }, async () => {
  using work = new Work();
  const at = work.tmp.join;
  await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
  const first = await leaf(work, "ca", "first");
  const { cross_certificates: links } = await work.json<{
    cross_certificates: { subject: string; issuer: string; serial: string; path: string; chain: string }[];
  }>("ca", "rotate", "-d", "ca", "-P", "rsa/root-ca", "--cross-sign");
  assert.deepEqual(links.map(({ subject, issuer }) => [subject, issuer]), [["v2", "v1"], ["v1", "v2"]]);
  await work.run("ca", "activate", "-d", "ca", "-v", "v2");
  const second = await leaf(work, "ca", "second", "rsa/tls-client");
  const [one, two] = ["ca/versions/v1/certs/ca.ecdsa-p384.pem", "ca/versions/v2/certs/ca.rsa-4096.pem"];
  const [young, old] = links;
  for (const [anchor, link, file] of [[one, young!, second], [two, old!, first]] as const) {
    await openssl(["verify", "-x509_strict", "-CAfile", at(anchor), "-untrusted", at(link.path), at(file)]);
    await openssl(["verify", "-x509_strict", "-CAfile", at(anchor), at(link.chain)]);
    work.tmp.write("trust.pem", work.tmp.read(anchor) + work.tmp.read(link.path));
    await work.run("cert", "verify", file, "--ca", "trust.pem");
    await work.fails(1, /INVALID/, "cert", "verify", file, "--ca", anchor);
    // recorded like every certificate
    assert.equal(work.tmp.read(`ca/issued/${link.serial}.pem`), work.tmp.read(link.path));
  }
  const bundle = await work.run("ca", "export", "-d", "ca", "--bundle", "cross");
  assert.equal(bundle, work.tmp.read(young!.chain) + work.tmp.read(old!.chain), "both chains");
  // revoking a link cuts the way over it, by the CRL of the key that signed it
  const { crls } = await work.json<{ crls: { path: string }[] }>(
    ...["cert", "revoke", young!.serial, "-d", "ca", "--reason", "cessationOfOperation", "--gen-crl"],
  );
  assert.deepEqual(crls.map(({ path }) => path), ["ca/crl/ca.v1.crl"]);
  await assert.rejects(
    openssl([
      ...["verify", "-CAfile", at(one), "-untrusted", at(young!.path), "-crl_check_all"],
      ...["-CRLfile", at("ca/crl/ca.v1.crl"), at(second)],
    ]),
    /certificate revoked|unable to get certificate CRL/,
  );
  await work.run("cert", "verify", second, "--ca", "ca");
  await work.run("ca", "check", "-d", "ca");
});

testWith("link certificates of hybrids and of several certificates", { needs: ["openssl"] }, async () => {
  using work = new Work();
  for (
    const [before, after, leafProfile] of [
      ["ec/root-ca", "hybrid/catalyst/root-ca", "hybrid/catalyst/tls-client"],
      ["hybrid/catalyst/root-ca", "hybrid/composite/root-ca", "hybrid/composite/tls-client"],
      ["hybrid/catalyst/root-ca", "ml/root-ca", "ml/tls-client"],
      ["hybrid/composite/root-ca", "ml/root-ca", "ml/tls-client"],
    ] as const
  ) {
    const ca = `${before}-${after}`.replaceAll("/", "-");
    await work.run("ca", "init", "-P", before, "--var", "cn=Root", "-d", ca);
    const { cross_certificates: [young, old] } = await work.json<{ cross_certificates: { path: string }[] }>(
      ...["ca", "rotate", "-d", ca, "-P", after, "--cross-sign"],
    );
    const first = await leaf(work, ca, `${ca}-old`);
    await work.run("ca", "activate", "-d", ca, "-v", "2");
    const second = await leaf(work, ca, `${ca}-new`, leafProfile);
    const own = work.meta(ca).versions;
    const anchors = [own["v1"]!.certificates![0]!, own["v2"]!.certificates![0]!];
    for (const [anchor, link, file] of [[anchors[0]!, young!, second], [anchors[1]!, old!, first]] as const) {
      if (before === "ec/root-ca" && link === young) {
        // a classical key vouches for the classical key alone: who checks both needs the new root itself
        await openssl([
          ...["verify", "-x509_strict", "-CAfile", work.tmp.join(`${ca}/${anchor}`)],
          ...["-untrusted", work.tmp.join(link.path), work.tmp.join(file)],
        ]);
        continue;
      }
      work.tmp.write("trust.pem", work.tmp.read(`${ca}/${anchor}`) + work.tmp.read(link.path));
      // a post-quantum key vouches for an alternative key without an alternative of its own
      await work.run("cert", "verify", file, "--ca", "trust.pem");
      await work.run("cert", "verify", file, "--ca", ca);
    }
  }
});

testWith(
  "a subordinate CA's link certificates stand below its own, whatever its path length",
  { needs: ["openssl"] },
  async () => {
    using work = new Work();
    const at = work.tmp.join;
    await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "root");
    await work.run("ca", "init", ...issuing, "--parent", "root", "-d", "sub");
    const first = await leaf(work, "sub", "first");
    const { cross_certificates: [young, old] } = await work.json<{ cross_certificates: { chain: string }[] }>(
      ...["ca", "rotate", "-d", "sub", "--cross-sign"],
    );
    await work.run("ca", "activate", "-d", "sub", "-v", "2");
    const second = await leaf(work, "sub", "second");
    for (const [link, file] of [[young!, second], [old!, first]] as const) {
      await openssl([
        ...["verify", "-x509_strict", "-CAfile", at("root/ca.crt"), "-untrusted", at(link.chain), at(file)],
      ]);
      work.tmp.write("trust.pem", work.tmp.read("root/ca.crt") + work.tmp.read(link.chain));
      await work.run("cert", "verify", file, "--ca", "trust.pem");
    }
    const info = await work.json<{ issuer_version: string }>(
      ...["cert", "info", (await work.certificate(first)).serial, "-d", "sub"],
    );
    assert.equal(info.issuer_version, "v1");
  },
);
