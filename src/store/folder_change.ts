import type { WriteOptions } from "../files.ts";
import { Journal, type JournalHead } from "./journal.ts";
import type { Intent, KeyIntent } from "./journal_record.ts";
import type { KeyJournal } from "./key_journal.ts";
import { acquireLock, type LockOptions, ownerInWords } from "./lock.ts";
import type { OpenIntents, Settled } from "./open_intents.ts";
import { recover } from "./recover.ts";
import { type RecordedAbove, Transaction } from "./transaction.ts";

/** How a folder is changed. */
export interface ChangeOptions extends LockOptions {
  /** Told in words what an interrupted command left and what became of it. */
  warn?(text: string): void;
}

/** What a change works with. */
export interface ChangeSession {
  readonly folder: string;
  readonly lockPath: string;
  /** One word for those who wait. */
  readonly action: string;
  readonly intents: OpenIntents;
  /** Another change of the same folder, once this one is over. */
  later(work: (change: FolderChange) => Promise<void>): Promise<void>;
}

/** How an intent is journalled. */
export interface IntendOptions {
  /** It outlives the change: what it announces is recorded by a later one. Without it, it ends with the change. */
  readonly isKept?: boolean;
}

/**
 * One change of a folder: everything that is written through it takes effect together when its callback returns, and nothing
 * when it throws.
 */
export class FolderChange implements KeyJournal {
  readonly folder: string;
  protected readonly transaction: Transaction;
  readonly #journal: Journal;
  readonly #session: ChangeSession;
  /** Intents of this change that end with it. */
  readonly #own: number[] = [];
  #isOver = false;
  #above: RecordedAbove | undefined;

  constructor(session: ChangeSession, journal: Journal) {
    this.folder = session.folder;
    this.#session = session;
    this.#journal = journal;
    this.transaction = new Transaction(session.folder, journal);
  }

  /** Number and hash of the journal's last record. */
  get journalHead(): JournalHead {
    return this.#journal.head;
  }

  /**
   * Journals what is about to happen; durable on return, and only then may it happen. Its numbers count as used for ever.
   * @throws {OperationError} `file.write`: then nothing may be signed or made.
   */
  async intend(intent: Intent, options: IntendOptions = {}): Promise<number> {
    const { intents } = this.#session;
    const owner = options.isKept ? await intents.owner() : "";
    const { seq } = await this.#journal.append({ ...intent, state: "intent", owner }).catch(async (error) => {
      await intents.end([]);
      throw error;
    });
    if (options.isKept) intents.add(seq, intent);
    else this.#own.push(seq);
    return seq;
  }

  /** Notes a key before it is made; the note ends when metadata is written, in this change or a later one of the store. */
  async announce(key: KeyIntent): Promise<() => Promise<void>> {
    const { action, intents, later } = this.#session;
    const seq = await this.intend({ op: action, keys: [key] }, { isKept: true });
    return async () => {
      if (!intents.all.includes(seq)) return;
      if (this.#isOver) await later((change) => change.undo([seq]));
      else await this.undo([seq]);
    };
  }

  /** Notes that kept intents came to nothing. */
  async undo(seqs: readonly number[]): Promise<void> {
    if (seqs.length === 0) return;
    await this.#journal.append({ op: this.#session.action, state: "undone", closes: seqs });
    await this.#session.intents.end(seqs);
  }

  /** Writes a file of the folder (`path` relative to it) when the change takes effect, folders included. */
  async writeFile(path: string, content: Uint8Array | string, options: WriteOptions = {}): Promise<void> {
    await this.transaction.stage(path, content, options);
  }

  /**
   * The change takes effect only when another CA has recorded the certificates it issues for it: both or none, whatever
   * happens between. The recording is done when the callback has returned.
   */
  recordAbove(above: RecordedAbove): void {
    this.#above = above;
  }

  /** Takes effect. */
  async commit(): Promise<void> {
    this.#isOver = true;
    const settled = await this.prepare();
    const { action, intents } = this.#session;
    const ending = intents.endingWith(settled);
    const closes = [...this.#own, ...ending];
    if (!this.transaction.isEmpty) {
      const serials = [...settled.serials ?? []];
      await this.transaction.commit({ op: action, closes, serials, above: this.#above });
    } else if (closes.length > 0) await this.#journal.append({ op: action, state: "done", closes });
    this.#own.length = 0;
    await intents.end(ending, settled);
  }

  /** Comes to nothing. */
  async abandon(): Promise<void> {
    this.#isOver = true;
    await this.transaction.abandon();
    if (this.#own.length === 0 || this.transaction.isDecided) return;
    // a full disk: the next command notes it
    await this.#journal.append({ op: this.#session.action, state: "undone", closes: this.#own }).catch(() => {});
  }

  /** Stages what is only known at the end; says what becomes durable. */
  protected prepare(): Promise<Settled> {
    return Promise.resolve({});
  }
}

/**
 * Changes a folder: waits for its lock, finishes or undoes what an interrupted command left, lets `work` write, and makes it
 * take effect as one.
 * @throws {OperationError} `ca.locked`, `file.write`, `store.unfinished`; {InputError} `journal.damaged`, `store.lost`; what
 * `work` throws.
 */
export async function changeFolder<C extends FolderChange, T>(
  place: Omit<ChangeSession, "later"> & { open(session: ChangeSession, journal: Journal): Promise<C> },
  work: (change: C) => Promise<T>,
  options: ChangeOptions = {},
): Promise<T> {
  const session: ChangeSession = { ...place, later: (next) => changeFolder(place, next, { warn: options.warn }) };
  await using lock = await acquireLock(session.lockPath, session.action, options);
  const { abandonedBy } = lock;
  if (abandonedBy) {
    options.warn?.(
      `${ownerInWords(abandonedBy)} had the lock since ${abandonedBy.since} and ended without giving it back`,
    );
  }
  using journal = await Journal.open(session.folder);
  await recover(session.folder, journal, ({ text }) => options.warn?.(text));
  await journal.rotate();
  const change = await place.open(session, journal);
  try {
    const result = await work(change);
    await change.commit();
    return result;
  } catch (error) {
    await change.abandon();
    throw error;
  }
}
