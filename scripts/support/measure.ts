import { needs } from "../../tests/support/require.ts";
import { softhsmToken } from "../../tests/support/softhsm.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { ROOT } from "./tree.ts";

/**
 * Calls of `work` a second, one after the other, over about `seconds`; a first call is not counted, unless it took all of
 * that time.
 */
export async function rate(seconds: number, work: () => unknown): Promise<number> {
  const begin = performance.now();
  await work();
  const first = (performance.now() - begin) / 1000;
  if (first >= seconds) return 1 / first;
  return await count(seconds, async (stop) => {
    let calls = 0;
    for (; !stop(); calls++) {
      const result = work();
      if (result instanceof Promise) await result;
    }
    return calls;
  });
}

/** What `work` counts until `stop()` says so, a second. */
export async function count(seconds: number, work: (stop: () => boolean) => Promise<number>): Promise<number> {
  const begin = performance.now();
  const end = begin + seconds * 1000;
  const counted = await work(() => performance.now() >= end);
  return counted / ((performance.now() - begin) / 1000);
}

interface Start {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: Record<string, string>;
  readonly limit?: number;
}

/** Prints how long the built file (else the source) takes to start, beside `deno run` on an empty file. */
export async function startupTable(runs = 21): Promise<void> {
  using folder = tempFolder("qpki-start-");
  const empty = folder.write("empty.js", "");
  const built = `${ROOT}/dist/qpki`;
  const isBuilt = await Deno.stat(built).then(() => true, () => false);
  const qpki = isBuilt ? [built] : [Deno.execPath(), "run", "-A", "--no-check", `${ROOT}/main.ts`];
  if (!isBuilt) console.log("  (from source, as dist/qpki is not built; the limits are meant for the built file)");
  const starts: Start[] = [
    { name: "deno run on an empty file", command: [Deno.execPath(), "run", "-A", empty], env: {} },
    { name: "qpki --version", command: [...qpki, "--version"], env: {}, limit: 1.5 },
  ];
  using token = needs("softhsm") === undefined ? softhsmToken() : undefined;
  if (token) {
    const { env } = token;
    starts.push({
      name: "qpki hsm list (SoftHSM2)",
      command: [...qpki, "hsm", "list", "--hsm-config", token.hsmYaml()],
      env,
      limit: 3,
    });
    const lib = [...qpki, "hsm", "list", "--lib", token.lib];
    starts.push({ name: "qpki hsm list --lib (SoftHSM2)", command: lib, env, limit: 3 });
  }
  const times = starts.map((): number[] => []);
  // in turn, so that a busy moment hits all of them
  for (let run = -1; run < runs; run++) {
    for (const [i, start] of starts.entries()) {
      const time = await timeOf(start);
      if (run >= 0) times[i]!.push(time);
    }
  }
  const base = median(times[0]!);
  for (const [i, { name, limit }] of starts.entries()) {
    const middle = median(times[i]!);
    const ratio = limit === undefined ? "" : `   ratio ${(middle / base).toFixed(2)} (limit ${limit})`;
    console.log(`  ${name.padEnd(34)}${middle.toFixed(1).padStart(8)} ms${ratio}`);
  }
}

async function timeOf({ command, env }: Start): Promise<number> {
  const [program, ...args] = command as [string, ...string[]];
  const begin = performance.now();
  const { success, stderr } = await new Deno.Command(program, { args, env, stdout: "null", stderr: "piped" }).output();
  const time = performance.now() - begin;
  if (!success) throw new Error(`${command.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return time;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
