/** What a finished program left: its status and both streams together, in the order they came. */
export interface Finished {
  readonly code: number;
  readonly output: string;
}

/** How a program is run. */
export interface ProcessOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Milliseconds after which the program is killed; without it, it may take for ever. */
  timeout?: number;
}

/** Runs a program without input and collects what it prints. A program that does not exist has status 127. */
export async function capture(command: readonly string[], options: ProcessOptions = {}): Promise<Finished> {
  const [program, ...args] = command as [string, ...string[]];
  const { timeout, ...rest } = options;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, { args, ...rest, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { code: 127, output: `${program}: not found\n` };
    throw error;
  }
  const timer = timeout === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), timeout);
  const chunks: Uint8Array[] = [];
  const [status] = await Promise.all([child.status, collect(child.stdout, chunks), collect(child.stderr, chunks)]);
  clearTimeout(timer);
  return { code: status.code, output: new TextDecoder().decode(await new Blob(chunks as BlobPart[]).bytes()) };
}

/** Runs a program with this process's streams and returns its status. */
export async function runInherited(command: readonly string[], options: ProcessOptions = {}): Promise<number> {
  const [program, ...args] = command as [string, ...string[]];
  const { cwd, env } = options;
  const child = new Deno.Command(program, {
    args,
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  return (await child.status).code;
}

async function collect(stream: ReadableStream<Uint8Array>, chunks: Uint8Array[]): Promise<void> {
  for await (const chunk of stream) chunks.push(chunk);
}

/**
 * Fetches what `deno.json` names and is not there yet, so that Deno does not tell of downloads in between later on.
 * Offline this fails, and nothing is lost: what is missing will be missed where it is needed.
 */
export async function fetchDependencies(root: string): Promise<void> {
  await capture([Deno.execPath(), "install", "--quiet"], { cwd: root });
}
