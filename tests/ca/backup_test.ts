/** `ca backup` and `ca restore`: the same state is the same bytes, and nothing is written that was not verified. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Bytes } from "../../src/bytes.ts";
import { sha256Hex } from "../../src/keys/digest.ts";
import { JOURNAL_FILE } from "../../src/store/layout.ts";
import { MANIFEST_FILE } from "../../src/store/manifest.ts";
import { readTar, type TarEntry, writeTar } from "../../src/store/tar.ts";
import { describe, run } from "../support/cli.ts";
import { type InProcessResult, runInProcess } from "../support/in_process.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";
import { treeOf } from "./support.ts";

const ENV = { PASS: "correct horse" };

function qpki(tmp: TempFolder, ...args: string[]): Promise<InProcessResult> {
  return runInProcess(args, { cwd: tmp.path, env: ENV });
}

async function ok(tmp: TempFolder, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await qpki(tmp, ...args);
  assert.equal(status, 0, describe(args.join(" "), { code: status, stdout, stderr }));
  return stdout;
}

async function issue(tmp: TempFolder, ca = "ca"): Promise<string> {
  const words = ["--profile", "ec/tls-server", "--csr", "csr", "--cn", "x.test", "--dns", "x.test", "--json"];
  return JSON.parse(await ok(tmp, "cert", "issue", "-d", ca, ...words, "--ca-passphrase", "env:PASS")).serial;
}

/** A CA with an encrypted key, two certificates, a revocation, a CRL, a profile of its own, a credential inside. */
async function prepare(tmp: TempFolder): Promise<string[]> {
  const init = ["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Backed Up", "-d", "ca"];
  await ok(tmp, ...init, "--passphrase", "env:PASS");
  await ok(tmp, "csr", "gen", "-a", "ecdsa-p256", "--keyout", "k", "--cn", "x.test", "-o", "csr");
  const serials = [await issue(tmp), await issue(tmp)];
  await ok(tmp, "cert", "revoke", serials[1]!, "-d", "ca", "--gen-crl", "--ca-passphrase", "env:PASS");
  await ok(tmp, "profile", "export", "ec/tls-client", "ca/profiles/own.yaml").catch(() => {});
  const enroll = ["credential", "enroll", "web", "-d", "ca", "-c", "ca/credentials", "--profile", "ec/tls-client"];
  await ok(tmp, ...enroll, "--var", "cn=web", "--ca-passphrase", "env:PASS");
  return serials;
}

/** Contents of everything below a folder that a backup keeps. */
function contents(folder: string): Record<string, string> {
  const files = treeOf(folder).filter((name) => Deno.statSync(`${folder}/${name}`).isFile);
  const kept = files.filter((name) => !/(^|\/)\.(lock|staging)/.test(name));
  return Object.fromEntries(kept.map((name) => [name, Deno.readTextFileSync(`${folder}/${name}`)]));
}

