import assert from "node:assert/strict";
import { fill, read, serialOf, stamp, testLog } from "../../tests/audit/support.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { canonicalJson } from "./canonical.ts";
import { MAX_LINE_BYTES } from "./event.ts";

Deno.test("a log begins with its id, and every event continues the one before", async () => {
  using tmp = tempFolder();
  const path = tmp.join("audit.jsonl");
  const { log, notices } = testLog(path);
  await fill(log, 3);
  const lines = tmp.read("audit.jsonl").trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ seq }) => seq), [1, 2, 3, 4]);
  assert.equal(lines[0].event, "log.created");
  assert.match(lines[0].details.log_id, /^[0-9a-f]{32}$/);
  assert.equal(lines[0].prev, "0".repeat(64));
  for (const i of [1, 2, 3]) assert.equal(lines[i].prev, lines[i - 1].hash);
  assert.deepEqual(lines[1], {
    ...{ form: 1, seq: 2, time: "2026-01-02T03:04:05.678Z", prev: lines[0].hash, hash: lines[1].hash },
    ...{ command: "cert issue", event: "cert.issue", host: "host", op: "00112233", pid: 1, result: "ok" },
    ...{ serial: serialOf(0), subject: "CN=leaf 0", tool: "qpki test", uid: 1000, user: "alice" },
  });
  const { hash: _, ...rest } = lines[1];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(canonicalJson(rest)));
  assert.equal(new Uint8Array(digest).toHex(), lines[1].hash);
  assert.deepEqual(notices, [`A new audit log was begun: ${path}`]);
  assert.equal(Deno.statSync(path).mode! & 0o007, 0);
});

Deno.test("several events in one append are one write, and their order stays", async () => {
  using tmp = tempFolder();
  const { log } = testLog(tmp.join("log"));
  const events = [1, 2, 3].map((count) => ({ event: "key.use", result: "ok", count }) as const);
  assert.deepEqual(await log.append(events, stamp()).then(({ seq }) => seq), 4);
  assert.deepEqual((await read(tmp.join("log"))).events.map(({ count }) => count), [undefined, 1, 2, 3]);
});

Deno.test("texts of operators are made well-formed and are cut; a line stays short", async () => {
  using tmp = tempFolder();
  const { log } = testLog(tmp.join("log"));
  await log.append([{ event: "x", result: "ok", subject: `\ud83d${"x".repeat(1e6)}`, profile: "a\nb" }], stamp());
  const { events, problem } = await read(tmp.join("log"));
  assert.equal(problem, undefined);
  assert.equal(events[1]!.subject!.length, 1000);
  assert.equal(events[1]!.profile, "a\nb");
  const many = Array.from({ length: 200 }, (_, i) => `${i} ${"\u0001".repeat(900)}`);
  await log.append([{ event: "x", result: "ok", subject: "y".repeat(900), details: { many } }], stamp());
  const last = (await read(tmp.join("log"))).events.at(-1)!;
  assert.match(String(last.details!["omitted_sha256"]), /^[0-9a-f]{64}$/);
  assert.equal(last.subject!.length, 200);
  assert.ok(tmp.read("log").split("\n").every((line) => line.length < MAX_LINE_BYTES));
});

/** A log of five events; the last line is cut to `keep` bytes, with `more` behind. */
async function torn(path: string, keep: number, more = ""): Promise<void> {
  await fill(testLog(path).log, 4);
  const text = Deno.readTextFileSync(path);
  const lastStart = text.lastIndexOf("\n", text.length - 2) + 1;
  Deno.writeTextFileSync(path, text.slice(0, lastStart + keep) + more);
}

