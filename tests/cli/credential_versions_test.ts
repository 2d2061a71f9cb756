import assert from "node:assert/strict";
import { describe, run, runCli, runJson, runOk, spawnCli } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

interface Meta {
  active: string;
  ca: string;
  profiles: string[];
  subject: { common_name: string };
  custom?: string;
  versions: Record<string, {
    status: string;
    ca: string;
    profiles: string[];
    inputs?: { variables: Record<string, unknown>; validity?: string; file?: string }[];
    certificates: { serial: string; path?: string }[];
    keys: { storage: { type: string; config?: string; label?: string; key_id?: string; path?: string } }[];
  }>;
}

interface Cert {
  objects: { subject: string; not_before: string; not_after: string; extensions: { name: string; value: unknown }[] }[];
}

function meta(tmp: Pick<TempFolder, "read">, id = "srv"): Meta {
  return JSON.parse(tmp.read(`credentials/${id}/credential.meta.json`));
}

/** What a certificate of a version says of its holder, and for how many days. */
async function holder(at: { cwd: string }, version: string, id = "srv", name = "ecdsa-p256") {
  const file = `credentials/${id}/versions/${version}/certs/credential.${name}.pem`;
  const [one] = (await runJson(["inspect", file], at) as Cert).objects;
  const days = (Date.parse(one!.not_after) - Date.parse(one!.not_before)) / 86_400_000;
  const names = one!.extensions.find((extension) => extension.name === "subjectAltName")?.value;
  return { subject: one!.subject, names: JSON.stringify(names), days };
}

testWith("what was given at enrolment is given again, and what is given now goes before it", {}, async (t) => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root"], at);
  const names = ["--var", "cn=www.test", "--var", "dns_names=www.test,alt.test", "--var", "organization=Acme"];
  await runOk(["credential", "enroll", "srv", "-P", "ec/tls-server", ...names, "--days", "30"], at);

  await t.step("the same again", async () => {
    await runOk(["credential", "rotate", "srv"], at);
    assert.deepEqual(await holder(at, "v2"), await holder(at, "v1"));
    assert.equal((await holder(at, "v2")).days, 30);
  });
  await t.step("another profile, another name, another validity", async () => {
    await runOk(["credential", "rotate", "srv", "-P", "rsa/tls-server", "--var", "dns_names=new.test"], at);
    const { subject, names } = await holder(at, "v3", "srv", "rsa-2048");
    assert.equal(subject, (await holder(at, "v1")).subject);
    assert.match(names, /new\.test/);
    assert.doesNotMatch(names, /alt\.test/);
    await runOk(["credential", "rotate", "srv", "--var", "validity=10d"], at);
    assert.equal((await holder(at, "v4")).days, 10);
    await runOk(["credential", "activate", "srv", "--version", "4"], at);
    await runOk(["credential", "rotate", "srv"], at);
    assert.equal((await holder(at, "v5")).days, 10);
    await runOk(["credential", "rotate", "srv", "--validity", "5d"], at);
    assert.equal((await holder(at, "v6")).days, 5);
    assert.deepEqual(meta(tmp).versions["v6"]!.inputs![0]!.variables, {
      cn: "www.test",
      dns_names: "www.test,alt.test",
      organization: "Acme",
      validity: "10d",
    });
  });
  await t.step("a profile of one's own by its path", async () => {
    await runOk(["profile", "export", "ec/tls-server", "mine.yaml"], at);
    tmp.write("mine.yaml", tmp.read("mine.yaml").replace("name: ec/tls-server", "name: mine"));
    await runOk(["credential", "rotate", "srv", "-P", "./mine.yaml", "--activate"], at);
    await runOk(["credential", "rotate", "srv"], at);
    assert.deepEqual(meta(tmp).versions["v8"]!.profiles, ["mine"]);
    Deno.removeSync(tmp.join("mine.yaml"));
    const lost = await runCli(["credential", "rotate", "srv"], at);
    assert.equal(lost.code, 4, lost.stderr);
    assert.match(lost.stderr, /Cannot find profile "mine" of the active version/);
  });
});

