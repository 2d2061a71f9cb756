import assert from "node:assert/strict";
import { exitStatus, parseReport, runTestFiles } from "./test_runner.ts";

Deno.test("the closing line of deno test is read in each of its forms", () => {
  assert.equal(parseReport("error: something\n"), undefined);
  assert.deepEqual(parseReport("\nok | 3 passed | 0 failed (12ms)\n"), {
    passed: 3,
    failed: 0,
    skipped: 0,
    skippedNames: [],
  });
  const output = "one ... ok (1ms)\ntwo [skipped: no token] ... ignored (0ms)\n" +
    "FAILED | 1 passed (4 steps) | 2 failed (1 step) | 1 ignored (5ms)\n";
  assert.deepEqual(parseReport(output), {
    passed: 1,
    failed: 2,
    skipped: 1,
    skippedNames: ["two [skipped: no token]"],
  });
});

Deno.test("skipped steps are counted and named like tests", () => {
  const output = "all ...\n  first ... ok (1ms)\n  second [skipped: no token] ... ignored (0ms)\nall ... ok (2ms)\n" +
    "\nok | 1 passed (1 step) | 0 failed | 0 ignored (1 step) (5ms)\n";
  assert.deepEqual(parseReport(output), {
    passed: 1,
    failed: 0,
    skipped: 1,
    skippedNames: ["second [skipped: no token]"],
  });
});

Deno.test("no test at all is a failure", () => {
  assert.equal(exitStatus({ passed: 0, failed: 0, skipped: 4 }), 1);
  assert.equal(exitStatus({ passed: 1, failed: 0, skipped: 4 }), 0);
  assert.equal(exitStatus({ passed: 9, failed: 1, skipped: 0 }), 1);
});

Deno.test("files run apart: counts add up, a crash and an empty file fail", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(
      `${folder}/good_test.ts`,
      "Deno.test('a', () => {});\nDeno.test({ name: 'b', ignore: true, fn() {} });\n",
    );
    Deno.writeTextFileSync(`${folder}/crash_test.ts`, "Deno.test('c', () => Deno.kill(Deno.pid, 'SIGKILL'));\n");
    Deno.writeTextFileSync(`${folder}/empty_test.ts`, "export {};\n");
    const lines: string[] = [];
    const files = ["good", "crash", "empty"].map((name) => `${folder}/${name}_test.ts`);
    const counts = await runTestFiles(files, { print: (line) => lines.push(line), jobs: 2 });
    assert.deepEqual(counts, { passed: 1, failed: 2, skipped: 1 });
    assert.equal(lines.at(-1), "\n1 passed, 2 failed, 1 skipped");
    assert.match(lines.join("\n"), /ended with status 137/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
