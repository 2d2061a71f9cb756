import { OperationError, QpkiError, TokenError } from "../errors.ts";
import type { AuditActor, AuditEvent, TimedEvent } from "./event.ts";
import type { AuditLog } from "./log.ts";

/**
 * Records events. What is about to be done is durable when it resolves. What came of it is written with the next events, at
 * the latest before the command reports its result: by then it cannot be undone any more, and nothing may stop half way.
 * @throws {OperationError} `audit.write`, `audit.locked`, `audit.damaged`: then it must not be done.
 */
export type Audit = (...events: readonly AuditEvent[]) => Promise<void>;

interface Waiting {
  readonly events: readonly TimedEvent[];
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
  #outcomes: TimedEvent[] = [];
  readonly #intents = new Map<string, AuditEvent>();
  #isWriting = false;
  #hasEvents = false;
  #atEnd: (() => readonly AuditEvent[])[] = [];

  constructor(log: AuditLog, actor: AuditActor, now: () => Date) {
    this.#log = log;
    this.#actor = actor;
    this.#now = now;
  }

  /** As {@link Audit}. */
  record(...events: readonly AuditEvent[]): Promise<void> {
    this.#hasEvents = true;
    const time = this.#now().toISOString();
    const timed = events.map((event): TimedEvent => ({ ...this.#withIntent(event), time }));
    if (events.some(({ result }) => result === "intent")) return this.#append(timed);
    this.#outcomes.push(...timed);
    return Promise.resolve();
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
    const { exit } = outcome;
    await this.record(...this.#atEnd.splice(0).flatMap((events) => events()));
    const ended = "error" in outcome ? failure(outcome.error) : { result: exit === 0 ? "ok" : "failed" } as const;
    await this.record({ event: "command.end", ...ended, details: { exit } });
    this.#hasEvents = false;
    try {
      await this.#append([]);
    } catch (cause) {
      throw outcomeError(this.#actor.command, cause);
    }
  }

  /** The outcome for a certificate says what its intent said. */
  #withIntent(event: AuditEvent): AuditEvent {
    if (event.serial === undefined) return event;
    const id = `${event.event} ${event.serial}`;
    if (event.result === "intent") {
      this.#intents.set(id, event);
      return event;
    }
    const intent = this.#intents.get(id);
    this.#intents.delete(id);
    return { ...intent, ...event };
  }

  #append(events: readonly TimedEvent[]): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ events, done });
    if (!this.#isWriting) this.#write();
    return done.promise;
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0);
      const outcomes = this.#outcomes.splice(0);
      const events = [...outcomes, ...group.flatMap((one) => one.events)];
      try {
        await this.#log.append(events, { time: this.#now().toISOString(), actor: this.#actor });
        for (const { done } of group) done.resolve();
      } catch (error) {
        this.#outcomes.unshift(...outcomes);
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
 * @throws {OperationError} `audit.write` before it is done.
 */
export async function audited<T>(
  audit: Audit | undefined,
  event: Omit<AuditEvent, "result">,
  { work, facts }: { work(): Promise<T>; facts?(done: T): Partial<AuditEvent> | Promise<Partial<AuditEvent>> },
): Promise<T> {
  if (!audit) return await work();
  await audit({ ...event, result: "intent" });
  try {
    const done = await work();
    await audit({ ...event, ...await facts?.(done), result: "ok" });
    return done;
  } catch (error) {
    await audit({ ...event, ...failure(error) });
    throw error;
  }
}

function outcomeError(command: string, cause: unknown): OperationError {
  const reason = cause instanceof QpkiError ? cause.message.replace(/^[^:]*: /, "") : String(cause);
  return new OperationError(`Cannot record the outcome of ${command} in the audit log: ${reason}`, {
    code: "audit.outcome",
    hint: "It was done as far as it got, and the log has its intent. Make the log writable before the next command",
    cause,
  });
}
