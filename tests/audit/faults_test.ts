/**
 * Commands with an audit log that are killed before every single call to the file system, and such a call that fails:
 * the log stays a chain that goes on, nothing exists that it does not announce, and nothing acknowledged is missing in it.
 */
import assert from "node:assert/strict";
import type { LoggedEvent } from "../../src/audit/event.ts";
import { ROOT, run } from "../support/cli.ts";
import { type FaultMode, injectFaults } from "../support/faults.ts";
import { runInProcess } from "../support/in_process.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";
import { stride } from "../support/extended.ts";
import { read } from "./support.ts";

const SHIM = `${ROOT}/tests/support/fault_shim.ts`;
/** More points than the command has. */
const MOST_POINTS = 400;
const STEP = stride(5);
const LOG = ["--audit-log", "audit.jsonl"];
const ISSUE = ["cert", "issue", "-d", "ca", "-P", "ec/tls-server", "--csr", "leaf.csr", "--out", "leaf.crt", ...LOG];

async function qpki(cwd: string, args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runInProcess(args, { cwd });
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** A CA, a request, and a log that begins with them. */
async function prepare(tmp: TempFolder): Promise<string> {
  const cwd = tmp.join("before");
  Deno.mkdirSync(cwd);
  await qpki(cwd, ["ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "-d", "ca", ...LOG]);
  await qpki(cwd, [
    "csr",
    "gen",
    "-a",
    "ecdsa-p256",
    "--keyout",
    "leaf.key",
    "--cn",
    "l.test",
    "--dns",
    "l.test",
    "--out",
    "leaf.csr",
  ]);
  return cwd;
}

async function copyOf(folder: string, tmp: TempFolder, name: string): Promise<string> {
  const { code, stderr } = await run("cp", ["-a", folder, tmp.join(name)]);
  assert.equal(code, 0, stderr);
  return tmp.join(name);
}

function serials(folder: string): string[] {
  return Deno.readTextFileSync(`${folder}/ca/index.txt`).split("\n").filter(Boolean).map((line) =>
    line.split("\t")[3]!
  );
}

function serialsOf(events: readonly LoggedEvent[], result: string): string[] {
  return events.filter((one) => one.event === "cert.issue" && one.result === result).map(({ serial }) => serial!);
}

/** What must hold whatever happened to the command. */
async function check(folder: string, acknowledged: boolean, what: string): Promise<void> {
  const log = `${folder}/audit.jsonl`;
  const { problem } = await read(log);
  assert.ok(problem === undefined || problem.code === "log.torn", `${what}: ${JSON.stringify(problem)}`);
  if (acknowledged) assert.equal(problem, undefined, what);
  // the next command goes on behind whatever there is, and finishes or undoes what was begun
  await qpki(folder, ["crl", "gen", "-d", "ca", "--days", "7", ...LOG]);
  const after = await read(log);
  assert.equal(after.problem, undefined, what);
  const [announced, done] = [serialsOf(after.events, "intent"), serialsOf(after.events, "ok")];
  for (const serial of serials(folder)) assert.ok(announced.includes(serial), `${what}: ${serial} is not announced`);
  if (acknowledged) {
    assert.equal(serials(folder).length, 1, what);
    assert.ok(done.includes(serials(folder)[0]!), `${what}: an acknowledged certificate has no outcome`);
  }
}

Deno.test("cert issue with a log, killed before every call to the file system", async () => {
  using tmp = tempFolder();
  const before = await prepare(tmp);
  let points = 0;
  let isOver = false;
  async function killAt(point: number): Promise<void> {
    const folder = await copyOf(before, tmp, `at-${point}`);
    const words = ["run", "-A", "--no-check", SHIM, "kill", String(point), ...ISSUE];
    const { code, stderr } = await run(Deno.execPath(), words, { cwd: folder });
    assert.ok(code === 0 || code === 137, `${code}: ${stderr}`);
    await check(folder, code === 0, `killed at ${point}`);
    Deno.removeSync(folder, { recursive: true });
    if (code === 0) isOver = true;
    else points = Math.max(points, point);
  }
  let next = 1;
  async function worker(): Promise<void> {
    while (!isOver && next <= MOST_POINTS) {
      const point = next;
      next += STEP;
      await killAt(point);
    }
  }
  await Promise.all([worker(), worker(), worker()]);
  assert.ok(points > 20 && points < MOST_POINTS, `${points} points`);
});

for (const mode of ["EIO", "ENOSPC"] satisfies FaultMode[]) {
  Deno.test(`cert issue with a log, every call to the file system failing with ${mode}`, async () => {
    using tmp = tempFolder();
    const before = await prepare(tmp);
    let refused = 0;
    for (let point = 1; point <= MOST_POINTS; point += STEP) {
      const folder = await copyOf(before, tmp, `at-${point}`);
      const faults = injectFaults(mode, point);
      const { status, stderr } = await runInProcess(ISSUE, { cwd: folder });
      const isOver = faults.calls < point;
      faults[Symbol.dispose]();
      assert.ok(status === 0 || status === 1, `${status}: ${stderr}`);
      await check(folder, status === 0, `${mode} at ${point}`);
      Deno.removeSync(folder, { recursive: true });
      if (isOver) break;
      if (status === 1) refused += STEP;
    }
    assert.ok(refused > 10 && refused < MOST_POINTS, `${refused} refused`);
  });
}
