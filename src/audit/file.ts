import { type Bytes, concatBytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { fileError, syncFolder } from "../files.ts";
import { sha256Hex } from "../keys/digest.ts";
import { hashedBytes, type Head, type LoggedEvent, NO_HASH, readEvent } from "./event.ts";

const LOCK_TIMEOUT_MS = 60_000;
const FIRST_WAIT_MS = 1;
const LONGEST_WAIT_MS = 20;
const BLOCK_BYTES = 65_536;
/** A torn end may hold more than one line, but not endlessly more. */
const MAX_TORN_BYTES = 16 * BLOCK_BYTES;
const NEWLINE = 0x0a;

/** Bytes at the end of a log that a process or machine which went down left half written. */
export interface TornEnd {
  readonly bytes: Bytes;
  /** A whole event of which only the newline is missing: it stays part of the chain. */
  readonly isWhole: boolean;
  /** Whether a newline stands behind it already. */
  readonly isEnded: boolean;
}

/** How a log ends. */
export interface LogEnd {
  /** Place before the first event for a new log. */
  readonly head: Head;
  readonly torn?: TornEnd;
}

/** How {@link LockedLog.open} opens. */
export interface LockOptions {
  /** Makes a log that is not there. */
  readonly create?: boolean;
  /** Milliseconds until it gives up; 60 000 unless told. */
  readonly timeoutMs?: number;
}

/**
 * A log that this process has to itself: the kernel's lock (flock) on the file, released when the process ends in any way.
 * Whoever waited while the log was rotated gets the new file.
 */
export class LockedLog implements Disposable {
  readonly path: string;
  readonly file: Deno.FsFile;
  #size: number;

  private constructor(path: string, file: Deno.FsFile, size: number) {
    this.path = path;
    this.file = file;
    this.#size = size;
  }

  /** @throws {OperationError} `audit.write`, `audit.locked`. */
  static async open(path: string, options: LockOptions = {}): Promise<LockedLog> {
    const deadline = Date.now() + (options.timeoutMs ?? LOCK_TIMEOUT_MS);
    while (true) {
      const file = await openLog(path, options.create ?? false);
      try {
        await takeTurn(file, path, { deadline });
        const [own, named] = [await file.stat(), await Deno.stat(path).catch(() => undefined)];
        if (named && named.ino === own.ino && named.dev === own.dev) return new LockedLog(path, file, own.size);
      } catch (error) {
        file.close();
        throw error;
      }
      // rotated away while we waited
      file.close();
    }
  }

  get size(): number {
    return this.#size;
  }

  /** Reads the end, a bounded number of bytes. @throws {OperationError} `audit.damaged` when the last event is not intact. */
  async end(): Promise<LogEnd> {
    if (this.#size === 0) return { head: { seq: 0, hash: NO_HASH } };
    const last = await lineBefore(this, this.#size);
    const isEnded = last.end < this.#size;
    const event = await intactEvent(last.bytes);
    if (event && isEnded) return { head: event };
    if (event) return { head: event, torn: { bytes: last.bytes, isWhole: true, isEnded } };
    if (isEnded && !last.bytes.includes(0)) throw damaged(this.path, "its last line is not an intact event");
    const torn = { bytes: last.bytes, isWhole: false, isEnded };
    if (last.start === 0) {
      if (!mayBegin(last.bytes)) throw damaged(this.path, "it is not an audit log");
      return { head: { seq: 0, hash: NO_HASH }, torn };
    }
    const before = await intactEvent((await lineBefore(this, last.start)).bytes);
    if (!before) throw damaged(this.path, "the line before its torn end is not an intact event");
    return { head: before, torn };
  }

  /**
   * Adds text at the end, durable when this returns; all or nothing where the file can be cut back.
   * @throws {OperationError} `audit.write`.
   */
  async append(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    try {
      let at = 0;
      while (at < bytes.length) at += await this.file.write(bytes.subarray(at));
      await this.file.sync();
      if (this.#size === 0) await syncFolder(folderOf(this.path));
      this.#size += bytes.length;
    } catch (cause) {
      await this.file.truncate(this.#size).catch(() => {});
      throw writeError(this.path, cause);
    }
  }

  [Symbol.dispose](): void {
    this.file.close();
  }
}

/** Length of a log at a moment when nobody is writing to it. @throws {InputError} `audit.read`. */
export async function settledSize(file: Deno.FsFile, path: string): Promise<number> {
  const deadline = Date.now() + LOCK_TIMEOUT_MS;
  await takeTurn(file, path, { deadline, shared: true });
  try {
    return (await file.stat()).size;
  } finally {
    await file.unlock();
  }
}

/** The error for a log that could not be written: then nothing else is done either. */
export function writeError(path: string, cause: unknown): OperationError {
  const told = fileError("write the audit log", path, cause);
  return new OperationError(told.message, {
    code: "audit.write",
    object: path,
    hint: "What is not recorded is not done: make the log writable, or name another one with --audit-log",
    cause: told,
  });
}

/** The error for a log to which nothing can be added. */
export function damaged(path: string, reason: string): OperationError {
  return new OperationError(`Cannot write the audit log "${path}": ${reason}`, {
    code: "audit.damaged",
    object: path,
    hint:
      `See what is wrong with: qpki audit verify --log ${path}. To go on, keep the file elsewhere: a new log begins`,
  });
}

/** Folder of a path, for syncing and siblings. */
export function folderOf(path: string): string {
  const at = path.lastIndexOf("/");
  return at < 0 ? "." : at === 0 ? "/" : path.slice(0, at);
}

async function openLog(path: string, create: boolean): Promise<Deno.FsFile> {
  try {
    // group-readable: auditors; owner and group may be changed by the operator
    const file = await Deno.open(path, { read: true, append: true, create, mode: 0o640 });
    if ((await file.stat()).isFile) return file;
    file.close();
  } catch (cause) {
    throw writeError(path, cause);
  }
  throw damaged(path, "it is not a regular file");
}

async function takeTurn(
  file: Deno.FsFile,
  path: string,
  options: { deadline: number; shared?: boolean },
): Promise<void> {
  let wait = FIRST_WAIT_MS;
  while (!await file.tryLock(!options.shared)) {
    if (Date.now() >= options.deadline) {
      throw new OperationError(`Cannot lock the audit log "${path}": another process has held it for too long`, {
        code: "audit.locked",
        object: path,
        hint: "Try again when that process has ended",
      });
    }
    // jitter keeps many waiting processes from asking in step
    await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

/** The event of a line when its own hash is right. */
async function intactEvent(line: Uint8Array): Promise<LoggedEvent | undefined> {
  try {
    const event = readEvent(line);
    return await sha256Hex(hashedBytes(event)) === event.hash ? event : undefined;
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** How every line begins: members are sorted. */
const LINE_BEGIN = '{"command":"';

/** Whether bytes may be what is left of the first line of a log. */
function mayBegin(bytes: Uint8Array): boolean {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, LINE_BEGIN.length)).replace(/\0.*$/s, "");
  return LINE_BEGIN.startsWith(text);
}

interface LastLine {
  readonly start: number;
  /** Where its newline is, or would be. */
  readonly end: number;
  readonly bytes: Bytes;
}

/** The last line before `limit`, with or without a newline. */
async function lineBefore(log: LockedLog, limit: number): Promise<LastLine> {
  let bytes: Bytes = new Uint8Array();
  let start = limit;
  let end = limit;
  while (start > 0 && limit - start < MAX_TORN_BYTES) {
    const from = Math.max(0, start - BLOCK_BYTES);
    const block = await readAt(log, from, start - from);
    bytes = concatBytes(block, bytes);
    start = from;
    if (end === limit && bytes.at(-1) === NEWLINE) end = limit - 1;
    const newline = bytes.lastIndexOf(NEWLINE, end - start - 1);
    if (newline < 0 && start > 0) continue;
    return { start: start + newline + 1, end, bytes: bytes.slice(newline + 1, end - start) };
  }
  throw damaged(log.path, `there is no end of a line in its last ${MAX_TORN_BYTES} bytes`);
}

async function readAt({ file, path }: LockedLog, from: number, length: number): Promise<Bytes> {
  const bytes = new Uint8Array(length);
  try {
    await file.seek(from, Deno.SeekMode.Start);
    for (let at = 0; at < length;) {
      const count = await file.read(bytes.subarray(at));
      if (count === null) throw new Error("the file became shorter");
      at += count;
    }
  } catch (cause) {
    throw writeError(path, cause);
  }
  return bytes;
}

/** Longest torn piece that can be read back, in bytes. */
export const MAX_PIECE_BYTES: number = MAX_TORN_BYTES;
