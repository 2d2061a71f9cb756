import assert from "node:assert/strict";
import { describe, runCli, runJson, runOk, spawnCli } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { type SoftHsmToken, softhsmToken } from "../support/softhsm.ts";
import { tempFolder } from "../support/tmp.ts";
import { openssl } from "./support.ts";

async function labels(token: SoftHsmToken): Promise<(string | undefined)[]> {
  const { keys } = await runJson(["key", "list", "--hsm-config", token.hsmYaml()], { env: token.env }) as {
    keys: { storage: { label?: string } }[];
  };
  return keys.map((key) => key.storage.label).sort();
}

testWith(
  "ca in a token: root and issuing CA, found from the metadata alone",
  { needs: ["softhsm", "openssl"] },
  async () => {
    using token = softhsmToken();
    using tmp = tempFolder();
    const at = tmp.join;
    const { env } = token;
    token.hsmYaml(at("hsm.yaml"));
    const hsm = ["--hsm-config", "./hsm.yaml"];
    const here = { env, cwd: tmp.path };
    await runOk([
      ...["ca", "init", ...hsm, "--key-label", "root", "--profile", "ec/root-ca", "--var", "cn=HSM Root"],
      ...["--dir", "./root"],
    ], here);
    await runOk([
      ...["ca", "init", ...hsm, "--key-label", "issuing", "--key-id", "0a0b", "--profile", "rsa/issuing-ca"],
      ...["--var", "cn=HSM Issuing", "--parent", "./root", "--ca-dir", "./issuing"],
    ], here);
    const meta = JSON.parse(tmp.read("issuing/ca.meta.json"));
    const { spki_sha256: pin, ...key } = meta.versions.v1.keys[0];
    assert.deepEqual(key, {
      id: "default",
      algorithm: "rsa-4096",
      storage: { type: "pkcs11", config: "./hsm.yaml", label: "issuing", key_id: "0a0b" },
    });
    assert.match(pin, /^[0-9a-f]{64}$/);
    for await (const { name } of Deno.readDir(at("issuing/versions/v1"))) assert.notEqual(name, "keys");

    // from another folder: hsm.yaml is found beside the CA's folder
    const elsewhere = tempFolder();
    using _elsewhere = elsewhere;
    for (const ca of ["root", "issuing"]) await runOk(["crl", "gen", "-d", at(ca)], { env, cwd: elsewhere.path });
    await runOk(["csr", "gen", "-a", "rsa-2048", "--keyout", at("k"), "--cn", "x.test", "-o", at("x.csr")]);
    const issue = ["cert", "issue", "-d", at("issuing"), "--profile", "rsa/tls-server", "--csr", at("x.csr")];
    await runOk([...issue, "--out", at("x.crt")], { env, cwd: elsewhere.path });
    tmp.write("all.crl", tmp.read("root/crl/ca.crl") + tmp.read("issuing/crl/ca.crl"));
    await openssl([
      ...["verify", "-x509_strict", "-CAfile", at("root/ca.crt"), "-untrusted", at("issuing/chain.pem")],
      ...["-CRLfile", at("all.crl"), "-crl_check_all", at("x.crt")],
    ]);
    Deno.renameSync(at("hsm.yaml"), at("moved.yaml"));
    const lost = await runCli(["crl", "gen", "-d", at("root")], { env, cwd: elsewhere.path });
    assert.equal(lost.code, 4, describe("crl gen", lost));
    assert.match(lost.stderr, /Tried .*hsm\.yaml, .*hsm\.yaml/);
  },
);

testWith("ca in a token: a key made for a CA that fails is destroyed", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  const { env } = token;
  const hsm = ["--hsm-config", token.hsmYaml(), "--key-label", "orphan"];
  const profile = tmp.write(
    "bad.yaml",
    "name: bad-ca\nalgorithm: ecdsa-p256\nvalidity: 1d\nsubject: {cn: Bad}\n" +
      "extensions:\n  basicConstraints: {critical: true, ca: true}\n  keyUsage: {critical: true, values: [cRLSign]}\n",
  );
  const refused = await runCli(["ca", "init", ...hsm, "--profile", profile, "-d", tmp.join("ca")], { env });
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /keyCertSign/);
  assert.deepEqual(await labels(token), []);
  assert.deepEqual([...Deno.readDirSync(tmp.path)].map((entry) => entry.name), ["bad.yaml"]);
});