Deno.test("metadata of the older tool: names come from the certificate, and its files from where they were", async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root"], at);
  const names = ["--var", "cn=www.test", "--var", "dns_names=www.test,alt.test", "--var", "ip_addresses=192.0.2.7"];
  const more = ["--var", "organization=Acme", "--var", "crl_url=http://crl.test/ca.crl"];
  await runOk(["credential", "enroll", "srv", "-P", "ec/tls-server", ...names, ...more], at);
  const path = "credentials/srv/credential.meta.json";
  const { id, subject, profiles, created, not_before, not_after, certificates } = JSON.parse(tmp.read(path));
  delete certificates[0].path;
  const older = {
    id,
    subject,
    profiles,
    status: "valid",
    created,
    not_before,
    not_after,
    certificates,
    custom: "kept",
  };
  tmp.write(path, JSON.stringify(older));
  const first = tmp.join("credentials/srv/versions/v1/certs/credential.ecdsa-p256.pem");
  const before = await holder(at, "v1");
  Deno.renameSync(first, tmp.join("credentials/srv/certificates.pem"));
  await runOk(["credential", "rotate", "srv", "-d", "ca"], at);
  const { subject: name, names: alternatives } = await holder(at, "v2");
  assert.deepEqual([name, alternatives], [before.subject, before.names]);
  const info = JSON.parse(tmp.read(path)) as Meta;
  assert.deepEqual([info.active, info.custom, Object.keys(info.versions)], ["v1", "kept", ["v1", "v2"]]);
  await runOk(["credential", "activate", "srv"], at);
  const listed = await runJson(["credential", "versions", "srv", "-d", "ca"], at) as { versions: unknown[] };
  assert.equal(listed.versions.length, 2);
  await runOk(["credential", "activate", "srv", "--version", "v1"], at);
  await runOk(["credential", "revoke", "srv", "--all", "-d", "ca"], at);
});

testWith(
  "versions of several CAs: each is looked up and revoked where it was issued",
  { needs: ["openssl"] },
  async () => {
    using tmp = tempFolder();
    const at = { cwd: tmp.path };
    await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=First", "-d", "first"], at);
    await runOk(["ca", "init", "--profile", "rsa/root-ca", "--var", "cn=Second", "-d", "second"], at);
    await runOk(["credential", "enroll", "srv", "-d", "first", "-P", "ec/tls-server", "--var", "cn=www.test"], at);
    await runOk(["credential", "rotate", "srv", "-d", "second", "--activate"], at);
    assert.deepEqual([meta(tmp).ca, meta(tmp).versions["v1"]!.ca], ["../../second", "../../first"]);
    await runOk(["credential", "rotate", "srv"], at);
    assert.equal(meta(tmp).versions["v3"]!.ca, "../../second");
    const revoked = await runJson(["credential", "revoke", "srv", "--all", "--gen-crl"], at) as {
      certificates: { version: string; ca: string }[];
      crls: { path: string }[];
    };
    assert.deepEqual(revoked.certificates.map((one) => [one.version, one.ca.split("/").at(-1)]), [
      ["v1", "first"],
      ["v2", "second"],
      ["v3", "second"],
    ]);
    assert.equal(revoked.crls.length, 2);
    for (const [ca, version] of [["first", "v1"], ["second", "v2"]]) {
      const leaf = `credentials/srv/versions/${version}/certs/credential.ecdsa-p256.pem`;
      const verify = ["verify", "-CAfile", `${ca}/ca.crt`, "-CRLfile", `${ca}/crl/ca.crl`, "-crl_check", leaf];
      assert.match((await run("openssl", verify, at)).stderr, /certificate revoked/);
    }
    const info = await runJson(["credential", "info", "srv", "--version", "v1"], at) as { status: string; ca: string };
    assert.equal(info.status, "revoked");
    assert.match(info.ca, /first$/);
  },
);

