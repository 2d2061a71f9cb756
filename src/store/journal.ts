import { InputError } from "../errors.ts";
import { fileError, makeFolder, pathExists, readFileBytes, syncFolder, writeAll, writeFileDurably } from "../files.ts";
import { sha256Hex } from "../keys/digest.ts";
import { joinPath, JOURNAL_FILE, JOURNAL_FOLDER, parentFolder } from "./layout.ts";
import { journalDamaged, type JournalRecord, type NewRecord, type OpenIntent, parseRecord } from "./journal_record.ts";

/** Owner of intents whose command is known to have ended: only their keys in a token are left to look for. */
export const GONE = "gone";

/** First guess at how long the last record is, in bytes. */
const TAIL_BYTES = 1 << 16;

/** A record of a journal and the hash that stands for all before it. */
export interface JournalHead {
  readonly seq: number;
  /** SHA-256 of its line, lower-case hex. */
  readonly sha256: string;
}

/** The end of a journal. */
export interface JournalTail {
  /** Undefined for an empty or missing journal. */
  readonly last?: JournalRecord;
  /** SHA-256 of the last line, lower-case hex; empty without one. */
  readonly head: string;
  /** Length up to and with the last whole line, in bytes. */
  readonly size: number;
  /** Bytes after it: a record that was being written when the machine stopped. */
  readonly torn: number;
}

/** A journal of this length goes on in a new file: some 15,000 certificates. */
const LONGEST_BYTES = 16 * 1024 * 1024;

const EMPTY: JournalTail = { head: "", size: 0, torn: 0 };

/**
 * The journal of a folder, open for appending; its lock is held. Only the last record is ever read here: it says all that the
 * next one needs.
 */
export class Journal implements Disposable {
  readonly path: string;
  readonly #folder: string;
  #file: Deno.FsFile | undefined;
  #tail: JournalTail;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(folder: string, file: Deno.FsFile | undefined, tail: JournalTail) {
    this.path = joinPath(folder, JOURNAL_FILE);
    this.#folder = folder;
    this.#file = file;
    this.#tail = tail;
  }

  /**
   * Opens the journal of `folder`; one that does not exist is made by the first append.
   * @throws {InputError} `journal.damaged`; {OperationError} `file.write`.
   */
  static async open(folder: string): Promise<Journal> {
    const path = joinPath(folder, JOURNAL_FILE);
    let file: Deno.FsFile;
    try {
      file = await Deno.open(path, { read: true, write: true });
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return new Journal(folder, undefined, EMPTY);
      throw fileError("write", path, cause);
    }
    try {
      return new Journal(folder, file, await readTail(file, path));
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** The last record. */
  get last(): JournalRecord | undefined {
    return this.#tail.last;
  }

  /** Number of the last record and the hash that stands for all of them. */
  get head(): JournalHead {
    return { seq: this.#tail.last?.seq ?? 0, sha256: this.#tail.head };
  }

  /** Intents without outcome. */
  get open(): readonly OpenIntent[] {
    return this.#tail.last?.open ?? [];
  }

  /** Length in bytes, to which {@link cutBack} can return. */
  get size(): number {
    return this.#tail.size;
  }

  /** Bytes of a record that was never finished. */
  get torn(): number {
    return this.#tail.torn;
  }

  /**
   * Adds a record; durable on return unless `sync` is false. On a full disk the file is cut back.
   * @throws {OperationError} `file.write`.
   */
  append(record: NewRecord, options: { sync?: boolean } = {}): Promise<JournalRecord> {
    const appended = this.#queue.then(() => this.#append(record, options.sync ?? true));
    this.#queue = appended.catch(() => {});
    return appended;
  }

  /**
   * Goes on in a new file when this one has grown long and nothing in it is under way; the old one stays below the folder of
   * earlier parts. Killed in the middle, the journal is whole in one of the two ways.
   * @throws {OperationError} `file.write`.
   */
  async rotate(longest = LONGEST_BYTES): Promise<void> {
    const { size, torn, head, last } = this.#tail;
    if (size < longest || torn > 0 || !last || last.state === "commit" || this.open.length > 0) return;
    const continues = `${String(last.seq).padStart(10, "0")}.jsonl`;
    const part = joinPath(this.#folder, `${JOURNAL_FOLDER}/${continues}`);
    const first = {
      seq: last.seq + 1,
      time: new Date().toISOString(),
      op: "journal",
      state: "done",
      continues,
      prev: head,
    };
    await makeFolder(parentFolder(part));
    if (!await pathExists(part)) await keepPart(this.path, part);
    await writeFileDurably(this.path, JSON.stringify(first) + "\n", { overwrite: true });
    const next = await Journal.open(this.#folder);
    this[Symbol.dispose]();
    this.#file = next.#file;
    this.#tail = next.#tail;
  }

  /** Takes back what was appended since the journal had this state; of use only while nobody has acted on it. */
  async cutBack(before: JournalTail): Promise<void> {
    await this.#file?.truncate(before.size);
    await this.#file?.sync();
    this.#tail = { ...before, torn: 0 };
  }

  /** The state to which {@link cutBack} returns. */
  get tail(): JournalTail {
    return this.#tail;
  }

  /** The record of an open intent. @throws {InputError} `journal.damaged`. */
  async read(intent: OpenIntent): Promise<JournalRecord> {
    const file = this.#file;
    if (!file) throw journalDamaged(this.path, `record ${intent.seq} is missing`);
    return await readRecordAt(file, intent, this.path);
  }

  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
  }

  async #append(record: NewRecord, sync: boolean): Promise<JournalRecord> {
    const { size, torn, head, last } = this.#tail;
    const seq = (last?.seq ?? 0) + 1;
    const { op, state, ...rest } = record;
    const whole = { seq, time: new Date().toISOString(), op, state, ...rest, prev: head };
    const open = openAfter(last?.open ?? [], whole, size);
    const full: JournalRecord = open.length > 0 ? { ...whole, open } : whole;
    const line = new TextEncoder().encode(JSON.stringify(full));
    const file = this.#file ??= await this.#create();
    try {
      if (torn > 0) await file.truncate(size);
      await file.seek(size, Deno.SeekMode.Start);
      await writeAll(file, line);
      await writeAll(file, NEWLINE);
      if (sync) await file.sync();
    } catch (cause) {
      await file.truncate(size).catch(() => {});
      throw fileError("write", this.path, cause);
    }
    this.#tail = { last: full, head: await sha256Hex(line), size: size + line.length + 1, torn: 0 };
    return full;
  }

  async #create(): Promise<Deno.FsFile> {
    try {
      const file = await Deno.open(this.path, { read: true, write: true, createNew: true, mode: 0o644 });
      await syncFolder(this.#folder);
      return file;
    } catch (cause) {
      throw fileError("write", this.path, cause);
    }
  }
}

/** A second name for the file; where the file system has no such thing, a copy. */
async function keepPart(journal: string, part: string): Promise<void> {
  try {
    await Deno.link(journal, part);
    await syncFolder(parentFolder(part));
  } catch {
    await writeFileDurably(part, await readFileBytes(journal));
  }
}

const NEWLINE = new Uint8Array([0x0a]);

/** The end of the journal of a folder, for readers. @throws {InputError} `journal.damaged`. */
export async function journalTail(folder: string): Promise<JournalTail> {
  const path = joinPath(folder, JOURNAL_FILE);
  if (!await pathExists(path)) return EMPTY;
  using file = await openForReading(path);
  return await readTail(file, path);
}

/** The record of an open intent, for readers. @throws {InputError} `journal.damaged`. */
export async function readIntent(folder: string, intent: OpenIntent): Promise<JournalRecord> {
  const path = joinPath(folder, JOURNAL_FILE);
  using file = await openForReading(path);
  return await readRecordAt(file, intent, path);
}

async function openForReading(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { read: true });
  } catch (cause) {
    throw new InputError(`Cannot read "${path}"`, { code: "file.read", file: path, cause });
  }
}