testWith("ca in a token: an existing key, wrong algorithm, taken label", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  const { env } = token;
  const yaml = token.hsmYaml();
  await runOk(["key", "generate", "-a", "ecdsa-p256", "--hsm-config", yaml, "--key-label", "k"], { env });
  const init = (profile: string, ...more: string[]) =>
    runCli([
      ...["ca", "init", "--hsm-config", yaml, "--profile", profile, "--var", "cn=Existing", "-d", tmp.join("ca")],
      ...more,
    ], { env });
  const cases: [result: Promise<{ code: number; stderr: string }>, exit: number, message: RegExp][] = [
    [init("ec/issuing-ca", "--key-label", "k"), 3, /"k" exists[\s\S]*--use-existing-key/],
    [init("ec/root-ca", "--key-label", "k", "--use-existing-key"), 4, /ECDSA P-256.*ECDSA P-384/],
    [init("ec/issuing-ca", "--key-label", "none", "--use-existing-key"), 3, /none/],
    [init("ec/issuing-ca", "--use-existing-key"), 2, /--key-label or --key-id/],
    [init("ec/issuing-ca", "--key-label", "k", "--passphrase", "env:X"), 2, /PIN/],
  ];
  for (const [attempt, exit, message] of cases) {
    const result = await attempt;
    assert.equal(result.code, exit, result.stderr);
    assert.match(result.stderr, message);
  }
  assert.deepEqual([...Deno.readDirSync(tmp.path)], []);
  const made = await init("ec/issuing-ca", "--key-label", "k", "--use-existing-key");
  assert.equal(made.code, 0, made.stderr);
  assert.deepEqual(await labels(token), ["k"]);
  await runOk(["crl", "gen", "-d", tmp.join("ca")], { env });
});

testWith("ca in a token: another key under the same label and id is refused", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  const { env } = token;
  const yaml = token.hsmYaml();
  const key = ["--hsm-config", yaml, "--key-label", "pinned", "--key-id", "01"];
  const ca = tmp.join("ca");
  await runOk(["ca", "init", ...key, "--profile", "ec/root-ca", "--var", "cn=Pinned", "-d", ca], { env });
  await runOk(["key", "delete", ...key, "--yes"], { env });
  await runOk(["key", "generate", "-a", "ecdsa-p384", ...key], { env });
  const result = await runCli(["crl", "gen", "-d", ca], { env });
  assert.notEqual(result.code, 0);
  assert.match(result.stderr, /[0-9a-f]{16}/, describe("crl gen", result));
  assert.equal(tmp.read("ca/crlnumber"), "01\n");
});

testWith("ca in a token: Ctrl-C during ca init leaves no folder and no key", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  let interrupted = 0;
  for (const [i, delay] of [60, 90, 120, 160, 200, 260, 340].entries()) {
    const before = await labels(token);
    const child = spawnCli([
      ...["ca", "init", "--hsm-config", token.hsmYaml(), "--key-label", `k${i}`, "--profile", "rsa/root-ca"],
      ...["--var", "cn=Interrupted", "-d", tmp.join(`ca${i}`)],
    ], { env: token.env });
    await new Promise((done) => setTimeout(done, delay));
    try {
      child.kill("SIGINT");
    } catch { /* it had ended */ }
    const { code } = await child.output();
    assert.ok(code === 0 || code === 130, `exit ${code} after ${delay} ms`);
    if (code === 0) continue;
    interrupted++;
    assert.deepEqual(await labels(token), before, `an orphan key after ${delay} ms`);
    assert.deepEqual([...Deno.readDirSync(tmp.path)].filter(({ name }) => name.includes(`ca${i}`)), []);
  }
  assert.ok(interrupted > 0, "no run was interrupted: the delays are too long");
});
