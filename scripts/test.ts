/**
 * `deno task test [FILE-OR-FOLDER...]`: provides tools, runs every test of the source tree (or those named), prints the
 * counts on the last line. Tests of the built file are run by `deno task e2e`.
 */
import { provideTools } from "./setup.ts";
import { exitStatus, runTestFiles } from "./support/test_runner.ts";
import { filesBelow, ROOT } from "./support/tree.ts";

/** Folders of the tree with tests; `tests/build` needs the built file and `tests/lab` other machines. */
const FOLDERS = ["src", "drivers", "scripts", "tests"];
const ELSEWHERE = /^tests\/(build|lab)\//;

function testFiles(wanted: readonly string[]): string[] {
  return FOLDERS.flatMap((folder) => filesBelow(`${ROOT}/${folder}`).map((file) => `${folder}/${file}`))
    .filter((file) => file.endsWith("_test.ts") && !ELSEWHERE.test(file))
    .filter((file) => wanted.length === 0 || wanted.some((word) => file.startsWith(word.replace(/^\.\//, ""))));
}

const print = (line: string) => console.log(line);
await provideTools(print);
// the long ones, which run the command line, first: both processors stay busy to the end
const files = testFiles(Deno.args).sort((a, b) => Number(b.startsWith("tests/")) - Number(a.startsWith("tests/")));
Deno.exit(exitStatus(await runTestFiles(files, { print })));
