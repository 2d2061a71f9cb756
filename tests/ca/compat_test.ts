/**
 * CAs that older versions and the Go QPKI made: used as they are, brought up to date only by `ca upgrade`. The fixtures were
 * made from the documented layouts and stay for ever; their keys are for tests alone.
 */
import assert from "node:assert/strict";
import { describe, ROOT, runCli, runOk } from "../support/cli.ts";
import { runInProcess } from "../support/in_process.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";
import { copyTree } from "../support/tree.ts";
import { openssl } from "./support.ts";

async function qpki(tmp: TempFolder, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await runInProcess(args, { cwd: tmp.path });
  assert.equal(status, 0, describe(args.join(" "), { code: status, stdout, stderr }));
  return stdout;
}

async function json<T>(tmp: TempFolder, ...args: string[]): Promise<T> {
  return JSON.parse(await qpki(tmp, ...args, "--json"));
}

/** A fixture as the folder `ca`. Git keeps no permissions of owners. */
function fixture(name: string): TempFolder {
  const tmp = tempFolder();
  copyTree(`${ROOT}/tests/ca/fixtures/${name}`, tmp.join("ca"));
  for (const folder of ["private", "versions/v1/keys"]) {
    try {
      for (const { name: file } of Deno.readDirSync(tmp.join("ca", folder))) {
        Deno.chmodSync(tmp.join("ca", folder, file), 0o600);
      }
      Deno.chmodSync(tmp.join("ca", folder), 0o700);
    } catch { /* this one has none */ }
  }
  return tmp;
}

interface Check {
  errors: number;
  findings: { code: string }[];
}

async function codes(tmp: TempFolder): Promise<string[]> {
  const { findings } = await json<Check>(tmp, "ca", "check", "-d", "ca");
  return findings.map(({ code }) => code);
}

interface Fixture {
  readonly name: string;
  readonly profile: string;
  /** Whether OpenSSL verifies what it issues. */
  readonly classical: boolean;
  /** Serial of a certificate from before. */
  readonly old?: string;
  /** What a check tells before the upgrade. */
  readonly finds: readonly string[];
}

const FIXTURES: readonly Fixture[] = [
  { name: "unversioned", profile: "ec/tls-server", classical: true, old: "0A", finds: ["meta.older"] },
  { name: "go_versioned", profile: "ec/tls-server", classical: true, old: "0A", finds: [] },
  { name: "go_multi", profile: "ml/tls-server", classical: false, finds: [] },
  { name: "go_catalyst", profile: "hybrid/catalyst/tls-server", classical: true, finds: [] },
];

