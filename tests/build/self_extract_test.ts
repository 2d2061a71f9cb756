/** Unpacking of the self-extracting file: once, safely, whatever the folders are like and whoever else starts. */
import assert from "node:assert/strict";
import { findExecutable, testWith } from "../support/require.ts";
import { run } from "../support/cli.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { type BuiltFile, builtFile, eventually, isSelfExtracting, isThere, namesIn, startWaiting } from "./built.ts";

const settings = {
  needs: ["binary" as const],
  skip: await isSelfExtracting() || !Deno.env.get("QPKI_BIN") ? undefined : "the file was made by deno compile",
};

function mode(path: string): number {
  return Deno.lstatSync(path).mode! & 0o777;
}

/** The start must succeed and leave one intact unpacked folder, with nothing beside it. */
async function assertWorks(built: BuiltFile): Promise<void> {
  const result = await built.start(["profile", "list"]);
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stderr, "");
  assert.match(result.stdout, /ec\/root-ca/);
  assert.deepEqual(namesIn(built.unpacked()), ["deno_dir", "files"]);
}

testWith("it unpacks once, for the owner only", settings, async () => {
  using built = builtFile();
  await assertWorks(built);
  const first = built.unpacked();
  for (const path of [built.base, first, `${first}/files`, `${first}/files/app`]) assert.equal(mode(path), 0o700, path);
  assert.equal(mode(`${first}/files/app/main.js`), 0o600);
  const inode = Deno.statSync(`${first}/files/deno`).ino;
  await assertWorks(built);
  assert.equal(Deno.statSync(`${built.unpacked()}/files/deno`).ino, inode);
});

testWith("several first starts at once all work, and leave one folder", settings, async () => {
  using built = builtFile();
  const results = await Promise.all(Array.from({ length: 4 }, () => built.start(["profile", "list"])));
  for (const result of results) assert.deepEqual([result.code, result.stderr], [0, ""]);
  assert.deepEqual(namesIn(built.unpacked()), ["deno_dir", "files"]);
});

testWith("what is damaged is unpacked again", settings, async (t) => {
  using built = builtFile();
  await assertWorks(built);
  const files = `${built.unpacked()}/files`;
  const damages: [string, () => void][] = [
    ["a chunk cut off", () => Deno.truncateSync(`${files}/app/main.js`, 10)],
    ["a chunk emptied", () => Deno.truncateSync(`${files}/app/main.js`, 0)],
    ["a profile removed", () => Deno.removeSync(`${files}/profiles/ec/root-ca.yaml`)],
    ["a profile written to", () => Deno.writeTextFileSync(`${files}/profiles/ec/root-ca.yaml`, "#", { append: true })],
    ["Deno cut off", () => Deno.truncateSync(`${files}/deno`, 4096)],
    ["Deno not executable", () => Deno.chmodSync(`${files}/deno`, 0o600)],
    ["koffi removed", () => Deno.removeSync(`${files}/native/koffi.node`)],
    ["a folder removed", () => Deno.removeSync(`${files}/app`, { recursive: true })],
    ["all files removed", () => Deno.removeSync(files, { recursive: true })],
    ["a file instead of the folder", () => {
      const path = built.unpacked();
      Deno.removeSync(path, { recursive: true });
      Deno.writeTextFileSync(path, "");
    }],
    ["same size, other content", () => {
      const path = `${files}/app/main.js`;
      Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace(/^import/, "impart"));
    }],
  ];
  for (const [name, damage] of damages) {
    await t.step(name, async () => {
      damage();
      await assertWorks(built);
    });
  }
});

testWith("several starts repair a damaged folder at once", settings, async () => {
  using built = builtFile();
  await assertWorks(built);
  Deno.truncateSync(`${built.unpacked()}/files/deno`, 4096);
  const results = await Promise.all(Array.from({ length: 4 }, () => built.start(["profile", "list"])));
  for (const result of results) assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(namesIn(built.unpacked()), ["deno_dir", "files"]);
});

