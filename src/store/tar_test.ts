import assert from "node:assert/strict";
import { type Bytes, concatBytes, randomBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { run } from "../../tests/support/cli.ts";
import { testWith } from "../../tests/support/require.ts";
import { tempFolder } from "../../tests/support/tmp.ts";
import { isTarPath, readTar, type TarEntry, writeTar } from "./tar.ts";

const text = (value: string): Bytes => new TextEncoder().encode(value);
const ENTRIES: TarEntry[] = [
  { path: "a", mode: 0o755 },
  { path: "a/empty", mode: 0o644, content: text("") },
  { path: "a/block", mode: 0o600, content: randomBytes(512) },
  { path: "a/é", mode: 0o644, content: text("x") },
  { path: "a/" + "b".repeat(98), mode: 0o700 },
  { path: "a/" + "b".repeat(98) + "/" + "c".repeat(99), mode: 0o644, content: randomBytes(1000) },
];

Deno.test("tar: what was written is read, and the same entries are the same bytes", () => {
  const archive = writeTar(ENTRIES);
  assert.deepEqual(readTar(archive), ENTRIES);
  assert.deepEqual(writeTar(readTar(archive)), archive);
  assert.deepEqual(readTar(writeTar([])), []);
  assert.throws(() => writeTar([{ path: "x".repeat(300), mode: 0o644 }]), { code: "archive.path" });
});

testWith("tar: the system's tar reads it", { skip: Deno.build.os === "windows" ? "no tar" : undefined }, async () => {
  using tmp = tempFolder();
  Deno.writeFileSync(tmp.join("x.tar"), writeTar(ENTRIES));
  Deno.mkdirSync(tmp.join("out"));
  const result = await run("tar", ["-xpf", "x.tar", "-C", "out"], { cwd: tmp.path });
  assert.equal(result.code, 0, result.stderr);
  for (const { path, mode, content } of ENTRIES) {
    assert.equal(Deno.statSync(tmp.join("out", path)).mode! & 0o777, mode, path);
    if (content) assert.deepEqual(Deno.readFileSync(tmp.join("out", path)), content);
  }
});

Deno.test("tar: paths that would leave the folder or the terminal", () => {
  const bad = ["", "/a", "a//b", "a/", "../a", "a/../b", "..", ".", "a/.", "a\\b", "a\nb", "a\0", "\ud800"];
  for (const path of bad) assert.equal(isTarPath(path), false, path);
  for (const path of ["a", "a/b.c", "...", ".a", "issued/0A.pem", "é"]) assert.equal(isTarPath(path), true, path);
});

/** A header with its checksum set right again. */
function tampered(change: (block: Bytes) => void, entry: TarEntry = ENTRIES[1]!): Bytes {
  const archive = writeTar([ENTRIES[0]!, { ...entry }]);
  const block = archive.subarray(512, 1024);
  change(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(text(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return archive;
}

function put(block: Bytes, at: number, value: string): void {
  block.set(text(value), at);
}

Deno.test("tar: hostile archives are refused at the byte that is wrong", () => {
  const archive = writeTar(ENTRIES);
  const cases: [name: string, archive: Bytes, reason: RegExp][] = [
    ["nothing", new Uint8Array(), /ends/],
    ["text", text("hello"), /ends/],
    ["noise", randomBytes(1024), /type|path|UTF-8|octal|header/],
    ["cut in a header", archive.subarray(0, 700), /ends/],
    ["cut in a content", archive.subarray(0, 512 * 3 + 100), /ends in the middle/],
    ["without end", archive.subarray(0, archive.length - 1024), /ends/],
    ["with half an end", archive.subarray(0, archive.length - 512), /two blocks/],
    ["with more behind it", concatBytes(archive, new Uint8Array(512)), /two blocks/],
    ["with another archive behind it", concatBytes(archive, archive), /two blocks/],
    ["symbolic link", tampered((block) => put(block, 156, "2")), /type "2"/],
    ["hard link", tampered((block) => put(block, 156, "1")), /type "1"/],
    ["device", tampered((block) => put(block, 156, "3")), /type "3"/],
    ["pipe", tampered((block) => put(block, 156, "6")), /type "6"/],
    ["pax header", tampered((block) => put(block, 156, "x")), /type "x"/],
    ["global pax header", tampered((block) => put(block, 156, "g")), /type "g"/],
    ["long name of GNU", tampered((block) => put(block, 156, "L")), /type "L"/],
    ["old type", tampered((block) => block[156] = 0), /type/],
    ["absolute", tampered((block) => put(block, 0, "/etc/passwd\0")), /no path/],
    ["above", tampered((block) => put(block, 0, "../evil\0")), /no path/],
    ["above, within", tampered((block) => put(block, 0, "a/../../evil\0")), /no path/],
    ["above, in the prefix", tampered((block) => put(block, 345, "../..\0")), /no path/],
    ["backslash", tampered((block) => put(block, 0, "a\\evil\0")), /no path/],
    ["control character", tampered((block) => put(block, 0, "a/\x1b[2J\0")), /no path/],
    ["no name", tampered((block) => block.fill(0, 0, 100)), /no path/],
    ["not UTF-8", tampered((block) => block[3] = 0xff), /UTF-8/],
    ["file with a slash", tampered((block) => put(block, 0, "a/empty/\0")), /no path/],
    ["a folder that is not there", tampered((block) => put(block, 0, "b/empty\0")), /before its folder/],
    ["below a file", writeTar([ENTRIES[1]!, { path: "a/empty/x", mode: 0o644 }]), /before its folder/],
    ["twice", writeTar([ENTRIES[0]!, ENTRIES[1]!, ENTRIES[1]!]), /twice/],
    ["file and folder of one name", writeTar([ENTRIES[0]!, { path: "a", mode: 0o644, content: text("") }]), /twice/],
    ["link name", tampered((block) => put(block, 157, "/etc/passwd")), /header/],
    ["owner", tampered((block) => put(block, 108, "0000001")), /header/],
    ["owner's name", tampered((block) => put(block, 265, "root")), /header/],
    ["time", tampered((block) => put(block, 136, "00000000001")), /header/],
    ["magic of GNU", tampered((block) => put(block, 257, "ustar  \0")), /header/],
    ["padding", tampered((block) => block[511] = 1), /header/],
    ["set-uid", tampered((block) => put(block, 100, "0004755")), /header/],
    ["size in base 256", tampered((block) => block[124] = 0x80), /UTF-8|octal/],
    ["size beyond the end", tampered((block) => put(block, 124, "77777777777")), /ends in the middle/],
    ["size that hides", tampered((block) => put(block, 124, "00000000001"), ENTRIES[2]), /hides/],
    ["folder with a size", tampered((block) => put(block, 124, "00000000001"), ENTRIES[4]), /header/],
  ];
  for (const [name, bytes, reason] of cases) {
    assert.throws(() => readTar(bytes), (error) => {
      assert.ok(error instanceof InputError, `${name}: ${error}`);
      assert.equal(error.code, "archive.invalid", name);
      assert.match(error.message, reason, name);
      assert.ok(error.offset !== undefined && error.offset <= bytes.length, name);
      return true;
    }, name);
  }
  // a checksum alone
  const wrong = writeTar(ENTRIES);
  wrong[148]! ^= 1;
  assert.throws(() => readTar(wrong), { code: "archive.invalid" });
});

Deno.test("tar: no flipped bit goes unnoticed outside of contents", () => {
  const archive = writeTar(ENTRIES.slice(0, 2));
  for (let i = 0; i < archive.length; i++) {
    for (const bit of [1, 0x80]) {
      const changed = archive.slice();
      changed[i]! ^= bit;
      assert.throws(() => readTar(changed), { code: "archive.invalid" }, `byte ${i}`);
    }
  }
});
