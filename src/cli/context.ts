import type { AuditTrail } from "../audit/trail.ts";
import type { Context } from "./command.ts";
import type { Io } from "./io.ts";
import type { Output } from "./output.ts";
import { passphraseSource } from "./passphrase.ts";
import { TerminalPrompter } from "./prompt.ts";
import { Providers } from "./providers.ts";

/** A context with what it has opened. */
export interface OpenContext {
  readonly context: Context;
  /** Closes every key provider; never rejects. */
  close(): Promise<void>;
}

/** Builds what a command gets from outside. */
export function openContext(
  io: Io,
  output: Output,
  options: { allowFinalTry: boolean; trail?: AuditTrail | undefined },
): OpenContext {
  const { trail } = options;
  const prompter = io.prompter ?? new TerminalPrompter(io, () => output.endProgress());
  const warn = (text: string) => output.warn(text);
  const providers = new Providers({
    env: io.env,
    cwd: io.cwd,
    prompter,
    signal: io.signal,
    allowFinalTry: options.allowFinalTry,
    notify: (text) => output.note(`note: ${text}`),
    warn,
    trail,
  });
  const context: Context = {
    env: io.env,
    cwd: io.cwd,
    now: io.now,
    prompter,
    progress: (text) => output.progress(text),
    warn,
    openProvider: (request) => providers.open(request),
    passphrase: (value, question, more = {}) =>
      passphraseSource(value, { env: io.env, prompter, warn }, {
        ...(question === undefined ? {} : { question }),
        ...(more.twice ? { twice: true } : {}),
        ...(more.flag === undefined ? {} : { flag: more.flag }),
      }),
    signal: io.signal,
    ...(trail ? { audit: (...events) => trail.record(...events) } : {}),
  };
  return { context, close: () => providers.close() };
}
