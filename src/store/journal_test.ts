import assert from "node:assert/strict";
import { tempFolder } from "../../tests/support/tmp.ts";
import { changeFolder, type ChangeSession, FolderChange } from "./folder_change.ts";
import { GONE, Journal, journalTail } from "./journal.ts";
import { readJournal } from "./journal_read.ts";
import type { JournalRecord } from "./journal_record.ts";
import { OpenIntents } from "./open_intents.ts";
import { takeGuard } from "./owner_guard.ts";
import { planRecovery } from "./recover.ts";

async function records(folder: string): Promise<JournalRecord[]> {
  const all: JournalRecord[] = [];
  for await (const { record } of readJournal(folder)) all.push(record);
  return all;
}

/** One change of a plain folder; returns what it was told of. */
async function change(
  folder: string,
  work: (change: FolderChange) => Promise<unknown> = () => Promise.resolve(),
  intents = new OpenIntents(folder),
): Promise<string[]> {
  const told: string[] = [];
  const open = (session: ChangeSession, journal: Journal) => Promise.resolve(new FolderChange(session, journal));
  const place = { folder, lockPath: `${folder}/.lock`, action: "test", intents, open };
  await changeFolder(place, work, { warn: (text) => told.push(text) });
  return told;
}

Deno.test("journal: records are numbered and chained, the last one says all that the next needs", async () => {
  using tmp = tempFolder();
  {
    using journal = await Journal.open(tmp.path);
    assert.deepEqual([journal.head, journal.open], [{ seq: 0, sha256: "" }, []]);
    await journal.append({ op: "issue", state: "intent", owner: "abc" });
    // at once: they are written one after the other
    await Promise.all([1, 2].map(() => journal.append({ op: "revoke", state: "done" })));
  }
  {
    using journal = await Journal.open(tmp.path);
    assert.equal(journal.head.seq, 3);
    assert.deepEqual(journal.open.map(({ seq, op, owner }) => [seq, op, owner]), [[1, "issue", "abc"]]);
    assert.equal((await journal.read(journal.open[0]!)).op, "issue");
    await journal.append({ op: "issue", state: "undone", closes: [1] });
    assert.deepEqual(journal.open, []);
  }
  assert.deepEqual((await records(tmp.path)).map(({ seq, state }) => `${seq} ${state}`), [
    "1 intent",
    "2 done",
    "3 done",
    "4 undone",
  ]);
});

Deno.test("journal: a long last record is found, a torn one is cut off, a damaged one is named", async () => {
  using tmp = tempFolder();
  const path = tmp.join("journal.jsonl");
  {
    using journal = await Journal.open(tmp.path);
    await journal.append({ op: "x".repeat(300_000), state: "done" });
    await journal.append({ op: "y".repeat(200_000), state: "done" });
  }
  const whole = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(path, whole + '{"seq":3,"op":"half');
  assert.equal((await journalTail(tmp.path)).torn, 19);
  assert.match((await change(tmp.path)).join(), /19 bytes of a record that was never finished: cut off/);
  assert.equal(Deno.readTextFileSync(path), whole);
  Deno.writeTextFileSync(path, whole.slice(0, -5) + "}}}}\n");
  await assert.rejects(change(tmp.path), { code: "journal.damaged" });
  Deno.writeTextFileSync(path, whole.replace("xxx", "xyx"));
  await assert.rejects(records(tmp.path), { code: "journal.damaged", line: 2 });
});

Deno.test("journal: a long one goes on in a new file, in one chain, unless something is under way", async () => {
  using tmp = tempFolder();
  const write = (state: "intent" | "undone", closes: number[] = []) => async () => {
    using journal = await Journal.open(tmp.path);
    await journal.append({ op: "x".repeat(500), state, owner: GONE, closes });
    await journal.rotate(1000);
  };
  for (const step of [write("intent"), write("intent"), write("undone", [2]), write("undone", [1])]) await step();
  assert.deepEqual([...Deno.readDirSync(tmp.join("journal"))].map(({ name }) => name), ["0000000004.jsonl"]);
  for (const step of [write("undone"), write("undone")]) await step();
  const all = await records(tmp.path);
  assert.deepEqual(all.map(({ seq }) => seq), all.map((_, i) => i + 1));
  assert.deepEqual(all.flatMap(({ continues }) => continues ?? []), ["0000000004.jsonl", "0000000007.jsonl"]);
  // killed between the two steps: the part has two names, and the next change goes on
  Deno.copyFileSync(tmp.join("journal/0000000007.jsonl"), tmp.join("journal.jsonl"));
  {
    using journal = await Journal.open(tmp.path);
    await journal.rotate(1000);
    assert.equal(journal.head.seq, 8);
  }
  assert.equal((await records(tmp.path)).length, 8);
});

