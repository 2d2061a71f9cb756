import assert from "node:assert/strict";
import { tempFolder } from "../../tests/support/tmp.ts";
import { InputError } from "../errors.ts";
import { listProfiles, loadProfile, loadVarFile } from "./load.ts";
import { profileNames } from "./names.ts";
import { ProfileError } from "./types.ts";

function yaml(name: string, more = ""): string {
  return `name: ${name}\ndescription: mine\nalgorithm: ed25519\nvalidity: 1d\n${more}`;
}

Deno.test("a name finds the CA's profile first, then the built-in one", async () => {
  using tmp = tempFolder();
  const builtin = await loadProfile("ec/root-ca", { caDir: tmp.join("ca") });
  assert.equal(builtin.source, "default");
  assert.match(builtin.sha256, /^[0-9a-f]{64}$/);
  tmp.write("ca/profiles/ec/root-ca.yaml", yaml("anything"));
  tmp.write("ca/profiles/own.yml", yaml("own"));
  const custom = await loadProfile("ec/root-ca", { caDir: "ca", cwd: tmp.path });
  assert.equal(custom.source, "custom (overrides default)");
  assert.deepEqual([custom.name, custom.algorithms], ["ec/root-ca", ["ed25519"]]);
  assert.equal((await loadProfile("own", { caDir: tmp.join("ca") })).source, "custom");
  assert.equal((await loadProfile("ec/tls-server", { caDir: tmp.join("ca") })).source, "default");
});

Deno.test("a path loads the file, and its name is the one inside", async () => {
  using tmp = tempFolder();
  tmp.write("sub/p.yaml", yaml("inside"));
  tmp.write("sub/plain", yaml("plain"));
  for (const path of ["./sub/p.yaml", "sub/p.yaml", tmp.join("sub/p.yaml"), "sub/../sub/p.yaml"]) {
    const profile = await loadProfile(path, { cwd: tmp.path });
    assert.deepEqual([profile.name, profile.source], ["inside", path]);
  }
  assert.equal((await loadProfile("sub/plain", { cwd: tmp.path })).name, "plain");
  await assert.rejects(loadProfile("./none.yaml", { cwd: tmp.path }), { code: "file.not_found" });
  await assert.rejects(loadProfile("./sub", { cwd: tmp.path }), { code: "file.read" });
});

Deno.test("an unknown name is told with the nearest one", async () => {
  await assert.rejects(loadProfile("ec/tls-sever"), (error) => {
    assert(error instanceof InputError);
    assert.equal(error.code, "profile.unknown");
    assert.match(error.hint ?? "", /"ec\/tls-server"/);
    return true;
  });
  for (const name of ["", "..", "ec", "ec/", "ec/../ec/root-ca", "nothing/like/it"]) {
    await assert.rejects(loadProfile(name), InputError, name);
  }
});

Deno.test("listing is sorted, says where each comes from, and survives a broken file", async () => {
  using tmp = tempFolder();
  tmp.write("ca/profiles/ec/root-ca.yaml", yaml("ec/root-ca"));
  tmp.write("ca/profiles/zz.yaml", yaml("zz"));
  tmp.write("ca/profiles/aa.yaml", "nonsense: 1\n");
  tmp.write("ca/profiles/readme.txt", "not a profile");
  const profiles = await listProfiles({ caDir: tmp.join("ca") });
  const names = profiles.map((profile) => profile.name);
  assert.deepEqual(names, [...names].sort());
  assert.deepEqual(await profileNames(tmp.join("ca")), names);
  const source = (name: string) => profiles.find((profile) => profile.name === name)?.source;
  assert.equal(source("ec/root-ca"), "custom (overrides default)");
  assert.equal(source("zz"), "custom");
  assert.equal(source("ec/issuing-ca"), "default");
  assert(profiles.find((profile) => profile.name === "aa")!.error instanceof ProfileError);
  assert.equal(names.includes("readme"), false);
});

Deno.test("a file that is too large, not text, or without end is refused", async () => {
  using tmp = tempFolder();
  tmp.write("big.yaml", "#".repeat(1024 * 1024 + 1));
  tmp.write("latin.yaml", Uint8Array.of(0x6e, 0xe9));
  await assert.rejects(loadProfile("./big.yaml", { cwd: tmp.path }), { code: "file.too_large" });
  await assert.rejects(loadProfile("./latin.yaml", { cwd: tmp.path }), { code: "file.not_text" });
  if (Deno.build.os === "linux") await assert.rejects(loadVarFile("/dev/zero"), { code: "file.too_large" });
});

Deno.test("a variable file is YAML or JSON, and keeps numbers as written", async () => {
  using tmp = tempFolder();
  tmp.write("v.yaml", "cn: a.example\npostal_code: 01234\nqscd: true\ndns_names:\n  - a.example\n  - b.example\nou:\n");
  tmp.write("v.json", '{"cn": "a.example", "years": 3, "dns_names": ["a.example"]}');
  assert.deepEqual({ ...await loadVarFile("v.yaml", tmp.path) }, {
    cn: "a.example",
    postal_code: "01234",
    qscd: true,
    dns_names: ["a.example", "b.example"],
    ou: null,
  });
  assert.deepEqual({ ...await loadVarFile(tmp.join("v.json")) }, {
    cn: "a.example",
    years: "3",
    dns_names: ["a.example"],
  });
});

Deno.test("mistakes of a variable file have line and column", async () => {
  using tmp = tempFolder();
  const cases: readonly [text: string, message: RegExp][] = [
    ["cn: {a: b}\n", /v.yaml:1:5: a variable holds a scalar/],
    ["cn: a\ncn: b\n", /v.yaml:2:1: variable "cn" comes twice/],
    ["a-b: x\n", /v.yaml:1:1: "a-b" cannot name a variable/],
    ["- a\n", /v.yaml:1:1: the file must be a mapping/],
    ["cn: [[a]]\n", /v.yaml:1:6: a variable holds/],
    ["cn: 'a\n", /YAML/],
  ];
  for (const [text, message] of cases) {
    tmp.write("v.yaml", text);
    await assert.rejects(loadVarFile("v.yaml", tmp.path), (error) => {
      assert(error instanceof ProfileError && message.test(error.message), `${text}: ${error}`);
      assert.match(error.message, /^Cannot read variable file/);
      return true;
    });
  }
  await assert.rejects(loadVarFile("none.yaml", tmp.path), { code: "file.not_found" });
});
