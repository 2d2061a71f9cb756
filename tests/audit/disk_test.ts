/** Disks that are full or read-only: what cannot be recorded does not happen. */
import assert from "node:assert/strict";
import { run, runCli, runOk } from "../support/cli.ts";
import { findExecutable, testWith } from "../support/require.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";
import { read, SERVER_REQUEST } from "./support.ts";

/** A small disk of its own. */
class Disk implements AsyncDisposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  static async mount(path: string, size: string): Promise<Disk> {
    Deno.mkdirSync(path);
    assert.equal((await run("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path])).code, 0);
    return new Disk(path);
  }

  async makeReadOnly(): Promise<void> {
    assert.equal((await run("mount", ["-o", "remount,ro", this.path])).code, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", [this.path]);
  }
}

/** Why no disk can be mounted here. */
function mountReason(): string | undefined {
  if (findExecutable("mount") === undefined) return "mount is not on PATH";
  using tmp = tempFolder();
  const { success } = new Deno.Command("mount", { args: ["-t", "tmpfs", "tmpfs", tmp.path], stderr: "null" })
    .outputSync();
  if (success) new Deno.Command("umount", { args: [tmp.path] }).outputSync();
  return success ? undefined : "tmpfs cannot be mounted";
}

const skip = Deno.build.os === "linux" && Deno.uid() === 0 ? mountReason() : undefined;

async function prepare(tmp: TempFolder) {
  const cwd = tmp.path;
  await runOk(["ca", "init", "--profile", "ec/root-ca", "--var", "cn=Root", "--ca-dir", "./ca"], { cwd });
  await runOk(SERVER_REQUEST, { cwd });
  return {
    issue: (log: string) =>
      runCli(["cert", "issue", "--ca-dir", "ca", "--profile", "ec/tls-server", "--csr", "s.csr", "--audit-log", log], {
        cwd,
      }),
    issued: () => tmp.read("ca/index.txt").trim().split("\n").filter((line) => line !== "").length,
    files: () => [...Deno.readDirSync(tmp.join("ca/issued"))].length,
  };
}

testWith("a log on a disk that fills up: every certificate is acknowledged, or said to be there, or does not exist", {
  needs: ["root"],
  skip,
}, async () => {
  using tmp = tempFolder();
  const { issue, issued, files } = await prepare(tmp);
  const before = { issued: issued(), files: files() };
  await using disk = await Disk.mount(tmp.join("disk"), "20k");
  const log = `${disk.path}/audit.jsonl`;
  let made = 0;
  let refused = 0;
  while (refused < 3) {
    const { code, stdout, stderr } = await issue(log);
    if (code === 0) {
      made++;
      assert.ok(stdout.startsWith("-----BEGIN CERTIFICATE-----"));
      continue;
    }
    refused++;
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(
      stderr,
      /^error: Cannot (write the audit log|record the outcome) .*no space left on device \(ENOSPC\)$/m,
    );
    if (stderr.includes("Cannot record the outcome")) {
      made++;
      assert.match(stderr, /hint: It was done as far as it got, and the log has its intent/);
    }
    assert.ok(made < 100);
  }
  assert.ok(made > 2, `${made} made`);
  assert.equal(issued() - before.issued, made);
  assert.equal(files() - before.files, made);
  assert.equal((await read(log)).problem, undefined);
});

testWith("a log that is read-only: nothing is done, and nothing is left", { needs: ["root"], skip }, async () => {
  using tmp = tempFolder();
  const { issue, issued, files } = await prepare(tmp);
  const before = { issued: issued(), files: files() };
  await using disk = await Disk.mount(tmp.join("disk"), "1m");
  const log = `${disk.path}/audit.jsonl`;
  assert.equal((await issue(log)).code, 0);
  await disk.makeReadOnly();
  const size = Deno.statSync(log).size;
  const refused = await issue(log);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^error: Cannot write the audit log ".*": read-only file system \(EROFS\)$/m);
  const init = [
    "ca",
    "init",
    "--profile",
    "ec/root-ca",
    "--var",
    "cn=Other",
    "--ca-dir",
    "./other",
    "--audit-log",
    log,
  ];
  assert.equal((await runCli(init, { cwd: tmp.path })).code, 1);
  assert.deepEqual([...Deno.readDirSync(tmp.path)].map(({ name }) => name).sort(), ["ca", "disk", "s.csr", "s.key"]);
  assert.equal(issued() - before.issued, 1);
  assert.equal(files() - before.files, 1);
  assert.equal(Deno.statSync(log).size, size);
  // it can still be read
  assert.equal((await runCli(["audit", "verify", "--log", log])).code, 0);
});

Deno.test(
  "a log that its owner made read-only",
  { ignore: Deno.build.os === "windows" || Deno.uid() === 0 },
  async () => {
    using tmp = tempFolder();
    const { issue, issued } = await prepare(tmp);
    const before = issued();
    tmp.write("audit.jsonl", "", 0o444);
    const { code, stderr } = await issue("audit.jsonl");
    assert.equal(code, 1);
    assert.match(stderr, /permission denied \(EACCES\)/);
    assert.equal(issued(), before);
  },
);
