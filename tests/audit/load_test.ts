/** Many operators on one CA and one log: every acknowledged change is in both, and the chain holds. */
import assert from "node:assert/strict";
import { ROOT, run, runCli, runOk } from "../support/cli.ts";
import { tempFolder } from "../support/tmp.ts";
import { read, SERVER_REQUEST } from "./support.ts";

const OPERATORS = 16;
/** `QPKI_LOAD_SECONDS=60` for the long run. */
const SECONDS = Number(Deno.env.get("QPKI_LOAD_SECONDS") ?? "6");

Deno.test("sixteen processes issue, revoke and make CRLs: no lost event, no lost line, one chain", async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path };
  await runOk([
    "ca",
    "init",
    "--profile",
    "ec/root-ca",
    "--var",
    "cn=Root",
    "--ca-dir",
    "ca",
    "--audit-log",
    "audit.jsonl",
  ], at);
  await runOk(SERVER_REQUEST, at);
  const operator = ["run", "-A", "--no-check", `${ROOT}/tests/audit/operator.ts`, tmp.path, String(SECONDS)];
  const results = await Promise.all(
    Array.from({ length: OPERATORS }, () => run(Deno.execPath(), operator, { timeout: (SECONDS + 120) * 1000 })),
  );
  for (const { code, stderr } of results) assert.equal(code, 0, stderr);
  const told = results.flatMap(({ stdout }) => stdout.split("\n")).filter(Boolean).map((line) => line.split(" "));
  const of = (what: string) => told.filter(([kind]) => kind === what).map(([, id]) => id!).sort();
  assert.ok(of("issue").length > OPERATORS / 2, `${told.length} acknowledged`);
  const { events, problem } = await read(tmp.join("audit.jsonl"));
  assert.equal(problem, undefined);
  const logged = (name: string) => events.filter(({ event, result }) => event === name && result === "ok");
  const serials = logged("cert.issue").map(({ serial }) => serial!).sort();
  // and the root's own
  assert.equal(serials.length, of("issue").length + 1);
  assert.deepEqual(serials.filter((serial) => of("issue").includes(serial)), of("issue"));
  assert.deepEqual(logged("cert.revoke").map(({ serial }) => serial!).sort(), of("revoke"));
  const numbers = logged("crl.gen").map(({ details }) => String(details!["number"])).sort();
  assert.deepEqual(numbers, of("crl"));
  assert.equal(new Set(numbers).size, numbers.length);
  const rows = tmp.read("ca/index.txt").split("\n").filter(Boolean).map((line) => line.split("\t"));
  assert.deepEqual(rows.map((row) => row[3]!).sort(), of("issue"));
  assert.deepEqual(rows.filter(([status]) => status === "R").map((row) => row[3]!).sort(), of("revoke"));
  const checked = await runCli(["ca", "check", "--ca-dir", "ca"], at);
  assert.equal(checked.code, 0, checked.stdout + checked.stderr);
});
