/** The built file, however it was built: it runs alone, offline, and passes everything through. */
import assert from "node:assert/strict";
import { run } from "../support/cli.ts";
import { findExecutable, softhsmLibrary, testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { builtFile, startWaiting } from "./built.ts";

const binary = { needs: ["binary" as const] };

testWith("--version says version, way of building and Deno's version", binary, async () => {
  using built = builtFile();
  const result = await built.start(["--version"]);
  assert.match(
    result.stdout,
    /^qpki \d+\.\d+\.\d+ \((self-extracting|deno compile)(, commit [0-9a-f]{12}\+?)?, Deno 2\./,
  );
  assert.equal(result.code, 0);
});

testWith("exit statuses pass through", binary, async () => {
  using built = builtFile();
  const statuses: [string[], number][] = [
    [["--version"], 0],
    [["no-such-noun"], 2],
    [["hsm", "list", "--lib", "/nonexistent.so"], 3],
    [["inspect", "/nonexistent"], 4],
  ];
  for (const [args, status] of statuses) {
    const result = await built.start(args);
    assert.equal(result.code, status, `${args.join(" ")}: ${result.stderr}`);
  }
});

testWith("arguments pass through as they are", binary, async () => {
  using built = builtFile();
  for (const name of ["a  b", "*", "$HOME", "it's", 'say "x"', "ü", "-n"]) {
    const result = await built.start(["inspect", "--", name]);
    assert.ok(result.stderr.includes(`/${name}"`), result.stderr);
  }
});

testWith("standard input passes through, and the working folder stays", binary, async () => {
  using built = builtFile();
  const args = ["key", "generate", "-a", "ecdsa-p256", "--out", "key.pem", "--passphrase", "fd:0"];
  const made = await built.start(args, { cwd: built.folder.path, stdin: "pass word\n" });
  assert.equal(made.code, 0, made.stderr);
  assert.match(built.folder.read("key.pem"), /BEGIN ENCRYPTED PRIVATE KEY/);
  const right = await built.start(["key", "info", "key.pem", "--passphrase", "fd:0"], {
    cwd: built.folder.path,
    stdin: "pass word\n",
  });
  assert.equal(right.code, 0, right.stderr);
});

testWith("the profiles are inside", binary, async () => {
  using built = builtFile();
  const result = await built.start(["profile", "list"]);
  assert.equal(result.code, 0, result.stderr);
  for (const name of ["ec/root-ca", "rsa/tls-server", "rsa-pss/tls-server", "eidas/qc-web"]) {
    assert.ok(result.stdout.includes(name), name);
  }
});

testWith("it starts through a link on PATH, and with no PATH at all", binary, async () => {
  using built = builtFile();
  Deno.mkdirSync(built.folder.join("bin"));
  Deno.symlinkSync(built.path, built.folder.join("bin", "qpki"));
  const linked = await run("/bin/sh", ["-c", "qpki --version"], {
    clearEnv: true,
    env: { ...built.env, PATH: built.folder.join("bin") },
  });
  assert.equal(linked.code, 0, linked.stderr);
  const { PATH: _, ...withoutPath } = built.env;
  assert.equal((await built.start(["--version"], { env: withoutPath })).code, 0);
});

testWith("it reaches no network", {
  needs: ["binary", "root"],
  skip: findExecutable("unshare") ? undefined : "unshare is not on PATH",
}, async () => {
  using built = builtFile();
  const args = ["-n", built.path, "profile", "list"];
  const result = await run(findExecutable("unshare")!, args, { clearEnv: true, env: built.env });
  assert.equal(result.code, 0, result.stderr);
});

testWith("a token is used, and the environment of what the program starts is the caller's", {
  needs: ["binary", "softhsm"],
}, async () => {
  using built = builtFile();
  using token = softhsmToken();
  const script = built.folder.write(
    "pin.sh",
    `#!/bin/sh\n/usr/bin/env > "${built.folder.path}/seen"\necho ${token.pin}\n`,
    0o700,
  );
  const config = built.folder.write(
    "hsm.yaml",
    `type: pkcs11\npkcs11:\n  lib: ${softhsmLibrary()}\n  token: ${token.label}\n  pin_command: ["${script}"]\n`,
  );
  const own = {
    HOME: built.folder.join("home"),
    DENO_DIR: "/x",
    names: "1",
    dir: "2",
    cache: "3",
    base: "4",
    id: "5",
    CDPATH: "/",
  };
  const result = await built.start(["hsm", "test", "--hsm-config", config], {
    env: { ...built.env, ...own, SOFTHSM2_CONF: token.conf },
  });
  assert.equal(result.code, 0, result.stdout + result.stderr);
  const seen = new Set(built.folder.read("seen").split("\n"));
  for (const [name, value] of Object.entries({ ...own, PATH: built.env["PATH"]! })) {
    assert.ok(seen.has(`${name}=${value}`), name);
  }
});

testWith("an interrupt reaches the program: status 130", { needs: ["binary", "softhsm"] }, async () => {
  using built = builtFile();
  using token = softhsmToken();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const child = await startWaiting(built, token);
    child.kill(signal);
    const ended = await child.output();
    // a program that the signal itself had ended would show it
    assert.deepEqual([ended.code, ended.signal], [130, null], signal);
  }
});
