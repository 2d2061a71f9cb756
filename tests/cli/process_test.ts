import assert from "node:assert/strict";
import { VERSION } from "../../src/cli/version.ts";
import { qpkiCommand, ROOT, run, runCli, spawnCli } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";

const SHELL = qpkiCommand().map((word) => `'${word}'`).join(" ");

Deno.test("--version tells version, build and Deno, and is the version of deno.json", async () => {
  assert.equal(JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`)).version, VERSION);
  const plain = await runCli(["--version"]);
  assert.equal(plain.code, 0);
  assert.match(
    plain.stdout,
    new RegExp(`^qpki ${VERSION} \\((source|deno compile|self-extracting)\\b.*Deno \\d.*\\)\\n$`),
  );
  const json = JSON.parse((await runCli(["--version", "--json"])).stdout);
  assert.equal(json.version, VERSION);
  assert.ok(plain.stdout.includes(json.built) && plain.stdout.includes(json.deno));
});

Deno.test("a reader that goes away is no error; a full disk is", async () => {
  const gone = await run("bash", ["-c", `set -o pipefail; ${SHELL} ca init --help | true; echo "$?"`]);
  assert.equal(gone.stdout, "0\n");
  assert.equal(gone.stderr, "");
  if (Deno.build.os !== "linux") return; // /dev/full is Linux's
  const full = await run("bash", ["-c", `${SHELL} help exit-codes > /dev/full`]);
  assert.equal(full.code, 1);
  assert.match(full.stderr, /^error: Cannot write "standard output": no space left on device \(ENOSPC\)$/m);
});

Deno.test("a stack is shown with QPKI_DEBUG=1 only", async () => {
  const plain = await runCli(["hsm", "list", "--lib", "/nonexistent.so"]);
  assert.equal(plain.code, 3);
  assert.doesNotMatch(plain.stderr, /\.ts:\d+/);
  const debug = await runCli(["hsm", "list", "--lib", "/nonexistent.so"], { env: { QPKI_DEBUG: "1" } });
  assert.match(debug.stderr, /\.[jt]s:\d+/);
});

/** Sends `signals` to a command that waits for its PIN, and tells how it ended. */
async function interrupt(
  pinCommand: string,
  signals: Deno.Signal[],
): Promise<{ code: number; ms: number; stderr: string }> {
  using token = softhsmToken();
  const config = token.hsmYaml();
  const yaml = Deno.readTextFileSync(config).replace("pin_env: HSM_PIN", `pin_command: ${pinCommand}`);
  Deno.writeTextFileSync(config, yaml);
  const child = spawnCli(["key", "list", "--hsm-config", config], { env: token.env });
  await child.stdin.close();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let stderr = "";
  while (!stderr.includes("asked")) stderr += (await reader.read()).value ?? "";
  const start = performance.now();
  for (const signal of signals) {
    child.kill(signal);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const [{ code }] = await Promise.all([child.status, child.stdout.cancel()]);
  const ms = performance.now() - start;
  for (let part = await reader.read(); !part.done; part = await reader.read()) stderr += part.value;
  return { code, ms, stderr };
}

testWith("Ctrl-C, SIGTERM and a lost terminal end a waiting command with 130, and the token is closed", {
  needs: ["softhsm"],
}, async () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const { code, ms, stderr } = await interrupt(`[sh, -c, "echo asked >&2; exec sleep 20"]`, [signal]);
    assert.equal(code, 130);
    assert.ok(ms < 5000, `it took ${ms} ms`);
    assert.match(stderr, /^error: Interrupted$/m);
  }
});

testWith("a second Ctrl-C does not wait for the clean-up", { needs: ["softhsm"] }, async () => {
  const stubborn = `[sh, -c, "trap '' TERM; echo asked >&2; exec >&- 2>&-; sleep 6"]`;
  const { code, ms } = await interrupt(stubborn, ["SIGINT", "SIGINT"]);
  assert.equal(code, 130);
  assert.ok(ms < 4000, `it took ${ms} ms`);
});

testWith("a lost terminal does not end what nohup started", { needs: ["softhsm"] }, async () => {
  using token = softhsmToken();
  const config = token.hsmYaml();
  const pin = `pin_command: [sh, -c, "kill -HUP $PPID; sleep 0.3; echo ${token.pin}"]`;
  Deno.writeTextFileSync(config, Deno.readTextFileSync(config).replace("pin_env: HSM_PIN", pin));
  const [program, ...before] = qpkiCommand();
  const result = await run("nohup", [program!, ...before, "key", "list", "--hsm-config", config], { env: token.env });
  assert.equal(result.code, 0, result.stderr);
});
