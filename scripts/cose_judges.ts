/**
 * Makes the judges of the COSE tests, where Python and Go are installed: a virtual environment with pycose and cwt, and a
 * program over go-cose. They go to /var/tmp/qpki-cose-judges (`QPKI_COSE_JUDGES` names another folder), once.
 */
import { coseJudge, findExecutable } from "../tests/support/require.ts";
import { capture } from "./support/process.ts";
import { ROOT } from "./support/tree.ts";

const PYTHON_PACKAGES = ["pycose==1.1.0", "cwt==3.3.0"];

interface Judge {
  readonly need: "python-cose" | "go-cose";
  /** Program without which it cannot be made. */
  readonly compiler: string;
  /** Command lines that make it. */
  make(path: string): readonly (readonly string[])[];
}

const JUDGES: readonly Judge[] = [
  {
    need: "python-cose",
    compiler: "python3",
    make: (path) => {
      const venv = path.replace(/\/bin\/python$/, "");
      return [
        ["python3", "-m", "venv", venv],
        [path, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...PYTHON_PACKAGES],
      ];
    },
  },
  {
    need: "go-cose",
    compiler: "go",
    make: (path) => {
      return [["go", "build", "-C", `${ROOT}/tests/interop/judge/go_cose`, "-o", path, "."]];
    },
  },
];

/** Makes the judges that are missing and can be made; tells what happens. A failure leaves tests that are skipped. */
export async function provideCoseJudges(print: (line: string) => void): Promise<void> {
  for (const { need, compiler, make } of JUDGES) {
    const path = coseJudge(need);
    if (await Deno.stat(path).then(() => true, () => false) || findExecutable(compiler) === undefined) continue;
    print(`Making ${path} with ${compiler}`);
    for (const command of make(path)) {
      const { code, output } = await capture(command, { timeout: 300_000 });
      if (code === 0) continue;
      print(`${command.slice(0, 4).join(" ")} … failed with status ${code}: ${output.trim().split("\n").at(-1)}`);
      await Deno.remove(path).catch(() => {});
      break;
    }
  }
}

if (import.meta.main) await provideCoseJudges((line) => console.log(line));
