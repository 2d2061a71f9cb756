import type { Intent } from "./journal_record.ts";
import { type OwnerGuard, takeGuard } from "./owner_guard.ts";

interface Waiting {
  /** Serial numbers that are not recorded yet. */
  readonly serials: Set<string>;
  /** CKA_IDs that no metadata names yet. */
  readonly keyIds: Set<string>;
}

/** What a change made durable. */
export interface Settled {
  readonly serials?: Iterable<string>;
  /** Metadata as it was written. */
  readonly meta?: string;
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
      keyIds: new Set(keys.flatMap(({ key_id }) => key_id === undefined ? [] : [key_id.toLowerCase()])),
    });
  }

  /** Which intents end when this becomes durable. */
  endingWith({ serials = [], meta = "" }: Settled): number[] {
    const recorded = new Set(serials);
    const named = meta.toLowerCase();
    return [...this.#waiting].filter(([, waiting]) =>
      waiting.serials.isSubsetOf(recorded) && [...waiting.keyIds].every((id) => named.includes(id))
    ).map(([seq]) => seq);
  }

  /** Forgets intents that ended. The guard goes with the last one. */
  async end(seqs: readonly number[], { serials = [] }: Settled = {}): Promise<void> {
    for (const seq of seqs) this.#waiting.delete(seq);
    for (const waiting of this.#waiting.values()) for (const serial of serials) waiting.serials.delete(serial);
    if (this.#waiting.size > 0) return;
    const guard = this.#guard;
    this.#guard = undefined;
    await (await guard)?.[Symbol.asyncDispose]();
  }
}