testWith("QPKI_VERIFY=1 finds what size and date hide", settings, async () => {
  using built = builtFile();
  await assertWorks(built);
  const path = `${built.unpacked()}/files/profiles/ec/root-ca.yaml`;
  const { mtime } = Deno.statSync(path);
  const text = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(path, text.replace("Root CA", "Rott CA"));
  Deno.utimeSync(path, mtime!, mtime!);
  const env = { ...built.env, QPKI_VERIFY: "1" };
  assert.equal((await built.start(["profile", "list"], { env })).code, 0);
  assert.equal(Deno.readTextFileSync(path), text);
  const { ino } = Deno.statSync(path);
  assert.equal((await built.start(["profile", "list"], { env })).code, 0);
  assert.equal(Deno.statSync(path).ino, ino, "an intact folder stays");
});

testWith("a folder that others may write to, or that belongs to another, is refused", settings, async (t) => {
  const cases: [string, (built: BuiltFile) => void, RegExp, boolean][] = [
    ["group-writable", (built) => Deno.chmodSync(built.base, 0o770), /others may write to /, false],
    ["another's", (built) => Deno.chownSync(built.base, 12345, 12345), /belongs to another user/, true],
    [
      "a link to another's",
      (built) => {
        Deno.renameSync(built.base, `${built.base}-real`);
        Deno.chownSync(`${built.base}-real`, 12345, 12345);
        Deno.symlinkSync(`${built.base}-real`, built.base);
      },
      /belongs to another user/,
      true,
    ],
  ];
  for (const [name, prepare, reason, root] of cases) {
    await t.step({
      name,
      ignore: root && Deno.uid() !== 0,
      async fn() {
        using built = builtFile();
        await assertWorks(built);
        prepare(built);
        await assertPrivate(built, built.env, reason);
      },
    });
  }
});

testWith("a folder below that others may write to is replaced", settings, async () => {
  using built = builtFile();
  await assertWorks(built);
  const files = `${built.unpacked()}/files`;
  Deno.chmodSync(files, 0o777);
  await assertWorks(built);
  assert.equal(mode(files), 0o700);
});

/** The start works from a private folder, says why, and leaves nothing behind. */
async function assertPrivate(built: BuiltFile, env: Record<string, string>, reason: RegExp): Promise<void> {
  const result = await built.start(["profile", "list"], { env });
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /ec\/root-ca/);
  assert.match(result.stderr, /^warning: qpki is unpacked for this run only: .*\n$/);
  assert.match(result.stderr, reason);
  assert.equal((await built.start(["no-such-noun"], { env })).code, 2);
  await eventually(() => namesIn(built.folder.join("tmp")).length === 0, "the private folder is removed");
}

testWith("without HOME it works from a private folder, which is removed", settings, async () => {
  using built = builtFile();
  const { HOME: _, XDG_CACHE_HOME: __, ...env } = built.env;
  await assertPrivate(built, env, /neither XDG_CACHE_HOME nor HOME/);
  await assertPrivate(built, { ...env, HOME: "" }, /neither XDG_CACHE_HOME nor HOME/);
  await assertPrivate(built, { ...env, HOME: "/nonexistent/home/of/nobody" }, /HOME names no folder/);
  await assertPrivate(built, { ...env, HOME: "relative" }, /neither XDG_CACHE_HOME nor HOME/);
});

testWith("a HOME that is a file, or read-only, is no obstacle", settings, async () => {
  using built = builtFile();
  const { XDG_CACHE_HOME: _, ...env } = built.env;
  await assertPrivate(built, { ...env, HOME: built.path }, /HOME names no folder/);
  if (Deno.uid() !== 0) {
    Deno.chmodSync(built.folder.join("home"), 0o500);
    await assertPrivate(built, env, /cannot be made/);
  }
});