Deno.test("ca backup: the same state is the same bytes, wherever it is; restored it is the same state", async () => {
  using tmp = tempFolder();
  const serials = await prepare(tmp);
  const told = JSON.parse(await ok(tmp, "ca", "backup", "-d", "ca", "-o", "one.tar", "--json"));
  assert.deepEqual(told.left_out.map(({ path }: { path: string }) => path), [
    "credentials/web/versions/v1/keys/credential.ecdsa-p256.key",
  ]);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await ok(tmp, "ca", "backup", "-d", "ca", "-o", "two.tar");
  const one = Deno.readFileSync(tmp.join("one.tar"));
  assert.deepEqual(Deno.readFileSync(tmp.join("two.tar")), one);
  assert.equal(told.sha256, await sha256Hex(one));
  assert.equal(Deno.statSync(tmp.join("one.tar")).mode! & 0o777, 0o600);
  assert.equal((await qpki(tmp, "ca", "backup", "-d", "ca", "-o", "one.tar")).status, 1, "an existing file");

  await ok(tmp, "ca", "restore", "one.tar", "-d", "deep/er/restored");
  await ok(tmp, "ca", "backup", "-d", "deep/er/restored", "-o", "three.tar");
  // the restored CA's journal goes on with the restore; all else is the same
  const kept = (archive: Bytes) =>
    readTar(archive).filter(({ path }) => path !== MANIFEST_FILE && path !== JOURNAL_FILE);
  assert.ok(isDeepStrictEqual(kept(Deno.readFileSync(tmp.join("three.tar"))), kept(one)));
  const { [JOURNAL_FILE]: journal, ...before } = contents(tmp.join("ca"));
  const { [JOURNAL_FILE]: goesOn, ...after } = contents(tmp.join("deep/er/restored"));
  delete before["credentials/web/versions/v1/keys/credential.ecdsa-p256.key"];
  assert.deepEqual(after, before);
  assert.ok(goesOn!.startsWith(journal!) && /"op":"restore"/.test(goesOn!.slice(journal!.length)));
  assert.deepEqual([...Deno.readDirSync(tmp.join("deep/er"))].map(({ name }) => name), ["restored"]);
  const check = ["ca", "check", "--ca-passphrase", "env:PASS", "--json", "-d"];
  assert.deepEqual(JSON.parse(await ok(tmp, ...check, "deep/er/restored")).findings, []);
  const mode = (name: string) => Deno.statSync(tmp.join("deep/er/restored", name)).mode! & 0o777;
  assert.equal(mode("versions/v1/keys/ca.ecdsa-p384.key"), 0o600);
  assert.equal(mode("versions/v1/keys"), 0o700);
  // and it works
  const next = await issue(tmp, "deep/er/restored");
  const list = JSON.parse(await ok(tmp, "cert", "list", "-d", "deep/er/restored", "--json")).certificates;
  const state = Object.fromEntries(list.map((row: { serial: string; status: string }) => [row.serial, row.status]));
  assert.equal(state[serials[0]!], "valid");
  assert.equal(state[serials[1]!], "revoked");
  assert.equal(state[next], "valid");
});

testWith("ca backup: tar and sha256sum read it", { needs: ["openssl"] }, async () => {
  using tmp = tempFolder();
  await prepare(tmp);
  await ok(tmp, "ca", "backup", "-d", "ca", "-o", "ca.tar");
  Deno.mkdirSync(tmp.join("out"));
  const script = "tar -xf ../ca.tar && sha256sum --strict --quiet -c MANIFEST && openssl crl -in crl/ca.crl -noout";
  const result = await run("sh", ["-euc", script], { cwd: tmp.join("out") });
  assert.equal(result.code, 0, describe(script, result));
});

