import assert from "node:assert/strict";
import { runInProcess } from "../../../../tests/support/in_process.ts";
import { tempFolder } from "../../../../tests/support/tmp.ts";

const BAD = "name: bad\nalgorithim: ecdsa-p256\nvalidity: 1d\n";
const FAULTY = "name: faulty\nalgorithm: ecdsa-p256\nvalidity: 1d\nsubject: {cn: x}\n" +
  "extensions: {keyUsage: {values: [keyEncipherment]}}\n";

async function run(cwd: string, ...argv: string[]) {
  return await runInProcess(["profile", ...argv], { cwd, now: new Date("2026-11-21T00:00:00Z") });
}

// deno-lint-ignore no-explicit-any -- what a test reads from JSON
async function json(cwd: string, ...argv: string[]): Promise<any> {
  const result = await run(cwd, ...argv, "--json");
  assert.equal(result.status, 0, result.stderr);
  return JSON.parse(result.stdout);
}

Deno.test("profile list: sorted, twice the same, with the source of each", async () => {
  using tmp = tempFolder();
  const first = await run(tmp.path, "list");
  assert.equal(first.status, 0, first.stderr);
  assert.match(first.stdout, /^NAME +ALGORITHM +SOURCE +DESCRIPTION\nec\/code-signing +ecdsa-p256 +default +/);
  assert.equal((await run(tmp.path, "list")).stdout, first.stdout);
  tmp.write("ca/profiles/ec/tls-server.yaml", "name: x\nalgorithm: ed25519\nvalidity: 1d\n");
  tmp.write("ca/profiles/mine.yaml", "name: mine\nalgorithm: ed25519\nvalidity: 1d\n");
  tmp.write("ca/profiles/bad.yaml", BAD);
  for (const flag of ["--dir", "--ca-dir", "-d"]) {
    const { stdout, stderr } = await run(tmp.path, "list", flag, "./ca");
    assert.match(stdout, /^ec\/tls-server +ed25519 +custom \(overrides default\)/m);
    assert.match(stdout, /^mine +ed25519 +custom/m);
    assert.match(stdout, /^bad +- +custom +\(cannot be used\)/m);
    assert.match(stdout, /^ec\/root-ca +ecdsa-p384 +default/m);
    assert.match(stderr, /warning: Profile "bad" cannot be used/);
  }
  const { profiles } = await json(tmp.path, "list");
  const names = profiles.map((one: { name: string }) => one.name);
  assert.deepEqual(names, [...names].sort());
  assert.match(
    profiles.find((one: { name: string }) => one.name === "bad").error,
    /bad\.yaml:1:1: "algorithm" is missing/,
  );
});

Deno.test("profile info, vars and show in text and JSON", async () => {
  using tmp = tempFolder();
  const info = await run(tmp.path, "info", "rsa-pss/tls-server");
  assert.match(info.stdout, /^Signature: +rsassa-pss, SHA-256$/m);
  assert.match(info.stdout, /^ {2}keyUsage: critical, values digitalSignature$/m);
  assert.match(info.stdout, /^Required: +cn$/m);
  const data = await json(tmp.path, "info", "ec/root-ca");
  assert.deepEqual(data.algorithms, ["ecdsa-p384"]);
  assert.deepEqual(data.extensions.basic_constraints, { critical: true, ca: true, path_len: 1 });

  const vars = await run(tmp.path, "vars", "ec/tls-server");
  assert.match(vars.stdout, /^NAME +TYPE +REQUIRED +DEFAULT +CONSTRAINTS +DESCRIPTION$/m);
  assert.match(vars.stdout, /^cn +dns_name +yes +- +wildcard_allowed=true/m);
  assert.match(vars.stdout, /^validity +duration +no +365d/m);
  const { variables } = await json(tmp.path, "vars", "ec/tls-server");
  assert.deepEqual(variables[0], {
    name: "cn",
    type: "dns_name",
    required: true,
    default: null,
    description: "Main host name of the server; a star may stand for its first label",
    constraints: { wildcard_allowed: true, forbid_public_suffix: true },
  });

  const show = await run(tmp.path, "show", "ec/root-ca");
  const source = await Deno.readTextFile(new URL("../../../../profiles/ec/root-ca.yaml", import.meta.url));
  assert.equal(show.stdout, source);
  assert.equal((await json(tmp.path, "show", "ec/root-ca")).yaml, source);
});

