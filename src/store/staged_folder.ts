import { syncFolder } from "../files.ts";
import { Journal } from "./journal.ts";
import type { Intent, KeyIntent } from "./journal_record.ts";
import type { KeyJournal } from "./key_journal.ts";
import { joinPath, LOCK_FILE, parentFolder } from "./layout.ts";
import { acquireLock, type Lock } from "./lock.ts";
import { awaitedOf, markDone, type RecordedAbove } from "./transaction.ts";

/** What is decided when a folder is ready to be seen. */
export interface Readiness {
  /** Another CA that issues its certificates: it takes effect when that one has recorded them. */
  readonly above?: Pick<RecordedAbove, "issuer" | "serials"> | undefined;
}

/**
 * A folder under construction beside its place, with its own lock and journal: what a killed command leaves of it says what
 * it was, which keys it may have made in a token, and whether it only had to be moved to its place.
 */
export class StagedFolder implements KeyJournal {
  readonly folder: string;
  readonly #op: string;
  readonly #lock: Lock;
  readonly #journal: Journal;

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

  /** Notes that everything in it is whole: from now on, or once it is recorded above, it is moved whatever happens. */
  async ready({ above }: Readiness = {}): Promise<void> {
    const closes = this.#journal.open.map(({ seq }) => seq);
    await this.#journal.append({
      op: this.#op,
      state: "commit",
      ...(above ? { awaits: await awaitedOf(this.folder, above, closes) } : closes.length > 0 ? { closes } : {}),
    });
    await syncFolder(parentFolder(this.folder));
  }

  /** Moves it to its place by `move` and notes that this is done. @throws what `move` throws. */
  async publish(move: () => Promise<void>): Promise<void> {
    // an open file keeps its folder in place there
    if (Deno.build.os === "windows") await this.close();
    await move();
    const { last } = this.#journal;
    if (last?.state === "commit") await markDone(this.#journal, last);
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
