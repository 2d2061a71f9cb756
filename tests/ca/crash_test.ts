/**
 * Commands that are killed before every single call to the file system, and such a call that fails: nothing that was
 * acknowledged is lost, no number is used twice, and the next command works and says what it set right.
 */
import assert from "node:assert/strict";
import { CaStore } from "../../src/store/ca.ts";
import { credentialIds, CredentialStore } from "../../src/store/credential.ts";
import { readJournal } from "../../src/store/journal_read.ts";
import { planRecovery } from "../../src/store/recover.ts";
import { ROOT, run } from "../support/cli.ts";
import { type FaultMode, injectFaults } from "../support/faults.ts";
import { type InProcessResult, runInProcess } from "../support/in_process.ts";
import { testWith } from "../support/require.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";
import { stride } from "../support/extended.ts";

const SHIM = `${ROOT}/tests/support/fault_shim.ts`;
/** More points than any command has. */
const MOST_POINTS = 400;
const STEP = stride(9);

/** A command under test. */
interface Scene {
  readonly name: string;
  /** What there is before; run in a fresh folder, once. */
  readonly before: readonly (readonly string[])[];
  readonly command: readonly string[];
  /** Looks at what is there after the command was disturbed, and goes on working with it. */
  check(folder: string, told: Told): Promise<void>;
}

/** What came out of the disturbed command. */
interface Told {
  /** Whether it said that it had worked. */
  readonly acknowledged: boolean;
  readonly stdout: string;
}

const ROOT_CA = ["ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca"];
const SUB_CA = ["ca", "init", "-P", "ec/issuing-ca", "--var", "cn=Sub", "-d", "sub", "--parent", "ca"];
const CSR = ["csr", "gen", "-a", "ecdsa-p256", "--keyout", "leaf.key", "--cn", "leaf.home.arpa", "--out", "leaf.csr"];
const ISSUE = ["cert", "issue", "-d", "ca", "-P", "ec/tls-server", "--csr", "leaf.csr"];
const ENROLL = ["credential", "enroll", "web", "-d", "ca", "-c", "creds", "-P", "ec/tls-client", "--var", "cn=web"];
const EMAIL = ["--var", "email=web@a.test"];
const ACCEPT = ["ca", "accept", "sub.crt", "-d", "sub", "--parent-cert", "ca/ca.crt"];
const WEB = ["credential", "enroll", "web", "-d", "ca", "-c", "creds", "-P", "ec/tls-client", "--var", "cn=web"];
const CRL = ["crl", "gen", "-d", "ca", "--days", "7"];

async function qpki(folder: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const { status, stdout, stderr } = await runInProcess(args, { cwd: folder });
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return { stdout, stderr };
}

/** Copies a folder with everything in it. */
async function copy(from: string, to: string): Promise<void> {
  const { code, stderr } = await run("cp", ["-a", `${from}/.`, to]);
  assert.equal(code, 0, stderr);
}

/** Every serial of a CA's index, those revoked apart; the CA must be whole. */
async function verifiedCa(folder: string): Promise<{ serials: string[]; revoked: string[] }> {
  const entries = await (await CaStore.open(folder)).entries();
  const serials = entries.map(({ serial }) => serial);
  const files = [...Deno.readDirSync(`${folder}/issued`)].map(({ name }) => name.replace(".pem", ""));
  assert.deepEqual(files.sort(), serials.toSorted(), "index and issued/ agree");
  const used: string[] = [];
  const numbers: number[] = [];
  let open = 0;
  for await (const { record } of readJournal(folder)) {
    for (const { serial } of record.state === "intent" ? record.certificates ?? [] : []) used.push(serial);
    if (record.state === "intent" && record.crl) numbers.push(parseInt(record.crl.number, 16));
    open = record.open?.length ?? 0;
  }
  assert.equal(new Set(used).size, used.length, "a serial was used twice");
  assert.equal(new Set(numbers).size, numbers.length, "a CRL number was used twice");
  assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b));
  const next = parseInt(Deno.readTextFileSync(`${folder}/crlnumber`), 16);
  assert.ok(numbers.every((number) => number < next), `next CRL number ${next} after ${numbers}`);
  for (const serial of serials) assert.ok(used.includes(serial), `${serial} was signed without an intent`);
  assert.equal(open, 0, "an intent is open");
  assert.deepEqual(stagedIn(folder), []);
  await opensslReads(folder, serials);
  return { serials, revoked: entries.filter(({ revocation }) => revocation).map(({ serial }) => serial) };
}

function stagedIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(`${folder}/.staging`)].map(({ name }) => name);
  } catch {
    return [];
  }
}

/** OpenSSL reads the index, and verifies the last CRL. */
async function opensslReads(folder: string, serials: readonly string[]): Promise<void> {
  const [serial] = serials;
  if (serial === undefined) return;
  const config = `${folder}/../openssl.cnf`;
  Deno.writeTextFileSync(
    config,
    `[ca]\ndefault_ca=x\n[x]\ndir=${folder}\ndatabase=$dir/index.txt\ndefault_md=sha256\npolicy=p\n[p]\n`,
  );
  const { stderr } = await run("openssl", ["ca", "-config", config, "-status", serial]);
  assert.match(stderr, new RegExp(`${serial}=(Valid|Revoked)`));
}

/** What readers see at once, before anything is set right. */
async function readable(folder: string): Promise<string[]> {
  const entries = await (await CaStore.open(folder)).entries();
  await planRecovery(folder, `${folder}/.lock`);
  return entries.map(({ serial }) => serial);
}

function issuedBefore(folder: string): string[] {
  return Deno.readTextFileSync(`${folder}/index.txt`).split("\n").filter((line) => line).map((line) =>
    line.split("\t")[3]!
  );
}

/** The folder beside a CA or credential holds nothing of an interrupted command. */
function nothingBeside(folder: string): void {
  const left = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => /^\..*(qpki-|\.tmp)/.test(name));
  assert.deepEqual(left, []);
}

function template(scene: Scene): Promise<TempFolder> {
  return prepare(scene.before);
}

async function prepare(commands: readonly (readonly string[])[]): Promise<TempFolder> {
  const tmp = tempFolder();
  for (const args of commands) await qpki(tmp.path, args);
  return tmp;
}

