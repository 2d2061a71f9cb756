/** Post-quantum and hybrid CAs with keys in files: every built-in profile, several certificates in one CA, older metadata. */
import assert from "node:assert/strict";
import { readFileBytes } from "../../src/files.ts";
import { alternativeSpki, parseCertificate } from "../../src/x509/certificate.ts";
import { testWith } from "../support/require.ts";
import { Work } from "../support/work.ts";
import { openssl, treeOf } from "./support.ts";

interface Credential {
  certificates: { serial: string; role: string }[];
}

interface Enrolled {
  serial: string;
  path: string;
  signed_with: string;
  attested_by?: string;
}

interface Verdict {
  valid: boolean;
  chain: string[];
  signatures: Record<string, unknown>[];
}

interface Crls {
  crls: { path: string; number: string; revoked: number }[];
}

/** Profiles of a family, flags for a request by such a leaf, and what metadata says of its keys. */
interface Family {
  readonly request: readonly string[];
  readonly mode: string;
  readonly algos: readonly string[];
  readonly keys: readonly (readonly [id: string, algorithm: string])[];
  /** OpenSSL 3.0 verifies the (classical) signatures. */
  readonly openssl?: boolean;
}

const FAMILIES: Readonly<Record<string, Family>> = {
  ml: {
    request: ["-a", "ml-dsa-65", "--keyout", "leaf.key"],
    mode: "simple",
    algos: ["ml-dsa-87"],
    keys: [["default", "ml-dsa-87"]],
  },
  slh: {
    request: ["-a", "slh-dsa-128f", "--keyout", "leaf.key"],
    mode: "simple",
    algos: ["slh-dsa-sha2-256f"],
    keys: [["default", "slh-dsa-sha2-256f"]],
  },
  "hybrid/catalyst": {
    request: ["-a", "p256", "--hybrid", "ml-dsa-65", "--keyout", "leaf.key", "--hybrid-keyout", "leaf-pqc.key"],
    mode: "catalyst",
    algos: ["ecdsa-p384", "ml-dsa-87"],
    keys: [["classical", "ecdsa-p384"], ["pqc", "ml-dsa-87"]],
    openssl: true,
  },
  "hybrid/composite": {
    request: ["-a", "p256", "--composite", "ml-dsa-65", "--keyout", "leaf.key"],
    mode: "composite",
    algos: ["mldsa87-ecdsa-p521-sha512"],
    keys: [["classical", "ecdsa-p521"], ["pqc", "ml-dsa-87"]],
  },
};

