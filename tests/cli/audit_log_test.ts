/** The audit log of ordinary commands: what they record, what they do without it, and what never gets into it. */
import assert from "node:assert/strict";
import type { LoggedEvent } from "../../src/audit/event.ts";
import { read } from "../audit/support.ts";
import { ROOT, run } from "../support/cli.ts";
import { runInProcess } from "../support/in_process.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

const SECRET = "correct horse battery staple";

/** Runs command lines in a folder, with a log. */
function shell(tmp: TempFolder, env: Record<string, string> = { PKI_AUDIT_LOG: "audit.jsonl" }) {
  return async (line: string, status = 0) => {
    const result = await runInProcess(line.split(" "), { cwd: tmp.path, env: { PP: SECRET, ...env } });
    assert.equal(result.status, status, `${line}: ${result.stderr}`);
    return result;
  };
}

/** The events of a log that is intact. */
async function events(tmp: TempFolder, name = "audit.jsonl"): Promise<LoggedEvent[]> {
  const { events, problem } = await read(tmp.join(name));
  assert.equal(problem, undefined);
  return events;
}

function names(all: readonly LoggedEvent[]): string[] {
  return all.map(({ event, result }) => `${event} ${result}`);
}

Deno.test("a key that is made, opened and used: intents before, outcomes after, joined by one number", async () => {
  using tmp = tempFolder();
  const qpki = shell(tmp);
  await qpki("key generate -a ecdsa-p256 --out a.key --passphrase env:PP");
  await qpki("csr gen --key a.key --passphrase env:PP --cn a.test --out a.csr");
  const all = await events(tmp);
  assert.deepEqual(names(all), [
    "log.created ok",
    ...["key.generate intent", "key.generate ok", "command.end ok"],
    ...["key.open intent", "key.open ok", "key.use intent", "key.use ok", "command.end ok"],
  ]);
  const use = all.find(({ event, result }) => event === "key.use" && result === "ok")!;
  assert.equal(use.count, 1);
  assert.equal(use.command, "csr gen");
  assert.equal(use.pid, Deno.pid);
  assert.equal(use.host, Deno.hostname());
  assert.equal(use.key!.path, tmp.join("a.key"));
  assert.match(use.key!.spki_sha256!, /^[0-9a-f]{64}$/);
  assert.equal(new Set(all.slice(4).map(({ op }) => op)).size, 1);
  assert.notEqual(all[4]!.op, all[3]!.op);
});

Deno.test("what fails is recorded by the name of its error, and what was never begun is not recorded", async () => {
  using tmp = tempFolder();
  const qpki = shell(tmp);
  await qpki("key generate -a ecdsa-p256 --out a.key --passphrase env:PP");
  await qpki("csr gen --key a.key --passphrase env:HOME --cn a.test --out a.csr", 2);
  await qpki("key generate -a ecdsa-p256 --out a.key", 1);
  await qpki("csr info nothing.csr", 4);
  const all = await events(tmp);
  const failed = all.filter(({ result }) => result === "failed");
  assert.deepEqual(failed.map(({ event, error }) => [event, error]), [
    ["key.open", "passphrase.missing"],
    ["command.end", "passphrase.missing"],
  ]);
});

Deno.test("--audit-log wins over the environment, stands anywhere, and must name something", async () => {
  using tmp = tempFolder();
  const qpki = shell(tmp);
  await qpki("--audit-log other.jsonl key generate -a ed25519 --out a.key");
  await qpki("key --audit-log=other.jsonl generate -a ed25519 --out b.key");
  await qpki("key generate -a ed25519 --out c.key --audit-log other.jsonl");
  assert.equal((await events(tmp, "other.jsonl")).filter(({ event }) => event === "command.end").length, 3);
  assert.equal(await Deno.stat(tmp.join("audit.jsonl")).catch(() => undefined), undefined);
  assert.match((await qpki("key generate -a ed25519 --out d.key --audit-log=", 2)).stderr, /the path is empty/);
  const none = await shell(tmp, { PKI_AUDIT_LOG: "" })("key generate -a ed25519 --out e.key");
  assert.equal(none.stderr, "");
});

for (
  const [what, path] of [["in a folder that is not there", "none/audit.jsonl"], ["a folder", "."], [
    "a file of another kind",
    "notes.txt",
  ]]
) {
  Deno.test(`an audit log that cannot be written (${what}): nothing is done`, async () => {
    using tmp = tempFolder();
    tmp.write("notes.txt", "dear diary\n");
    const qpki = shell(tmp, { PKI_AUDIT_LOG: path! });
    const { stderr } = await qpki("key generate -a ed25519 --out a.key", 1);
    assert.match(stderr, /^error: Cannot write the audit log .*\nhint: /);
    await qpki("ca init --profile ec/root-ca --var cn=Root --ca-dir ./ca", 1);
    assert.deepEqual([...Deno.readDirSync(tmp.path)].map(({ name }) => name), ["notes.txt"]);
    assert.equal(tmp.read("notes.txt"), "dear diary\n");
  });
}

