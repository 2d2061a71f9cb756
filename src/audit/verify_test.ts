import assert from "node:assert/strict";
import { fill, read, serialOf, stamp, testLog } from "../../tests/audit/support.ts";
import { type TempFolder, tempFolder } from "../../tests/support/tmp.ts";
import { findKeyRow } from "../alg/find.ts";
import { syncHasher } from "../keys/digest.ts";
import { generateSoftwareKey } from "../keys/software.ts";
import { canonicalJson } from "./canonical.ts";
import { readChain } from "./chain.ts";
import { type Checkpoint, makeCheckpoint, readCheckpoint } from "./checkpoint.ts";
import { makeProof, readProof, verifyProof } from "./proof.ts";
import { rotateLog } from "./rotate.ts";
import { logFiles, verifyLog } from "./verify.ts";

const NOW = new Date("2026-02-03T04:05:06Z");

async function checkpointOf(...files: string[]): Promise<Checkpoint> {
  const { chain } = await readChain(files, await syncHasher("SHA-256"));
  return await makeCheckpoint(chain, NOW);
}

function given(checkpoint: Checkpoint, file = "cp.json") {
  return [{ file, checkpoint }];
}

/** A log of `count` + 1 events. */
async function logOf(tmp: TempFolder, count: number): Promise<string> {
  const path = tmp.join("audit.jsonl");
  await fill(testLog(path).log, count);
  return path;
}

/** The same events as a log that somebody wrote anew, every hash right. */
async function rewritten(
  tmp: TempFolder,
  path: string,
  change: (event: Record<string, unknown>) => void,
): Promise<string> {
  const hash = await syncHasher("SHA-256");
  let prev = "0".repeat(64);
  const lines = Deno.readTextFileSync(path).trimEnd().split("\n").map((line) => {
    const { hash: _, ...event } = JSON.parse(line);
    change(event);
    event.prev = prev;
    prev = hash(new TextEncoder().encode(canonicalJson(event))).toHex();
    return `${canonicalJson({ ...event, hash: prev })}\n`;
  });
  return tmp.write("rewritten", lines.join(""));
}

Deno.test("a log verifies, as it stands and after it has grown beyond a checkpoint", async () => {
  using tmp = tempFolder();
  const path = await logOf(tmp, 5);
  const checkpoint = await checkpointOf(path);
  assert.equal(checkpoint.seq, 6);
  await fill(testLog(path).log, 7);
  const verdict = await verifyLog([path], given(checkpoint));
  assert.equal(verdict.valid, true);
  assert.equal(verdict.events, 13);
  assert.deepEqual(verdict.checkpoints, [{ file: "cp.json", seq: 6, time: NOW.toISOString(), valid: true }]);
});

Deno.test("a cut tail verifies by itself, and is found by a checkpoint", async () => {
  using tmp = tempFolder();
  const path = await logOf(tmp, 9);
  const checkpoint = await checkpointOf(path);
  const lines = tmp.read("audit.jsonl").split("\n");
  const cut = tmp.write("cut", lines.slice(0, 8).join("\n") + "\n");
  assert.equal((await verifyLog([cut])).valid, true);
  const verdict = await verifyLog([cut], given(checkpoint));
  assert.equal(verdict.valid, false);
  assert.match(verdict.problem!.message, /the log had 10 events, and now it ends with event 8: 2 were cut off/);
});

Deno.test("a log that was written anew, with every hash right, is found by a checkpoint; so is another log", async () => {
  using tmp = tempFolder();
  const path = await logOf(tmp, 9);
  const checkpoint = await checkpointOf(path);
  const forged = await rewritten(tmp, path, (event) => {
    if (event["seq"] === 4) event["serial"] = "FF";
  });
  assert.equal((await verifyLog([forged])).valid, true);
  assert.match((await verifyLog([forged], given(checkpoint))).problem!.message, /written anew/);
  const other = tmp.join("other");
  await fill(testLog(other).log, 20);
  assert.match((await verifyLog([other], given(checkpoint))).problem!.message, /another log was put in its place/);
});