function openAfter(before: readonly OpenIntent[], record: Omit<JournalRecord, "open">, at: number): OpenIntent[] {
  const open = before.filter(({ seq }) => !record.closes?.includes(seq)).map((intent) =>
    record.orphans?.includes(intent.seq) ? { ...intent, owner: GONE } : intent
  );
  if (record.state === "intent") open.push({ seq: record.seq, at, op: record.op, owner: record.owner ?? "" });
  return open;
}

async function readTail(file: Deno.FsFile, path: string): Promise<JournalTail> {
  const { size } = await file.stat();
  for (let window = TAIL_BYTES;; window *= 2) {
    const from = Math.max(0, size - window);
    const bytes = await readRange(file, from, size - from);
    const end = bytes.lastIndexOf(0x0a);
    const start = end <= 0 ? -1 : bytes.lastIndexOf(0x0a, end - 1);
    // neither a whole line nor the beginning of the file is in sight yet
    if ((end < 0 || start < 0) && from > 0) continue;
    if (end < 0) return { ...EMPTY, torn: bytes.length };
    const line = bytes.subarray(start + 1, end);
    return {
      last: parseRecord(decode(line, path), path),
      head: await sha256Hex(line),
      size: from + end + 1,
      torn: bytes.length - end - 1,
    };
  }
}

async function readRecordAt(file: Deno.FsFile, { seq, at }: OpenIntent, path: string): Promise<JournalRecord> {
  const { size } = await file.stat();
  for (let window = TAIL_BYTES;; window *= 2) {
    const length = Math.min(window, Math.max(0, size - at));
    const bytes = await readRange(file, at, length);
    const end = bytes.indexOf(0x0a);
    if (end < 0 && at + length < size) continue;
    const record = end < 0 ? undefined : parseRecord(decode(bytes.subarray(0, end), path), path);
    if (record?.seq !== seq) throw journalDamaged(path, `record ${seq} is not where it was`);
    return record;
  }
}

async function readRange(file: Deno.FsFile, from: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await file.seek(from, Deno.SeekMode.Start);
  let at = 0;
  while (at < length) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) break;
    at += count;
  }
  return bytes.subarray(0, at);
}

function decode(line: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(line);
  } catch {
    throw journalDamaged(path, "not UTF-8 text");
  }
}
