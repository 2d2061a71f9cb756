import { readChain, type Step } from "../../src/audit/chain.ts";
import type { AuditActor, LoggedEvent } from "../../src/audit/event.ts";
import { AuditLog } from "../../src/audit/log.ts";
import { syncHasher } from "../../src/keys/digest.ts";

/** Somebody who writes. */
export const ACTOR: AuditActor = {
  user: "alice",
  uid: 1000,
  host: "host",
  pid: 1,
  tool: "qpki test",
  command: "cert issue",
  op: "00112233",
};

/** The command that makes a server's key `s.key` and its request `s.csr`. */
export const SERVER_REQUEST = "csr gen -a ecdsa-p256 --keyout s.key --cn s.test --dns s.test --out s.csr".split(" ");

/** A log with its notices. */
export function testLog(path: string): { log: AuditLog; notices: string[] } {
  const notices: string[] = [];
  return { log: new AuditLog(path, { notice: (text) => notices.push(text) }), notices };
}

/** Adds so many events, one an append. */
export async function fill(log: AuditLog, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await log.append([{ event: "cert.issue", result: "ok", serial: serialOf(i), subject: `CN=leaf ${i}` }], stamp());
  }
}

/** Serial of the n-th event of {@link fill}. */
export function serialOf(n: number): string {
  return (0x1000 + n).toString(16).toUpperCase();
}

/** A time and an actor. */
export function stamp() {
  return { time: "2026-01-02T03:04:05.678Z", actor: ACTOR };
}

/** Reads a log: its events, and the break, if any. */
export async function read(...files: string[]) {
  const events: LoggedEvent[] = [];
  const steps: Step[] = [];
  const { chain, problem } = await readChain(files, await syncHasher("SHA-256"), (step) => {
    events.push(step.event);
    steps.push(step);
  });
  return { chain, events, steps, ...(problem ? { problem } : {}) };
}
