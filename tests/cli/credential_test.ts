import assert from "node:assert/strict";
import { run, runCli, runJson, runOk, spawnCli } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { tempFolder } from "../support/tmp.ts";

const SERVER = ["--profile", "ec/tls-server", "--var", "cn=www.test", "--var", "dns_names=www.test"];

interface Info {
  id: string;
  status: string;
  revocation_checked: boolean;
  certificates: {
    serial: string;
    status: string;
    reason?: string;
    spki_sha256: string;
    storage: { type: string; config?: string; label?: string; key_id?: string; path?: string }[];
    key_file_present: boolean | null;
  }[];
}

interface KeyList {
  keys: { storage: { label: string } }[];
}

testWith("enroll, list, info, export and revoke, judged by openssl", { needs: ["openssl"] }, async (t) => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path, env: { PASS: "secret" } };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root"], at);
  await runOk(["ca", "init", "--profile", "ec/issuing-ca", "--var", "cn=Issuing", "--parent", "ca", "-d", "ica"], at);

  await t.step("enroll with a passphrase", async () => {
    const text = await runOk(["credential", "enroll", "srv", "-d", "ica", ...SERVER, "-p", "env:PASS"], at);
    assert.match(text.stdout, /Credential enrolled: srv\n/);
    assert.match(tmp.read("credentials/srv/versions/v1/keys/credential.ecdsa-p256.key"), /BEGIN ENCRYPTED PRIVATE KEY/);
    await runOk(["credential", "export", "srv", "--out", "leaf.pem"], at);
    await runOk(["credential", "export", "srv", "--bundle", "chain", "--out", "chain.pem"], at);
    const all = await runOk(["credential", "export", "srv", "--bundle", "all"], at);
    const count = (text: string) => text.match(/BEGIN CERTIFICATE/g)?.length;
    assert.deepEqual([tmp.read("leaf.pem"), tmp.read("chain.pem"), all.stdout].map(count), [1, 2, 3]);
    const verify = ["verify", "-x509_strict", "-CAfile", "ca/ca.crt", "-untrusted", "chain.pem", "leaf.pem"];
    assert.equal((await run("openssl", verify, at)).stdout, "leaf.pem: OK\n");
    const key = "credentials/srv/versions/v1/keys/credential.ecdsa-p256.key";
    const ofKey = await run("openssl", ["pkey", "-in", key, "-passin", "env:PASS", "-pubout"], at);
    assert.equal(ofKey.stdout, (await run("openssl", ["x509", "-in", "leaf.pem", "-noout", "-pubkey"], at)).stdout);
    await runOk(["credential", "export", "srv", "--format", "der", "--out", "leaf.der"], at);
    assert.equal((await run("openssl", ["x509", "-inform", "DER", "-in", "leaf.der", "-noout"], at)).code, 0);
  });

  await t.step("an id is made when none is given", async () => {
    const made = await runJson(["credential", "enroll", "-d", "ica", ...SERVER, "--days", "30"], at) as { id: string };
    assert.match(made.id, /^www-test-\d{8}-[0-9a-f]{6}$/);
    const { credentials } = await runJson(["credential", "list"], at) as {
      credentials: { id: string; status: string }[];
    };
    assert.deepEqual(credentials.map((one) => [one.id, one.status]), [["srv", "valid"], [made.id, "valid"]]);
    assert.match((await runOk(["credential", "list"], at)).stdout, /^ID +STATUS +COMMON NAME/);
  });

  await t.step("a revocation shows at once, from any folder", async () => {
    const before = await runJson(["credential", "info", "srv"], at) as Info;
    assert.deepEqual([before.status, before.revocation_checked], ["valid", true]);
    assert.equal(before.certificates[0]!.key_file_present, true);
    await runOk(["cert", "revoke", before.certificates[0]!.serial, "-d", "ica", "--reason", "superseded"], at);
    const elsewhere = { ...at, cwd: tmp.join("ca") };
    const after = await runJson(["credential", "info", "srv", "-c", "../credentials"], elsewhere) as Info;
    assert.deepEqual([after.status, after.certificates[0]!.reason], ["revoked", "superseded"]);
    assert.match((await runOk(["credential", "info", "srv"], at)).stdout, /Status: +revoked since .* \(superseded\)/);
    assert.match((await runOk(["credential", "list"], at)).stdout, /srv +revoked/);
    const other = await runJson(["credential", "info", "srv", "-d", "ca"], at) as Info;
    assert.deepEqual([other.status, other.revocation_checked], ["valid", false]);
  });

  await t.step("several profiles at once", async () => {
    const profiles = ["--profile", "ec/tls-client", "--profile", "rsa/tls-client", "--var", "cn=alice"];
    await runOk(["credential", "enroll", "alice", "-d", "ica", ...profiles], at);
    const info = await runJson(["credential", "info", "alice"], at) as Info;
    assert.deepEqual(info.certificates.map((one) => one.storage[0]!.path), [
      "versions/v1/keys/credential.ecdsa-p256.key",
      "versions/v1/keys/credential.rsa-2048.key",
    ]);
  });

  await t.step("bad calls: exit status and message", async () => {
    const cases: [string[], number, RegExp][] = [
      [["enroll", "srv", "-d", "ica", ...SERVER], 1, /srv" exists/],
      [["enroll", "../x", "-d", "ica", ...SERVER], 4, /as the id/],
      [["enroll", "-d", "ica"], 2, /--profile/],
      [["enroll", "-d", "absent", ...SERVER], 4, /there is no ca\.meta\.json/],
      [["enroll", "-d", "ica", "--profile", "ec/issuing-ca", "--var", "cn=x"], 4, /profile of a CA/],
      [["enroll", "-d", "ica", "--profile", "ec/tls-client", "--var", "cm=x"], 4, /"cm"/],
      [["enroll", "-d", "ica", ...SERVER, "--validity", "30y"], 4, /until|maximum|above/],
      [["enroll", "-d", "ica", ...SERVER, "--key-label", "x"], 2, /--hsm-config is missing/],
      [["info", "absent"], 4, /Cannot find the credential "absent"/],
      [["export", "srv", "--version", "v9"], 4, /version "v9"/],
      [["export", "srv", "--format", "der"], 2, /name a file/],
      [["export", "srv", "--bundle", "all", "--format", "der", "--out", "x"], 2, /3 certificates as DER/],
      [["export", "srv", "--out", "leaf.pem"], 1, /the file exists/],
      [["export", "srv", "--all", "--version", "v1"], 2, /--all together/],
    ];
    const before = [...Deno.readDirSync(tmp.join("credentials"))].length;
    for (const [args, code, message] of cases) {
      const result = await runCli(["credential", ...args], at);
      assert.equal(result.code, code, `${args.join(" ")}\n${result.stderr}`);
      assert.match(result.stderr, message);
    }
    assert.equal([...Deno.readDirSync(tmp.join("credentials"))].length, before);
    Deno.writeTextFileSync(tmp.join("credentials/srv/credential.meta.json"), '{"id": "srv", "versions": {');
    const listed = await runCli(["credential", "list"], at);
    assert.match(listed.stdout, /srv +damaged/);
    assert.match(listed.stderr, /credential\.meta\.json": it is not JSON/);
    assert.equal((await runCli(["credential", "info", "srv"], at)).code, 4);
  });
});

