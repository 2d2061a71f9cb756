import type { Intent } from "./journal_record.ts";
import { type OwnerGuard, takeGuard } from "./owner_guard.ts";

interface Waiting {
  /** Serial numbers that are not recorded yet. */
  readonly serials: Set<string>;
  /** Whether it is about keys, which metadata is to name. */
  readonly hasKeys: boolean;
}

/** What a change made durable. */
export interface Settled {
  readonly serials?: Iterable<string>;
  /** Whether metadata was written, which names the new keys. */
  readonly hasMeta?: boolean;
}

/**
 * The intents of this process that outlive the change in which they were journalled: certificates being signed, keys being
 * made. They end when what they announced is recorded. One guard says that their owner lives.
 */
export class OpenIntents {
  readonly #folder: string;
  readonly #waiting = new Map<number, Waiting>();
  #guard: Promise<OwnerGuard> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Numbers of the intents that wait. */
  get all(): number[] {
    return [...this.#waiting.keys()];
  }

  /** Name for the records of intents. */
  async owner(): Promise<string> {
    this.#guard ??= takeGuard(this.#folder);
    return (await this.#guard).name;
  }

  /** Remembers an intent that was journalled. */
  add(seq: number, { certificates = [], keys = [] }: Intent): void {
    this.#waiting.set(seq, {
      serials: new Set(certificates.map(({ serial }) => serial)),
      hasKeys: keys.length > 0,
    });
  }

  /** Which intents end when this becomes durable. */
  endingWith({ serials = [], hasMeta = false }: Settled): number[] {
    const recorded = new Set(serials);
    return [...this.#waiting].filter(([, waiting]) => waiting.hasKeys ? hasMeta : waiting.serials.isSubsetOf(recorded))
      .map(([seq]) => seq);
  }

  /** Forgets intents that ended. The guard goes with the last one. */
  async end(seqs: readonly number[], { serials = [] }: Settled = {}): Promise<void> {
    for (const seq of seqs) this.#waiting.delete(seq);
    for (const waiting of this.#waiting.values()) for (const serial of serials) waiting.serials.delete(serial);
    if (this.#waiting.size === 0) await this.release();
  }

  /** Gives the guard back: whatever still waits counts as given up, and the next command notes it. */
  async release(): Promise<void> {
    this.#waiting.clear();
    const guard = this.#guard;
    this.#guard = undefined;
    await (await guard?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }
}
