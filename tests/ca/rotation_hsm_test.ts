/** Rotation of a CA whose key is in a token: it stays there, under the same label with an id of its own. */
import assert from "node:assert/strict";
import { spawnCli } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { type SoftHsmToken, softhsmToken } from "../support/softhsm.ts";
import { Work } from "../support/work.ts";
import { openssl, treeOf } from "./support.ts";

interface TokenKey {
  storage: { label?: string; key_id?: string };
}

/** A work folder with a token in it. */
class TokenWork extends Work {
  readonly token: SoftHsmToken;

  constructor(token: SoftHsmToken) {
    super(token.env);
    this.token = token;
    token.useInProcess();
    token.hsmYaml(this.tmp.join("hsm.yaml"));
  }

  async tokenKeys(): Promise<string[]> {
    const { keys } = await this.json<{ keys: TokenKey[] }>("key", "list", "--hsm-config", "hsm.yaml");
    return keys.map(({ storage }) => `${storage.label} ${storage.key_id}`).sort();
  }

  storages(ca: string, version: string) {
    return this.meta(ca).versions[version]!.keys.map(({ storage }) => storage);
  }

  keyFiles(): string[] {
    return treeOf(this.tmp.path).filter((name) => name.endsWith(".key"));
  }

  async leaf(ca: string, name: string, profile = "ec/tls-client"): Promise<string> {
    await this.run("credential", "enroll", name, "-d", ca, "-P", profile, "--var", `cn=${name}`);
    await this.run("credential", "export", name, "--out", `${name}.crt`);
    return `${name}.crt`;
  }
}