for (
  const [what, keep, more] of [["after one byte", 1, ""], ["in the middle", 200, ""], [
    "with zeros",
    100,
    "\0".repeat(9),
  ]] as const
) {
  Deno.test(`a last line torn ${what}: it is said, recorded by its hash, and kept`, async () => {
    using tmp = tempFolder();
    const path = tmp.join("log");
    await torn(path, keep, more);
    const before = tmp.read("log");
    assert.equal((await read(path)).problem?.code, "log.torn");
    assert.equal((await read(path)).problem?.line, 5);
    const { log, notices } = testLog(path);
    await log.append([{ event: "cert.revoke", result: "intent" }], stamp());
    assert.match(notices.join(), /was torn \(\d+ bytes\)/);
    const { events, problem, chain } = await read(path);
    assert.equal(problem, undefined);
    assert.deepEqual(events.slice(4).map(({ event, seq }) => [event, seq]), [["log.recovered", 5], ["cert.revoke", 6]]);
    assert.equal(events[4]!.details!["torn_bytes"], keep + more.length);
    assert.deepEqual(chain.recovered, [{ file: path, line: 5, bytes: keep + more.length }]);
    assert.ok(tmp.read("log").startsWith(`${before}\n`));
    // the piece cannot go, and is under the hash as well
    const gone = tmp.read("log").split("\n").toSpliced(4, 1).join("\n");
    assert.deepEqual((await read(tmp.write("gone", gone))).problem?.code, "line.missing");
    Deno.writeTextFileSync(path, tmp.read("log").replace(before.slice(before.lastIndexOf("\n") + 1), "{"));
    if (keep > 1) assert.equal((await read(path)).problem?.line, 5);
  });
}

Deno.test("a whole last line without its end stays part of the chain", async () => {
  using tmp = tempFolder();
  const path = tmp.join("log");
  await fill(testLog(path).log, 2);
  Deno.writeTextFileSync(path, tmp.read("log").trimEnd());
  const { log, notices } = testLog(path);
  await log.append([{ event: "x", result: "ok" }], stamp());
  assert.match(notices.join(), /lacked its end of line/);
  const { events, problem } = await read(path);
  assert.equal(problem, undefined);
  assert.deepEqual(events.map(({ seq }) => seq), [1, 2, 3, 4, 5]);
  assert.equal(events[3]!.event, "log.recovered");
});

Deno.test("a torn first line", async () => {
  using tmp = tempFolder();
  const path = tmp.write("log", '{"command":"cert is');
  const { log } = testLog(path);
  await fill(log, 1);
  const { events, problem, chain } = await read(path);
  assert.equal(problem, undefined);
  assert.deepEqual(events.map(({ event }) => event), ["log.created", "cert.issue"]);
  assert.equal(chain.recovered.length, 1);
});

Deno.test("what is no log, and a log whose end was changed, are not written to", async () => {
  using tmp = tempFolder();
  const bad: [string, string][] = [["text", "dear diary"], ["text2", "dear diary\n"], ["json", "{}\n"], [
    "big",
    "x".repeat(3e6),
  ]];
  for (const [name, content] of bad) {
    const path = tmp.write(name, content);
    await assert.rejects(testLog(path).log.append([], stamp()), { code: "audit.damaged" }, name);
    assert.equal(tmp.read(name), content);
  }
  const path = tmp.join("log");
  await fill(testLog(path).log, 3);
  Deno.writeTextFileSync(path, tmp.read("log").replace("leaf 2", "leaf 7"));
  await assert.rejects(fill(testLog(path).log, 1), { code: "audit.damaged" });
  await assert.rejects(fill(testLog(tmp.path).log, 1), { code: "audit.write" });
  await assert.rejects(fill(testLog(tmp.join("none/log")).log, 1), { code: "audit.write" });
  await assert.rejects(fill(testLog("/dev/null").log, 1), { code: "audit.damaged" });
});