const SCENES: readonly Scene[] = [
  {
    name: "cert issue",
    before: [ROOT_CA, CSR, ISSUE],
    command: [...ISSUE, "--json"],
    async check(folder, { acknowledged, stdout }) {
      const ca = `${folder}/ca`;
      const [old] = issuedBefore(ca);
      assert.ok((await readable(ca)).includes(old!));
      await qpki(folder, ISSUE);
      const { serials } = await verifiedCa(ca);
      assert.ok(serials.length === 2 || serials.length === 3, `${serials.length} certificates`);
      assert.ok(serials.includes(old!));
      if (acknowledged) assert.ok(serials.includes((JSON.parse(stdout) as { serial: string }).serial));
    },
  },
  {
    name: "cert revoke with a CRL",
    before: [ROOT_CA, CSR, ISSUE, ISSUE, CRL],
    command: ["cert", "revoke", "-d", "ca", "--reason", "privilegeWithdrawn", "--gen-crl", "SERIAL"],
    async check(folder, { acknowledged }) {
      const ca = `${folder}/ca`;
      const [first, second] = issuedBefore(ca);
      await readable(ca);
      const again = await runInProcess(["cert", "revoke", "-d", "ca", second!], { cwd: folder });
      assert.equal(again.status, 0, again.stderr);
      await qpki(folder, CRL);
      const { serials, revoked } = await verifiedCa(ca);
      assert.deepEqual(serials, [first, second]);
      assert.ok(revoked.includes(second!));
      if (acknowledged) assert.ok(revoked.includes(first!), "an acknowledged revocation is lost");
      const entry = (await (await CaStore.open(ca)).entries())[0]!;
      if (entry.revocation) assert.equal(entry.revocation.reason, "privilegeWithdrawn");
    },
  },
  {
    name: "crl gen",
    before: [ROOT_CA, CRL],
    command: CRL,
    async check(folder) {
      const ca = `${folder}/ca`;
      await readable(ca);
      const old = await run("openssl", ["crl", "-in", "crl/ca.crl", "-noout", "-crlnumber"], { cwd: ca });
      assert.equal(old.code, 0, "the CRL in place is whole at any moment");
      await qpki(folder, CRL);
      await verifiedCa(ca);
      const crl = await run("openssl", ["crl", "-in", "crl/ca.crl", "-CAfile", "ca.crt", "-noout"], { cwd: ca });
      assert.match(crl.stderr + crl.stdout, /verify OK/);
      const der = Deno.readFileSync(`${ca}/crl/ca.crl.der`);
      const pem = await run("openssl", ["crl", "-in", "crl/ca.crl", "-outform", "DER"], { cwd: ca });
      assert.deepEqual(pem.stdoutBytes, der);
    },
  },
  {
    name: "ca init, a root",
    before: [],
    command: ROOT_CA,
    check: (folder, told) => checkInit(folder, told, { name: "ca", args: ROOT_CA }),
  },
  {
    name: "ca init below a parent",
    before: [ROOT_CA],
    command: SUB_CA,
    async check(folder, told) {
      await checkInit(folder, told, { name: "sub", args: SUB_CA });
      await qpki(folder, CRL);
      const { serials } = await verifiedCa(`${folder}/ca`);
      const [own] = await (await CaStore.open(`${folder}/sub`)).certificates();
      assert.deepEqual(serials, [own.serial], "the parent knows this certificate and no other");
    },
  },
  {
    name: "credential enroll",
    before: [ROOT_CA],
    command: WEB,
    async check(folder, { acknowledged }) {
      await readable(`${folder}/ca`);
      const there = await credentialIds(`${folder}/creds`);
      if (acknowledged) assert.deepEqual(there, ["web"]);
      const again = await runInProcess(WEB, { cwd: folder });
      assert.ok(again.status === 0 || /exists/.test(again.stderr), again.stderr);
      assert.deepEqual(await credentialIds(`${folder}/creds`), ["web"]);
      nothingBeside(`${folder}/creds`);
      await qpki(folder, ["credential", "export", "web", "-c", "creds"]);
      await qpki(folder, CRL);
      const { serials } = await verifiedCa(`${folder}/ca`);
      const [own] = await (await CredentialStore.open(`${folder}/creds`, "web")).certificates();
      assert.deepEqual(serials, [own!.serial], "the CA knows this certificate and no other");
    },
  },
  {
    name: "credential rotate",
    before: [ROOT_CA, ENROLL],
    command: ["credential", "rotate", "web", "-c", "creds", "-P", "ec/tls-client", "-P", "ec/email", ...EMAIL],
    async check(folder, { acknowledged }) {
      await readable(`${folder}/ca`);
      const before = await CredentialStore.open(`${folder}/creds`, "web");
      if (acknowledged) assert.equal(before.meta.versions["v2"]?.status, "pending");
      for (const id of Object.keys(before.meta.versions)) await before.certificates(id);
      // whatever happened, the credential goes on
      await qpki(folder, ["credential", "rotate", "web", "-c", "creds", "--activate"]);
      await qpki(folder, CRL);
      const { serials } = await verifiedCa(`${folder}/ca`);
      const store = await CredentialStore.open(`${folder}/creds`, "web");
      assert.deepEqual(stagedIn(store.folder), []);
      const own: string[] = [];
      for (const [id, { keys }] of Object.entries(store.meta.versions)) {
        own.push(...(await store.certificates(id)).map(({ serial }) => serial));
        for (const { storage } of keys) {
          assert.ok(storage.type === "software" && Deno.statSync(store.path(storage.path)));
        }
      }
      assert.deepEqual(
        serials.toSorted(),
        own.toSorted(),
        "the CA knows the certificates of the versions and no other",
      );
      const folders = [...Deno.readDirSync(`${store.folder}/versions`)].map(({ name }) => name).sort();
      assert.deepEqual(folders, Object.keys(store.meta.versions).sort());
    },
  },
  {
    name: "credential activate",
    before: [ROOT_CA, ENROLL, ["credential", "rotate", "web", "-c", "creds"]],
    command: ["credential", "activate", "web", "-c", "creds", "--version", "v2"],
    async check(folder, { acknowledged }) {
      const active = async () => (await CredentialStore.open(`${folder}/creds`, "web")).meta.active;
      if (acknowledged) assert.equal(await active(), "v2");
      await qpki(folder, ["credential", "activate", "web", "-c", "creds", "--version", "v2"]);
      assert.equal(await active(), "v2");
      await qpki(folder, ["credential", "activate", "web", "-c", "creds", "--version", "v1"]);
      assert.equal(await active(), "v1");
    },
  },
  {
    name: "credential revoke, every version",
    before: [ROOT_CA, ENROLL, ["credential", "rotate", "web", "-c", "creds"], CRL],
    command: ["credential", "revoke", "web", "-c", "creds", "--all", "--gen-crl"],
    async check(folder, { acknowledged }) {
      const ca = `${folder}/ca`;
      await readable(ca);
      if (acknowledged) assert.equal((await verifiedCa(ca)).revoked.length, 2);
      await qpki(folder, ["credential", "revoke", "web", "-c", "creds", "--all", "--gen-crl"]);
      const { serials, revoked } = await verifiedCa(ca);
      assert.deepEqual(revoked, serials);
    },
  },
  {
    name: "ca rotate below a parent",
    before: [ROOT_CA, SUB_CA],
    command: ["ca", "rotate", "-d", "sub", "--parent", "ca"],
    async check(folder, { acknowledged }) {
      const [ca, sub] = [`${folder}/ca`, `${folder}/sub`];
      for (const one of [ca, sub]) await readable(one);
      await qpki(folder, ["crl", "gen", "-d", "sub", "--days", "7"]);
      await qpki(folder, CRL);
      const { serials } = await verifiedCa(ca);
      await verifiedCa(sub);
      const store = await CaStore.open(sub);
      const versions = Object.keys(store.meta.versions);
      if (acknowledged) assert.deepEqual(versions, ["v1", "v2"]);
      const own: string[] = [];
      for (const id of versions) own.push(...(await store.certificates(id)).map(({ serial }) => serial));
      assert.deepEqual(serials, own, "the parent knows the certificates of the versions and no other");
      if (versions.length === 1) await qpki(folder, ["ca", "rotate", "-d", "sub", "--parent", "ca"]);
      await qpki(folder, ["ca", "activate", "-d", "sub", "--version", "v2"]);
    },
  },
  {
    name: "ca accept",
    before: [
      ROOT_CA,
      ["ca", "init", "-P", "ec/issuing-ca", "--var", "cn=Sub", "-d", "sub", "--csr-only", "--out", "sub.csr"],
      ["cert", "issue", "-d", "ca", "-P", "ec/issuing-ca", "--csr", "sub.csr", "--out", "sub.crt"],
    ],
    command: ACCEPT,
    async check(folder, { acknowledged }) {
      const { status, stderr } = await runInProcess(ACCEPT, { cwd: folder });
      assert.ok(status === 0 || /no version waits/.test(stderr), stderr);
      if (acknowledged) assert.notEqual(status, 0);
      await qpki(folder, ["crl", "gen", "-d", "sub", "--days", "7"]);
      await verifiedCa(`${folder}/sub`);
      const chain = await (await CaStore.open(`${folder}/sub`)).chain();
      assert.equal(chain.length, 2);
    },
  },
  {
    name: "ca activate",
    before: [ROOT_CA, ["ca", "rotate", "-d", "ca"], CRL],
    command: ["ca", "activate", "-d", "ca", "--version", "v2"],
    async check(folder, { acknowledged }) {
      const ca = `${folder}/ca`;
      await readable(ca);
      await qpki(folder, CRL);
      const store = await CaStore.open(ca);
      assert.ok(store.meta.active === "v2" || (!acknowledged && store.meta.active === "v1"));
      const [active] = await store.certificates();
      const shown = await run("openssl", ["x509", "-in", "ca.crt", "-noout", "-serial"], { cwd: ca });
      assert.equal(shown.stdout.trim(), `serial=${active.serial}`, "ca.crt is the active certificate");
      await verifiedCa(ca);
    },
  },
];

