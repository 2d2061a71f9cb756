import assert from "node:assert/strict";
import { describe, runCli, runOk } from "../support/cli.ts";
import { tempFolder } from "../support/tmp.ts";

Deno.test("a passphrase that is missing or cannot be had is told by the flag and the source", async () => {
  using tmp = tempFolder();
  const at = { cwd: tmp.path, env: { PASS: "Owl-1234" } };
  await runOk(["ca", "init", "-P", "ec/root-ca", "--var", "cn=Root", "--passphrase", "env:PASS", "-d", "ca"], at);
  await runOk(["key", "gen", "-a", "ed25519", "-o", "k.key", "--passphrase", "env:PASS"], at);
  const table: readonly [line: string, code: number, message: RegExp][] = [
    ["crl gen -d ca", 4, /hint: Give one with --ca-passphrase env:NAME/],
    ["credential enroll a -P ec/tls-client --var cn=A -d ca", 4, /hint: Give one with --ca-passphrase env:NAME/],
    ["ca init -P ec/issuing-ca --var cn=I --parent ca -d sub", 4, /hint: Give one with --parent-passphrase env:NAME/],
    ["key pub -k k.key", 4, /hint: Give one with --passphrase env:NAME/],
    ["crl gen -d ca --ca-passphrase fd:99", 4, /^error: Cannot take the passphrase from fd:99: the descriptor cannot/m],
    ["crl gen -d ca --ca-passphrase fd:9", 4, /from fd:9: the descriptor cannot be read/],
    ["key pub -k k.key --passphrase fd:1", 4, /from fd:1: the descriptor cannot be read/],
    ["key info k.key --passphrase fd:99", 4, /from fd:99: the descriptor cannot be read/],
    ["crl gen -d ca --ca-passphrase env:", 2, /from env:: that is no name of a variable/],
    ["crl gen -d ca --ca-passphrase env:A=B", 2, /that is no name of a variable/],
    ["key pub -k k.key --passphrase file:", 2, /that is no name of a file/],
  ];
  for (const [line, code, message] of table) {
    const result = await runCli(line.split(" "), at);
    assert.equal(result.code, code, describe(line, result));
    assert.match(result.stderr, message);
    assert.doesNotMatch(result.stderr, /Internal error/);
  }
});