for (const [family, facts] of Object.entries(FAMILIES)) {
  testWith(`${family}: a hierarchy with keys in files`, { needs: ["openssl"] }, async () => {
    using work = new Work();
    const secret = work.tmp.write("secret", "pass\n");
    const locked = ["--passphrase", `file:${secret}`];
    const unlock = ["--ca-passphrase", `file:${secret}`];
    await work.run("ca", "init", "-P", `${family}/root-ca`, "--var", "cn=Root", "-d", "root");
    const below = ["--parent", "root", "--var", "cn=Issuing", "-d", "issuing"];
    await work.run("ca", "init", "-P", `${family}/issuing-ca`, ...below, ...locked);
    const { modes, algos, certificates } = work.meta("root").versions["v1"]!;
    assert.deepEqual([modes, algos], [[facts.mode], facts.algos]);
    const keys = work.keys("root");
    assert.deepEqual(keys.map((key) => [key.id, key.algorithm]), facts.keys);
    for (const { algorithm, path, pin } of keys) {
      assert.equal(path, `versions/v1/keys/ca.${algorithm}.key`);
      assert.match(pin!, /^[0-9a-f]{64}$/);
      assert.equal(Deno.statSync(work.tmp.join("root", path)).mode! & 0o777, 0o600);
    }
    assert.deepEqual(certificates, [`versions/v1/certs/ca.${facts.algos.join("-")}.pem`]);

    await work.run("csr", "gen", ...facts.request, "--cn", "a.test", "--dns", "a.test", "--out", "leaf.csr");
    assert.match(await work.run("csr", "verify", "leaf.csr"), /^VALID\n/);
    const issue = ["cert", "issue", "-d", "issuing", "-P", `${family}/tls-server`, "--csr", "leaf.csr"];
    await work.run(...issue, "--out", "leaf.crt", ...unlock);
    const enroll = ["credential", "enroll", "gone", "-d", "issuing", "-P", `${family}/tls-client`, "--var", "cn=Gone"];
    await work.run(...enroll, ...unlock);
    const gone = await work.json<Credential>("credential", "info", "gone");
    const { serial } = gone.certificates[0]!;
    await work.run("cert", "revoke", serial, "-d", "issuing", "--reason", "keyCompromise", "--gen-crl", ...unlock);
    await work.run("crl", "gen", "-d", "root");
    await work.run("credential", "export", "gone", "--out", "gone.crt");

    work.tmp.write("chain.pem", work.tmp.read("leaf.crt") + work.tmp.read("issuing/ca.crt"));
    work.tmp.write("gone.pem", work.tmp.read("gone.crt") + work.tmp.read("issuing/ca.crt"));
    const trust = ["--ca", "root/ca.crt", "--crl", "root/crl/ca.crl", "--crl", "issuing/crl/ca.crl"];
    const verdict = await work.json<Verdict>("cert", "verify", "chain.pem", ...trust);
    assert.equal(verdict.valid, true);
    assert.equal(verdict.signatures.length, 2);
    for (const signature of verdict.signatures) {
      assert.equal("alternative" in signature, facts.mode === "catalyst", JSON.stringify(signature));
    }
    await work.fails(1, /INVALID\n.*revoked.*keyCompromise/, "cert", "verify", "gone.pem", ...trust);
    for (const ca of ["root", "issuing"]) {
      assert.match(await work.run("crl", "verify", `${ca}/crl/ca.crl`, "--ca", ca), /^VALID\n {2}CN=\w+: /);
      assert.match(
        await work.run("inspect", `${ca}/ca.crt`),
        ca === "root" ? /Own Signature: valid \(/ : /Fingerprint.*\n$/,
      );
    }
    assert.match(await work.run("ca", "info", "-d", "root"), new RegExp(`Algorithm: +${facts.algos.join(", ")}`));
    if (facts.openssl) {
      const all = work.tmp.write("all.crl", work.tmp.read("root/crl/ca.crl") + work.tmp.read("issuing/crl/ca.crl"));
      const at = (name: string) => work.tmp.join(name);
      const verify = ["verify", "-x509_strict", "-CAfile", at("root/ca.crt"), "-untrusted", at("issuing/ca.crt")];
      await openssl([...verify, "-CRLfile", all, "-crl_check_all", at("leaf.crt")]);
    }
  });
}

/** The remaining built-in profiles of leaves, enrolled once. */
Deno.test("every other built-in profile for leaves makes a credential", async () => {
  using work = new Work();
  await work.run("ca", "init", "-P", "ml/root-ca", "-P", "hybrid/catalyst/root-ca", "--var", "cn=Root", "-d", "ca");
  const { profiles } = await work.json<{ profiles: { name: string; ca: boolean }[] }>("profile", "list");
  const leaves = profiles.filter((one) =>
    /^(ml|slh|hybrid)\//.test(one.name) && !one.ca && !/tls|email-encrypt/.test(one.name)
  );
  assert.equal(leaves.length, 15);
  for (const { name } of leaves) {
    const id = name.replaceAll("/", "-");
    const mail = name === "ml/email-sign" ? ["--var", "email=leaf@example.com"] : [];
    await work.run("credential", "enroll", id, "-d", "ca", "-P", name, "--var", "cn=Leaf", ...mail);
    const { certificates: [certificate] } = await work.json<Credential>("credential", "info", id, "-d", "ca");
    assert.equal(certificate!.role, name === "ml/encryption" ? "encryption" : "signature", name);
    await work.run("credential", "export", id, "--out", `${id}.crt`);
    await work.run("cert", "verify", `${id}.crt`, "--ca", "ca");
  }
});

Deno.test("several profiles: one CA, a certificate and a CRL for each kind of key", async () => {
  using work = new Work();
  const profiles = ["ec/root-ca", "ml/root-ca", "hybrid/catalyst/root-ca"];
  const flags = profiles.flatMap((name) => ["-P", name]);
  const made = await work.json<{ certificates: { profile: string }[] }>(
    ...["ca", "init", ...flags, "--var", "cn=Root", "-d", "root"],
  );
  assert.deepEqual(made.certificates.map((one) => one.profile), profiles);
  const issuing = profiles.flatMap((name) => ["-P", name.replace("root", "issuing")]);
  await work.run("ca", "init", ...issuing, "--var", "cn=Issuing", "--parent", "root", "-d", "ca");
  const { certificates = [] } = work.meta("ca").versions["v1"]!;
  const names = ["ecdsa-p256", "ml-dsa-65", "ecdsa-p384-ml-dsa-65"];
  assert.deepEqual(certificates, names.map((name) => `versions/v1/certs/ca.${name}.pem`));
  const keys = work.keys("ca");
  assert.deepEqual(keys.map((key) => key.id), ["default", "default", "classical", "pqc"]);
  assert.equal(new Set(keys.map((key) => key.path)).size, 4);

  const leaves = ["ec/tls-client", "ml/tls-client", "hybrid/catalyst/tls-client", "slh/tls-client", "ml/encryption"];
  const more = leaves.flatMap((name) => ["-P", name]);
  const enrolled = await work.json<{ certificates: Enrolled[] }>(
    ...["credential", "enroll", "many", "-d", "ca", ...more, "--var", "cn=Many"],
  );
  assert.deepEqual(enrolled.certificates.map((one) => one.signed_with), [
    "ECDSA-SHA256",
    "ML-DSA-65",
    "ECDSA-SHA384 and ML-DSA-65",
    "ML-DSA-65",
    "ML-DSA-65",
  ]);
  const [first, second, , , fifth] = enrolled.certificates;
  assert.equal(fifth!.attested_by, `0x${second!.serial}`);
  for (const one of enrolled.certificates) {
    const verdict = await work.json<Verdict>("cert", "verify", one.path, "--ca", "ca");
    assert.deepEqual(verdict.chain, ["CN=Many", "CN=Issuing", "CN=Root"]);
  }

  const { crls } = await work.json<Crls>("crl", "gen", "-d", "ca");
  assert.deepEqual(crls.map((crl) => crl.path), names.map((name) => `ca/crl/ca.${name}.crl`));
  assert.deepEqual(crls.map((crl) => crl.number), ["01", "02", "03"]);
  const { crls: only } = await work.json<Crls>("crl", "gen", "-d", "ca", "--algo", "ml-dsa");
  assert.deepEqual(only.map((crl) => [crl.path, crl.number]), [["ca/crl/ca.ml-dsa-65.crl", "04"]]);
  await work.fails(
    2,
    /no certificate of the CA has it[\s\S]*ecdsa-p256, ml-dsa-65/,
    "crl",
    "gen",
    "-d",
    "ca",
    "--algo",
    "rsa",
  );
  const revoked = await work.json<Crls>("cert", "revoke", second!.serial, "-d", "ca", "--gen-crl");
  assert.equal(revoked.crls.length, 3);
  const listed = await work.json<Crls>("crl", "list", "-d", "ca");
  assert.deepEqual(listed.crls.map((crl) => crl.revoked), [1, 1, 1]);
  for (const name of names) await work.run("crl", "verify", `ca/crl/ca.${name}.crl`, "--ca", "ca");
  await work.fails(1, /revoked/, "cert", "verify", second!.path, "--ca", "ca");
  await work.run("cert", "verify", first!.path, "--ca", "ca", "--crl", "ca/crl/ca.ecdsa-p256.crl");

  const info = await work.run("ca", "info", "-d", "ca");
  assert.match(info, /Certificate hybrid\/catalyst\/issuing-ca:\n {2}Keys: +ecdsa-p384, ml-dsa-65/);
  assert.match(info, /Signs with: +ecdsa-sha256, ml-dsa-65, ecdsa-sha384 and ml-dsa-65/);
  const exported = async (...more: string[]) =>
    (await work.json<{ certificates: unknown[] }>("ca", "export", "-d", "ca", ...more)).certificates.length;
  assert.deepEqual([await exported(), await exported("--bundle", "chain"), await exported("--bundle", "root")], [
    3,
    6,
    3,
  ]);
  const { cas } = await work.json<{ cas: { algorithms: string[] }[] }>("ca", "list");
  assert.deepEqual(cas.map((ca) => ca.algorithms.length), [4, 4]);
  await work.fails(
    2,
    /--csr-only with several profiles/,
    "ca",
    "init",
    ...flags,
    "--csr-only",
    "--var",
    "cn=X",
    "-d",
    "x",
  );
  const shown = await work.run("profile", "show", "ml/root-ca");
  const other = work.tmp.write("other.yaml", shown.replace(/^ {2}o:.*$/m, "  o: Acme"));
  await work.fails(
    4,
    /their subjects differ/,
    "ca",
    "init",
    "-P",
    "ec/root-ca",
    "-P",
    other,
    "--var",
    "cn=X",
    "-d",
    "x",
  );
});

Deno.test("a hybrid CA below another CA by request: ca init --csr-only, cert issue, ca accept", async () => {
  for (const family of ["hybrid/catalyst", "hybrid/composite", "ml"]) {
    using work = new Work();
    for (const name of ["root", "other"]) {
      await work.run("ca", "init", "-P", `${family}/root-ca`, "--var", "cn=Root", "-d", name);
    }
    const init = ["ca", "init", "--csr-only", "-P", `${family}/issuing-ca`, "--var", "cn=Issuing"];
    await work.run(...init, "-d", "sub", "--out", "sub.csr");
    await work.run(...init, "-d", "twin", "--out", "twin.csr");
    await work.fails(4, /certificate is still missing/, "crl", "gen", "-d", "sub");
    const issue = (ca: string, csr: string, out: string) =>
      work.run("cert", "issue", "-d", ca, "-P", `${family}/issuing-ca`, "--csr", csr, "--out", out);
    await issue("root", "sub.csr", "sub.crt");
    await issue("root", "twin.csr", "twin.crt");
    await issue("other", "sub.csr", "impostor.crt");
    const accept = ["-d", "sub", "--parent-cert", "root/ca.crt"];
    await work.fails(4, /not for the keys? of version v1/, "ca", "accept", "twin.crt", ...accept);
    await work.fails(1, /signature/, "ca", "accept", "impostor.crt", ...accept);
    await work.run("ca", "accept", "sub.crt", ...accept);
    await work.run("crl", "gen", "-d", "sub");
    await work.run("credential", "enroll", "leaf", "-d", "sub", "-P", `${family}/tls-client`, "--var", "cn=Leaf");
    await work.run("credential", "export", "leaf", "--out", "leaf.crt");
    await work.run("cert", "verify", "leaf.crt", "--ca", "sub");
  }
});

Deno.test("a Catalyst CA issues to a plain key: two signatures, one key; a plain CA cannot issue a Catalyst certificate", async () => {
  using work = new Work();
  await work.run("ca", "init", "-P", "hybrid/catalyst/root-ca", "--var", "cn=Catalyst", "-d", "catalyst");
  await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Plain", "-d", "plain");
  await work.run("credential", "enroll", "leaf", "-d", "catalyst", "-P", "ec/tls-client", "--var", "cn=Leaf");
  const leaf = await work.certificate("credentials/leaf/versions/v1/certs/credential.ecdsa-p256.pem");
  const oids = leaf.extensions.map(({ oid }) => oid);
  assert.deepEqual(["2.5.29.72", "2.5.29.73", "2.5.29.74"].map((oid) => oids.includes(oid)), [false, true, true]);
  assert.equal(alternativeSpki(leaf), undefined);
  const entry = JSON.parse(work.tmp.read("credentials/leaf/credential.meta.json")).certificates[0];
  assert.deepEqual([entry.algorithm, entry.alternative_algorithm], ["ECDSA-SHA384", "ML-DSA-87"]);

  const before = treeOf(work.tmp.path);
  const catalyst = ["-P", "hybrid/catalyst/tls-client", "--var", "cn=X"];
  await work.fails(4, /has no alternative key/, "credential", "enroll", "x", "-d", "plain", ...catalyst);
  const below = ["-P", "hybrid/catalyst/issuing-ca", "--var", "cn=X", "--parent", "plain", "-d", "x"];
  await work.fails(4, /has no alternative key/, "ca", "init", ...below);
  assert.deepEqual(treeOf(work.tmp.path), before);
});

Deno.test("verification fails when any part of a hybrid fails", async () => {
  using work = new Work();
  await work.run("ca", "init", "-P", "hybrid/catalyst/root-ca", "--var", "cn=Catalyst", "-d", "catalyst");
  await work.run("ca", "init", "-P", "hybrid/composite/root-ca", "--var", "cn=Composite", "-d", "composite");
  for (const [ca, profile] of [["catalyst", "ec/tls-client"], ["composite", "hybrid/composite/tls-client"]] as const) {
    await work.run("credential", "enroll", ca, "-d", ca, "-P", profile, "--var", "cn=Leaf");
    await work.run("credential", "export", ca, "--format", "der", "--out", `${ca}.crt`);
    await work.run("crl", "gen", "-d", ca);
  }
  // the ML-DSA half of a composite signature comes first, the alternative signature stands in an extension
  for (const ca of ["catalyst", "composite"]) {
    const { der, signature, tbs } = parseCertificate(await readFileBytes(work.tmp.join(`${ca}.crt`)));
    const end = der.length - 1;
    const places: [at: number, what: string][] = ca === "composite"
      ? [[end, "classical half"], [der.length - signature.length + 100, "ML-DSA half"]]
      : [[end, "native signature"], [tbs.length - 100, "alternative signature"]];
    for (const [at, what] of places) {
      const changed = der.slice();
      changed[at]! ^= 1;
      work.tmp.write("bad.crt", changed);
      await work.fails(1, /INVALID\n[\s\S]*signature/, "cert", "verify", "bad.crt", "--ca", ca).catch((error) => {
        throw new Error(`${ca}: ${what}`, { cause: error });
      });
    }
    const crl = await readFileBytes(work.tmp.join(ca, "crl/ca.crl.der"));
    crl[crl.length - 1]! ^= 1;
    work.tmp.write("bad.crl", crl);
    await work.fails(1, /INVALID: .*signature/, "crl", "verify", "bad.crl", "--ca", ca);
  }
  // a certificate that only the classical key signed
  const ca = work.tmp.join("catalyst");
  await work.run("csr", "gen", "-a", "ed25519", "--keyout", "k", "--cn", "x.test", "--out", "x.csr");
  const [key] = work.keys("catalyst");
  const config = work.tmp.write("ext", "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
  await openssl([
    ...["x509", "-req", "-in", work.tmp.join("x.csr"), "-CA", `${ca}/ca.crt`, "-CAkey", `${ca}/${key!.path}`],
    ...["-set_serial", "7", "-days", "1", "-sha384", "-extfile", config, "-out", work.tmp.join("half.crt")],
  ]);
  await work.fails(
    1,
    /no alternative signature although its issuer has/,
    "cert",
    "verify",
    "half.crt",
    "--ca",
    "catalyst",
  );
  const lenient = await work.try("cert", "verify", "half.crt", "--ca", "catalyst", "--alternative", "optional");
  assert.equal(lenient.status, 0, lenient.stdout);
  assert.match(lenient.stderr, /warning: .*no alternative signature/);
  assert.match(lenient.stdout, /no alternative signature/);
});

Deno.test("a key of a hybrid CA that was exchanged is refused, and nothing is signed", async () => {
  for (const family of ["hybrid/catalyst", "hybrid/composite"]) {
    using work = new Work();
    await work.run("ca", "init", "-P", `${family}/root-ca`, "--var", "cn=Root", "-d", "ca");
    await work.run("ca", "init", "-P", `${family}/root-ca`, "--var", "cn=Other", "-d", "other");
    for (const { path } of work.keys("ca")) {
      const own = work.tmp.read(`ca/${path}`);
      work.tmp.write(`ca/${path}`, work.tmp.read(`other/${path}`));
      await work.fails(1, /is pinned in the metadata[\s\S]*nothing was signed/, "crl", "gen", "-d", "ca");
      const meta = work.meta("ca");
      for (const key of meta.versions["v1"]!.keys) delete key.spki_sha256;
      const pinned = work.tmp.read("ca/ca.meta.json");
      work.tmp.write("ca/ca.meta.json", JSON.stringify(meta));
      await work.fails(1, /not the (alternative )?one in the certificate/, "crl", "gen", "-d", "ca");
      work.tmp.write("ca/ca.meta.json", pinned);
      work.tmp.write(`ca/${path}`, own);
    }
    assert.equal(work.tmp.read("ca/crlnumber"), "01\n");
    await work.run("crl", "gen", "-d", "ca");
  }
});

Deno.test("hybrid metadata of the older tool, with and without versions, is read and used as it is", async () => {
  using work = new Work();
  for (const family of ["hybrid/catalyst", "hybrid/composite"]) {
    const [versioned, unversioned] = [`${family.slice(7)}-versions`, `${family.slice(7)}-older`];
    for (const ca of [versioned, unversioned]) {
      await work.run("ca", "init", "-P", `${family}/root-ca`, "--var", "cn=Root", "-d", ca);
      const older = work.keys(ca).map(({ id, algorithm, path }) => {
        const moved = `private/ca.${algorithm}.key`;
        work.tmp.write(`${ca}/${moved}`, work.tmp.read(`${ca}/${path}`), 0o600);
        return { id, algorithm, storage: { type: "software", path: moved } };
      });
      Deno.removeSync(work.tmp.join(ca, "versions"), { recursive: true });
      const algos = older.map((key) => key.algorithm);
      const version = { profiles: [family.slice(7)], algos, status: "active", keys: older };
      const meta = ca === versioned
        ? { subject: { common_name: "Root" }, active: "v1", versions: { v1: version } }
        : { profile: `${family}/root-ca`, created: "2025-01-02T10:30:00Z", keys: older };
      const text = JSON.stringify(meta, null, 4);
      work.tmp.write(`${ca}/ca.meta.json`, text);
      const info = await work.json<{ ca_certificates: { mode: string }[]; keys: { id: string }[] }>(
        "ca",
        "info",
        "-d",
        ca,
      );
      assert.equal(info.ca_certificates[0]!.mode, family.slice(7));
      assert.deepEqual(info.keys.map((key) => key.id), ["classical", "pqc"]);
      await work.run("crl", "gen", "-d", ca);
      await work.run("crl", "verify", `${ca}/crl/ca.crl`, "--ca", ca);
      await work.run("credential", "enroll", ca, "-d", ca, "-P", "ec/tls-client", "--var", "cn=Leaf");
      await work.run("credential", "export", ca, "--out", `${ca}.crt`);
      await work.run("cert", "verify", `${ca}.crt`, "--ca", ca);
      assert.equal(work.tmp.read(`${ca}/ca.meta.json`), text, "upgraded only by a command that says so");
    }
  }
});
