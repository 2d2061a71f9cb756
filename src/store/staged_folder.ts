import { QpkiError } from "../errors.ts";
import { syncFolder } from "../files.ts";
import { Journal } from "./journal.ts";
import type { Intent, KeyIntent } from "./journal_record.ts";
import type { KeyJournal } from "./key_journal.ts";
import { joinPath, LOCK_FILE, parentFolder } from "./layout.ts";
import { acquireLock, type Lock } from "./lock.ts";
import { awaitedOf, isUnfinished, markDone, type RecordedAbove, unfinished } from "./transaction.ts";

/**
 * A folder under construction beside its place, with its own lock and journal: what a killed command leaves of it says what
 * it was, which keys it may have made in a token, and whether it only had to be moved to its place.
 */
export class StagedFolder implements KeyJournal {
  readonly folder: string;
  readonly #op: string;
  readonly #lock: Lock;
  readonly #journal: Journal;
  #isKept = false;

  private constructor(folder: string, op: string, { lock, journal }: { lock: Lock; journal: Journal }) {
    this.folder = folder;
    this.#op = op;
    this.#lock = lock;
    this.#journal = journal;
  }

  /** Takes a folder that was just made. @throws {OperationError} `file.write`. */
  static async take(folder: string, op: string): Promise<StagedFolder> {
    const lock = await acquireLock(joinPath(folder, LOCK_FILE), op);
    return new StagedFolder(folder, op, { lock, journal: await Journal.open(folder) });
  }

  /** Journals a signature about to be made. */
  async intend(intent: Intent): Promise<void> {
    await this.#announce(intent);
  }

  async announce(key: KeyIntent): Promise<() => Promise<void>> {
    const seq = await this.#announce({ op: this.#op, keys: [key] });
    return async () => {
      await this.#journal.append({ op: this.#op, state: "undone", closes: [seq] });
    };
  }

  /** Whether it is at its place, or the next command will move it there as this one could not: then nothing may go. */
  get isKept(): boolean {
    return this.#isKept;
  }

  /**
   * Notes that everything in it is whole, has another CA record what it issues, and moves it to its place by `move`.
   * @throws {OperationError} `store.unfinished` when it is recorded and cannot be moved now; what recording and `move` throw.
   */
  async complete(move: () => Promise<void>, above?: RecordedAbove): Promise<void> {
    await this.#ready(above);
    try {
      await above?.record();
    } catch (error) {
      this.#isKept = isUnfinished(error);
      throw error;
    }
    try {
      // an open file keeps its folder in place there
      if (Deno.build.os === "windows") await this.close();
      await move();
    } catch (error) {
      // without another CA nobody knows of it; what has taken its place stays there
      if (!above || (error instanceof QpkiError && error.code.endsWith(".exists"))) throw error;
      this.#isKept = true;
      throw unfinished(this.folder, error);
    }
    this.#isKept = true;
    await Deno.remove(this.folder).catch(() => {});
    await syncFolder(parentFolder(this.folder)).catch((error) => {
      throw unfinished(this.folder, error);
    });
    const { last } = this.#journal;
    if (last?.state === "commit") await markDone(this.#journal, last);
  }

  /** From now on, or once it is recorded above, it is moved whatever happens. */
  async #ready(above?: RecordedAbove): Promise<void> {
    const closes = this.#journal.open.map(({ seq }) => seq);
    await this.#journal.append({
      op: this.#op,
      state: "commit",
      ...(above ? { awaits: await awaitedOf(this.folder, above, closes) } : closes.length > 0 ? { closes } : {}),
    });
    await syncFolder(parentFolder(this.folder));
  }

  /** Gives the lock back. */
  async close(): Promise<void> {
    this.#journal[Symbol.dispose]();
    await this.#lock[Symbol.asyncDispose]();
  }

  async #announce(intent: Intent): Promise<number> {
    const { seq } = await this.#journal.append({ ...intent, state: "intent", owner: "" });
    // the folder itself must survive as well, or nobody finds its journal
    if (seq === 1) await syncFolder(parentFolder(this.folder));
    return seq;
  }
}