async function checkInit(
  folder: string,
  { acknowledged }: Told,
  { name, args }: { name: string; args: readonly string[] },
): Promise<void> {
  const there = await CaStore.open(`${folder}/${name}`).then(() => true, () => false);
  if (acknowledged) assert.ok(there);
  const again = await runInProcess(args, { cwd: folder });
  assert.ok(again.status === 0 || /there is a CA already/.test(again.stderr), again.stderr);
  nothingBeside(folder);
  await qpki(folder, ["crl", "gen", "-d", name, "--days", "7"]);
  await verifiedCa(`${folder}/${name}`);
}

for (const scene of SCENES) {
  for (const mode of ["kill", "ENOSPC", "EIO"] as const) {
    const how = mode === "kill" ? "killed before each call to the file system" : `${mode} at each call`;
    testWith(`${scene.name}: ${how}`, { needs: ["openssl"] }, async () => {
      using base = await template(scene);
      const points = await disturb(scene, base, mode);
      assert.ok(points > 5, `${points} points`);
    });
  }
}

/** Disturbs the command at the first, second, … call until it comes through; says how many calls there were. */
async function disturb(scene: Scene, base: TempFolder, mode: FaultMode): Promise<number> {
  // a process of its own may have company; a fault in this one is everybody's
  const atOnce = mode === "kill" ? 3 : 1;
  for (let first = 1; first < MOST_POINTS; first += atOnce * STEP) {
    const points = Array.from({ length: atOnce }, (_, i) => first + i * STEP);
    const through = await Promise.all(points.map((point) => disturbAt(scene, base, { mode, point })));
    const at = through.indexOf(true);
    if (at >= 0) return points[at]! - 1;
  }
  throw new Error(`${scene.name} has more than ${MOST_POINTS} calls`);
}