testWith(
  "the CA rotates too: what each of its versions issued is in that version's CRL",
  { needs: ["openssl"] },
  async () => {
    using tmp = tempFolder();
    const at = { cwd: tmp.path };
    await runOk(["ca", "init", "--profile", "rsa/root-ca", "--var", "cn=Root"], at);
    await runOk(["credential", "enroll", "srv", "-P", "ec/tls-server", "--var", "cn=www.test"], at);
    await runOk(["credential", "enroll", "other", "-P", "ec/tls-client", "--var", "cn=b"], at);
    Deno.copyFileSync(tmp.join("ca/ca.crt"), tmp.join("roots.pem"));
    await runOk(["ca", "rotate", "--profile", "ec/root-ca"], at);
    await runOk(["ca", "activate", "--version", "v2"], at);
    tmp.write("roots.pem", tmp.read("roots.pem") + tmp.read("ca/ca.crt"));
    await runOk(["credential", "rotate", "srv", "--activate"], at);
    await runOk(["credential", "rotate", "other"], at);
    await runOk(["crl", "gen"], at);
    const revoked = await runJson(["credential", "revoke", "srv", "--all", "--gen-crl"], at) as {
      certificates: unknown[];
      crls: { path: string }[];
    };
    assert.deepEqual([revoked.certificates.length, revoked.crls.length], [2, 2]);
    tmp.write("all.crl", revoked.crls.map(({ path }) => Deno.readTextFileSync(path)).join(""));
    for (const [id, said] of [["srv", /certificate revoked/], ["other", /: OK/]] as const) {
      for (const version of ["v1", "v2"]) {
        const leaf = `credentials/${id}/versions/${version}/certs/credential.ecdsa-p256.pem`;
        const verify = ["verify", "-CAfile", "roots.pem", "-CRLfile", "all.crl", "-crl_check", leaf];
        const { stdout, stderr } = await run("openssl", verify, at);
        assert.match(stdout + stderr, said, `${id} ${version}`);
        const own = await runCli(["cert", "verify", leaf, "--ca", "ca"], at);
        assert.equal(own.code, id === "srv" ? 1 : 0, describe(leaf, own));
      }
    }
  },
);

testWith("keys that are encrypted stay so", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path, env: { PASS: "one", NEW: "two" } };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root"], at);
  await runOk(["credential", "enroll", "srv", "-P", "ec/tls-client", "--var", "cn=a", "-p", "env:PASS"], at);
  const refused = await runCli(["credential", "rotate", "srv"], at);
  assert.equal(refused.code, 2, refused.stderr);
  assert.match(refused.stderr, /without --passphrase: the present ones are encrypted/);
  await runOk(["credential", "rotate", "srv", "-p", "env:NEW"], at);
  const file = (version: string) => `credentials/srv/versions/${version}/keys/credential.ecdsa-p256.key`;
  assert.equal((await run("openssl", ["pkey", "-in", file("v2"), "-passin", "env:NEW", "-noout"], at)).code, 0);
  await runOk(["credential", "rotate", "srv", "-p", ""], at);
  assert.match(tmp.read(file("v3")), /BEGIN PRIVATE KEY/);
  const wrong = await runCli(["credential", "rotate", "srv", "--keep-keys", "-p", "env:NEW"], at);
  assert.equal(wrong.code, 4);
  assert.match(wrong.stderr, /the passphrase is wrong/);
  await runOk(["credential", "rotate", "srv", "--keep-keys", "-p", "env:PASS"], at);
  assert.equal(meta(tmp).versions["v4"]!.keys[0]!.storage.path, "versions/v1/keys/credential.ecdsa-p256.key");
});

testWith("both keys of a pair are kept together", {}, async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  const roots = ["--profile", "hybrid/catalyst/root-ca", "--profile", "hybrid/composite/root-ca"];
  await runOk(["ca", "init", ...roots, "--var", "cn=Root"], at);
  for (const mode of ["catalyst", "composite"]) {
    const profile = `hybrid/${mode}/tls-client`;
    await runOk(["credential", "enroll", "srv", "-P", profile, "--var", "cn=a"], at);
    await runOk(["credential", "rotate", "srv", "--keep-keys", "-P", `hybrid/${mode}/signing`], at);
    const { v1, v2 } = meta(tmp).versions;
    assert.deepEqual(v2!.keys, v1!.keys);
    assert.equal(v2!.keys.length, 2);
    const file = `credentials/srv/${v2!.certificates[0]!.path}`;
    await runOk(["cert", "verify", file, "--ca", "ca"], at);
    const other = mode === "catalyst" ? "composite" : "catalyst";
    const refused = await runCli(["credential", "rotate", "srv", "--keep-keys", "-P", `hybrid/${other}/signing`], at);
    assert.match(refused.stderr, /Cannot keep the keys for profile/);
    Deno.removeSync(tmp.join("credentials/srv"), { recursive: true });
  }
});