Deno.test("ca backup: what is not the CA's, and what is not safe, stays out and is named", async () => {
  using tmp = tempFolder();
  await ok(tmp, "ca", "init", "--profile", "ec/root-ca", "--var", "cn=Plain", "-d", "ca");
  tmp.write("ca/pin.txt", "open sesame", 0o600);
  tmp.write("ca/index.txt.0a1b2c3d.tmp", "x");
  tmp.write("ca/versions/v1/keys/old.pem", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n");
  Deno.symlinkSync("/etc/passwd", tmp.join("ca/issued/link.pem"));
  tmp.write("ca/issued/new\nline.pem", "x");
  const key = "versions/v1/keys/ca.ecdsa-p384.key";
  const told = JSON.parse(await ok(tmp, "ca", "backup", "-d", "ca", "-o", "ca.tar", "--json"));
  assert.deepEqual(told.left_out.map(({ path, reason }: Record<string, string>) => `${path}: ${reason}`), [
    "issued/link.pem: a link",
    "issued/new?line.pem: its name cannot be archived",
    "pin.txt: not a part of a CA",
    `${key}: a private key that is not encrypted`,
    "versions/v1/keys/old.pem: a private key that is not encrypted with PBES2",
  ]);
  assert.ok(!/PRIVATE KEY|open sesame/.test(new TextDecoder().decode(Deno.readFileSync(tmp.join("ca.tar")))));
  const { stdout, stderr } = await qpki(tmp, "ca", "restore", "ca.tar", "-d", "out");
  assert.match(stdout, /not in the backup: versions\/v1\/keys\/ca\.ecdsa-p384\.key/, stderr);
  const check = JSON.parse((await qpki(tmp, "ca", "check", "-d", "out", "--json")).stdout);
  assert.deepEqual(check.findings.map(({ code }: { code: string }) => code), ["key.missing"]);
  Deno.removeSync(tmp.join("ca/versions/v1/keys/old.pem"));
  await ok(tmp, "ca", "backup", "-d", "ca", "-o", "full.tar", "--include-plain-keys");
  await ok(tmp, "ca", "restore", "full.tar", "-d", "whole");
  assert.deepEqual(JSON.parse(await ok(tmp, "ca", "check", "-d", "whole", "--json")).findings, []);
  // what is damaged cannot be restored, so it is not backed up
  tmp.write("ca/index.txt", "V\t30");
  const damaged = await qpki(tmp, "ca", "backup", "-d", "ca", "-o", "bad.tar");
  assert.equal(damaged.status, 4, damaged.stderr);
  assert.match(damaged.stderr, /index\.txt:1/);
});

Deno.test("ca restore: over an existing CA only with --force, which keeps it and its CRL number", async () => {
  using tmp = tempFolder();
  const [first] = await prepare(tmp);
  await ok(tmp, "ca", "backup", "-d", "ca", "-o", "ca.tar");
  const later = await issue(tmp);
  await ok(tmp, "cert", "revoke", first!, "-d", "ca");
  for (let i = 0; i < 2; i++) await ok(tmp, "crl", "gen", "-d", "ca", "--ca-passphrase", "env:PASS");
  const before = contents(tmp.join("ca"));
  const refused = await qpki(tmp, "ca", "restore", "ca.tar", "-d", "ca");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /there is a CA already[\s\S]*--force/);
  assert.deepEqual(contents(tmp.join("ca")), before);
  const told = JSON.parse(await ok(tmp, "ca", "restore", "ca.tar", "-d", "ca", "--force", "--json"));
  assert.match(told.aside, /^ca\.old-\d{8}T\d{6}Z$/);
  assert.deepEqual(contents(tmp.join(told.aside)), before);
  assert.deepEqual(told.unknown.sort(), [first!, later].sort());
  assert.equal(told.crl_number, before["crlnumber"]!.trim());
  assert.equal(tmp.read("ca/crlnumber"), before["crlnumber"]);
  assert.deepEqual([...Deno.readDirSync(tmp.path)].filter(({ name }) => name.startsWith(".")), []);
  const check = JSON.parse(await ok(tmp, "ca", "check", "-d", "ca", "--json"));
  assert.deepEqual(check.findings, []);
  tmp.write("full/notes.txt", "mine");
  assert.equal((await qpki(tmp, "ca", "restore", "ca.tar", "-d", "full")).status, 1);
  Deno.mkdirSync(tmp.join("empty"));
  await ok(tmp, "ca", "restore", "ca.tar", "-d", "empty");
});

testWith("ca backup: keys in a token are named and not taken", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  using tmp = tempFolder();
  const hsm = ["--hsm-config", token.hsmYaml(tmp.join("hsm.yaml")), "--key-label", "k"];
  const init = ["ca", "init", ...hsm, "--profile", "ec/root-ca", "--var", "cn=HSM", "-d", "ca"];
  const cli = (...args: string[]) =>
    run(Deno.execPath(), ["run", "-A", "--no-check", MAIN, ...args], {
      cwd: tmp.path,
      env: token.env,
    });
  const made = await cli(...init);
  assert.equal(made.code, 0, made.stderr);
  const told = await cli("ca", "backup", "-d", "ca", "-o", "ca.tar", "--json");
  const { token_keys: keys, left_out: leftOut } = JSON.parse(told.stdout);
  assert.deepEqual([keys.length, keys[0].storage.label, leftOut], [1, "k", []]);
  Deno.removeSync(tmp.join("ca"), { recursive: true });
  const restored = await cli("ca", "restore", "ca.tar", "-d", "ca");
  assert.equal(restored.code, 0, restored.stderr);
  const check = await cli("ca", "check", "-d", "ca");
  assert.equal(check.code, 0, describe("ca check", check));
  assert.match(check.stdout, /1 token key/);
});

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** A backup with its entries changed, and a manifest that fits unless told. */
async function forged(archive: Bytes, change: (entries: TarEntry[]) => TarEntry[] | void, manifest?: string) {
  const entries = readTar(archive).slice(1).map((entry) => ({ ...entry }));
  const changed = change(entries) ?? entries;
  const lines = [];
  for (const { path, content } of changed) if (content) lines.push(`${await sha256Hex(content)}  ${path}\n`);
  const content = text(manifest ?? `# qpki backup, format 1\n${lines.join("")}`);
  return writeTar([{ path: MANIFEST_FILE, mode: 0o644, content }, ...changed]);
}

