import { OperationError, QpkiError, TokenError } from "../errors.ts";
import type { AuditActor, AuditEvent } from "./event.ts";
import type { AuditLog } from "./log.ts";

/** Records events; durable when it resolves. */
export type Audit = (...events: readonly AuditEvent[]) => Promise<void>;

interface Waiting {
  readonly events: readonly AuditEvent[];
  readonly done: PromiseWithResolvers<void>;
}

/**
 * The events of one command. Those that come while others are being written are written together afterwards, so that a batch
 * costs few syncs.
 */
export class AuditTrail {
  readonly #log: AuditLog;
  readonly #actor: AuditActor;
  readonly #now: () => Date;
  #waiting: Waiting[] = [];
  #deferred: AuditEvent[] = [];
  #isWriting = false;
  #hasEvents = false;
  #atEnd: (() => readonly AuditEvent[])[] = [];

  constructor(log: AuditLog, actor: AuditActor, now: () => Date) {
    this.#log = log;
    this.#actor = actor;
    this.#now = now;
  }

  /** @throws {OperationError} `audit.write`, `audit.locked`, `audit.damaged`. */
  record(...events: readonly AuditEvent[]): Promise<void> {
    this.#hasEvents = true;
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ events, done });
    if (!this.#isWriting) this.#write();
    return done.promise;
  }

  /** An event that is written with the next ones, at the latest at the end: the outcome of what changes nothing. */
  defer(event: AuditEvent): void {
    this.#hasEvents = true;
    this.#deferred.push(event);
  }

  /** Events that are known only when the command is over. */
  atEnd(events: () => readonly AuditEvent[]): void {
    this.#atEnd.push(events);
  }

  /**
   * Ends the trail of a command that recorded anything; call it before the result is reported.
   * @throws {OperationError} `audit.outcome`.
   */
  async finish(outcome: { readonly exit: number; readonly error?: unknown }): Promise<void> {
    if (!this.#hasEvents) return;
    this.#hasEvents = false;
    const late = this.#atEnd.splice(0).flatMap((events) => events());
    const ended = "error" in outcome
      ? failure(outcome.error)
      : { result: outcome.exit === 0 ? "ok" : "failed" } as const;
    try {
      await this.record(...late, { event: "command.end", ...ended, details: { exit: outcome.exit } });
    } catch (cause) {
      throw outcomeError(this.#actor.command, cause);
    }
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0);
      const events = [...this.#deferred.splice(0), ...group.flatMap((one) => one.events)];
      try {
        await this.#log.append(events, { time: this.#now().toISOString(), actor: this.#actor });
        for (const { done } of group) done.resolve();
      } catch (error) {
        for (const { done } of group) done.reject(error);
      }
    }
    this.#isWriting = false;
  }
}

/** How an event tells that something failed: by names, never by messages, which may quote what an operator typed. */
export function failure(error: unknown): { result: "failed"; error: string; rv?: string } {
  const code = error instanceof QpkiError ? error.code : "internal";
  const rv = error instanceof TokenError ? error.rvName : undefined;
  return { result: "failed", error: code, ...(rv === undefined ? {} : { rv }) };
}

/**
 * Does something between its intent and its outcome: without the intent in the log it is not done.
 * @param facts what the outcome adds, for example the serial that came out.
 * @throws {OperationError} `audit.write` before it is done; `audit.outcome` when it was done and only its outcome could not be
 * recorded.
 */
export async function audited<T>(
  audit: Audit | undefined,
  event: Omit<AuditEvent, "result">,
  { work, facts }: { work(): Promise<T>; facts?(done: T): Partial<AuditEvent> | readonly Partial<AuditEvent>[] },
): Promise<T> {
  if (!audit) return await work();
  await audit({ ...event, result: "intent" });
  let done: T;
  try {
    done = await work();
  } catch (error) {
    // the first error is the one to tell
    await audit({ ...event, ...failure(error) }).catch(() => {});
    throw error;
  }
  const added = facts?.(done) ?? {};
  const outcomes = Array.isArray(added) ? added as readonly Partial<AuditEvent>[] : [added as Partial<AuditEvent>];
  try {
    await audit(...outcomes.map((more): AuditEvent => ({ ...event, ...more, result: "ok" })));
  } catch (cause) {
    throw outcomeError(event.event, cause);
  }
  return done;
}

/** The error for something that was done and whose outcome could not be recorded. */
export function outcomeError(event: string, cause: unknown): OperationError {
  const reason = cause instanceof QpkiError ? cause.message.replace(/^[^:]*: /, "") : String(cause);
  return new OperationError(`Cannot record the outcome of ${event} in the audit log: ${reason}`, {
    code: "audit.outcome",
    hint: "It was done, and the log has its intent. Make the log writable before the next command",
    cause,
  });
}