testWith("a damaged version is told, and the others with it", {}, async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root"], at);
  await runOk(["credential", "enroll", "srv", "-P", "ec/tls-client", "--var", "cn=a"], at);
  await runOk(["credential", "rotate", "srv", "--activate"], at);
  Deno.removeSync(tmp.join("credentials/srv/versions/v1/certs/credential.ecdsa-p256.pem"));
  const listed = await runOk(["credential", "versions", "srv"], at);
  assert.match(listed.stdout, /v1 +archived +damaged .*\nv2 +active +valid /);
  assert.match(listed.stderr, /Version v1: Cannot find the certificate/);
  // revoking takes no more than the serials
  await runOk(["credential", "revoke", "srv", "--version", "v1"], at);
});

testWith("bad calls: exit status and message; nothing changes", {}, async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root"], at);
  await runOk(["credential", "enroll", "srv", "-P", "ec/tls-client", "-P", "rsa/tls-client", "--var", "cn=a"], at);
  const before = tmp.read("credentials/srv/credential.meta.json");
  const cases: [string[], number, RegExp][] = [
    [["rotate"], 2, /Missing argument ID/],
    [["rotate", "absent"], 4, /Cannot find the credential "absent"/],
    [["rotate", "srv", "-d", "nowhere"], 4, /there is no ca\.meta\.json/],
    [["rotate", "srv", "-P", "ec/email", "--add-profile", "ec/signing"], 2, /--profile together with --add-profile/],
    [["rotate", "srv", "--add-profile", "ec/tls-client"], 2, /has it/],
    [["rotate", "srv", "--remove-profile", "ec/email"], 2, /does not have it/],
    [
      ["rotate", "srv", "--remove-profile", "ec/tls-client", "--remove-profile", "rsa/tls-client"],
      2,
      /no profile is left/,
    ],
    [["rotate", "srv", "-P", "ec/nothing"], 4, /Cannot find profile "ec\/nothing"/],
    [["rotate", "srv", "-P", "ec/issuing-ca"], 4, /profile of a CA/],
    [["rotate", "srv", "--var", "cm=x"], 4, /"cm"/],
    [["rotate", "srv", "-P", "ec/tls-server"], 4, /variable "cn"/],
    [["rotate", "srv", "--validity", "50y"], 4, /until|maximum|above/],
    [["rotate", "srv", "--days", "3", "--validity", "1y"], 2, /--days together with --validity/],
    [["rotate", "srv", "--keep-keys", "-P", "ml/tls-client"], 4, /asks for ML-DSA-65, and the credential has/],
    [["rotate", "srv", "--keep-keys", "--software"], 2, /--software: no key is made/],
    [["rotate", "srv", "--key-label", "x"], 2, /--hsm-config is missing/],
    [["rotate", "srv", "--software", "--hsm-config", "x.yaml"], 2, /--software together with --hsm-config/],
    [["rotate", "srv", "--pqc-in", "software"], 2, /there is no post-quantum key/],
    [["rotate", "srv", "--pqc-in", "token", "-P", "ml/tls-client"], 2, /--hsm-config is missing/],
    [["activate", "srv"], 4, /none is pending/],
    [["activate", "srv", "--version", "v9"], 4, /version "v9"/],
    [["versions", "absent"], 4, /Cannot find the credential/],
    [["revoke", "srv", "--version", "v9"], 4, /version "v9"/],
    [["revoke", "srv", "--all", "--version", "v1"], 2, /--all together with --version/],
    [["revoke", "srv", "--reason", "bored"], 2, /there is no such reason/],
    [["revoke", "srv", "--crl-days", "0"], 2, /--crl-days/],
    [["info", "srv", "--version", "v9"], 4, /version "v9"/],
  ];
  for (const [args, code, message] of cases) {
    const result = await runCli(["credential", ...args], at);
    assert.equal(result.code, code, describe(args.join(" "), result));
    assert.match(result.stderr, message);
    assert.equal(tmp.read("credentials/srv/credential.meta.json"), before, args.join(" "));
  }
  assert.match((await runOk(["credential", "activate", "srv", "--version", "1"], at)).stdout, /is active already/);
});

interface KeyList {
  keys: { storage: { label: string; key_id: string } }[];
}

