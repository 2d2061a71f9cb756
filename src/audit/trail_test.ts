import assert from "node:assert/strict";
import { ACTOR, read } from "../../tests/audit/support.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { InputError, TokenError } from "../errors.ts";
import type { TimedEvent } from "./event.ts";
import { AuditLog } from "./log.ts";
import { audited, AuditTrail } from "./trail.ts";

/** A log that counts its appends and may be full. */
class CountingLog extends AuditLog {
  appends = 0;
  isFull = false;

  override async append(events: readonly TimedEvent[], stamp: Parameters<AuditLog["append"]>[1]) {
    if (this.isFull) throw new InputError("Cannot write the audit log: full", { code: "audit.write" });
    this.appends++;
    await new Promise((resolve) => setTimeout(resolve, 5));
    return await super.append(events, stamp);
  }
}

function trailIn(path: string) {
  let seconds = 0;
  const log = new CountingLog(path, { notice: () => {} });
  const trail = new AuditTrail(log, ACTOR, () => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds++)));
  return { log, trail };
}

Deno.test("a thousand intents at once cost few appends, in their order", async () => {
  using tmp = tempFolder();
  const { log, trail } = trailIn(tmp.join("log"));
  const intents = Array.from({ length: 1000 }, (_, count) => trail.record({ event: "x", result: "intent", count }));
  await Promise.all(intents);
  assert.equal(log.appends, 2);
  const { events, problem } = await read(tmp.join("log"));
  assert.equal(problem, undefined);
  assert.deepEqual(events.slice(1).map(({ count }) => count), Array.from({ length: 1000 }, (_, i) => i));
});

Deno.test("outcomes wait for the next intent or the end, with the time at which they came", async () => {
  using tmp = tempFolder();
  const { log, trail } = trailIn(tmp.join("log"));
  await trail.record({ event: "a", result: "intent" });
  await trail.record({ event: "a", result: "ok" });
  assert.equal(log.appends, 1);
  await trail.record({ event: "b", result: "intent" });
  await trail.record({ event: "b", result: "failed", error: "x" });
  trail.atEnd(() => [{ event: "key.use", result: "ok", count: 7 }]);
  await trail.finish({ exit: 0 });
  assert.equal(log.appends, 3);
  const { events } = await read(tmp.join("log"));
  assert.deepEqual(events.slice(1).map(({ event, result, time }) => `${time.slice(17, 19)} ${event} ${result}`), [
    ...["00 a intent", "02 a ok", "03 b intent", "05 b failed", "06 key.use ok", "07 command.end ok"],
  ]);
  await trail.finish({ exit: 0 });
  assert.equal(log.appends, 3);
});

Deno.test("a command that recorded nothing leaves no trace, not even a file", async () => {
  using tmp = tempFolder();
  const { trail } = trailIn(tmp.join("log"));
  await trail.finish({ exit: 4, error: new InputError("x") });
  assert.deepEqual([...Deno.readDirSync(tmp.path)], []);
});

Deno.test("without its intent nothing is done; what came of it is not lost while the log is full", async () => {
  using tmp = tempFolder();
  const { log, trail } = trailIn(tmp.join("log"));
  const audit = trail.record.bind(trail);
  const done: string[] = [];
  const work = (name: string) => ({ work: () => Promise.resolve(done.push(name)) });
  await audited(audit, { event: "a" }, work("a"));
  log.isFull = true;
  await assert.rejects(audited(audit, { event: "b" }, work("b")), { code: "audit.write" });
  assert.deepEqual(done, ["a"]);
  await assert.rejects(trail.finish({ exit: 0 }), { code: "audit.outcome" });
  log.isFull = false;
  await audited(audit, { event: "c" }, { work: () => Promise.resolve("1A"), facts: (serial) => ({ serial }) });
  const failing = {
    work: () => Promise.reject(new TokenError("pin 1234", { code: "token", rvName: "CKR_PIN_LOCKED" })),
  };
  await assert.rejects(audited(audit, { event: "d" }, failing));
  await trail.finish({ exit: 3, error: new Error("secret") });
  const { events, problem } = await read(tmp.join("log"));
  assert.equal(problem, undefined);
  const told = events.map(({ event, result, serial, error, rv }) => [event, result, serial ?? error, rv]);
  assert.deepEqual(told.filter(([event]) => /^[acd]$/.test(event!)), [
    ["a", "intent", undefined, undefined],
    ["a", "ok", undefined, undefined],
    ["c", "intent", undefined, undefined],
    ["c", "ok", "1A", undefined],
    ["d", "intent", undefined, undefined],
    ["d", "failed", "token", "CKR_PIN_LOCKED"],
  ]);
  assert.deepEqual(told.at(-1), ["command.end", "failed", "internal", undefined]);
  assert.ok(!/1234|secret/.test(tmp.read("log")));
  assert.equal(await audited(undefined, { event: "e" }, { work: () => Promise.resolve(5) }), 5);
});
