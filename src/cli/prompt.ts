import { Secret } from "../bytes.ts";
import { InterruptedError, UsageError } from "../errors.ts";
import type { Prompter } from "./command.ts";
import type { Io } from "./io.ts";

/** Longest secret in bytes. */
const MAX_SECRET_BYTES = 1024;

/** What a byte did to the line. */
export type LineState = "more" | "done" | "interrupted" | "closed";

/**
 * A line typed without echo, byte by byte as a terminal in raw mode sends it: Enter ends it, Backspace takes a character
 * back, Ctrl-U all, Ctrl-C interrupts, Ctrl-D on an empty line closes. Escape sequences (arrow keys) are skipped.
 */
export class SecretLine {
  #bytes = new Uint8Array(MAX_SECRET_BYTES);
  #length = 0;
  #escape: "none" | "started" | "sequence" = "none";

  /** Takes one byte. */
  feed(byte: number): LineState {
    if (this.#escape !== "none") return this.#skip(byte);
    switch (byte) {
      case 0x0d:
      case 0x0a:
        return "done";
      case 0x03:
        return "interrupted";
      case 0x04:
        return this.#length === 0 ? "closed" : "more";
      case 0x08:
      case 0x7f:
        this.#backspace();
        return "more";
      case 0x15:
        this.wipe();
        return "more";
      case 0x1b:
        this.#escape = "started";
        return "more";
    }
    if (byte >= 0x20 && this.#length < MAX_SECRET_BYTES) this.#bytes[this.#length++] = byte;
    return "more";
  }

  /** The line so far. @throws {UsageError} when it is not UTF-8. */
  secret(): Secret {
    try {
      return new Secret(new TextDecoder("utf-8", { fatal: true }).decode(this.#bytes.subarray(0, this.#length)));
    } catch {
      throw new UsageError("Cannot use what was typed: it is not UTF-8 text", { code: "prompt.not_text" });
    }
  }

  /** Forgets the line. */
  wipe(): void {
    this.#bytes.fill(0);
    this.#length = 0;
  }

  #backspace(): void {
    // a character may have continuation bytes (10xxxxxx)
    while (this.#length > 0 && (this.#bytes[this.#length - 1]! & 0xc0) === 0x80) this.#length--;
    if (this.#length > 0) this.#length--;
    this.#bytes.fill(0, this.#length);
  }

  #skip(byte: number): LineState {
    if (byte === 0x03) return "interrupted";
    if (this.#escape === "started" && (byte === 0x5b || byte === 0x4f)) this.#escape = "sequence";
    else if (this.#escape === "started" || (byte >= 0x40 && byte <= 0x7e)) this.#escape = "none";
    return "more";
  }
}

/** A terminal that can be asked. */
export interface Terminal extends Disposable {
  read(into: Uint8Array): Promise<number | null>;
  write(text: string): Promise<void>;
  /** Raw: no echo, no line editing, Ctrl-C arrives as a byte. */
  setRaw(raw: boolean): void;
}

/**
 * Asks for a secret without echo.
 * @throws {InterruptedError} on Ctrl-C, when `signal` is aborted, or when the terminal is closed.
 */
export async function readSecret(terminal: Terminal, question: string, signal: AbortSignal): Promise<Secret> {
  const line = new SecretLine();
  const byte = new Uint8Array(1);
  signal.throwIfAborted();
  terminal.setRaw(true);
  try {
    await terminal.write(question);
    for (;;) {
      const count = await untilAborted(terminal.read(byte), signal);
      const state = count ? line.feed(byte[0]!) : "closed";
      byte.fill(0);
      if (state === "more") continue;
      await terminal.write("\r\n");
      if (state === "done") return line.secret();
      throw new InterruptedError(state === "closed" ? "Interrupted: the terminal was closed" : undefined);
    }
  } finally {
    terminal.setRaw(false);
    line.wipe();
  }
}

/** Asks a yes-or-no question; anything but `y` or `yes` is no. @throws {InterruptedError} when `signal` is aborted. */
export async function readConfirmation(terminal: Terminal, question: string, signal: AbortSignal): Promise<boolean> {
  const bytes: number[] = [];
  const byte = new Uint8Array(1);
  signal.throwIfAborted();
  await terminal.write(`${question} [y/N] `);
  while (await untilAborted(terminal.read(byte), signal)) {
    if (byte[0] === 0x0a || bytes.length > 100) break;
    bytes.push(byte[0]!);
  }
  return /^\s*y(es)?\s*$/i.test(String.fromCharCode(...bytes));
}

/**
 * Asks on the terminal of the process. Somebody can answer when stdin is a terminal, or stderr is one and the process has
 * a controlling terminal (stdin may then carry data).
 */
export class TerminalPrompter implements Prompter {
  #io: Io;
  #before: () => void;

  /** `before` is called before each question, to take a progress line away. */
  constructor(io: Io, before: () => void) {
    this.#io = io;
    this.#before = before;
  }

  get interactive(): boolean {
    if (Deno.stdin.isTerminal()) return true;
    if (!this.#io.stderr.terminal) return false;
    using terminal = openControllingTerminal();
    return terminal !== undefined;
  }

  async secret(question: string): Promise<Secret> {
    using terminal = this.#open();
    if (!terminal) {
      throw new UsageError(`Cannot ask "${question.replace(/:? *$/, "")}": there is no terminal`, {
        code: "prompt.no_terminal",
      });
    }
    return await readSecret(terminal, question, this.#io.signal);
  }

  async confirm(question: string): Promise<boolean> {
    using terminal = this.#open();
    return terminal ? await readConfirmation(terminal, question, this.#io.signal) : false;
  }

  #open(): Terminal | undefined {
    if (!this.interactive) return undefined;
    this.#before();
    return openControllingTerminal() ?? standardTerminal();
  }
}

function openControllingTerminal(): Terminal | undefined {
  if (Deno.build.os === "windows") return undefined;
  try {
    const file = Deno.openSync("/dev/tty", { read: true, write: true });
    return {
      read: (into) => file.read(into),
      write: (text) => writeAll(file, text),
      setRaw: (raw) => file.setRaw(raw),
      [Symbol.dispose]: () => file.close(),
    };
  } catch {
    return undefined;
  }
}

function standardTerminal(): Terminal {
  return {
    read: (into) => Deno.stdin.read(into),
    write: (text) => writeAll(Deno.stderr, text),
    setRaw: (raw) => Deno.stdin.setRaw(raw),
    [Symbol.dispose]() {},
  };
}

async function writeAll(to: { write(bytes: Uint8Array): Promise<number> }, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  function onAbort(): void {
    reject(new InterruptedError());
  }
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  return Promise.race([work, promise]).finally(() => signal.removeEventListener("abort", onAbort));
}
