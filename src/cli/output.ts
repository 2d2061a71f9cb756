import { fileError } from "../files.ts";
import {
  EXIT,
  type ExitStatus,
  InputError,
  InterruptedError,
  OperationError,
  QpkiError,
  TokenError,
} from "../errors.ts";
import type { CommandResult } from "./command.ts";
import type { Io } from "./io.ts";

/** How things are printed. */
export interface OutputOptions {
  /** Results and errors as JSON documents. */
  json: boolean;
  /** No progress. */
  quiet: boolean;
  /** Stacks of errors (QPKI_DEBUG=1). */
  debug: boolean;
}

const COLOURS = { error: 31, warning: 33, hint: 36, progress: 2 } as const;

/**
 * The only writer of stdout and stderr. Results go to stdout, all else to stderr, one after the other in the order of the
 * calls. A reader that has gone away (EPIPE) is no error.
 */
export class Output {
  #io: Io;
  #options: OutputOptions;
  #lively: boolean;
  #transient = false;
  #clock: ReturnType<typeof setTimeout> | undefined;
  #queue: Promise<void> = Promise.resolve();

  constructor(io: Io, options: OutputOptions) {
    this.#io = io;
    this.#options = options;
    this.#lively = io.stderr.terminal && !io.env("CI") && io.env("TERM") !== "dumb";
  }

  /** Settles options that could only be guessed before the arguments were parsed. */
  set(options: Partial<OutputOptions>): void {
    this.#options = { ...this.#options, ...options };
  }

  /** Prints a command's result. @throws {OperationError} when stdout cannot be written, for example on a full disk. */
  async result(result: CommandResult): Promise<void> {
    const text = this.#options.json ? `${JSON.stringify(result.data, jsonValue, 2)}\n` : endLine(result.text);
    await this.text(text);
  }

  /** Prints text (help, completion) on stdout, whatever the options. */
  async text(text: string): Promise<void> {
    this.endProgress();
    await this.#queue;
    try {
      await this.#io.stdout.write(text);
    } catch (cause) {
      if (!(cause instanceof Deno.errors.BrokenPipe)) throw fileError("write", "standard output", cause);
    }
  }

  /** Prints text (usage) on stderr. */
  note(text: string): void {
    this.endProgress();
    this.#toStderr(endLine(text));
  }

  /** One `warning:` line. */
  warn(text: string): void {
    this.note(`${this.#paint("warning", "warning:")} ${text}`);
  }

