/** The audit log of ordinary commands: what they record, what they do without it, and what never gets into it. */
import assert from "node:assert/strict";
import type { LoggedEvent } from "../../src/audit/event.ts";
import { read } from "../audit/support.ts";
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