Deno.test("no passphrase ever gets into the log, wherever it comes from", async () => {
  using tmp = tempFolder();
  const qpki = shell(tmp);
  tmp.write("pass.txt", `${SECRET}\n`, 0o600);
  await qpki("key generate -a ecdsa-p256 --out a.key --passphrase env:PP");
  await qpki("key generate -a ecdsa-p256 --out b.key --passphrase Tr0ub4dor");
  await qpki(`csr gen --key a.key --passphrase file:${tmp.join("pass.txt")} --cn a.test --out a.csr`);
  await qpki("csr gen --key b.key --passphrase Tr0ub4dor --cn a.test --out b.csr");
  await qpki("csr gen --key b.key --passphrase wrong-Tr0ub4dor --cn a.test --out c.csr", 4);
  const log = tmp.read("audit.jsonl");
  for (const secret of [SECRET, "Tr0ub4dor", "pass.txt", "env:PP"]) assert.ok(!log.includes(secret), secret);
});

Deno.test("the life of a CA: one event for each change, and a proof for each certificate", async () => {
  using tmp = tempFolder();
  const qpki = shell(tmp);
  const pp = "--ca-passphrase env:PP";
  await qpki("ca init --profile ec/root-ca --var cn=Root --ca-dir ./root --passphrase env:PP");
  await qpki(
    "ca init --profile ec/issuing-ca --var cn=Issuing --ca-dir ./ca --parent ./root --parent-passphrase env:PP --passphrase env:PP",
  );
  await qpki("csr gen -a ecdsa-p256 --keyout s.key --cn s.test --dns s.test --out s.csr");
  const issued = await qpki(`cert issue --ca-dir ./ca --profile ec/tls-server --csr s.csr --out s.crt ${pp} --json`);
  const { serial } = JSON.parse(issued.stdout);
  await qpki(`credential enroll alice --ca-dir ./ca --cred-dir ./creds --profile ec/tls-client --var cn=alice ${pp}`);
  await qpki(`cert revoke ${serial} --ca-dir ./ca --reason superseded --gen-crl ${pp}`);
  await qpki(`cert revoke ${serial} --ca-dir ./ca`, 1);
  await qpki(`cert issue --ca-dir ./ca --profile ec/root-ca --csr s.csr ${pp}`, 4);
  const all = await events(tmp);
  const changes = all.filter(({ event }) => !/^(key\.|command\.|log\.)/.test(event));
  assert.deepEqual(names(changes), [
    ...["ca.init intent", "cert.issue ok", "ca.init ok"],
    ...["ca.init intent", "cert.issue intent", "cert.issue ok", "ca.init ok"],
    ...["cert.issue intent", "cert.issue ok"],
    ...["credential.enroll intent", "cert.issue intent", "cert.issue ok", "credential.enroll ok"],
    ...["cert.revoke intent", "cert.revoke ok", "crl.gen intent", "crl.gen ok"],
    ...["cert.revoke intent", "cert.revoke failed"],
  ]);
  const leaf = changes.find((event) => event.serial === serial && event.result === "ok")!;
  assert.equal(leaf.profile, "ec/tls-server");
  assert.equal(leaf.subject, "CN=s.test");
  assert.deepEqual(leaf.ca, { folder: tmp.join("ca"), name: "Issuing" });
  assert.match(leaf.certificate_sha256!, /^[0-9a-f]{64}$/);
  assert.equal(changes.at(-1)!.error, "cert.already_revoked");
  assert.ok(!tmp.read("audit.jsonl").includes(SECRET));
  // one certificate's proof, for somebody who has neither the log nor the CA
  await qpki("audit checkpoint --log audit.jsonl --key s.key --out cp.json", 0);
  await qpki(`audit proof --log audit.jsonl --serial 0x${serial} --checkpoint cp.json --out proof.json`);
  const proved = await qpki(
    "audit verify-proof proof.json --checkpoint cp.json --cert s.crt --certificate s.crt --json",
  );
  assert.deepEqual(
    JSON.parse(proved.stdout).events.map((event: LoggedEvent) => `${event.event} ${event.result}`),
    ["cert.issue ok", "cert.revoke ok"],
  );
  await qpki("audit verify-proof proof.json --checkpoint cp.json --cert s.crt --certificate ca/ca.crt", 1);
  await qpki("audit verify-proof proof.json --checkpoint cp.json --cert ca/ca.crt", 1);
  // the tail is cut: only the checkpoint tells
  const lines = tmp.read("audit.jsonl").trimEnd().split("\n");
  tmp.write("audit.jsonl", `${lines.slice(0, -9).join("\n")}\n`);
  await qpki("audit verify --log audit.jsonl");
  const cut = await qpki("audit verify --log audit.jsonl --checkpoint cp.json --cert s.crt", 1);
  assert.match(
    cut.stdout,
    /^INVALID: cp.json: on .* the log had \d+ events, and now it ends with event \d+: \d+ were cut off/,
  );
});

