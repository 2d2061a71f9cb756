/** Root of the source tree, without a final slash. */
export const ROOT: string = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** How a command line is run. */
export interface RunOptions {
  /** Added to this process's environment. */
  env?: Record<string, string>;
  /** Only `env`, nothing inherited. */
  clearEnv?: boolean;
  cwd?: string;
  stdin?: string | Uint8Array;
  /** A built `qpki` instead of the source; `QPKI_BIN` in the environment does the same for all. */
  binary?: string;
  /** Milliseconds after which the process is killed and the call throws; 120 000 unless told. */
  timeout?: number;
}

/** What a finished process left. */
export interface RunResult {
  code: number;
  /** Signal that ended it, if one did. */
  signal: Deno.Signal | null;
  stdout: string;
  stderr: string;
  stdoutBytes: Uint8Array<ArrayBuffer>;
}

/** Runs `qpki` with `args`: from source, or the file named by `binary` or `QPKI_BIN`. */
export function runCli(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program, ...before] = qpkiCommand(options.binary);
  return run(program!, [...before, ...args], options);
}

/** As {@link runCli}, and parses stdout as JSON. @throws {Error} with both streams when the exit status is not 0. */
export async function runJson(args: readonly string[], options: RunOptions = {}): Promise<unknown> {
  return JSON.parse((await runOk([...args, "--json"], options)).stdout);
}

/** As {@link runCli}. @throws {Error} with both streams when the exit status is not 0. */
export async function runOk(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await runCli(args, options);
  if (result.code !== 0) throw new Error(describe(`qpki ${args.join(" ")}`, result));
  return result;
}

/** Runs another program, for example `openssl`. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = spawn(program, args, options);
  const deadline = options.timeout ?? 120_000;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, deadline);
  try {
    const [output] = await Promise.all([child.output(), feed(child, options.stdin)]);
    const result: RunResult = {
      code: output.code,
      signal: output.signal,
      stdout: new TextDecoder().decode(output.stdout),
      stderr: new TextDecoder().decode(output.stderr),
      stdoutBytes: output.stdout,
    };
    if (late) throw new Error(describe(`${program} ${args.join(" ")} (killed after ${deadline} ms)`, result));
    return result;
  } finally {
    clearTimeout(timer);
  }
}

/** Starts `qpki` without waiting, for tests that send signals; all three streams are piped. */
export function spawnCli(args: readonly string[], options: RunOptions = {}): Deno.ChildProcess {
  const [program, ...before] = qpkiCommand(options.binary);
  return spawn(program!, [...before, ...args], { stdin: "", ...options });
}

/** The words that start `qpki`. */
export function qpkiCommand(binary: string | undefined = Deno.env.get("QPKI_BIN")): string[] {
  if (!binary) return [Deno.execPath(), "run", "-A", "--no-check", `${ROOT}/main.ts`];
  return [binary.startsWith("/") ? binary : `${ROOT}/${binary}`];
}

/** Text for a failure: the command, its status and both streams. */
export function describe(command: string, result: Pick<RunResult, "code" | "stdout" | "stderr">): string {
  return `${command}: exit ${result.code}\n--- stdout\n${result.stdout}\n--- stderr\n${result.stderr}`;
}

function spawn(program: string, args: readonly string[], options: RunOptions): Deno.ChildProcess {
  return new Deno.Command(program, {
    args: [...args],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { NO_COLOR: "1", ...denoDir(), ...options.env },
    clearEnv: options.clearEnv ?? false,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Where Deno keeps what it has downloaded: a test that sets another HOME must not make it download anew. */
function denoDir(): Record<string, string> {
  const stated = Deno.env.get("DENO_DIR");
  if (stated) return { DENO_DIR: stated };
  const home = Deno.env.get("HOME");
  if (!home || Deno.build.os === "windows") return {};
  const caches = Deno.build.os === "darwin"
    ? `${home}/Library/Caches`
    : Deno.env.get("XDG_CACHE_HOME") ?? `${home}/.cache`;
  return { DENO_DIR: `${caches}/deno` };
}

async function feed(child: Deno.ChildProcess, input: RunOptions["stdin"]): Promise<void> {
  if (input === undefined) return;
  const writer = child.stdin.getWriter();
  try {
    await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
    await writer.close();
  } catch (error) {
    // the program may end without reading its input
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