for (const { name, profile, classical, old, finds } of FIXTURES) {
  testWith(`a CA of the older tool (${name}): used as it is, then upgraded, then rotated`, {
    needs: ["openssl"],
  }, async () => {
    using tmp = fixture(name);
    const before = tmp.read("ca/ca.meta.json");
    assert.deepEqual(await codes(tmp), finds);
    const enroll = async (id: string) => {
      const names = ["--var", `cn=${id}.home.arpa`];
      await qpki(tmp, "credential", "enroll", id, "-d", "ca", "--profile", profile, ...names);
      await qpki(tmp, "credential", "export", id, "--out", `${id}.crt`);
      await qpki(tmp, "cert", "verify", `${id}.crt`, "--ca", "ca");
    };
    await enroll("one");
    if (old !== undefined) await qpki(tmp, "cert", "revoke", old, "-d", "ca", "--reason", "superseded");
    const [first] = (await json<{ crls: { number: string; revoked: number; path: string }[] }>(
      ...[tmp, "crl", "gen", "-d", "ca"] as const,
    )).crls;
    if (old !== undefined) {
      assert.deepEqual([first!.number, first!.revoked], ["03", 2]);
      const gone = await runInProcess(["cert", "verify", "ca/certs/0a.crt", "--ca", "ca"], { cwd: tmp.path });
      assert.match(gone.stdout, /INVALID[\s\S]*revoked/);
    }
    assert.deepEqual(await codes(tmp), finds);
    assert.equal(tmp.read("ca/ca.meta.json"), before, "only an upgrade changes older metadata");
    const info = await json<{ active: string; subject: string }>(tmp, "ca", "info", "-d", "ca");
    assert.equal(info.active, "v1");

    const plan = await json<{ changes: string[]; upgraded: boolean }>(tmp, "ca", "upgrade", "-d", "ca", "--dry-run");
    assert.ok(plan.changes.length > 0 && !plan.upgraded);
    assert.equal(tmp.read("ca/ca.meta.json"), before);
    await qpki(tmp, "ca", "upgrade", "-d", "ca");
    const meta = JSON.parse(tmp.read("ca/ca.meta.json"));
    assert.equal(meta.schema, 1);
    assert.equal(meta.created, JSON.parse(before).created, "what was there stays");
    const { v1 } = meta.versions;
    assert.equal(v1.activated_at, JSON.parse(before).versions?.v1.activated_at);
    for (const key of v1.keys) assert.match(key.spki_sha256, /^[0-9a-f]{64}$/);
    assert.equal(v1.certificates.length, name === "go_multi" ? 2 : 1);
    assert.deepEqual(await codes(tmp), []);
    const again = await json<{ changes: string[]; upgraded: boolean }>(tmp, "ca", "upgrade", "-d", "ca");
    assert.deepEqual([again.changes, again.upgraded], [[], false]);
    await enroll("two");

    // and it goes on like any other
    if (name !== "go_multi") {
      await qpki(tmp, "ca", "rotate", "-d", "ca");
      await qpki(tmp, "ca", "activate", "-d", "ca", "--version", "v2");
      await enroll("three");
      for (const file of ["one.crt", "two.crt"]) await qpki(tmp, "cert", "verify", file, "--ca", "ca");
      await qpki(tmp, "crl", "gen", "-d", "ca");
      assert.deepEqual(await codes(tmp), []);
    }
    await qpki(tmp, "ca", "backup", "-d", "ca", "-o", "ca.tar", "--include-plain-keys");
    await qpki(tmp, "ca", "restore", "ca.tar", "-d", "copy");
    if (!classical) return;
    const parts = ["-CAfile", tmp.join("ca/ca.crt"), "-CRLfile", tmp.join("ca/crl/ca.crl"), "-crl_check"];
    await openssl(["verify", ...parts, tmp.join("three.crt")]);
  });
}

testWith("a CA of the guides with its key in a token: the metadata of section 6 is enough", {
  needs: ["softhsm"],
}, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  token.hsmYaml(tmp.join("hsm.yaml"));
  const here = { cwd: tmp.path, env: token.env };
  const init = [
    "ca",
    "init",
    "--hsm-config",
    "./hsm.yaml",
    "--key-label",
    "root-ca-key",
    "--key-id",
    "0001",
    "-d",
    "ca",
  ];
  await runOk([...init, "--profile", "ec/root-ca", "--var", "cn=HSM Root CA"], here);
  tmp.write(
    "ca/ca.meta.json",
    JSON.stringify({
      subject: { common_name: "HSM Root CA" },
      active: "v1",
      versions: {
        v1: {
          profiles: ["ec/root-ca"],
          algos: ["ecdsa-p384"],
          status: "active",
          keys: [{
            id: "default",
            algorithm: "ecdsa-p384",
            storage: { type: "pkcs11", config: "./hsm.yaml", label: "root-ca-key", key_id: "0001" },
          }],
        },
      },
    }),
  );
  await runOk(["crl", "gen", "-d", "ca"], here);
  const check = await runCli(["ca", "check", "-d", "ca", "--json"], here);
  assert.deepEqual([check.code, JSON.parse(check.stdout).findings], [0, []], describe("ca check", check));
  await runOk(["ca", "upgrade", "-d", "ca"], here);
  assert.match(JSON.parse(tmp.read("ca/ca.meta.json")).versions.v1.keys[0].spki_sha256, /^[0-9a-f]{64}$/);
  await runOk(["crl", "gen", "-d", "ca"], here);
});

/** Puts fields that nobody knows at every level of a metadata file. */
function addUnknown(tmp: TempFolder, file: string): void {
  const meta = JSON.parse(tmp.read(file));
  meta.x_top = { by: ["operator", 1] };
  for (const version of Object.values<Record<string, unknown>>(meta.versions)) {
    version["x_version"] = "kept";
    for (const key of version["keys"] as Record<string, Record<string, unknown>>[]) {
      key["x_key"] = { n: 1 };
      key["storage"]!["x_storage"] = true;
    }
    for (const certificate of version["certificates"] as (string | Record<string, unknown>)[]) {
      if (typeof certificate !== "string") certificate["x_certificate"] = null;
    }
  }
  tmp.write(file, JSON.stringify(meta));
}

