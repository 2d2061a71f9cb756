import { InputError, OperationError, QpkiError } from "../errors.ts";
import {
  existsError,
  fileError,
  makeFolder,
  pathExists,
  readFileBytes,
  refuseSpecial,
  syncFolder,
  writeAll,
  writeFileDurably,
  type WriteOptions,
} from "../files.ts";
import { encodeHex, randomBytes } from "../bytes.ts";
import { sha256Hex } from "../keys/digest.ts";
import type { Journal } from "./journal.ts";
import type { Awaited, Effects, FileSwitch, IndexAppend, JournalRecord } from "./journal_record.ts";
import {
  CREDENTIAL_META_FILE,
  INDEX_FILE,
  joinPath,
  META_FILE,
  parentFolder,
  relativePath,
  STAGING_FOLDER,
} from "./layout.ts";

/** What a commit says beside its effects. */
export interface CommitFacts {
  readonly op: string;
  readonly serials?: readonly string[];
  /** Intents that end with it. */
  readonly closes?: readonly number[];
  /** What another CA has to record first. */
  readonly above?: RecordedAbove | undefined;
}

/** Certificates that another CA issues and that must be recorded there before a change takes effect. */
export interface RecordedAbove {
  /** Folder of that CA, absolute or as seen from the process. */
  readonly issuer: string;
  readonly serials: readonly string[];
  /** Records them there. */
  record(): Promise<void>;
}

/**
 * What a change writes, kept apart until it is whole: new contents lie durable in the staging folder, then one record in the
 * journal decides, then everything is moved to its place. Before the record a crash leaves the old state; after it the next
 * command finishes what is decided.
 */
export class Transaction {
  readonly #folder: string;
  readonly #journal: Journal;
  /** Distinguishes its staged files from those of others. */
  readonly #name = encodeHex(randomBytes(6));
  readonly #files = new Map<string, FileSwitch>();
  #append: IndexAppend | undefined;
  #count = 0;
  #isDecided = false;

  constructor(folder: string, journal: Journal) {
    this.#folder = folder;
    this.#journal = journal;
  }

  /** Whether there is anything to commit. */
  get isEmpty(): boolean {
    return this.#files.size === 0 && this.#append === undefined;
  }

  /** Whether its record is in the journal: then it will be carried out, by a later command if need be. */
  get isDecided(): boolean {
    return this.#isDecided;
  }