Deno.test("checkpoints are signed with any key, and only the key that is trusted will do", async () => {
  using tmp = tempFolder();
  const path = await logOf(tmp, 3);
  const { chain } = await read(path);
  for (const name of ["ecdsa-p384", "ed25519", "ml-dsa-44"]) {
    using key = await generateSoftwareKey(findKeyRow(name));
    using other = await generateSoftwareKey(findKeyRow(name));
    const checkpoint = await makeCheckpoint(chain, NOW, key);
    const again = readCheckpoint(JSON.stringify(checkpoint), "cp.json");
    assert.equal((await verifyLog([path], given(again), [other.spki, key.spki])).valid, true);
    assert.equal((await verifyLog([path], given(again))).valid, true);
    const foreign = await verifyLog([path], given(again), [other.spki]);
    assert.match(foreign.problem!.message, /another key signed it/);
    const changes: Partial<Checkpoint>[] = [{ time: "2027-01-01T00:00:00.000Z" }, { seq: 3 }, { root: "0".repeat(64) }];
    for (const change of changes) {
      const verdict = await verifyLog([path], given({ ...again, ...change }), [key.spki]);
      assert.equal(verdict.problem!.message, "its signature is wrong");
    }
    const { signature: _, ...unsigned } = again;
    assert.match((await verifyLog([path], given(unsigned), [key.spki])).problem!.message, /not signed/);
    const bad = { ...again, signature: { ...again.signature!, scheme: "rot13" } };
    assert.match((await verifyLog([path], given(bad))).problem!.message, /unknown scheme/);
  }
});

Deno.test("rotated files are one chain, verified together, in any order, by their folder, or the last one alone", async () => {
  using tmp = tempFolder();
  Deno.mkdirSync(tmp.join("logs"));
  const path = tmp.join("logs/audit.jsonl");
  const { log } = testLog(path);
  const checkpoints: Checkpoint[] = [];
  const archives: string[] = [];
  for (const count of [4, 2, 6]) {
    await fill(log, count);
    checkpoints.push(await checkpointOf(path));
    archives.push((await rotateLog(path, { stamp: stamp(), notice: () => {} })).archive);
  }
  await fill(log, 3);
  checkpoints.push(await checkpointOf(path));
  assert.deepEqual(archives.map((archive) => archive.slice(path.length)), [".1-6", ".7-10", ".11-18"]);
  const folder = await logFiles([tmp.join("logs")]);
  assert.deepEqual(folder, [...archives, path]);
  assert.deepEqual(await logFiles([path, archives[2]!, archives[0]!, archives[1]!]), folder);
  const verdict = await verifyLog(folder, checkpoints.map((checkpoint, i) => ({ file: `${i}`, checkpoint })));
  assert.equal(verdict.problem, undefined);
  assert.equal(verdict.events, 22);
  assert.deepEqual(verdict.chain.files.map(({ first_seq, last_seq }) => [first_seq, last_seq]), [
    [1, 6],
    [7, 10],
    [11, 18],
    [19, 22],
  ]);
  const last = await verifyLog([path], given(checkpoints[3]!));
  assert.equal(last.valid, true);
  assert.equal(last.chain.begin.head.seq, 18);
  assert.match((await verifyLog([path], given(checkpoints[1]!))).problem!.message, /before the first file/);
  // a file that is left out, and a line that is changed in one of them
  const gap = await verifyLog([archives[0]!, archives[2]!, path]);
  assert.match(gap.problem!.message, /events 7 to 10 are missing/);
  Deno.writeTextFileSync(archives[1]!, Deno.readTextFileSync(archives[1]!).replace("leaf 1", "leaf 2"));
  const changed = await verifyLog(folder);
  assert.deepEqual([changed.problem?.file, changed.problem?.line], [archives[1], 3]);
});

Deno.test("a folder with files of several logs is not guessed at; files that are no logs do not matter", async () => {
  using tmp = tempFolder();
  Deno.mkdirSync(tmp.join("logs"));
  tmp.write("logs/README", "hello");
  await assert.rejects(logFiles([tmp.join("logs")]), { code: "audit.not_found" });
  await fill(testLog(tmp.join("logs/a")).log, 1);
  assert.deepEqual(await logFiles([tmp.join("logs")]), [tmp.join("logs/a")]);
  await fill(testLog(tmp.join("logs/b")).log, 1);
  await assert.rejects(logFiles([tmp.join("logs")]), { code: "audit.several" });
  await assert.rejects(logFiles([tmp.join("none")]), { code: "audit.not_found" });
});