Deno.test("metadata of the older tool is read", async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root"], at);
  await runOk(["credential", "enroll", "x", ...SERVER], at);
  const path = "credentials/x/credential.meta.json";
  const { id, subject, profiles, created, not_before, not_after, certificates } = JSON.parse(tmp.read(path));
  delete certificates[0].path;
  tmp.write(
    path,
    JSON.stringify({ id, subject, profiles, status: "valid", created, not_before, not_after, certificates }),
  );
  Deno.renameSync(
    tmp.join("credentials/x/versions/v1/certs/credential.ecdsa-p256.pem"),
    tmp.join("credentials/x/certificates.pem"),
  );
  const info = await runJson(["credential", "info", "x"], at) as Info;
  assert.deepEqual([info.status, info.revocation_checked], ["valid", true]);
  assert.match((await runOk(["credential", "list"], at)).stdout, /x +valid/);
});

testWith("enroll in a token, as the guide shows it", { needs: ["softhsm", "openssl"] }, async (t) => {
  using token = softhsmToken();
  token.hsmYaml();
  const at = { cwd: token.folder, env: token.env };
  const hsm = ["--hsm-config", "./hsm.yaml"];
  await runOk(
    ["ca", "init", ...hsm, "--key-label", "root", "--profile", "ec/root-ca", "--var", "cn=R", "-d", "ca"],
    at,
  );
  const keys = async () => {
    const list = await runJson(["key", "list", "--hsm-config", "hsm.yaml"], at) as KeyList;
    return list.keys.map((key) => key.storage.label).sort();
  };

  await t.step("key, metadata and certificate agree", async () => {
    await runOk(["credential", "enroll", "srv", ...SERVER, ...hsm, "--key-label", "server-key"], at);
    const meta = JSON.parse(Deno.readTextFileSync(`${token.folder}/credentials/srv/credential.meta.json`));
    assert.deepEqual(Object.keys(meta.certificates[0].storage[0]), ["type", "config", "label", "key_id"]);
    assert.equal(meta.certificates[0].storage[0].config, "./hsm.yaml");
    assert.equal(meta.certificates[0].storage[0].label, "server-key");
    assert.deepEqual(await keys(), ["root", "server-key"]);
    const info = await runJson(["credential", "info", "srv"], at) as Info;
    assert.equal(info.certificates[0]!.key_file_present, null);
    await runOk(["credential", "export", "srv", "--out", "leaf.pem"], at);
    const csr = ["csr", "gen", ...hsm, "--key-label", "server-key", "--cn", "x"];
    const { key } = await runJson(csr, at) as { key: { spki_sha256: string } };
    assert.equal(key.spki_sha256, info.certificates[0]!.spki_sha256);
    const verify = ["verify", "-x509_strict", "-CAfile", "ca/ca.crt", "leaf.pem"];
    assert.equal((await run("openssl", verify, at)).stdout, "leaf.pem: OK\n");
  });

  await t.step("a taken label fails before anything is made", async () => {
    const taken = await runCli(["credential", "enroll", ...SERVER, ...hsm, "--key-label", "server-key"], at);
    assert.equal(taken.code, 3, taken.stderr);
    assert.deepEqual(await keys(), ["root", "server-key"]);
    assert.equal([...Deno.readDirSync(`${token.folder}/credentials`)].length, 1);
    assert.equal([...Deno.readDirSync(`${token.folder}/ca/issued`)].length, 1);
  });

  await t.step("labels are numbered with several profiles", async () => {
    const profiles = ["-P", "ec/tls-client", "-P", "rsa/tls-client", "--var", "cn=bob"];
    await runOk(["credential", "enroll", "bob", ...profiles, ...hsm, "--key-label", "bob"], at);
    await runOk(["credential", "enroll", "auto", "-P", "ec/tls-client", "--var", "cn=auto", ...hsm], at);
    assert.deepEqual(await keys(), ["auto-0", "bob-0", "bob-1", "root", "server-key"]);
    const two = await runCli(["credential", "enroll", ...profiles, ...hsm, "--key-id", "01"], at);
    assert.equal(two.code, 2);
  });
});