Deno.test("transaction: all takes effect at the end, nothing after an error", async () => {
  using tmp = tempFolder();
  tmp.write("a", "old");
  await change(tmp.path, async (changing) => {
    await changing.writeFile("a", "new", { overwrite: true });
    await changing.writeFile("deep/er/b", "b", { mode: 0o600 });
    assert.equal(tmp.read("a"), "old");
    await assert.rejects(changing.writeFile("a", "again"), { code: "file.exists" });
  });
  assert.deepEqual([tmp.read("a"), tmp.read("deep/er/b")], ["new", "b"]);
  assert.equal(Deno.statSync(tmp.join("deep/er/b")).mode! & 0o777, 0o600);
  await assert.rejects(
    change(tmp.path, async (changing) => {
      await changing.intend({ op: "test", crl: { number: "01", tbs_sha256: "" } });
      await changing.writeFile("a", "never", { overwrite: true });
      throw new Error("no");
    }),
    /^Error: no$/,
  );
  assert.equal(tmp.read("a"), "new");
  assert.deepEqual([...Deno.readDirSync(tmp.join(".staging"))], []);
  assert.deepEqual((await records(tmp.path)).map(({ state }) => state), ["commit", "done", "intent", "undone"]);
});

Deno.test("recovery: what was decided is finished, and both plan and command say so", async () => {
  using tmp = tempFolder();
  await change(tmp.path, (changing) => changing.writeFile("a", "new"));
  const lines = tmp.read("journal.jsonl").split("\n");
  // as it is when the process ends right after the decision
  tmp.write("journal.jsonl", `${lines[0]}\n`);
  const { files } = JSON.parse(lines[0]!) as JournalRecord;
  Deno.renameSync(tmp.join("a"), tmp.join(files![0]!.from));
  tmp.write(".staging/litter", "x");
  const plan = await planRecovery(tmp.path, tmp.join(".lock"));
  assert.deepEqual(plan.steps.map(({ action }) => action), ["finish", "clean"]);
  const told = await change(tmp.path);
  assert.deepEqual(told, plan.steps.map(({ text }) => text));
  assert.match(told[0]!, /^The interrupted command "test" of 20.* was decided: finished$/);
  assert.equal(tmp.read("a"), "new");
  assert.deepEqual([...Deno.readDirSync(tmp.join(".staging"))], []);
  // its record is lost once more: nothing happens twice
  const [first] = tmp.read("journal.jsonl").split("\n");
  tmp.write("journal.jsonl", `${first}\n`);
  assert.match((await change(tmp.path)).join(), /finished/);
  assert.deepEqual((await planRecovery(tmp.path, tmp.join(".lock"))).steps, []);
  // somebody changed the file meanwhile
  tmp.write("journal.jsonl", `${first}\n`);
  tmp.write("a", "other");
  await assert.rejects(change(tmp.path), { code: "store.lost" });
});

Deno.test("recovery: an intent is undone when its owner has ended, and not before; a key is looked for", async () => {
  using tmp = tempFolder();
  const certificates = [{ serial: "0A", tbs_sha256: "" }];
  const guard = await takeGuard(tmp.path);
  {
    using journal = await Journal.open(tmp.path);
    await journal.append({ op: "issue", state: "intent", owner: guard.name, certificates });
    const keys = [{ config: "hsm.yaml", label: "k", key_id: "01", algorithm: "ecdsa-p256" }];
    await journal.append({ op: "rotate", state: "intent", owner: "0123", keys });
  }
  const told = await change(tmp.path);
  assert.equal(told.length, 1, "the living owner's intent is left alone");
  assert.match(told[0]!, /"rotate" of .* may have made the key "k" in the token of hsm.yaml: look for it/);
  assert.deepEqual(await change(tmp.path), [], "the key is told once");
  await guard[Symbol.asyncDispose]();
  assert.match(
    (await change(tmp.path)).join(),
    /certificate 0A\) came to nothing: undone; the serial number stays used/,
  );
  const { last } = await journalTail(tmp.path);
  assert.deepEqual(last?.open?.map(({ seq, owner }) => [seq, owner]), [[2, GONE]]);
  await change(tmp.path, (changing) => changing.undo([2]));
  assert.equal((await journalTail(tmp.path)).last?.open, undefined);
});

Deno.test("a busy folder has no plan", async () => {
  using tmp = tempFolder();
  await change(tmp.path, async (changing) => {
    await changing.intend({ op: "test" });
    const { steps, busy } = await planRecovery(tmp.path, tmp.join(".lock"));
    assert.deepEqual([steps, busy?.owner?.action], [[], "test"]);
  });
});
