/** What the closest peer's audit log gets wrong, as tests of ours; the numbers are rows of the regression list. */
import assert from "node:assert/strict";
import { describe, runCli, runJson, runOk, type RunResult, spawnCli } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";
import { read } from "./support.ts";

const LOG = "audit.jsonl";
const ISSUE = [
  "cert",
  "issue",
  "--ca-dir",
  "ca",
  "--profile",
  "ec/tls-server",
  "--csr",
  "s.csr",
  "--audit-log",
  LOG,
  "--json",
];

/** A CA and a request in a folder. */
async function prepare(tmp: TempFolder): Promise<{ cwd: string }> {
  const at = { cwd: tmp.path };
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "--ca-dir", "ca", "--audit-log", LOG], at);
  const names = ["--cn", "s.test", "--dns", "s.test"];
  await runOk(["csr", "gen", "-a", "ecdsa-p256", "--keyout", "s.key", ...names, "--out", "s.csr"], at);
  return at;
}

function serialsIn(tmp: TempFolder): string[] {
  return tmp.read("ca/index.txt").split("\n").filter((line) => line !== "").map((line) => line.split("\t")[3]!);
}

Deno.test("regression 8: forty certificates by eight at a time: one chain, and no event is lost", async () => {
  using tmp = tempFolder();
  const at = await prepare(tmp);
  const serials: string[] = [];
  async function worker(): Promise<void> {
    for (let i = 0; i < 5; i++) serials.push(JSON.parse((await runOk(ISSUE, at)).stdout).serial);
  }
  await Promise.all(Array.from({ length: 8 }, worker));
  const verified = await runOk(["audit", "verify", "--log", LOG], at);
  assert.match(verified.stdout, /^VALID: \d+ events in 1 file/);
  const { events } = await read(tmp.join(LOG));
  assert.equal(new Set(events.map(({ prev }) => prev)).size, events.length);
  const issued = events.filter(({ event, result }) => event === "cert.issue" && result === "ok").map(({ serial }) =>
    serial
  );
  assert.deepEqual(issued.filter((serial) => serials.includes(serial!)).sort(), serials.sort());
  assert.equal(events.filter(({ event, result }) => event === "key.use" && result === "ok").length, 1 + 40);
});

testWith("regression 9: cutting the last two events is found by a checkpoint that the HSM signed", {
  needs: ["softhsm"],
}, async () => {
  using tmp = tempFolder();
  using token = softhsmToken();
  token.hsmYaml(tmp.join("hsm.yaml"));
  const at = { ...await prepare(tmp), env: token.env };
  const hsm = ["--hsm-config", "hsm.yaml", "--key-label", "auditor"];
  await runOk(["key", "generate", "-a", "ecdsa-p256", ...hsm], at);
  await runOk(["key", "pub", ...hsm, "--out", "auditor.pub"], at);
  await runOk(ISSUE, at);
  await runOk(["audit", "checkpoint", "--log", LOG, ...hsm, "--out", "cp.json"], at);
  const verify = ["audit", "verify", "--log", LOG, "--checkpoint", "cp.json", "--key", "auditor.pub"];
  await runOk(verify, at);
  const whole = tmp.read(LOG);
  const lines = whole.split("\n");
  tmp.write(LOG, `${lines.slice(0, -3).join("\n")}\n`);
  await runOk(["audit", "verify", "--log", LOG], at);
  const cut = await runCli(verify, at);
  assert.equal(cut.code, 1);
  assert.match(cut.stdout, /2 were cut off/);
  // going on behind the cut does not hide it
  await runOk(ISSUE, at);
  assert.match((await runCli(verify, at)).stdout, /^INVALID: cp.json: .*the log was written anew/);
  // a file that a tool moved away begins another log; one that audit rotate moved away does not
  tmp.write(LOG, whole);
  Deno.renameSync(tmp.join(LOG), tmp.join("audit.jsonl.1"));
  assert.match((await runOk(ISSUE, at)).stderr, /note: A new audit log was begun/);
  assert.match((await runCli(verify, at)).stdout, /another log was put in its place/);
  Deno.renameSync(tmp.join("audit.jsonl.1"), tmp.join(LOG));
  const rotated = await runJson(["audit", "rotate", "--log", LOG], at) as { archive: string };
  await runOk(ISSUE, at);
  await runOk([...verify, "--log", rotated.archive], at);
});

Deno.test("regression 10: whatever is killed, no certificate exists that the log does not announce, and nothing told is missing", async () => {
  using tmp = tempFolder();
  const at = await prepare(tmp);
  const told: string[] = [];
  for (let round = 0; round < 24; round++) {
    const child = spawnCli(ISSUE, at);
    const timer = setTimeout(() => child.kill("SIGKILL"), 120 + round * 12);
    const output = await child.output().finally(() => clearTimeout(timer));
    await child.stdin.close().catch(() => {});
    if (output.code === 0) told.push(JSON.parse(new TextDecoder().decode(output.stdout)).serial);
  }
  const last: RunResult = await runOk(ISSUE, at);
  told.push(JSON.parse(last.stdout).serial);
  const repaired = await runCli(["ca", "check", "--ca-dir", "ca", "--repair", "--audit-log", LOG], at);
  assert.equal(repaired.code, 0, describe("ca check", repaired));
  const { events, problem } = await read(tmp.join(LOG));
  assert.equal(problem, undefined);
  const announced = new Set(
    events.filter(({ event, result }) => event === "cert.issue" && result === "intent").map(({ serial }) => serial),
  );
  const done = new Set(
    events.filter(({ event, result }) => event === "cert.issue" && result === "ok").map((e) => e.serial),
  );
  const leaves = serialsIn(tmp);
  for (const serial of leaves) assert.ok(announced.has(serial), `${serial} is in the index and not announced`);
  for (const serial of told) assert.ok(done.has(serial) && leaves.includes(serial), `${serial} was told`);
});
