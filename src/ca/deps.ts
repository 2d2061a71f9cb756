import type { Audit } from "../audit/trail.ts";
import { InterruptedError } from "../errors.ts";
import type { OpenProvider } from "../keys/types.ts";

/** What a use case gets from outside; the command line's context is one. */
export interface Deps {
  readonly openProvider: OpenProvider;
  /** Folder that relative paths start from. */
  readonly cwd: string;
  now(): Date;
  /** One line about work under way. */
  progress(text: string): void;
  /** One line that the operator should read. */
  warn(text: string): void;
  /** Aborted on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Records events in the audit log; undefined without one. */
  readonly audit?: Audit | undefined;
}

/** Ends the use case between two steps. @throws {InterruptedError} when Ctrl-C was pressed. */
export function checkInterrupted(deps: Pick<Deps, "signal">): void {
  if (deps.signal.aborted) throw new InterruptedError();
}

/** How a use case waits for a store's lock, and whom the store tells of what an interrupted command left. */
export function changeOptions(
  deps: Pick<Deps, "signal" | "warn" | "audit">,
): { signal: AbortSignal; warn(text: string): void } {
  return {
    signal: deps.signal,
    warn(text) {
      deps.warn(text);
      // what is finished or undone for a command that was interrupted changes the state too
      deps.audit?.({ event: "store.recover", result: "ok", details: { text } });
    },
  };
}

/** Now, cut to whole seconds: certificates and CRLs know no finer time. */
export function wholeSecond(deps: Pick<Deps, "now">): Date {
  return new Date(Math.floor(deps.now().getTime() / 1000) * 1000);
}

/** A time for people and JSON: `2026-01-02T10:30:00Z`. */
export function formatInstant(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
