import assert from "node:assert/strict";
import { tempFolder } from "../tests/support/tmp.ts";
import { readFileBytes, readFileText, writeFileDurably } from "./files.ts";

const posix = Deno.build.os !== "windows";

Deno.test("a file is written whole with its mode, and replaced only when that is asked for", async () => {
  using tmp = tempFolder();
  const path = tmp.join("key");
  await writeFileDurably(path, "one", { mode: 0o600 });
  if (posix) assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  await assert.rejects(writeFileDurably(path, "two"), { code: "file.exists" });
  assert.equal(await readFileText(path), "one");
  await writeFileDurably(path, "three", { overwrite: true });
  assert.equal(await readFileText(path), "three");
  assert.deepEqual([...Deno.readDirSync(tmp.path)].map(({ name }) => name), ["key"], "a temporary file is left");
});

Deno.test({
  name: "what the system refuses is told in its own words, without the call and the temporary file",
  ignore: !posix,
  fn: async () => {
    using tmp = tempFolder();
    const file = tmp.write("file", "x");
    const cases: [path: string, reason: string][] = [
      [tmp.join("nowhere/x"), "no such file or folder (ENOENT)"],
      [`${file}/x`, "not a directory (ENOTDIR)"],
      [tmp.join("x".repeat(300)), "file name too long (ENAMETOOLONG)"],
    ];
    for (const [path, reason] of cases) {
      await assert.rejects(writeFileDurably(path, ""), { message: `Cannot write "${path}": ${reason}` });
    }
    await assert.rejects(readFileBytes(`${file}/x`), { message: `Cannot read "${file}/x": not a directory (ENOTDIR)` });
    await assert.rejects(readFileBytes(tmp.path), { message: /it is a folder/, code: "file.read" });
  },
});

Deno.test({
  name: "a device or a folder is never replaced by a file, whoever asks",
  ignore: !posix,
  fn: async () => {
    using tmp = tempFolder();
    const overwrite = { overwrite: true };
    await assert.rejects(writeFileDurably("/dev/null", "x", overwrite), { message: /not a regular file/ });
    await assert.rejects(writeFileDurably(tmp.path, "x", overwrite), { message: /it is a folder/ });
    Deno.symlinkSync("/dev/null", tmp.join("link"));
    await assert.rejects(writeFileDurably(tmp.join("link"), "x", overwrite), { message: /not a regular file/ });
    assert.ok(Deno.statSync("/dev/null").isCharDevice);
  },
});

Deno.test({
  name: "a pipe is read to its end, and a source without end is not read for ever",
  ignore: !posix,
  fn: async () => {
    using tmp = tempFolder();
    assert.equal((await readFileBytes("/dev/null")).length, 0);
    const pipe = tmp.join("pipe");
    assert.ok(new Deno.Command("mkfifo", { args: [pipe] }).outputSync().success);
    const text = "certificate\n".repeat(20_000);
    const [read] = await Promise.all([readFileText(pipe), Deno.writeTextFile(pipe, text)]);
    assert.equal(read, text);
    await assert.rejects(readFileBytes("/dev/zero"), { code: "file.too_large" });
  },
});