Deno.test("rotation: what is broken stays, what is torn is recorded first, an archive is never replaced", async () => {
  using tmp = tempFolder();
  const path = await logOf(tmp, 3);
  const how = { stamp: stamp(), notice: () => {} };
  tmp.write("there", "x");
  await assert.rejects(rotateLog(path, { ...how, archive: tmp.join("there") }), { code: "file.exists" });
  const before = tmp.read("audit.jsonl");
  Deno.writeTextFileSync(path, before.replace("leaf 0", "leaf 9"));
  await assert.rejects(rotateLog(path, how), { code: "audit.broken" });
  assert.equal(tmp.read("audit.jsonl"), before.replace("leaf 0", "leaf 9"));
  Deno.writeTextFileSync(path, `${before}{"command`);
  Deno.chmodSync(path, 0o660);
  const { archive } = await rotateLog(path, how);
  const verdict = await verifyLog([archive, path]);
  assert.equal(verdict.problem, undefined);
  assert.equal(verdict.chain.recovered[0]?.line, 5);
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o660);
  await assert.rejects(rotateLog(tmp.join("none"), how), { code: "audit.write" });
  assert.deepEqual([...Deno.readDirSync(tmp.path)].map(({ name }) => name).filter((name) => name.endsWith("tmp")), []);
});

Deno.test("a certificate's events are proved without the log, also from a rotated one", async () => {
  using tmp = tempFolder();
  const path = await logOf(tmp, 6);
  const { archive } = await rotateLog(path, { stamp: stamp(), notice: () => {} });
  await fill(testLog(path).log, 9);
  using key = await generateSoftwareKey(findKeyRow("ecdsa-p256"));
  const { chain } = await read(path);
  const checkpoint = await makeCheckpoint(chain, NOW, key);
  // the same serials stand in both files
  const all = await makeProof([archive, path], { serial: serialOf(2) }, checkpoint);
  assert.equal(all.events.length, 2);
  const later = await makeProof([path], { serial: serialOf(8) }, checkpoint);
  for (const proof of [all, later, await makeProof([archive, path], { seq: 1 }, checkpoint)]) {
    const again = readProof(JSON.stringify(proof), "proof.json");
    assert.deepEqual((await verifyProof(again, checkpoint, [key.spki])).reason, undefined);
    const [{ event, path: hashes }] = again.events as [typeof again.events[0]];
    const forged = { ...again, events: [{ event: { ...event, serial: "FF" } as typeof event, path: hashes }] };
    assert.match((await verifyProof(forged, checkpoint)).reason!, /was changed/);
    const moved = { ...again, events: [{ event, path: hashes.toReversed() }] };
    assert.match((await verifyProof(moved, checkpoint)).reason!, /is not in the log/);
    const other = await makeCheckpoint((await read(archive)).chain, NOW);
    assert.match((await verifyProof(again, other)).reason!, /checkpoint of 18 events/);
  }
  await assert.rejects(makeProof([archive, path], { serial: "FFFF" }, checkpoint), { code: "proof.not_found" });
  await assert.rejects(makeProof([archive], { seq: 1 }, checkpoint), { code: "audit.broken" });
});

Deno.test("files that are no checkpoints and no proofs are refused", () => {
  const bad = ["", "{", "[]", "null", "{}", '{"type":"audit-checkpoint"}', '{"type":"audit-checkpoint","form":2}'];
  for (const text of bad) assert.throws(() => readCheckpoint(text, "f"), { code: "checkpoint.invalid" }, text);
  const proofs = ['{"type":"audit-proof","form":1,"log_id":"","tree_size":1,"events":[{}]}', '{"type":"audit-proof"}'];
  for (const text of [...bad, ...proofs]) {
    assert.throws(() => readProof(text, "f"), { code: "checkpoint.invalid" }, text);
  }
});
