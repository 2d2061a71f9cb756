import assert from "node:assert/strict";
import { needs, testWith } from "./require.ts";
import { run } from "./cli.ts";
import { softhsmToken } from "./softhsm.ts";
import { tempFolder } from "./tmp.ts";

Deno.test("a temporary folder goes even when it was made read-only", () => {
  let path: string;
  {
    using tmp = tempFolder();
    path = tmp.path;
    tmp.write("a/b/c", "text");
    Deno.chmodSync(tmp.join("a/b"), 0o500);
  }
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
});

Deno.test("needs() says nothing about nothing, and a reason about a missing tool", () => {
  assert.equal(needs(), undefined);
  const path = Deno.env.get("PATH") ?? "";
  try {
    Deno.env.set("PATH", "");
    assert.match(needs("openssl", "pkcs11-tool") ?? "", /openssl is not on PATH; pkcs11-tool/);
  } finally {
    Deno.env.set("PATH", path);
  }
});

Deno.test("run() passes input, status and a deadline", async () => {
  const result = await run("sh", ["-c", "cat; exit 7"], { stdin: "hello" });
  assert.deepEqual([result.code, result.stdout], [7, "hello"]);
  await assert.rejects(run("sh", ["-c", "exec sleep 20"], { timeout: 200 }), /killed after 200 ms/);
});

testWith("a token is isolated and seen by pkcs11-tool", { needs: ["softhsm", "pkcs11-tool"] }, async () => {
  using token = softhsmToken({ label: "mine" });
  using other = softhsmToken({ label: "theirs" });
  const result = await run("pkcs11-tool", ["--module", token.lib, "--list-token-slots"], { env: token.env });
  assert.match(result.stdout, /token label\s*: mine/);
  assert.doesNotMatch(result.stdout, /theirs/);
  assert.notEqual(token.conf, other.conf);
  assert.match(Deno.readTextFileSync(token.hsmYaml()), /^type: pkcs11\npkcs11:\n {2}lib: .*\n {2}token: "mine"\n/);
});