testWith(
  "keys in a token: they stay there, leave it with --software, and come back",
  { needs: ["softhsm"] },
  async (t) => {
    using token = softhsmToken();
    token.hsmYaml();
    const at = { cwd: token.folder, env: token.env };
    const read = { read: (path: string) => Deno.readTextFileSync(`${token.folder}/${path}`) };
    const keys = async () => {
      const list = await runJson(["key", "list", "--hsm-config", "hsm.yaml"], at) as KeyList;
      return list.keys.map((key) => key.storage.label).sort();
    };
    await runOk(["ca", "init", "--profile", "ec/root-ca", "--profile", "ml/root-ca", "--var", "cn=R"], at);
    await runOk(["ca", "init", "--profile", "hybrid/catalyst/root-ca", "--var", "cn=C", "-d", "cat"], at);
    const enroll = [
      "credential",
      "enroll",
      "srv",
      "-P",
      "ec/tls-client",
      "--var",
      "cn=a",
      "--hsm-config",
      "./hsm.yaml",
    ];
    await runOk([...enroll, "--key-label", "mine"], at);

    await t.step("under the same label, with another id", async () => {
      await runOk(["credential", "rotate", "srv"], at);
      const [first, second] = ["v1", "v2"].map((id) => meta(read).versions[id]!.keys[0]!.storage);
      assert.deepEqual([first!.label, first!.config], [second!.label, second!.config]);
      assert.notEqual(first!.key_id, second!.key_id);
      assert.deepEqual(await keys(), ["mine", "mine"]);
    });
    await t.step("from another folder, and the configuration's path stays as it was written", async () => {
      const elsewhere = { ...at, cwd: `${token.folder}/ca` };
      const rotate = ["credential", "rotate", "srv", "-c", "../credentials"];
      const lost = await runCli(rotate, elsewhere);
      // the folder above the credential has no hsm.yaml: every place that was tried is told
      assert.equal(lost.code, 4, lost.stderr);
      assert.match(lost.stderr, /Cannot find the HSM configuration "\.\/hsm\.yaml"/);
      Deno.copyFileSync(`${token.folder}/hsm.yaml`, `${token.folder}/credentials/hsm.yaml`);
      await runOk(rotate, elsewhere);
      Deno.removeSync(`${token.folder}/credentials/hsm.yaml`);
      assert.equal(meta(read).versions["v3"]!.keys[0]!.storage.config, "./hsm.yaml");
    });
    await t.step("what the token cannot do is told with what helps, before anything is made", async () => {
      const refused = await runCli(
        ["credential", "rotate", "srv", "-d", "cat", "-P", "hybrid/catalyst/tls-client"],
        at,
      );
      assert.equal(refused.code, 3, refused.stderr);
      assert.match(refused.stderr, /--pqc-in software/);
      const dry = await runCli(["credential", "rotate", "srv", "-P", "ml/tls-client", "--dry-run"], at);
      assert.equal(dry.code, 3, dry.stderr);
      assert.deepEqual(await keys(), ["mine", "mine", "mine"]);
      assert.deepEqual(Object.keys(meta(read).versions), ["v1", "v2", "v3"]);
    });
    await t.step("a label of its own, or a taken one", async () => {
      await runOk(["credential", "rotate", "srv", "--key-label", "other"], at);
      assert.equal(meta(read).versions["v4"]!.keys[0]!.storage.label, "other");
      await runOk(["key", "generate", "-a", "ecdsa-p256", "--hsm-config", "hsm.yaml", "--key-label", "foreign"], at);
      const taken = await runCli(["credential", "rotate", "srv", "--key-label", "foreign"], at);
      assert.equal(taken.code, 3, taken.stderr);
      assert.match(taken.stderr, /a key with label "foreign" exists/);
    });
    await t.step("out of the token, and back", async () => {
      Deno.renameSync(`${token.folder}/hsm.yaml`, `${token.folder}/away.yaml`);
      await runOk(["credential", "rotate", "srv", "--software", "--activate"], at);
      assert.equal(meta(read).versions["v5"]!.keys[0]!.storage.type, "software");
      Deno.renameSync(`${token.folder}/away.yaml`, `${token.folder}/hsm.yaml`);
      await runOk(["credential", "rotate", "srv"], at);
      assert.equal(meta(read).versions["v6"]!.keys[0]!.storage.type, "software");
      await runOk(["credential", "rotate", "srv", "--hsm-config", "./hsm.yaml", "--key-label", "again"], at);
      assert.equal(meta(read).versions["v7"]!.keys[0]!.storage.label, "again");
    });
  },
);