/** How many of them are still in version v1 and at the top. */
function keepsUnknown(tmp: TempFolder, file: string, told: string): void {
  const meta = JSON.parse(tmp.read(file));
  assert.deepEqual(meta.x_top, { by: ["operator", 1] }, told);
  const { v1 } = meta.versions;
  assert.equal(v1.x_version, "kept", told);
  for (const key of v1.keys) assert.deepEqual([key.x_key, key.storage.x_storage], [{ n: 1 }, true], told);
  for (const one of v1.certificates) if (typeof one !== "string") assert.equal(one.x_certificate, null, told);
}

Deno.test("fields that nobody knows survive every command that writes metadata", async () => {
  using tmp = tempFolder();
  const ca = "ca/ca.meta.json";
  await qpki(tmp, "ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
  addUnknown(tmp, ca);
  const caCommands = [
    ["ca", "rotate", "-d", "ca"],
    ["ca", "activate", "-d", "ca", "--version", "v2"],
    ["crl", "gen", "-d", "ca"],
    ["ca", "activate", "-d", "ca", "--version", "v1"],
    ["ca", "rotate", "-d", "ca", "--cross-sign"],
    ["ca", "discard", "-d", "ca", "--version", "v3", "--yes"],
    ["ca", "upgrade", "-d", "ca"],
    ["ca", "check", "-d", "ca", "--repair"],
  ];
  for (const command of caCommands) {
    await qpki(tmp, ...command);
    keepsUnknown(tmp, ca, command.join(" "));
  }
  const cred = "credentials/web/credential.meta.json";
  await qpki(tmp, "credential", "enroll", "web", "-P", "ec/tls-client", "--var", "cn=web");
  addUnknown(tmp, cred);
  const credentialCommands = [
    ["credential", "rotate", "web"],
    ["credential", "activate", "web", "--version", "v2"],
    ["credential", "activate", "web", "--version", "v1"],
    ["credential", "revoke", "web"],
    ["credential", "check", "web", "--repair"],
  ];
  for (const command of credentialCommands) {
    await qpki(tmp, ...command);
    keepsUnknown(tmp, cred, command.join(" "));
  }
  // a request that another CA answers
  await qpki(
    tmp,
    "ca",
    "init",
    "-P",
    "ec/issuing-ca",
    "--var",
    "cn=Sub",
    "-d",
    "sub",
    "--csr-only",
    "--out",
    "sub.csr",
  );
  const meta = JSON.parse(tmp.read("sub/ca.meta.json"));
  meta.x_top = 1;
  tmp.write("sub/ca.meta.json", JSON.stringify(meta));
  await qpki(
    tmp,
    "cert",
    "issue",
    "-d",
    "ca",
    "-P",
    "ec/issuing-ca",
    "--csr",
    "sub.csr",
    "--cn",
    "Sub",
    "--out",
    "sub.pem",
  );
  await qpki(tmp, "ca", "accept", "sub.pem", "-d", "sub", "--parent-cert", "ca/ca.crt");
  assert.equal(JSON.parse(tmp.read("sub/ca.meta.json")).x_top, 1);
});

Deno.test("metadata of a newer program is refused by every command, with what to do, and stays", async () => {
  using tmp = tempFolder();
  await qpki(tmp, "ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
  await qpki(tmp, "credential", "enroll", "web", "-P", "ec/tls-client", "--var", "cn=web");
  const newer = (file: string) => {
    const meta = JSON.parse(tmp.read(file));
    tmp.write(file, JSON.stringify({ ...meta, schema: 2 }));
    return tmp.read(file);
  };
  const [ca, cred] = [newer("ca/ca.meta.json"), newer("credentials/web/credential.meta.json")];
  const commands = [
    ["ca", "info"],
    ["ca", "check"],
    ["ca", "check", "--repair"],
    ["ca", "upgrade"],
    ["ca", "rotate"],
    ["ca", "backup", "--out", "x.tar"],
    ["crl", "gen"],
    ["cert", "list"],
    ["credential", "info", "web"],
    ["credential", "check", "web"],
    ["credential", "rotate", "web"],
  ];
  for (const command of commands) {
    const { status, stderr } = await runInProcess(command, { cwd: tmp.path });
    assert.equal(status, 4, `${command.join(" ")}: ${stderr}`);
    assert.match(stderr, /schema 2, and this program knows up to 1[\s\S]*hint: A newer qpki/, command.join(" "));
  }
  assert.equal(tmp.read("ca/ca.meta.json"), ca);
  assert.equal(tmp.read("credentials/web/credential.meta.json"), cred);
});
