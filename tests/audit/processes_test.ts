/** Many processes on one log: one chain, nothing lost; a process that is killed in the middle of writing. */
import assert from "node:assert/strict";
import { rotateLog } from "../../src/audit/rotate.ts";
import { logFiles } from "../../src/audit/verify.ts";
import { tempFolder } from "../support/tmp.ts";
import { ROOT, run } from "../support/cli.ts";
import { read, stamp, testLog } from "./support.ts";

const APPENDER = ["run", "-A", "--no-check", `${ROOT}/tests/audit/appender.ts`];

Deno.test("eight processes append at once: one chain, and every acknowledged event is where it was said to be", async () => {
  using tmp = tempFolder();
  const path = tmp.join("audit.jsonl");
  const results = await Promise.all(
    Array.from({ length: 8 }, (_, i) => run(Deno.execPath(), [...APPENDER, path, `p${i}`, "25"])),
  );
  for (const result of results) assert.equal(result.code, 0, result.stderr);
  const { events, problem, chain } = await read(path);
  assert.equal(problem, undefined);
  assert.equal(events.length, 1 + 8 * 25);
  assert.equal(events.filter(({ event }) => event === "log.created").length, 1);
  const acknowledged = results.flatMap(({ stdout }) => stdout.trim().split("\n")).map((line) => line.split(" "));
  assert.equal(acknowledged.length, 8 * 25);
  for (const [seq, name] of acknowledged) assert.equal(events[Number(seq) - 1]!.subject, name);
  assert.equal(chain.head.seq, events.length);
});

Deno.test("processes that are killed while they append lose nothing that they acknowledged, and the log goes on", async () => {
  using tmp = tempFolder();
  const path = tmp.join("audit.jsonl");
  const acknowledged: string[] = [];
  for (let round = 0; round < 6; round++) {
    const child = new Deno.Command(Deno.execPath(), {
      args: [...APPENDER, path, `k${round}`, "0"],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const output = child.output();
    // from the first append on, at some moment
    while (!await Deno.stat(path).then(({ size }) => size > 0, () => false)) await wait(5);
    await wait(150 + Math.random() * 150);
    child.kill("SIGKILL");
    const { stdout } = await output;
    const lines = new TextDecoder().decode(stdout).split("\n");
    // the last piece may be a line that was cut off
    acknowledged.push(...lines.slice(0, -1));
  }
  assert.ok(acknowledged.length > 6, `${acknowledged.length} acknowledged`);
  const { log } = testLog(path);
  await log.append([{ event: "test.end", result: "ok" }], stamp());
  const { events, problem } = await read(path);
  assert.equal(problem, undefined);
  for (const line of acknowledged) {
    const [seq, name] = line.split(" ");
    assert.equal(events[Number(seq) - 1]!.subject, name);
  }
});

Deno.test("a log that is rotated while four processes write: one chain over all files, nothing lost", async () => {
  using tmp = tempFolder();
  Deno.mkdirSync(tmp.join("logs"));
  const path = tmp.join("logs/audit.jsonl");
  const writers = Promise.all(
    Array.from({ length: 4 }, (_, i) => run(Deno.execPath(), [...APPENDER, path, `p${i}`, "60"])),
  );
  while (!await Deno.stat(path).then(({ size }) => size > 0, () => false)) await wait(5);
  for (let round = 0; round < 5; round++) {
    await wait(30);
    await rotateLog(path, { stamp: stamp(), notice: () => {} });
  }
  const results = await writers;
  const files = await logFiles([tmp.join("logs")]);
  assert.equal(files.length, 6);
  const { events, problem } = await read(...files);
  assert.equal(problem, undefined);
  for (const { code, stdout, stderr } of results) {
    assert.equal(code, 0, stderr);
    for (const line of stdout.trim().split("\n")) {
      const [seq, name] = line.split(" ");
      assert.equal(events[Number(seq) - 1]!.subject, name);
    }
  }
});

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