Deno.test("profile export: to stdout, to a file, all; what is there stays without --overwrite", async () => {
  using tmp = tempFolder();
  assert.match((await run(tmp.path, "export", "ec/tls-server")).stdout, /^name: ec\/tls-server$/m);
  assert.match((await run(tmp.path, "export", "ec/tls-server", "-")).stdout, /^name: ec\/tls-server$/m);
  assert.match(
    (await run(tmp.path, "export", "ec/tls-server", "./my.yaml")).stdout,
    /Wrote ec\/tls-server to \.\/my\.yaml/,
  );
  const again = await run(tmp.path, "export", "ec/root-ca", "my.yaml");
  assert.equal(again.status, 1);
  assert.match(again.stderr, /the file exists[\s\S]*--overwrite/);
  for (const flag of ["--overwrite", "--force"]) {
    assert.equal((await run(tmp.path, "export", "ec/root-ca", "my.yaml", flag)).status, 0);
  }
  assert.match(tmp.read("my.yaml"), /^name: ec\/root-ca$/m);
  assert.equal((await run(tmp.path, "info", "./my.yaml")).status, 0);

  const all = await json(tmp.path, "export", "--all", "./out/");
  assert.match(tmp.read("out/rsa-pss/tls-server.yaml"), /^name: rsa-pss/m);
  assert.equal(all.profiles[0].file, "./out/ec/code-signing.yaml");
  assert.equal((await run(tmp.path, "export", "--all", "out")).status, 1);
  assert.equal((await run(tmp.path, "export", "--all", "out", "--overwrite")).status, 0);
  assert.equal((await run(tmp.path, "export", "--all", "out", "more")).status, 2);
  assert.equal((await run(tmp.path, "export")).status, 2);
});

Deno.test("profile install copies the built-in profiles and keeps what is there", async () => {
  using tmp = tempFolder();
  tmp.write("ca/profiles/ec/tls-server.yaml", "name: mine\nalgorithm: ed25519\nvalidity: 1d\n");
  const { installed, kept } = await json(tmp.path, "install", "--dir", "ca");
  assert.deepEqual(kept, ["ec/tls-server"]);
  assert(installed.includes("ec/root-ca") && !installed.includes("ec/tls-server"));
  assert.match(tmp.read("ca/profiles/ec/tls-server.yaml"), /ed25519/);
  assert.match(tmp.read("ca/profiles/eidas/qc-web.yaml"), /^name: eidas\/qc-web$/m);
  assert.match((await run(tmp.path, "install", "-d", "ca")).stdout, /Installed 0 profiles .*kept/);
  assert.deepEqual((await json(tmp.path, "install", "-d", "ca", "--overwrite")).kept, []);
  assert.match(tmp.read("ca/profiles/ec/tls-server.yaml"), /ecdsa-p256/);
});

Deno.test("profile lint: 0 without errors, 1 with errors, 4 for what cannot be read; validate is the same", async () => {
  using tmp = tempFolder();
  tmp.write("bad.yaml", BAD);
  tmp.write("faulty.yaml", FAULTY);
  const cases: readonly [status: number, stdout: RegExp, targets: string[]][] = [
    [0, /^ec\/root-ca: no findings$/m, ["ec/root-ca"]],
    [0, /^ec\/tls-server:23:1: warning: .*\(CA\/Browser Forum BR 6\.3\.2\) \[cabf\.validity\]$/m, ["ec/tls-server"]],
    [1, /^faulty\.yaml:5:14: error: keyUsage keyEncipherment .*\[key_usage\.key_type\]$/m, ["faulty.yaml"]],
    [4, /^bad\.yaml:2:1: error: unknown key "algorithim" \(did you mean "algorithm"\?\)/m, ["bad.yaml"]],
    [4, /^bad\.yaml: 2 errors, 0 warnings$/m, ["faulty.yaml", "bad.yaml", "ec/root-ca"]],
  ];
  for (const [status, stdout, targets] of cases) {
    for (const verb of ["lint", "validate"]) {
      const result = await run(tmp.path, verb, ...targets);
      assert.equal(result.status, status, `${verb} ${targets}: ${result.stderr}`);
      assert.match(result.stdout, stdout);
    }
  }
  const report = await run(tmp.path, "lint", "faulty.yaml", "--json");
  const { valid, profiles } = JSON.parse(report.stdout);
  assert.equal(valid, false);
  assert.deepEqual(
    profiles.map((one: Record<string, unknown>) => [one["profile"], one["readable"], one["errors"], one["warnings"]]),
    [["faulty.yaml", true, 1, 0]],
  );
  assert.equal((await run(tmp.path, "lint", "ec/nothing")).status, 4);
  assert.equal((await run(tmp.path, "lint")).status, 2);
});

Deno.test("a profile that cannot be used is an error of status 4 with every mistake", async () => {
  using tmp = tempFolder();
  tmp.write("bad.yaml", BAD);
  for (const verb of ["info", "vars", "show"]) {
    const result = await run(tmp.path, verb, "./bad.yaml");
    assert.equal(result.status, 4);
    assert.match(result.stderr, /\.\/bad\.yaml:1:1: "algorithm" is missing\n.*\.\/bad\.yaml:2:1: unknown key/);
  }
  const unknown = await run(tmp.path, "info", "ec/tls-sever");
  assert.equal(unknown.status, 4);
  assert.match(unknown.stderr, /Did you mean "ec\/tls-server"\?/);
});