Deno.test("a bit flipped anywhere in a log of 200 lines is found, at its line or the next", async () => {
  using tmp = tempFolder();
  const path = tmp.join("log");
  const { log } = testLog(path);
  await log.append(
    Array.from({ length: 199 }, (_, i) => ({ event: "cert.issue", result: "ok", serial: serialOf(i) })),
    stamp(),
  );
  const bytes = Deno.readFileSync(path);
  assert.equal((await read(path)).problem, undefined);
  const copy = tmp.join("copy");
  // every byte of the first, a middle and the last line, and a step through all others
  const lineStarts = [0, ...[...bytes.entries()].filter(([, byte]) => byte === 10).map(([at]) => at + 1)];
  const [mid, last] = [lineStarts[100]!, lineStarts[199]!];
  const places: number[] = [];
  for (let at = 0; at < bytes.length; at += 997) places.push(at);
  for (let at = 0; at < 60; at++) places.push(mid + at * 7, last + at * 7);
  for (const at of places.filter((place) => place < bytes.length)) {
    const flipped = bytes.slice();
    flipped[at]! ^= 1 << (at % 8);
    Deno.writeFileSync(copy, flipped);
    const { problem } = await read(copy);
    const line = lineStarts.findLastIndex((start) => start <= at) + 1;
    assert.ok(problem, `byte ${at}`);
    assert.ok(problem.line === line || problem.line === line + 1, `byte ${at} of line ${line}: ${problem.line}`);
  }
});

Deno.test("every single byte of a short log counts", async () => {
  using tmp = tempFolder();
  const path = tmp.join("log");
  await fill(testLog(path).log, 5);
  const bytes = Deno.readFileSync(path);
  const copy = tmp.join("copy");
  let line = 1;
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at]! ^= 1 << (at % 8);
    Deno.writeFileSync(copy, changed);
    const { problem } = await read(copy);
    assert.ok(problem?.line === line || problem?.line === line + 1, `byte ${at} of line ${line}: ${problem?.line}`);
    if (bytes[at] === 10) line++;
  }
});

Deno.test("every single line of a log counts: taken out, doubled, or changed with its neighbour", async () => {
  using tmp = tempFolder();
  const path = tmp.join("log");
  await fill(testLog(path).log, 30);
  const lines = tmp.read("log").trimEnd().split("\n");
  for (let at = 0; at < lines.length; at++) {
    const changes = [lines.toSpliced(at, 0, lines[at]!)];
    // whether the last line was taken out is for a checkpoint to say
    if (at + 1 < lines.length) changes.push(lines.toSpliced(at, 1), lines.toSpliced(at, 2, lines[at + 1]!, lines[at]!));
    for (const changed of changes) {
      const { problem } = await read(tmp.write("copy", changed.map((line) => `${line}\n`).join("")));
      assert.ok(problem?.line === at + 1 || problem?.line === at + 2, `line ${at + 1}: ${problem?.line}`);
    }
  }
});

Deno.test("lines deleted, repeated, swapped, replaced or cut at the front are found at their place", async () => {
  using tmp = tempFolder();
  const path = tmp.join("log");
  await fill(testLog(path).log, 9);
  const lines = tmp.read("log").trimEnd().split("\n");
  async function broken(changed: readonly string[]) {
    const { problem } = await read(tmp.write("copy", changed.map((line) => `${line}\n`).join("")));
    return [problem?.code, problem?.line, problem?.message];
  }
  assert.deepEqual(await broken(lines.toSpliced(4, 2)), ["seq.gap", 5, "it is event 7, and events 5 to 6 are missing"]);
  assert.deepEqual(await broken(lines.toSpliced(4, 0, lines[3]!)), [
    "seq.order",
    5,
    "it is event 4, and event 5 belongs here",
  ]);
  assert.equal((await broken(lines.toSpliced(4, 2, lines[5]!, lines[4]!)))[1], 5);
  assert.deepEqual((await broken(lines.slice(1))).slice(0, 2), ["log.begin", 1]);
  assert.deepEqual((await broken([])).slice(0, 2), ["log.empty", undefined]);
  // an event made anew, with a hash of its own: the next one does not continue it
  const other = tmp.join("other");
  await fill(testLog(other).log, 9);
  const foreign = tmp.read("other").trimEnd().split("\n");
  assert.equal((await broken(lines.toSpliced(4, 1, foreign[4]!)))[0], "chain.broken");
  assert.equal((await broken([...lines.slice(0, 4), "", ...lines.slice(4)]))[1], 5);
});
