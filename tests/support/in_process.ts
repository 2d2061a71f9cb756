import type { Prompter } from "../../src/cli/command.ts";
import type { Io } from "../../src/cli/io.ts";
import { main } from "../../src/cli/run.ts";

/** What a command line left that ran in this very process. */
export interface InProcessResult {
  status: number;
  stdout: string;
  stderr: string;
}

/** How it runs; nothing of this process's environment is seen. */
export interface InProcessOptions {
  env?: Record<string, string>;
  cwd?: string;
  signal?: AbortSignal;
  prompter?: Prompter;
  now?: Date;
}

/** Runs `qpki` with `argv` without a process of its own: quick, for what does not need one. */
export async function runInProcess(argv: readonly string[], options: InProcessOptions = {}): Promise<InProcessResult> {
  const result: InProcessResult = { status: 0, stdout: "", stderr: "" };
  function stream(name: "stdout" | "stderr") {
    return {
      terminal: false,
      write(text: string): Promise<void> {
        result[name] += text;
        return Promise.resolve();
      },
    };
  }
  const nobody: Prompter = {
    interactive: false,
    secret: () => Promise.reject(new Error("Nobody can be asked in this test")),
    confirm: () => Promise.resolve(false),
  };
  const io: Io = {
    env: (name) => options.env?.[name],
    cwd: options.cwd ?? Deno.cwd(),
    now: () => options.now ?? new Date(),
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    signal: options.signal ?? new AbortController().signal,
    prompter: options.prompter ?? nobody,
  };
  result.status = await main(argv, io);
  return result;
}

/** Splits an example as a shell does: quotes, backslashes at the end of lines. No variables, pipes or redirections. */
export function shellWords(line: string): string[] {
  const words: string[] = [];
  const token = /\s*(?:\\\n)*\s*((?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+)/gsy;
  for (const match of line.trim().matchAll(token)) {
    words.push(
      match[1]!.replace(
        /"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/gs,
        (_, double, single, escaped) => double !== undefined ? double.replace(/\\(["\\$`])/g, "$1") : single ?? escaped,
      ),
    );
  }
  return words;
}