  /** Shows `text` as progress when a second passes without any other sign of life. */
  expect(text: string): void {
    if (!this.#lively || this.#options.quiet) return;
    this.#clock = setTimeout(() => this.progress(text), 1000);
  }

  /** A line that shows what is under way, on a terminal only, and goes away with the next output. */
  progress(text: string): void {
    this.#stopClock();
    if (!this.#lively || this.#options.quiet) return;
    this.#transient = true;
    this.#toStderr(`\r\x1b[K${this.#paint("progress", `${text} …`)}`);
  }

  /** Deno's timers take 4 ms to wake up: they are left alone where none runs. */
  #stopClock(): void {
    if (this.#clock !== undefined) clearTimeout(this.#clock);
  }

  /** Takes the progress line away. */
  endProgress(): void {
    this.#stopClock();
    if (!this.#transient) return;
    this.#transient = false;
    this.#toStderr("\r\x1b[K");
  }

  /** Prints an error, one JSON line with `json`, and tells the exit status it stands for. */
  error(error: unknown): ExitStatus {
    const told = asTold(error);
    if (this.#options.json) {
      this.note(JSON.stringify({ error: errorJson(told) }));
    } else {
      this.note(`${this.#paint("error", "error:")} ${told.message}`);
      for (const line of whereLines(told)) this.note(`  at: ${line}`);
      for (const line of causeLines(told)) this.note(`  cause: ${line}`);
      if (told.hint !== undefined) this.note(`${this.#paint("hint", "hint:")} ${told.hint}`);
    }
    if (this.#options.debug) this.note(stackOf(error));
    return told.exit;
  }

  /** Waits until everything has been written. */
  async flush(): Promise<void> {
    this.endProgress();
    await this.#queue;
  }

  #toStderr(text: string): void {
    // a lost stderr must not fail the command
    this.#queue = this.#queue.then(() => this.#io.stderr.write(text)).catch(() => {});
  }

  #paint(kind: keyof typeof COLOURS, text: string): string {
    return this.#lively && !this.#options.quiet && !this.#io.env("NO_COLOR")
      ? `\x1b[${COLOURS[kind]}m${text}\x1b[0m`
      : text;
  }
}

/** The JSON form of an error: `code`, `message`, `exit`, and what else it knows. */
export function errorJson(error: QpkiError): Record<string, unknown> {
  const causes = causeLines(error);
  return {
    code: error.code,
    message: error.message,
    exit: error.exit,
    hint: error.hint,
    object: error.object,
    ...(error instanceof TokenError
      ? { function: error.functionName, rv: error.rv, rv_name: error.rvName }
      : error instanceof InputError
      ? { file: error.file, line: error.line, column: error.column, offset: error.offset }
      : {}),
    causes: causes.length > 0 ? causes : undefined,
  };
}

/**
 * Any thrown value as one of our errors: our own as it is, an abort as {@link InterruptedError}, what the operating system
 * refused as OperationError, all else as an internal error.
 */
export function asTold(error: unknown): QpkiError {
  if (error instanceof QpkiError) return error;
  if (error instanceof DOMException && error.name === "AbortError") return new InterruptedError();
  if (isSystemError(error)) return new OperationError(`Cannot go on: ${error.message}`, { code: "system" });
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new OperationError(`Internal error (this is a bug): ${text}`, {
    code: "internal",
    hint: "Run it again with QPKI_DEBUG=1 in the environment to see where, and report it",
  });
}

/** Table of the exit statuses, for `qpki help exit-codes`. */
export function exitCodesText(): string {
  return `Exit statuses:

  ${EXIT.OK}    success
  ${EXIT.FAILED}    the operation failed, or the answer is no (a certificate does not verify)
  ${EXIT.USAGE}    wrong usage: unknown command or flag, missing value, bad combination
  ${EXIT.TOKEN}    HSM or token trouble: library, slot, PIN, mechanism, key in the token
  ${EXIT.INPUT}    bad input file or profile
  ${EXIT.INTERRUPTED}  interrupted (Ctrl-C, SIGTERM, SIGHUP)
`;
}

function isSystemError(error: unknown): error is Error {
  return error instanceof Error && (Object.hasOwn(Deno.errors, error.name) || /\(os error \d+\)/.test(error.message));
}

function whereLines(error: QpkiError): string[] {
  if (!(error instanceof InputError) || error.file === undefined) return [];
  const { file, line, column, offset } = error;
  if (line !== undefined) {
    const place = column === undefined ? `${file}:${line}` : `${file}:${line}:${column}`;
    return error.message.includes(place) ? [] : [place];
  }
  return offset === undefined || error.message.includes(String(offset)) ? [] : [`${file}, byte ${offset}`];
}

function causeLines(error: QpkiError): string[] {
  const lines: string[] = [];
  if (error instanceof TokenError && error.rvName !== undefined && !error.message.includes(error.rvName)) {
    const rv = error.rv === undefined ? "" : ` (0x${error.rv.toString(16)})`;
    lines.push(`${error.functionName ?? "PKCS#11"}: ${error.rvName}${rv}`);
  }
  // our own file errors already say what the system said
  let told = error.code.startsWith("file.");
  for (let cause = error.cause, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    if (cause instanceof QpkiError) lines.push(cause.message);
    else if (isSystemError(cause) && !told) lines.push(cause.message);
    told = cause instanceof QpkiError && cause.code.startsWith("file.");
  }
  return lines.filter((line, at) => lines.indexOf(line) === at && line !== error.message);
}

function stackOf(error: unknown): string {
  const stacks: string[] = [];
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    stacks.push(at.stack ?? String(at));
  }
  return stacks.join("\ncaused by ");
}

function endLine(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return value.toHex();
  return value;
}

/** Two columns, the left one as wide as its longest entry. */
export function columns(rows: readonly (readonly [string, string])[], indent = "  "): string {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${indent}${left.padEnd(width)}  ${right}`.trimEnd() + "\n").join("");
}
