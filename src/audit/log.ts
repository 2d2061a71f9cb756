import { encodeHex, randomBytes } from "../bytes.ts";
import { sha256Hex } from "../keys/digest.ts";
import { type AuditEvent, type Head, sealEvent, type Stamp, type TimedEvent } from "./event.ts";
import { LockedLog, type LogEnd, type TornEnd } from "./file.ts";

/** First event of a log. */
export const CREATED = "log.created";
/** First event of a file that continues another one. */
export const CONTINUED = "log.continued";
/** Names what an interruption left half written. */
export const RECOVERED = "log.recovered";
/** Last event of a file that another one continues. */
export const ROTATED = "log.rotate";

/** What {@link AuditLog} needs from outside. */
export interface LogWorld {
  /** One line that the operator should read. */
  notice(text: string): void;
}

/** A log that events are added to, by this process and by others. */
export class AuditLog {
  readonly path: string;
  readonly #world: LogWorld;

  constructor(path: string, world: LogWorld) {
    this.path = path;
    this.#world = world;
  }

  /**
   * Adds events in their order, durable when this returns; the first ones begin the log where there is none.
   * @throws {OperationError} `audit.write`, `audit.locked`, `audit.damaged`. Then nothing was added.
   */
  async append(events: readonly TimedEvent[], stamp: Stamp): Promise<Head> {
    using log = await LockedLog.open(this.path, { create: true });
    return await appendEvents(log, events, { stamp, notice: (text) => this.#world.notice(text) });
  }
}

/** Adds events to a log that is locked. Throws as {@link AuditLog.append}. */
export async function appendEvents(
  log: LockedLog,
  events: readonly TimedEvent[],
  { stamp, notice }: { stamp: Stamp; notice(text: string): void },
): Promise<Head> {
  const end = await log.end();
  const before = await openingEvents(end);
  let text = end.torn && !end.torn.isEnded ? "\n" : "";
  let head = end.head;
  for (const event of [...before, ...events]) {
    const sealed = await sealEvent(event, head, stamp);
    text += `${sealed.line}\n`;
    head = sealed;
  }
  await log.append(text);
  if (end.torn) notice(tornNotice(log.path, end.torn));
  if (end.head.seq === 0) notice(`A new audit log was begun: ${log.path}`);
  return { seq: head.seq, hash: head.hash };
}

/** What has to be said before anything else: that the log begins, that its end was torn. */
async function openingEvents({ head, torn }: LogEnd): Promise<AuditEvent[]> {
  const left = torn && {
    torn_bytes: torn.isWhole ? 0 : torn.bytes.length,
    ...(torn.isWhole ? {} : { torn_sha256: await sha256Hex(torn.bytes) }),
  };
  if (head.seq === 0) {
    return [{ event: CREATED, result: "ok", details: { log_id: encodeHex(randomBytes(16)), ...left } }];
  }
  return left ? [{ event: RECOVERED, result: "ok", details: left }] : [];
}

function tornNotice(path: string, { bytes, isWhole }: TornEnd): string {
  const what = isWhole ? "lacked its end of line" : `was torn (${bytes.length} bytes)`;
  return `The last line of the audit log ${path} ${what}: something ended in the middle of writing it. ` +
    "The log records this, and goes on behind it";
}