/** Whether the command had fewer calls than that. */
async function disturbAt(
  scene: Scene,
  base: TempFolder,
  { mode, point }: { mode: FaultMode; point: number },
): Promise<boolean> {
  using tmp = tempFolder();
  await copy(base.path, tmp.path);
  const args = scene.command.map((word) => word === "SERIAL" ? issuedBefore(`${tmp.path}/ca`)[0]! : word);
  const result = await (mode === "kill" ? killed(args, tmp.path, point) : failing(args, tmp.path, { mode, point }));
  try {
    await scene.check(tmp.path, { acknowledged: result.status === 0, stdout: result.stdout });
  } catch (error) {
    throw new Error(`${scene.name}, ${mode} at call ${point}: ${result.stderr}`, { cause: error });
  }
  if (result.isThrough) assert.equal(result.status, 0, result.stderr);
  return result.isThrough;
}

/** What became of a disturbed command; it is through when it had fewer calls than the one to be disturbed. */
interface Outcome extends InProcessResult {
  readonly isThrough: boolean;
}

async function killed(args: readonly string[], cwd: string, point: number): Promise<Outcome> {
  const result = await run(Deno.execPath(), ["run", "-A", "--no-check", SHIM, "kill", String(point), ...args], { cwd });
  return { ...result, status: result.code, isThrough: result.signal === null };
}

async function failing(
  args: readonly string[],
  cwd: string,
  { mode, point }: { mode: FaultMode; point: number },
): Promise<Outcome> {
  using faults = injectFaults(mode, point);
  const result = await runInProcess(args, { cwd });
  return { ...result, isThrough: faults.calls < point };
}
