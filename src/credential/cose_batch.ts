import { checkInterrupted, type Deps } from "../ca/deps.ts";
import { QpkiError, TokenError } from "../errors.ts";

/** Many messages in one go: while a token signs one, others are made and verified. */

/** What became of one item. */
export type BatchResult<T> = { readonly done: T } | { readonly error: QpkiError };

/** How a batch works. */
export interface BatchOptions {
  readonly deps: Pick<Deps, "signal" | "progress">;
  /** Messages under way at the same time; 16 unless told. */
  readonly parallel?: number;
}

/** Milliseconds between two signs of progress. */
const PROGRESS_MS = 250;

/**
 * Works on every item and returns the results in their order. What is wrong with one item is its result; a token that fails
 * ends it all, since it would fail for the others too.
 * @throws {TokenError}, {InterruptedError} when Ctrl-C was pressed.
 */
export async function runBatch<I, T>(
  items: readonly I[],
  work: (item: I) => Promise<T>,
  { deps, parallel = 16 }: BatchOptions,
): Promise<BatchResult<T>[]> {
  const results = new Array<BatchResult<T>>(items.length);
  let next = 0;
  let finished = 0;
  let told = performance.now();
  async function worker(): Promise<void> {
    while (next < items.length) {
      checkInterrupted(deps);
      const at = next++;
      results[at] = await attempt(() => work(items[at]!));
      finished++;
      if (performance.now() - told < PROGRESS_MS) continue;
      told = performance.now();
      deps.progress(`Signed ${finished} of ${items.length}`);
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, worker));
  } finally {
    next = items.length;
  }
  return results;
}

async function attempt<T>(work: () => Promise<T>): Promise<BatchResult<T>> {
  try {
    return { done: await work() };
  } catch (error) {
    if (!(error instanceof QpkiError) || error instanceof TokenError) throw error;
    return { error };
  }
}