testWith("a read-only file system is no obstacle, neither before nor after unpacking", {
  ...settings,
  needs: ["binary", "root"],
  skip: settings.skip ?? (findExecutable("unshare") ? undefined : "unshare is not on PATH"),
}, async () => {
  using built = builtFile();
  const cache = built.folder.join("cache");
  const readOnly =
    `mount --bind ${cache} ${cache} && mount -o remount,ro,bind ${cache} && exec ${built.path} profile list`;
  const start = () =>
    run(findExecutable("unshare")!, ["-m", "/bin/sh", "-c", `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${readOnly}`], {
      clearEnv: true,
      env: built.env,
    });
  const before = await start();
  assert.equal(before.code, 0, before.stderr);
  assert.match(before.stderr, /cannot be made/);
  await assertWorks(built);
  const after = await start();
  assert.deepEqual([after.code, after.stderr], [0, ""]);
});

testWith("a cache where programs may not run is no obstacle", {
  ...settings,
  needs: ["binary", "root"],
  skip: settings.skip ?? (findExecutable("unshare") ? undefined : "unshare is not on PATH"),
}, async () => {
  using built = builtFile();
  const script = `mount -t tmpfs -o noexec,size=300m none ${
    built.folder.join("cache")
  } && exec ${built.path} --version`;
  const result = await run(
    findExecutable("unshare")!,
    ["-m", "/bin/sh", "-c", `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${script}`],
    { clearEnv: true, env: built.env },
  );
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stderr, /may not run/);
});

testWith("the private folder goes even when the program is killed", {
  ...settings,
  needs: ["binary", "softhsm"],
}, async () => {
  using built = builtFile();
  using token = softhsmToken();
  const { HOME: _, XDG_CACHE_HOME: __, ...env } = built.env;
  for (const [signal, status] of [["SIGINT", 130], ["SIGKILL", 137]] as const) {
    const child = await startWaiting(built, token, env);
    child.kill(signal);
    assert.equal((await child.output()).code, status);
    await eventually(() => namesIn(built.folder.join("tmp")).length === 0, `removed after ${signal}`);
  }
});

testWith("a cut-off or damaged file says so, and does not run", settings, async (t) => {
  const bytes = await Deno.readFile(Deno.realPathSync(Deno.env.get("QPKI_BIN")!));
  const pack = indexOf(bytes, '{"folders":');
  const cases: [string, (copy: Uint8Array) => Uint8Array][] = [
    ["without its end", (copy) => copy.subarray(0, copy.length - 1000)],
    ["without Deno", (copy) => copy.subarray(0, 200_000)],
    ["a packed file changed", (copy) => flip(copy, indexOf(copy, "basicConstraints:"))],
    ["the list of files changed", (copy) => flip(copy, pack)],
    ["Deno changed where nothing is run", (copy) => flip(copy, copy.length - 1)],
  ];
  for (const [name, change] of cases) {
    await t.step(name, async () => {
      using built = builtFile();
      const copy = built.folder.write("qpki", change(bytes.slice()), 0o755);
      const result = await run(copy, ["--version"], { clearEnv: true, env: built.env });
      assert.equal(result.code, 1, result.stdout);
      assert.match(
        result.stderr,
        /^error: Cannot unpack qpki: .*qpki is cut off or damaged\nhint: Get the file again\n$/,
      );
      assert.equal(result.stdout, "");
      assert.deepEqual(isThere(built.base) ? namesIn(built.base) : [], []);
    });
  }
});

testWith("what an interrupted start left is cleared away", settings, async () => {
  using built = builtFile();
  for (const [name, hours] of [["new.old", 2], ["new.recent", 0]] as const) {
    Deno.mkdirSync(`${built.base}/${name}`, { recursive: true, mode: 0o700 });
    const time = new Date(Date.now() - hours * 3_600_000);
    Deno.utimeSync(`${built.base}/${name}`, time, time);
  }
  assert.equal((await built.start(["--version"])).code, 0);
  assert.deepEqual(namesIn(built.base).filter((name) => name.startsWith("new.")), ["new.recent"]);
});

function flip(bytes: Uint8Array, at: number): Uint8Array {
  bytes[at]! ^= 1;
  return bytes;
}

function indexOf(bytes: Uint8Array, text: string): number {
  const at = new TextDecoder("latin1").decode(bytes.subarray(0, 4_000_000)).indexOf(text);
  if (at < 0) throw new Error(`"${text}" is not in the file`);
  return at;
}
