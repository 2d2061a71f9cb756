/**
 * `deno task test [FILE-OR-FOLDER...]`: provides tools, runs every test of the source tree (or those named), prints the
 * counts on the last line. Tests of the built file are run by `deno task e2e`, those of the laboratory by
 * `deno task test:lab`, which calls this with `--lab`.
 */
import { IS_EXTENDED } from "../tests/support/extended.ts";
import { provideTools } from "./setup.ts";
import { fetchDependencies } from "./support/process.ts";
import { exitStatus, runTestFiles } from "./support/test_runner.ts";
import { filesBelow, ROOT } from "./support/tree.ts";

/** Folders of the tree with tests; `tests/build` needs the built file and `tests/lab` other machines. */
const FOLDERS = ["src", "drivers", "scripts", "tests"];
const ELSEWHERE = /^tests\/(build|lab)\//;
/** What the laboratory's tokens and judges have a say in. */
const OF_THE_LAB = /^tests\/(lab|hsm|interop)\/|(hsm|openssl)_test\.ts$/;
/** Many keys, SLH-DSA's slow ones among them. */
const LONGEST = /^tests\/lab\/(matrix|keys)/;

function testFiles(wanted: readonly string[], lab: boolean): string[] {
  return FOLDERS.flatMap((folder) => filesBelow(`${ROOT}/${folder}`).map((file) => `${folder}/${file}`))
    .filter((file) => file.endsWith("_test.ts") && (lab ? OF_THE_LAB.test(file) : !ELSEWHERE.test(file)))
    .filter((file) => wanted.length === 0 || wanted.some((word) => file.startsWith(word.replace(/^\.\//, ""))));
}

const print = (line: string) => console.log(line);
const lab = Deno.args[0] === "--lab";
await provideTools(print);
await fetchDependencies(ROOT);
// the long ones, which run the command line, first: both processors stay busy to the end
const rank = (file: string) => LONGEST.test(file) ? 0 : file.startsWith("tests/") ? 1 : 2;
const files = testFiles(lab ? Deno.args.slice(1) : Deno.args, lab).sort((a, b) => rank(a) - rank(b));
const long = lab || IS_EXTENDED ? { timeout: IS_EXTENDED ? 7_200_000 : 900_000 } : {};
Deno.exit(exitStatus(await runTestFiles(files, { print, ...long })));
