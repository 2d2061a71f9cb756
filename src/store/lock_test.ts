import assert from "node:assert/strict";
import { OperationError } from "../errors.ts";
import { acquireLock, lockOwner, lockState } from "./lock.ts";

Deno.test("lock: one holder at a time, and the file says who", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/.lock`;
  {
    await using _held = await acquireLock(path, "test");
    const owner = await lockOwner(path);
    assert.equal(owner?.pid, Deno.pid);
    assert.equal(owner?.action, "test");
    const error = await acquireLock(path, "other", { timeoutMs: 50 }).then(() => undefined, (e) => e);
    assert.ok(error instanceof OperationError);
    assert.equal(error.code, "ca.locked");
    assert.match(error.message, new RegExp(`process ${Deno.pid} on .* since .* \\(test\\)`));
  }
  assert.equal(await lockOwner(path), undefined);
  await using _again = await acquireLock(path, "again", { timeoutMs: 50 });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("lock: critical sections do not overlap", async () => {
  const folder = await Deno.makeTempDir();
  let inside = 0;
  let most = 0;
  await Promise.all(Array.from({ length: 20 }, async () => {
    await using _lock = await acquireLock(`${folder}/.lock`, "count");
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 1));
    inside--;
  }));
  assert.equal(most, 1);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("lock: a killed holder leaves nothing behind", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/.lock`;
  const holder = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `const { acquireLock } = await import(${JSON.stringify(new URL("./lock.ts", import.meta.url).href)});
       globalThis.lock = await acquireLock(${JSON.stringify(path)}, "hang");
       console.log("held");
       setInterval(() => {}, 1000);`,
    ],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = holder.stdout.getReader();
  await reader.read();
  assert.equal((await lockOwner(path))?.pid, holder.pid);
  holder.kill("SIGKILL");
  await holder.status;
  await reader.cancel();
  assert.deepEqual((({ held, stale, owner }) => [held, stale, owner?.pid])(await lockState(path)), [
    false,
    true,
    holder.pid,
  ]);
  await using taken = await acquireLock(path, "take over", { timeoutMs: 2000 });
  assert.deepEqual([taken.abandonedBy?.pid, taken.abandonedBy?.action], [holder.pid, "hang"]);
  assert.equal((await lockOwner(path))?.pid, Deno.pid);
  assert.deepEqual((({ held, stale }) => [held, stale])(await lockState(path)), [true, false]);
  if (Deno.build.os !== "linux") return;
  // as when a child has inherited the lock, or a file server still holds it
  Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace(`:${Deno.pid},`, `:${holder.pid},`));
  await assert.rejects(acquireLock(path, "third", { timeoutMs: 20 }), /has ended: it is stale$/);
  await Deno.remove(folder, { recursive: true });
});