Deno.test("versions of CAs and credentials in the log", async () => {
  using tmp = tempFolder();
  const qpki = shell(tmp);
  await qpki("ca init --profile ec/root-ca --var cn=Root --ca-dir ./ca");
  await qpki("ca rotate --ca-dir ./ca --cross-sign");
  await qpki("ca activate --ca-dir ./ca --version v2");
  await qpki("credential enroll alice --ca-dir ./ca --cred-dir ./creds --profile ec/tls-client --var cn=alice");
  await qpki("credential rotate alice --ca-dir ./ca --cred-dir ./creds");
  await qpki("credential activate alice --cred-dir ./creds");
  const changes = (await events(tmp)).filter(({ event }) => !/^(key\.|command\.|log\.)/.test(event));
  assert.deepEqual(names(changes), [
    ...["ca.init intent", "cert.issue ok", "ca.init ok"],
    ...["ca.rotate intent", "cert.issue ok", "cert.issue ok", "cert.issue ok", "ca.rotate ok"],
    ...["ca.activate intent", "ca.activate ok"],
    ...["credential.enroll intent", "cert.issue intent", "cert.issue ok", "credential.enroll ok"],
    ...["credential.rotate intent", "cert.issue intent", "cert.issue ok", "credential.rotate ok"],
    ...["credential.activate intent", "credential.activate ok"],
  ]);
  assert.equal(changes.find(({ event, result }) => event === "ca.activate" && result === "ok")!.ca!.version, "v2");
});

Deno.test("requests that are accepted, backups, restored CAs and repairs in the log", async () => {
  using tmp = tempFolder();
  const qpki = shell(tmp);
  await qpki("ca init --profile ec/root-ca --var cn=Root --ca-dir ./root");
  await qpki("ca init --profile ec/issuing-ca --var cn=Issuing --ca-dir ./ca --csr-only --out ca.csr");
  await qpki("cert issue --ca-dir ./root --profile ec/issuing-ca --csr ca.csr --out ca.pem");
  await qpki("ca accept ca.pem --ca-dir ./ca");
  await qpki("ca backup --ca-dir ./ca --out ca.tar --include-plain-keys");
  await qpki("ca restore ca.tar --ca-dir ./restored");
  await qpki("ca check --ca-dir ./restored --repair");
  const changes = (await events(tmp)).filter(({ event }) => /^ca\./.test(event));
  assert.deepEqual(names(changes), [
    ...["ca.init intent", "ca.init ok", "ca.init intent", "ca.init ok", "ca.accept intent", "ca.accept ok"],
    ...["ca.backup intent", "ca.backup ok", "ca.restore intent", "ca.restore ok", "ca.repair intent", "ca.repair ok"],
  ]);
  assert.equal(changes[5]!.serial!.length, 32);
  assert.equal(changes[7]!.details!["plain_keys"], true);
});

Deno.test("credentials that are revoked, and private keys that are exported, in the log", async () => {
  using tmp = tempFolder();
  const qpki = shell(tmp);
  await qpki("ca init --profile ec/root-ca --var cn=Root --ca-dir ./ca");
  await qpki("credential enroll alice --ca-dir ./ca --cred-dir ./creds --profile ec/tls-client --var cn=alice");
  await qpki("credential export alice --cred-dir ./creds --format p12 --out a.p12 --export-passphrase env:PP");
  await qpki("credential export alice --cred-dir ./creds --out a.pem");
  await qpki("credential revoke alice --cred-dir ./creds --ca-dir ./ca");
  const changes = (await events(tmp)).filter(({ event }) => /^credential\.(export|revoke)|^cert\.revoke/.test(event));
  assert.deepEqual(names(changes), [
    ...["credential.export intent", "credential.export ok"],
    ...["credential.revoke intent", "cert.revoke intent", "cert.revoke ok", "credential.revoke ok"],
  ]);
  assert.ok(!tmp.read("audit.jsonl").includes(SECRET));
});

Deno.test("older metadata that is raised, credentials that are repaired, and key files that are opened to be shown", async () => {
  using tmp = tempFolder();
  const qpki = shell(tmp);
  const { code } = await run("cp", ["-a", `${ROOT}/tests/ca/fixtures/unversioned`, tmp.join("old")]);
  assert.equal(code, 0);
  await qpki("ca upgrade --ca-dir ./old --dry-run");
  assert.equal(await Deno.stat(tmp.join("audit.jsonl")).catch(() => undefined), undefined);
  await qpki("ca upgrade --ca-dir ./old");
  await qpki("credential check --cred-dir ./none --repair");
  await qpki("key generate -a ecdsa-p256 --out a.key --passphrase env:PP");
  await qpki("key info a.key --passphrase env:PP");
  const all = (await events(tmp)).filter(({ command }) => command !== "key generate");
  assert.deepEqual(names(all), [
    ...["log.created ok", "ca.upgrade intent", "ca.upgrade ok", "command.end ok"],
    ...["credential.repair intent", "credential.repair ok", "command.end ok"],
    ...["key.open intent", "key.open ok", "command.end ok"],
  ]);
});
