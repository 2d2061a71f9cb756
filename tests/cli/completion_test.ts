import assert from "node:assert/strict";
import { keyRows } from "../../src/alg/find.ts";
import { completionScript, SHELLS } from "../../src/cli/completion.ts";
import { qpkiCommand, run } from "../support/cli.ts";
import { runInProcess } from "../support/in_process.ts";
import { findExecutable, testWith } from "../support/require.ts";
import { tempFolder } from "../support/tmp.ts";

async function candidates(...words: string[]): Promise<string[]> {
  const { status, stdout, stderr } = await runInProcess(["__complete", ...words]);
  assert.equal(status, 0);
  assert.equal(stderr, "");
  return stdout.split("\n").filter((line) => line !== "");
}

Deno.test("words are completed from the list of commands", async () => {
  assert.ok((await candidates("")).includes("key"));
  assert.deepEqual(await candidates("ke"), ["key"]);
  assert.ok((await candidates("key", "")).includes("generate"));
  assert.deepEqual(await candidates("key", "gen"), ["generate", "gen"]);
  assert.deepEqual(await candidates("hsm", "list", "--l"), ["--lib"]);
  assert.deepEqual(await candidates("hsm", "list", "--lib", "x", "--l"), [], "a flag is offered once");
  assert.deepEqual(await candidates("hsm", "list", "--lib", ""), [":files"]);
  assert.deepEqual(await candidates("ca", "info", "-d", ""), [":folders"]);
  assert.deepEqual(await candidates("completion", "z"), ["zsh"]);
  assert.deepEqual(await candidates("nothing", "x"), []);
  assert.deepEqual(await candidates("--json", "ke"), ["key"]);
});

Deno.test("names of algorithms, profiles and versions are completed", async () => {
  using tmp = tempFolder();
  assert.deepEqual(await candidates("key", "gen", "-a", ""), keyRows().map((row) => row.name));
  assert.deepEqual(await candidates("key", "gen", "--algorithm=ed2"), ["--algorithm=ed25519"]);
  assert.deepEqual(await candidates("key", "gen", "--algorithm", "=", "ed2"), ["ed25519"], "as bash splits it");
  assert.ok((await candidates("ca", "init", "--profile", "ec/")).includes("ec/root-ca"));
  tmp.write("ca/ca.meta.json", JSON.stringify({ versions: { v1: {}, v2: {} } }));
  const versions = await candidates("ca", "export", "-d", tmp.join("ca"), "--version", "");
  assert.deepEqual(versions, ["v1", "v2"]);
  assert.deepEqual(await candidates("ca", "export", "-d", tmp.join("none"), "--version", ""), []);
  const meta = { id: "alice", active: "v2", versions: { v1: {}, v2: {} } };
  tmp.write("creds/alice/credential.meta.json", JSON.stringify(meta));
  const creds = ["-c", tmp.join("creds")];
  assert.deepEqual(await candidates("credential", "activate", ...creds, ""), ["alice"]);
  assert.deepEqual(await candidates("credential", "activate", "alice", ...creds, "--version", ""), ["v1", "v2"]);
  assert.deepEqual(await candidates("credential", "activate", "bob", ...creds, "--version", ""), []);
});

Deno.test("flags with words of their own offer these and no others", async () => {
  const hybrid = await candidates("csr", "gen", "--hybrid", "");
  assert.ok(hybrid.includes("ml-dsa-65") && hybrid.includes("slh-dsa-sha2-128s"), hybrid.join());
  assert.deepEqual(hybrid.filter((name) => /kem|ecdsa|rsa/.test(name)), []);
  assert.deepEqual((await candidates("csr", "gen", "--composite", "")).sort(), ["ml-dsa-44", "ml-dsa-65", "ml-dsa-87"]);
  assert.ok((await candidates("cert", "revoke", "--reason", "")).includes("keyCompromise"));
  assert.deepEqual(await candidates("credential", "revoke", "x", "--reason", "sup"), ["superseded"]);
  assert.ok((await candidates("crl", "gen", "--algo", "")).includes("ml"));
});

Deno.test("each shell has its script", async () => {
  for (const shell of SHELLS) {
    const { status, stdout } = await runInProcess(["completion", shell]);
    assert.equal(status, 0);
    assert.equal(stdout, completionScript(shell));
    assert.match(stdout, /__complete/);
  }
});

/** A folder with a `qpki` that runs this program. */
function programFolder(tmp: { write(name: string, text: string, mode?: number): string; join(name: string): string }) {
  const words = qpkiCommand().map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  Deno.chmodSync(tmp.write("bin/qpki", `#!/bin/sh\nexec ${words} "$@"\n`), 0o755);
  return tmp.join("bin");
}

testWith("bash completes with the script", {
  ...(findExecutable("bash") ? {} : { skip: "bash is not on PATH" }),
}, async () => {
  using tmp = tempFolder();
  const bin = programFolder(tmp);
  tmp.write("work/hsm.yaml", "");
  const script = `
    source <(qpki completion bash) || exit 9
    try() {
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
      _qpki
      echo "\${COMPREPLY[*]}"
    }
    try qpki hs
    try qpki hsm me
    try qpki hsm list --hsm-config h
    try qpki key gen -a ed4
  `;
  const result = await run("bash", ["--norc", "-c", script], {
    env: { PATH: `${bin}:${Deno.env.get("PATH")}` },
    cwd: tmp.join("work"),
  });
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stdout, "hsm\nmechanisms\nhsm.yaml\ned448\n", result.stderr);
});

for (const shell of ["zsh", "fish"]) {
  testWith(`${shell} accepts its script`, {
    ...(findExecutable(shell) ? {} : { skip: `${shell} is not on PATH` }),
  }, async () => {
    using tmp = tempFolder();
    const path = tmp.write(`qpki.${shell}`, completionScript(shell as "zsh"));
    const result = await run(shell, ["-n", path]);
    assert.equal(result.code, 0, result.stderr);
  });
}
