import { InterruptedError } from "../errors.ts";
import type { Prompter } from "./command.ts";

/** One standard stream. */
export interface Stream {
  readonly terminal: boolean;
  /** Writes all of `text`. Rejects with the system's error. */
  write(text: string): Promise<void>;
}

/** The edge of the process: everything `main` gets from outside, so that a test can run it in its own process. */
export interface Io {
  env(name: string): string | undefined;
  readonly cwd: string;
  now(): Date;
  readonly stdout: Stream;
  readonly stderr: Stream;
  /** Aborted by SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** Replaces the terminal's prompts. */
  readonly prompter?: Prompter;
}

/**
 * The real edge. The first SIGINT, SIGTERM or SIGHUP (the terminal went away) aborts `signal`; a second one calls `exit`
 * with 130 at once.
 */
export function processIo(exit: (status: number) => never): Io {
  const controller = new AbortController();
  // asked before the first listener: from then on the runtime itself ends at SIGHUP unless somebody listens
  const survivesHangup = hangupIsIgnored();
  function interrupt(): void {
    if (controller.signal.aborted) exit(130);
    controller.abort(new InterruptedError());
  }
  Deno.addSignalListener("SIGINT", interrupt);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", interrupt);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGHUP", survivesHangup ? () => {} : interrupt);
  return {
    env: (name) => Deno.env.get(name),
    cwd: Deno.cwd(),
    now: () => new Date(),
    stdout: stream(Deno.stdout),
    stderr: stream(Deno.stderr),
    signal: controller.signal,
  };
}

/** Whether `nohup` started this process, which is then to go on without its terminal. */
function hangupIsIgnored(): boolean {
  try {
    const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1] ?? "0";
    return (BigInt(`0x${ignored}`) & 1n) === 1n;
  } catch {
    return false;
  }
}

function stream(to: typeof Deno.stdout): Stream {
  return {
    get terminal() {
      return to.isTerminal();
    },
    async write(text) {
      const bytes = new TextEncoder().encode(text);
      let at = 0;
      while (at < bytes.length) at += await to.write(bytes.subarray(at));
    },
  };
}