const hsmRoot = ["ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "--hsm-config", "./hsm.yaml", "-d", "ca"];

testWith(
  "regression list, row 3: a CA in a token stays in its token, and no key file appears",
  { needs: ["softhsm", "openssl"] },
  async () => {
    using token = softhsmToken();
    using work = new TokenWork(token);
    const at = work.tmp.join;
    await work.run(...hsmRoot, "--key-label", "root-key");
    const old = await work.leaf("ca", "old");
    const before = await work.tokenKeys();
    // the plan names the place and makes nothing
    const plan = await work.json<{ keys: { storage: unknown }[] }>("ca", "rotate", "-d", "ca", "--dry-run");
    assert.deepEqual(plan.keys.map(({ storage }) => storage), [
      { type: "pkcs11", config: "./hsm.yaml", label: "root-key" },
    ]);
    assert.deepEqual(await work.tokenKeys(), before);
    // from another folder, as metadata leads to the token
    const { runInProcess } = await import("../support/in_process.ts");
    const result = await runInProcess(["ca", "rotate", "-d", at("ca")], { cwd: "/", env: token.env });
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(work.keyFiles().filter((name) => !name.startsWith("credentials/")), []);
    const [one, two] = [work.storages("ca", "v1")[0]!, work.storages("ca", "v2")[0]!];
    assert.ok(one.type === "pkcs11" && two.type === "pkcs11");
    assert.deepEqual([two.config, two.label], [one.config, one.label], "config as written, the same label");
    assert.notEqual(two.key_id, one.key_id);
    assert.equal((await work.tokenKeys()).length, 2);

    await work.run("ca", "activate", "-d", "ca", "-v", "v2");
    const young = await work.leaf("ca", "young");
    const crls = await work.json<{ crls: { path: string }[] }>("crl", "gen", "-d", "ca");
    assert.deepEqual(crls.crls.map(({ path }) => path), ["ca/crl/ca.crl", "ca/crl/ca.v1.crl"]);
    for (const [file, version, crl] of [[old, "v1", "ca.v1.crl"], [young, "v2", "ca.crl"]] as const) {
      await openssl([
        ...["verify", "-x509_strict", "-crl_check", "-CRLfile", at(`ca/crl/${crl}`)],
        ...["-CAfile", at(`ca/versions/${version}/certs/ca.ecdsa-p384.pem`), at(file)],
      ]);
      await work.run("cert", "verify", file, "--ca", "ca");
    }
    await work.run("ca", "check", "-d", "ca");

    // another algorithm, a third key under the label; then out of the token, which must be said
    await work.run("ca", "rotate", "-d", "ca", "-P", "rsa/root-ca", "--cross-sign");
    await work.run("ca", "activate", "-d", "ca", "-v", "v3");
    const third = work.storages("ca", "v3")[0]!;
    assert.ok(third.type === "pkcs11" && third.label === "root-key");
    await work.run("ca", "rotate", "-d", "ca", "-P", "ec/root-ca", "--software");
    assert.deepEqual(work.storages("ca", "v4"), [{ type: "software", path: "versions/v4/keys/ca.ecdsa-p384.key" }]);
    await work.run("ca", "activate", "-d", "ca", "-v", "v4");
    // and back into it
    await work.run("ca", "rotate", "-d", "ca", "--hsm-config", "hsm.yaml", "--key-label", "root-key");
    assert.equal(work.storages("ca", "v5")[0]!.type, "pkcs11");
    await work.run("ca", "activate", "-d", "ca", "-v", "v5");
    await openssl(["verify", "-CAfile", at("ca/ca.crt"), at(await work.leaf("ca", "last"))]);
    for (const file of [old, young]) await work.run("cert", "verify", file, "--ca", "ca");
  },
);

testWith(
  "what a token cannot do costs no key: post-quantum keys need --pqc-in software",
  { needs: ["softhsm"] },
  async () => {
    using token = softhsmToken();
    using work = new TokenWork(token);
    await work.run(...hsmRoot, "--key-label", "root-key");
    const keys = await work.tokenKeys();
    const meta = work.tmp.read("ca/ca.meta.json");
    for (const profile of ["hybrid/catalyst/root-ca", "hybrid/composite/root-ca", "ml/root-ca"]) {
      await work.fails(3, /ML-DSA[\s\S]*--software/, "ca", "rotate", "-d", "ca", "-P", profile);
      assert.deepEqual(await work.tokenKeys(), keys);
      assert.equal(work.tmp.read("ca/ca.meta.json"), meta);
      assert.deepEqual(work.keyFiles(), []);
    }
    await work.run("ca", "rotate", "-d", "ca", "-P", "hybrid/catalyst/root-ca", "--pqc-in", "software");
    assert.deepEqual(work.storages("ca", "v2").map(({ type }) => type), ["pkcs11", "software"]);
    await work.run("ca", "activate", "-d", "ca", "-v", "v2");
    // the next one again as this one is, and never out of the token unasked
    await work.run("ca", "rotate", "-d", "ca");
    assert.deepEqual(work.storages("ca", "v3").map(({ type }) => type), ["pkcs11", "software"]);
    await work.run("ca", "activate", "-d", "ca", "-v", "v3");
    await work.fails(2, /every new one would be in a file/, "ca", "rotate", "-d", "ca", "-P", "ml/root-ca");
    await work.run("ca", "rotate", "-d", "ca", "-P", "ml/root-ca", "--software");
  },
);

testWith("a discarded version's token keys are named, or deleted with --yes", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using work = new TokenWork(token);
  await work.run(...hsmRoot, "--key-label", "root-key");
  const keys = await work.tokenKeys();
  await work.run("ca", "rotate", "-d", "ca");
  const { kept_keys: [kept] } = await work.json<{ kept_keys: { delete_with: string }[] }>(
    ...["ca", "discard", "-d", "ca", "-v", "v2"],
  );
  assert.equal((await work.tokenKeys()).length, 2);
  const words = /^qpki (key delete --hsm-config )(\S+) --key-label "root-key" --key-id ([0-9a-f]+) --yes$/.exec(
    kept!.delete_with,
  );
  assert.ok(words, kept!.delete_with);
  await work.run(
    ...["key", "delete", "--hsm-config", words[2]!, "--key-label", "root-key", "--key-id", words[3]!, "--yes"],
  );
  assert.deepEqual(await work.tokenKeys(), keys);
  await work.run("ca", "rotate", "-d", "ca");
  await work.run("ca", "discard", "-d", "ca", "-v", "v2", "--yes");
  assert.deepEqual(await work.tokenKeys(), keys);
});

