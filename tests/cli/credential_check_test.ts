/** `credential check`: each kind of damage is found by its code. */
import assert from "node:assert/strict";
import { describe } from "../support/cli.ts";
import { runInProcess } from "../support/in_process.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";
import { copyTree } from "../support/tree.ts";

interface Report {
  errors: number;
  warnings: number;
  findings: { severity: string; code: string; message: string; file?: string }[];
  repaired: string[];
}

async function qpki(cwd: string, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await runInProcess(args, { cwd });
  assert.equal(status, 0, describe(args.join(" "), { code: status, stdout, stderr }));
  return stdout;
}

async function check(cwd: string, args: string[] = [], now = new Date()): Promise<Report & { status: number }> {
  const { status, stdout, stderr } = await runInProcess(["credential", "check", "--json", ...args], { cwd, now });
  assert.ok(stdout.startsWith("{"), stderr);
  return { ...JSON.parse(stdout), status };
}

function codes({ findings }: Report): string[] {
  return findings.map(({ code }) => code).sort();
}

async function prepare(cwd: string): Promise<void> {
  await qpki(cwd, "ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", "ca");
  for (const id of ["alice", "bob"]) {
    await qpki(cwd, "credential", "enroll", id, "--profile", "ec/tls-client", "--var", `cn=${id}`);
  }
}

const KEY = "credentials/alice/versions/v1/keys/credential.ecdsa-p256.key";
const CERT = "credentials/alice/versions/v1/certs/credential.ecdsa-p256.pem";
const META = "credentials/alice/credential.meta.json";
const BOB = (path: string) => path.replace("alice", "bob");

function edit(tmp: TempFolder, file: string, change: (text: string) => string): void {
  tmp.write(file, change(tmp.read(file)));
}

type Damage = readonly [name: string, damage: (tmp: TempFolder) => unknown, finds: string[], left?: string[]];

const DAMAGES: readonly Damage[] = [
  ["nothing", () => {}, []],
  ["no key file", (tmp) => Deno.removeSync(tmp.join(KEY)), ["key.missing"]],
  ["another's key", (tmp) => tmp.write(KEY, tmp.read(BOB(KEY)), 0o600), ["key.replaced"]],
  ["another's certificate", (tmp) => tmp.write(CERT, tmp.read(BOB(CERT))), ["credential.damaged"]],
  ["no certificate", (tmp) => Deno.removeSync(tmp.join(CERT)), ["credential.certificate_missing"]],
  ["metadata cut", (tmp) => edit(tmp, META, (text) => text.slice(0, 50)), ["meta.invalid"]],
  [
    "another fingerprint",
    (tmp) => edit(tmp, META, (text) => text.replace(/("fingerprint": ")[0-9A-F]{2}/g, "$100")),
    ["certificate.fingerprint"],
  ],
  [
    "another pin",
    (tmp) => edit(tmp, META, (text) => text.replace(/("spki_sha256": ")[0-9a-f]{8}/g, "$100000000")),
    ["key.replaced", "meta.pin"],
  ],
  ["no active version", (tmp) => edit(tmp, META, (text) => text.replace('"active",', '"archived",')), ["meta.active"]],
  [
    "other certificates at the top",
    (tmp) => edit(tmp, META, (text) => text.replace(/"serial": "0x../, '"serial": "0xAA')),
    ["meta.copy"],
  ],
  [
    "open modes",
    (tmp) => {
      Deno.chmodSync(tmp.join(KEY), 0o640);
      Deno.chmodSync(tmp.join(KEY.replace(/\/[^/]*$/, "")), 0o755);
    },
    ["mode.folder", "mode.key"],
    [],
  ],
  ["a CA that is gone", (tmp) => Deno.removeSync(tmp.join("ca"), { recursive: true }), ["ca.absent"]],
  ["a CA that forgot it", (tmp) => tmp.write("ca/index.txt", ""), ["certificate.unknown"]],
  [
    "a chain of another CA",
    async (tmp) => {
      await qpki(tmp.path, "ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "-d", "twin");
      tmp.write("credentials/alice/versions/v1/certs/chain.pem", tmp.read("twin/ca.crt"));
    },
    ["chain.invalid"],
  ],
  ["revoked", (tmp) => qpki(tmp.path, "credential", "revoke", "alice"), ["certificate.revoked"]],
  [
    "what an interrupted command left",
    (tmp) => {
      Deno.mkdirSync(tmp.join("credentials/.alice.0a1b2c3d.tmp"));
      const past = new Date(Date.now() - 120_000);
      Deno.utimeSync(tmp.join("credentials/.alice.0a1b2c3d.tmp"), past, past);
    },
    ["leftover.folder"],
    [],
  ],
];

Deno.test("credential check: each damage is found", async (t) => {
  using made = tempFolder();
  await prepare(made.path);
  for (const [name, damage, finds, left = finds] of DAMAGES) {
    await t.step(name, async () => {
      using tmp = tempFolder();
      copyTree(made.path, tmp.path);
      await damage(tmp);
      const report = await check(tmp.path, ["alice"]);
      assert.deepEqual(codes(report), finds, JSON.stringify(report.findings, null, 1));
      assert.equal(report.status, report.errors > 0 ? 1 : 0);
      assert.equal((await check(tmp.path, ["alice", "--warnings-fail"])).status, finds.length > 0 ? 1 : 0);
      assert.deepEqual(codes(await check(tmp.path, ["alice", "--repair"])), left);
    });
  }
});

Deno.test("credential check: all of a folder, the time, rotation, text", async () => {
  using tmp = tempFolder();
  await prepare(tmp.path);
  assert.deepEqual((await check(tmp.path)).findings, []);
  const text = await qpki(tmp.path, "credential", "check");
  assert.equal(
    text,
    "./credentials: OK; checked 2 credentials, 4 journal records, 2 versions, 2 certificates, 2 keys\n",
  );
  const in350days = new Date(Date.now() + 350 * 86_400_000);
  const soon = await check(tmp.path, [], in350days);
  assert.deepEqual(codes(soon), ["certificate.expiring", "certificate.expiring"]);
  assert.match(soon.findings[0]!.message, /^alice: /);
  const late = await check(tmp.path, ["bob"], new Date(Date.now() + 400 * 86_400_000));
  assert.deepEqual([codes(late), late.status], [["certificate.expired"], 0]);
  await qpki(tmp.path, "credential", "rotate", "alice");
  assert.deepEqual((await check(tmp.path)).findings, []);
  await qpki(tmp.path, "credential", "activate", "alice", "--version", "v2");
  assert.deepEqual((await check(tmp.path)).findings, []);
  assert.equal((await runInProcess(["credential", "check", "carol"], { cwd: tmp.path })).status, 4);
});