testWith("Ctrl-C during enrolment leaves nothing or everything", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  token.hsmYaml();
  const at = { cwd: token.folder, env: token.env };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=R"], at);
  const outcomes = new Set<string>();
  for (const delay of [150, 250, 350, 500, 700, 1000]) {
    const args = ["credential", "enroll", `c${delay}`, "-P", "rsa/tls-client", "-P", "rsa/email", "--var", "cn=carol"];
    const more = ["--var", "email=carol@a.test", "--hsm-config", "hsm.yaml", "--key-label", `k${delay}`];
    const child = spawnCli([...args, ...more], at);
    const timer = setTimeout(() => child.kill("SIGINT"), delay);
    const { code, stderr } = await child.output();
    clearTimeout(timer);
    const said = new TextDecoder().decode(stderr);
    assert.ok(code === 130 || code === 0, `exit ${code}: ${said}`);
    const exists = (path: string) => {
      try {
        return Deno.statSync(`${token.folder}/${path}`).isDirectory;
      } catch {
        return false;
      }
    };
    const list = await runJson(["key", "list", "--hsm-config", "hsm.yaml"], at) as KeyList;
    const own = list.keys.filter((key) => key.storage.label.startsWith(`k${delay}-`)).length;
    assert.deepEqual([own, exists(`credentials/c${delay}`)], code === 0 ? [2, true] : [0, false], said);
    if (exists("credentials")) {
      const hidden = [...Deno.readDirSync(`${token.folder}/credentials`)].filter((e) => e.name.startsWith("."));
      assert.deepEqual(hidden, []);
    }
    outcomes.add(String(code));
  }
  assert.ok(outcomes.has("130"), "no call was interrupted in time");
});

testWith("a full disk leaves nothing or everything", { needs: ["root"], skip: tmpfsReason() }, async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=R"], at);
  const disk = tmp.join("disk");
  Deno.mkdirSync(disk);
  assert.equal((await run("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk])).code, 0);
  const outcomes = new Set<number>();
  try {
    for (let pages = 8; pages <= 16; pages++) {
      Deno.writeFileSync(`${disk}/fill`, new Uint8Array(pages * 4096));
      const issued = [...Deno.readDirSync(tmp.join("ca/issued"))].length;
      const { code, stderr } = await runCli(["credential", "enroll", `c${pages}`, "-c", "disk/creds", ...SERVER], at);
      outcomes.add(code);
      const left = [...Deno.readDirSync(disk)].map((entry) => entry.name).sort();
      const ids = left.includes("creds") ? [...Deno.readDirSync(`${disk}/creds`)].map((entry) => entry.name) : [];
      if (code === 0) {
        assert.deepEqual(ids, [`c${pages}`]);
        assert.equal((await runJson(["credential", "info", ids[0]!, "-c", "disk/creds"], at) as Info).status, "valid");
        Deno.removeSync(`${disk}/creds`, { recursive: true });
      } else {
        assert.deepEqual([code, left], [1, ["fill"]], stderr);
        assert.match(stderr, /no space left on device \(ENOSPC\)/);
        assert.equal(
          [...Deno.readDirSync(tmp.join("ca/issued"))].length,
          issued,
          "no certificate without a credential",
        );
      }
      Deno.removeSync(`${disk}/fill`);
    }
  } finally {
    await run("umount", [disk]);
  }
  assert.deepEqual([...outcomes].sort(), [0, 1]);
});

/** Why no small file system can be mounted here. */
function tmpfsReason(): string | undefined {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return undefined;
  const folder = Deno.makeTempDirSync();
  try {
    const mount = new Deno.Command("mount", { args: ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder] }).outputSync();
    if (!mount.success) return "tmpfs cannot be mounted";
    new Deno.Command("umount", { args: [folder] }).outputSync();
    return undefined;
  } catch {
    return "mount is not on PATH";
  } finally {
    Deno.removeSync(folder);
  }
}