testWith("several profiles in a token: labels are numbered for each version", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using work = new TokenWork(token);
  await work.run(...hsmRoot, "--key-label", "key");
  await work.run("ca", "rotate", "-d", "ca", "-P", "ec/root-ca", "-P", "rsa/root-ca");
  await work.run("ca", "activate", "-d", "ca", "-v", "2");
  await work.run("ca", "rotate", "-d", "ca");
  await work.run("ca", "activate", "-d", "ca", "-v", "3");
  await work.run("ca", "rotate", "-d", "ca", "-P", "ec/root-ca");
  const labels = Object.values(work.meta("ca").versions)
    .map(({ keys }) => keys.map(({ storage }) => storage.type === "pkcs11" && storage.label));
  assert.deepEqual(labels, [["key"], ["key-0", "key-1"], ["key-0", "key-1"], ["key"]]);
  await work.run("crl", "gen", "-d", "ca");
});

testWith(
  "metadata of the older tool, label alone: its certificate tells the keys of one label apart",
  { needs: ["softhsm"] },
  async () => {
    using token = softhsmToken();
    using work = new TokenWork(token);
    await work.run(...hsmRoot, "--key-label", "root-key");
    const meta = work.meta("ca");
    const [key] = meta.versions["v1"]!.keys;
    delete key!.spki_sha256;
    if (key!.storage.type === "pkcs11") delete key!.storage.key_id;
    work.tmp.write("ca/ca.meta.json", JSON.stringify(meta, null, 4));
    await work.leaf("ca", "old");
    await work.run("ca", "rotate", "-d", "ca");
    await work.leaf("ca", "still-old");
    await work.run("ca", "activate", "-d", "ca", "-v", "v2");
    await work.leaf("ca", "young");
    await work.run("crl", "gen", "-d", "ca");
    for (const name of ["old", "still-old", "young"]) await work.run("cert", "verify", `${name}.crt`, "--ca", "ca");
  },
);

testWith("a software CA moves into a token; a lost token is left with --software", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using work = new TokenWork(token);
  await work.run("ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
  await work.leaf("ca", "first");
  await work.run("ca", "rotate", "-d", "ca", "--hsm-config", "./hsm.yaml");
  const [storage] = work.storages("ca", "v2");
  assert.ok(storage!.type === "pkcs11" && storage!.label === "Root", "the name is the label when none is given");
  await work.run("ca", "activate", "-d", "ca", "-v", "2");
  await work.leaf("ca", "second");
  Deno.removeSync(work.tmp.join("hsm.yaml"));
  await work.fails(4, /Cannot find the HSM configuration/, "ca", "rotate", "-d", "ca");
  await work.run("ca", "rotate", "-d", "ca", "--software");
  await work.run("ca", "activate", "-d", "ca", "-v", "3");
  await work.leaf("ca", "third");
  const { missing } = JSON.parse((await work.try("crl", "gen", "-d", "ca", "--json")).stdout);
  assert.deepEqual(missing.map((one: { version: string }) => one.version), ["v2"]);
  for (const name of ["first", "second", "third"]) await work.run("cert", "verify", `${name}.crt`, "--ca", "ca");
});

testWith("Ctrl-C during a rotation in a token leaves no key", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using work = new TokenWork(token);
  await work.run(...hsmRoot, "--key-label", "root-key");
  const before = await work.tokenKeys();
  const meta = work.tmp.read("ca/ca.meta.json");
  let interrupted = 0;
  for (const delay of [120, 180, 250, 400]) {
    const child = spawnCli(["ca", "rotate", "-d", "ca", "-P", "rsa/root-ca", "--cross-sign"], {
      cwd: work.tmp.path,
      env: token.env,
    });
    await new Promise((done) => setTimeout(done, delay));
    try {
      child.kill("SIGINT");
    } catch { /* it had ended */ }
    const { code } = await child.output();
    assert.ok(code === 0 || code === 130, `exit ${code} after ${delay} ms`);
    if (code === 0) await work.run("ca", "discard", "-d", "ca", "-v", "v2", "--yes");
    else interrupted++;
    assert.deepEqual(await work.tokenKeys(), before, `an orphan key after ${delay} ms`);
    assert.equal(work.tmp.read("ca/ca.meta.json"), meta);
    assert.deepEqual(treeOf(work.tmp.join("ca/versions")).filter((name) => name.startsWith("v2")), []);
  }
  assert.ok(interrupted > 0, "no run was interrupted: the delays are too long");
});