function text(value: string): Bytes {
  return new TextEncoder().encode(value);
}

Deno.test("ca restore: hostile and damaged archives are refused before anything is written", async (t) => {
  using tmp = tempFolder();
  await prepare(tmp);
  await ok(tmp, "ca", "backup", "-d", "ca", "-o", "ca.tar");
  const good = Deno.readFileSync(tmp.join("ca.tar"));
  const replace = (path: string, value: string) => (entries: TarEntry[]) => {
    const at = entries.findIndex((entry) => entry.path === path);
    entries[at] = { ...entries[at]!, content: text(value) };
  };
  const add = (entry: TarEntry) => (entries: TarEntry[]) => [...entries, entry];
  const without = (path: string) => (entries: TarEntry[]) => entries.filter((entry) => entry.path !== path);
  const flipped = good.slice();
  flipped[good.indexOf("M".charCodeAt(0), good.length >> 1)]! ^= 1;
  const meta = JSON.parse(tmp.read("ca/ca.meta.json"));
  const newer = JSON.stringify({ ...meta, schema: 9 });
  const manifestOnly = (value: string) => forged(good, () => {}, value);
  const cases: [name: string, archive: Bytes, code: string][] = [
    ["nothing", new Uint8Array(), "archive.invalid"],
    ["noise", text("x".repeat(5000)), "archive.invalid"],
    ["cut", good.subarray(0, good.length >> 1), "archive.invalid"],
    ["one flipped bit", flipped, "archive.checksum"],
    ["no manifest", writeTar(readTar(good).slice(1)), "archive.invalid"],
    ["a later manifest", writeTar([...readTar(good).slice(1), readTar(good)[0]!]), "archive.invalid"],
    ["a manifest of other bytes", await manifestOnly("hello\n"), "archive.invalid"],
    ["a manifest without files", await manifestOnly("# qpki backup, format 1\n"), "archive.invalid"],
    ["a manifest cut", await manifestOnly("# qpki backup, format 1"), "archive.invalid"],
    ["a newer format", await manifestOnly("# qpki backup, format 2\n"), "archive.newer"],
    [
      "a manifest with a file more",
      await manifestOnly(new TextDecoder().decode(readTar(good)[0]!.content) + `${"0".repeat(64)}  issued/x.pem\n`),
      "archive.invalid",
    ],
    [
      "a file that the manifest does not name",
      await forged(
        good,
        add({ path: "issued/extra.pem", mode: 0o644, content: text("x") }),
        new TextDecoder().decode(readTar(good)[0]!.content),
      ),
      "archive.invalid",
    ],
    ["no metadata", await forged(good, without("ca.meta.json")), "archive.invalid"],
    ["no index", await forged(good, without("index.txt")), "archive.invalid"],
    ["metadata that is none", await forged(good, replace("ca.meta.json", "{}")), "meta.invalid"],
    ["metadata of a newer program", await forged(good, replace("ca.meta.json", newer)), "meta.newer"],
    ["a damaged index", await forged(good, replace("index.txt", "V\t30\n")), "index.damaged"],
    [
      "a journal that was changed",
      await forged(good, (entries) => {
        const at = entries.findIndex(({ path }) => path === "journal.jsonl");
        const lines = new TextDecoder().decode(entries[at]!.content).split("\n");
        entries[at] = { ...entries[at]!, content: text(lines.slice(1).join("\n")) };
      }),
      "journal.damaged",
    ],
  ];
  for (const [name, archive, code] of cases) {
    await t.step(name, async () => {
      using place = tempFolder();
      Deno.writeFileSync(place.join("x.tar"), archive);
      const { status, stderr, stdout } = await qpki(place, "ca", "restore", "x.tar", "-d", "ca", "--json");
      assert.equal(status, 4, describe(name, { code: status, stdout, stderr }));
      assert.equal(JSON.parse(stderr).error.code, code, stderr);
      assert.deepEqual(treeOf(place.path), ["x.tar"]);
    });
  }
  using place = tempFolder();
  Deno.writeFileSync(place.join("x.tar"), good);
  assert.match(await ok(place, "ca", "restore", "x.tar", "--dry-run"), /is whole/);
  assert.deepEqual(treeOf(place.path), ["x.tar"]);
});