testWith("Ctrl-C during a rotation leaves nothing or everything", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  token.hsmYaml();
  const at = { cwd: token.folder, env: token.env };
  const read = { read: (path: string) => Deno.readTextFileSync(`${token.folder}/${path}`) };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=R"], at);
  const profiles = ["-P", "rsa/tls-client", "-P", "rsa/email", "--var", "cn=c", "--var", "email=c@a.test"];
  await runOk(["credential", "enroll", "srv", ...profiles, "--hsm-config", "hsm.yaml", "--key-label", "k"], at);
  const outcomes = new Set<number>();
  let versions = 1;
  for (const delay of [200, 350, 500, 700, 1000, 1500]) {
    const child = spawnCli(["credential", "rotate", "srv"], at);
    const timer = setTimeout(() => child.kill("SIGINT"), delay);
    const { code, stderr } = await child.output();
    clearTimeout(timer);
    const said = new TextDecoder().decode(stderr);
    assert.ok(code === 130 || code === 0, `exit ${code}: ${said}`);
    outcomes.add(code);
    if (code === 0) versions++;
    const list = await runJson(["key", "list", "--hsm-config", "hsm.yaml"], at) as KeyList;
    assert.deepEqual([Object.keys(meta(read).versions).length, list.keys.length], [versions, 2 * versions], said);
  }
  assert.ok(outcomes.has(130), "no call was interrupted in time");
});

testWith("a killed rotation's keys are in the metadata, or named with the command that deletes them", {
  needs: ["softhsm"],
}, async () => {
  using token = softhsmToken();
  token.hsmYaml();
  const at = { cwd: token.folder, env: token.env };
  const read = { read: (path: string) => Deno.readTextFileSync(`${token.folder}/${path}`) };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=R"], at);
  const profiles = ["-P", "rsa/tls-client", "-P", "rsa/email", "--var", "cn=c", "--var", "email=c@a.test"];
  await runOk(["credential", "enroll", "srv", ...profiles, "--hsm-config", "hsm.yaml", "--key-label", "k"], at);
  let leftovers = 0;
  // each key is announced before it is made: at the second announcement the first key is there
  for (const [announced, more] of [[1, 0], [1, 60], [2, 0], [2, 40], [2, 120]] as const) {
    const before = announcements(token.folder);
    const child = spawnCli(["credential", "rotate", "srv"], at);
    const output = child.output();
    const isOver = output.then(() => true);
    const soon = () => new Promise<false>((done) => setTimeout(() => done(false), 5));
    while (announcements(token.folder) < before + announced && !await Promise.race([isOver, soon()]));
    await new Promise((done) => setTimeout(done, more));
    try {
      child.kill("SIGKILL");
    } catch { /* it has ended */ }
    await output;
    const list = await runJson(["key", "list", "--hsm-config", "hsm.yaml"], at) as KeyList;
    const known = Object.values(meta(read).versions).flatMap(({ keys }) => keys.map(({ storage }) => storage.key_id));
    const said = (await runCli(["credential", "check", "srv"], at)).stdout;
    for (const { storage } of list.keys) {
      if (known.includes(storage.key_id)) continue;
      leftovers++;
      assert.match(
        said,
        new RegExp(`qpki key delete .*--key-id ${storage.key_id}`),
        `${announced} keys announced, ${more} ms`,
      );
    }
    assert.ok(known.every((id) => list.keys.some(({ storage }) => storage.key_id === id)));
  }
  assert.ok(leftovers > 0, "no call was killed between a key and its certificate");
  await runOk(["credential", "check", "srv", "--repair"], at);
  await runOk(["credential", "rotate", "srv", "--activate"], at);
});

/** Keys in a token that the journal of the credential announces. */
function announcements(folder: string): number {
  try {
    const journal = Deno.readTextFileSync(`${folder}/credentials/srv/journal.jsonl`);
    return journal.split("\n").filter((line) => line.includes('"state":"intent"') && line.includes('"keys"')).length;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
