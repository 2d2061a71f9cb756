import assert from "node:assert/strict";
import type { OperationError } from "../errors.ts";
import { stageCaFolder } from "./staging.ts";

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
}

Deno.test("staging: nothing is seen before the commit, and nothing stays without one", async () => {
  const top = await Deno.makeTempDir();
  {
    await using staging = await stageCaFolder(`${top}/a/b/ca`);
    await Deno.writeTextFile(`${staging.folder}/ca.meta.json`, "{}");
    assert.deepEqual(names(`${top}/a/b`).filter((name) => !name.startsWith(".")), []);
  }
  assert.deepEqual(names(top), []);
  {
    await using staging = await stageCaFolder(`${top}/a/b/ca/`);
    await Deno.writeTextFile(`${staging.folder}/ca.meta.json`, "{}");
    await staging.commit();
  }
  assert.deepEqual(names(`${top}/a/b`), ["ca"]);
  assert.deepEqual(names(`${top}/a/b/ca`), [".lock", "ca.meta.json", "journal.jsonl"]);
  await assert.rejects(stageCaFolder(`${top}/a/b/ca`), (error) => (error as OperationError).code === "ca.exists");
  await Deno.remove(top, { recursive: true });
});

Deno.test("staging: the operator's own files stay, parts of a CA are not replaced", async () => {
  const top = await Deno.makeTempDir();
  await Deno.mkdir(`${top}/ca/profiles`, { recursive: true });
  {
    await using staging = await stageCaFolder(`${top}/ca`);
    await Deno.writeTextFile(`${staging.folder}/ca.meta.json`, "{}");
    await Deno.writeTextFile(`${staging.folder}/index.txt`, "");
    await staging.commit();
  }
  assert.deepEqual(names(`${top}/ca`), [".lock", "ca.meta.json", "index.txt", "journal.jsonl", "profiles"]);

  await Deno.remove(`${top}/ca/ca.meta.json`);
  for (const name of [".lock", "journal.jsonl"]) await Deno.remove(`${top}/ca/${name}`);
  {
    await using staging = await stageCaFolder(`${top}/ca`);
    await Deno.writeTextFile(`${staging.folder}/ca.meta.json`, "{}");
    await Deno.writeTextFile(`${staging.folder}/index.txt`, "new");
    await assert.rejects(staging.commit(), (error) => /"index.txt" is already there/.test((error as Error).message));
  }
  assert.deepEqual(names(`${top}/ca`), ["index.txt", "profiles"]);
  assert.equal(await Deno.readTextFile(`${top}/ca/index.txt`), "");
  assert.deepEqual(names(top), ["ca"]);
  await Deno.remove(top, { recursive: true });
});

Deno.test("staging: of two at once one wins", async () => {
  const top = await Deno.makeTempDir();
  await using first = await stageCaFolder(`${top}/ca`);
  await using second = await stageCaFolder(`${top}/ca`);
  for (const staging of [first, second]) await Deno.writeTextFile(`${staging.folder}/ca.meta.json`, staging.folder);
  await second.commit();
  await assert.rejects(first.commit(), (error) => (error as OperationError).code === "ca.exists");
  assert.equal(await Deno.readTextFile(`${top}/ca/ca.meta.json`), second.folder);
  await Deno.remove(top, { recursive: true });
});