  /**
   * Stages the new content of a file of the folder; a second call for the same file replaces the first.
   * @throws {OperationError} `file.exists` without `overwrite`, `file.write`.
   */
  async stage(path: string, content: Uint8Array | string, options: WriteOptions = {}): Promise<void> {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const target = joinPath(this.#folder, path);
    if (options.overwrite) await refuseSpecial(target);
    else if (this.#files.has(path) || await pathExists(target)) throw existsError(target);
    const staging = joinPath(this.#folder, STAGING_FOLDER);
    if (!await pathExists(staging)) {
      await makeFolder(staging);
      await syncFolder(this.#folder);
    }
    const from = `${STAGING_FOLDER}/${this.#name}-${this.#count++}`;
    const sha256 = await sha256Hex(bytes);
    const before = this.#files.get(path);
    try {
      await writeStaged(joinPath(this.#folder, from), bytes, options.mode ?? 0o644);
    } catch (cause) {
      await Deno.remove(joinPath(this.#folder, from)).catch(() => {});
      throw fileError("write", target, cause);
    }
    this.#files.set(path, { from, to: path, sha256 });
    if (before) await Deno.remove(joinPath(this.#folder, before.from)).catch(() => {});
  }

  /** Sets what is added to the index. */
  append(append: IndexAppend): void {
    this.#append = append;
  }

  /**
   * Decides, then carries out. When another CA cannot record what it issues, or the index cannot take its lines (a full
   * disk), the decision is taken back and all is as before; any later failure is left to the next command.
   * @throws {OperationError} `file.write`, `store.unfinished`.
   */
  async commit({ op, closes = [], serials = [], above }: CommitFacts): Promise<void> {
    const files = [...this.#files.values()].sort((a, b) => rank(a) - rank(b));
    if (files.length > 0) await syncFolder(joinPath(this.#folder, STAGING_FOLDER));
    const before = this.#journal.tail;
    const awaits = above && await awaitedOf(this.#folder, above, closes);
    const record = await this.#journal.append({
      op,
      state: "commit",
      ...(awaits ? { awaits } : closes.length > 0 ? { closes } : {}),
      ...(serials.length > 0 ? { serials } : {}),
      ...(this.#append ? { append: this.#append } : {}),
      ...(files.length > 0 ? { files } : {}),
    });
    this.#isDecided = true;
    if (above) {
      try {
        await above.record();
      } catch (error) {
        // decided there, it is decided here
        if (isUnfinished(error)) throw error;
        await this.#takeBack(before, error);
        throw error;
      }
    }
    if (this.#append) {
      try {
        await applyAppend(this.#folder, this.#append);
      } catch (error) {
        await this.#takeBack(before, error);
        throw error;
      }
    }
    try {
      await applyFiles(this.#folder, files);
    } catch (cause) {
      throw unfinished(this.#folder, cause);
    }
    await markDone(this.#journal, record);
  }

  /** Removes what was staged, unless it is decided. */
  async abandon(): Promise<void> {
    if (this.#isDecided) return;
    for (const { from } of this.#files.values()) await Deno.remove(joinPath(this.#folder, from)).catch(() => {});
    this.#files.clear();
    this.#append = undefined;
  }

  async #takeBack(before: Journal["tail"], reason: unknown): Promise<void> {
    try {
      await this.#journal.cutBack(before);
      this.#isDecided = false;
    } catch {
      throw unfinished(this.#folder, reason);
    }
  }
}

/**
 * Carries out a commit, again or for the first time.
 * @throws {InputError} `store.lost` when a staged file is gone or the index was cut; {OperationError} `file.write`.
 */
export async function carryOut(folder: string, effects: Effects): Promise<void> {
  if (effects.append) await applyAppend(folder, effects.append);
  await applyFiles(folder, effects.files ?? []);
}

/** What a commit waits for, as its record says it: the way to the other CA, so that both can move together. */
export async function awaitedOf(
  folder: string,
  { issuer, serials }: Pick<RecordedAbove, "issuer" | "serials">,
  closes: readonly number[],
): Promise<Awaited> {
  const [from, to] = await Promise.all([Deno.realPath(folder), Deno.realPath(issuer)]).catch((cause) => {
    throw fileError("find", issuer, cause);
  });
  return { issuer: relativePath(from, to), serials, ...(closes.length > 0 ? { closes } : {}) };
}

/** Notes that a commit was carried out; not synced: lost, it is carried out once more, which does no harm. */
export async function markDone(journal: Journal, commit: JournalRecord, recovered = false): Promise<void> {
  const { op, seq, awaits } = commit;
  const closes = awaits?.closes ?? [];
  const record = {
    op,
    state: "done",
    commit: seq,
    ...(closes.length > 0 ? { closes } : {}),
    ...(recovered ? { recovered } : {}),
  } as const;
  // a full disk must not turn a finished change into a failure
  await journal.append(record, { sync: recovered }).catch(() => {});
}

/** Metadata is what makes a change take effect, so it comes last. */
function rank({ to }: FileSwitch): number {
  return to === META_FILE || to === CREDENTIAL_META_FILE ? 1 : 0;
}

async function writeStaged(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode });
  await writeAll(file, bytes);
  await file.sync();
}

async function applyAppend(folder: string, { offset, text }: IndexAppend): Promise<void> {
  const path = joinPath(folder, INDEX_FILE);
  const lines = new TextEncoder().encode(text);
  const file = await openIndex(path);
  try {
    const { size } = await file.stat();
    if (size < offset) throw lost(path, `it has ${size} bytes, and had ${offset} when lines were added`);
    const there = await readFrom(file, offset, size);
    if (startsWith(there, lines)) return;
    if (!startsWith(lines, there)) {
      throw lost(path, "other lines stand where a command that was cut short adds its own");
    }
    try {
      await file.seek(offset, Deno.SeekMode.Start);
      await writeAll(file, lines);
      await file.sync();
    } catch (cause) {
      await file.truncate(offset).catch(() => {});
      throw fileError("write", path, cause);
    }
  } finally {
    file.close();
  }
}

async function applyFiles(folder: string, files: readonly FileSwitch[]): Promise<void> {
  const folders = new Set<string>();
  for (const { from, to, sha256 } of files) {
    const [source, target] = [joinPath(folder, from), joinPath(folder, to)];
    if (!await pathExists(source)) {
      if (await hasContent(target, sha256)) continue;
      throw lost(target, `its new content "${from}" is gone`);
    }
    await makeFolder(parentFolder(target), await folderMode(source));
    await moveFile(source, target);
    folders.add(parentFolder(target));
  }
  try {
    for (const path of folders) await syncFolder(path);
  } catch (cause) {
    throw fileError("write", folder, cause);
  }
}

/** A new folder for a file that is its owner's alone is so as well. */
async function folderMode(source: string): Promise<number> {
  const { mode } = await Deno.stat(source).catch((cause) => {
    throw fileError("write", source, cause);
  });
  return mode !== null && (mode & 0o077) === 0 ? 0o700 : 0o755;
}

/** A folder of the CA may be a link to another disk, where a rename does not reach. */
async function moveFile(source: string, target: string): Promise<void> {
  try {
    await Deno.rename(source, target);
  } catch {
    const { mode } = await Deno.stat(source).catch((cause) => {
      throw fileError("write", target, cause);
    });
    const bits = mode === null ? {} : { mode: mode & 0o777 };
    await writeFileDurably(target, await readFileBytes(source), { overwrite: true, ...bits });
    await Deno.remove(source).catch(() => {});
  }
}

async function hasContent(path: string, sha256: string): Promise<boolean> {
  return await pathExists(path) && await sha256Hex(await readFileBytes(path)) === sha256;
}

async function openIndex(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { read: true, write: true });
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new InputError(`Cannot read "${path}": no such file`, { code: "file.not_found", file: path, cause });
    }
    throw fileError("write", path, cause);
  }
}

async function readFrom(file: Deno.FsFile, offset: number, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size - offset);
  await file.seek(offset, Deno.SeekMode.Start);
  let at = 0;
  while (at < bytes.length) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) break;
    at += count;
  }
  return bytes.subarray(0, at);
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, i) => bytes[i] === byte);
}

function lost(path: string, reason: string): InputError {
  return new InputError(`Cannot finish an interrupted command on "${path}": ${reason}`, {
    code: "store.lost",
    file: path,
    hint: "Somebody changed the folder meanwhile: restore the file from a backup, then run: qpki ca check --repair",
  });
}

/** Whether an error says that a change is decided, and left to the next command: what it needs must stay. */
export function isUnfinished(error: unknown): boolean {
  return error instanceof QpkiError && error.code === "store.unfinished";
}

/** The error for a decided change that could not be carried out. */
export function unfinished(folder: string, cause: unknown): OperationError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new OperationError(`Cannot finish the change of "${folder}": ${reason}`, {
    code: "store.unfinished",
    object: folder,
    hint: "It is decided and recorded: the next command that writes will finish it, or: qpki ca check --repair",
    cause,
  });
}
