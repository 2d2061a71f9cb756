/**
 * `deno task e2e [FILE-OR-FOLDER...]`: runs every test that calls the command line, and those of the build, against
 * `dist/qpki` (or the file that `QPKI_BIN` names), which is built first when it is not there.
 */
import { runInherited } from "./support/process.ts";
import { exitStatus, runTestFiles } from "./support/test_runner.ts";
import { filesBelow, ROOT } from "./support/tree.ts";

function e2eFiles(wanted: readonly string[]): string[] {
  return filesBelow(`${ROOT}/tests`).map((file) => `tests/${file}`)
    .filter((file) => file.endsWith("_test.ts") && !/^tests\/(support|lab)\//.test(file))
    .filter((file) => file.startsWith("tests/build/") || callsQpki(Deno.readTextFileSync(`${ROOT}/${file}`)))
    .filter((file) => wanted.length === 0 || wanted.some((word) => file.startsWith(word.replace(/^\.\//, ""))));
}

/** Whether a test starts `qpki` as a process; those that only start other programs would learn nothing new. */
function callsQpki(source: string): boolean {
  const names = /import \{([^}]*)\} from "[./]*\/support\/cli\.ts"/.exec(source)?.[1]?.split(",") ?? [];
  return names.map((name) => name.trim()).some((name) => !["", "run", "type RunResult"].includes(name));
}

async function builtFile(): Promise<string> {
  const stated = Deno.env.get("QPKI_BIN");
  const path = stated === undefined ? `${ROOT}/dist/qpki` : stated.startsWith("/") ? stated : `${ROOT}/${stated}`;
  try {
    await Deno.stat(path);
  } catch {
    const status = await runInherited([Deno.execPath(), "run", "-A", `${ROOT}/scripts/build.ts`]);
    if (status !== 0) Deno.exit(status);
  }
  return path;
}

const env = { QPKI_BIN: await builtFile() };
const counts = await runTestFiles(e2eFiles(Deno.args), { env, print: (line) => console.log(line) });
Deno.exit(exitStatus(counts));
