import assert from "node:assert/strict";
import { COMMANDS } from "../../src/cli/commands/mod.ts";
import { runInProcess } from "../support/in_process.ts";
import { tempFolder } from "../support/tmp.ts";

Deno.test("wrong usage ends with 2 and says what would be right", async () => {
  const table: [string[], RegExp, RegExp][] = [
    [["kye", "list"], /^error: Unknown command "kye"$/m, /^hint: Did you mean "key"\?/m],
    [["key", "lsit"], /^error: Unknown "key" command "lsit"$/m, /^hint: Did you mean "list"\?/m],
    [["hsm", "list", "--libb", "x"], /^error: Unknown flag "--libb"$/m, /^hint: Did you mean "--lib"\?$/m],
    [["hsm", "list", "--lib"], /^error: Missing value of --lib/m, /^hint: See: qpki hsm list --help$/m],
    [["hsm", "list", "stray"], /^error: Unexpected argument "stray"$/m, /^hint: See: qpki hsm list --help$/m],
    [["hsm", "info"], /^error: .*neither --hsm-config nor --lib/m, /^hint: .*qpki hsm list/m],
    [["hsm", "info", "--lib", "x", "--hsm-config", "y"], /^error: .*--lib together with --hsm-config/m, /./],
    [["hsm", "test", "--pin", "1234"], /^error: Cannot take a PIN from the command line/m, /^hint: .*pin_env/m],
    [["completion", "tcsh"], /^error: Unknown shell "tcsh"/m, /./],
    [["help", "me"], /^error: Unknown command "me"/m, /./],
  ];
  for (const [argv, error, hint] of table) {
    const { status, stdout, stderr } = await runInProcess(argv);
    assert.equal(status, 2, argv.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, error);
    assert.match(stderr, hint);
    assert.ok(!stderr.includes("1234"), "the PIN is not repeated");
  }
});

Deno.test("every command refuses an unknown flag, a stray argument and --pin", async () => {
  for (const row of COMMANDS) {
    const words = row.path.filter((word) => word !== undefined);
    const { default: command } = await row.load();
    for (const extra of [["--no-such-flag"], ["--pin=987654"]]) {
      const { status, stderr } = await runInProcess([...words, ...extra]);
      assert.equal(status, 2, `${words} ${extra}`);
      assert.match(stderr, /Unknown flag "--no-such-flag"|Cannot take a PIN/);
      assert.ok(!stderr.includes("987654"));
    }
    if (command.args?.some((argument) => argument.variadic)) continue;
    const stray = ["a", "b", "c", "d"].slice(0, (command.args?.length ?? 0) + 1);
    assert.equal((await runInProcess([...words, ...stray])).status, 2, `${words}: stray argument`);
  }
});

Deno.test("with --json an error is one document on stderr and stdout stays empty", async () => {
  using tmp = tempFolder();
  const bad = tmp.write("hsm.yaml", "type: pkcs11\npkcs11:\n  lib: /x.so\n  tokn: a\n");
  const table: [string[], number, string, Record<string, unknown>][] = [
    [["nothing"], 2, "usage.command_unknown", {}],
    [[], 2, "usage.command_missing", {}],
    [["hsm", "list", "--nope"], 2, "usage.flag_unknown", {}],
    [["hsm", "list", "--lib", "/nonexistent.so"], 3, "module.not_found", {}],
    [["hsm", "info", "--hsm-config", tmp.join("none.yaml")], 4, "file.not_found", { file: tmp.join("none.yaml") }],
    [["hsm", "info", "--hsm-config", bad], 4, "hsm.config", { file: bad, line: 4, column: 3 }],
  ];
  for (const [argv, status, code, more] of table) {
    const result = await runInProcess([...argv, "--json"]);
    assert.equal(result.status, status, argv.join(" "));
    assert.equal(result.stdout, "");
    assert.equal(result.stderr.trimEnd().split("\n").length, 1);
    const { error } = JSON.parse(result.stderr);
    assert.equal(error.code, code);
    assert.equal(error.exit, status);
    assert.equal(typeof error.message, "string");
    for (const [key, value] of Object.entries(more)) assert.equal(error[key], value, `${argv}: ${key}`);
  }
});

Deno.test("a flag's value that cannot be is wrong usage, a folder that is not there bad input", async () => {
  using tmp = tempFolder();
  const request = ["csr", "gen", "-a", "p256", "--cn", "x", "--keyout", tmp.join("k"), "-o", tmp.join("c")];
  const table: readonly [argv: string[], status: number, message: RegExp][] = [
    [["cert", "revoke", "01", "--reason", "bogus"], 2, /there is no such reason/],
    [["credential", "revoke", "x", "--reason", "bogus"], 2, /there is no such reason/],
    ...["--ip 1.2.3", "--country DEU", "--dns a..b", "--email x", "--uri :"].map((words) =>
      [[...request, ...words.split(" ")], 2, /^error: Cannot (use|encode) /] as [string[], number, RegExp]
    ),
    [["key", "list", "--dir", "nosuch"], 4, /"nosuch": no such folder/],
    [["ca", "list", "--dir", "nosuch"], 4, /"nosuch": no such folder/],
    [["credential", "list", "-c", "nosuch"], 4, /"nosuch": no such folder/],
    [["key", "list", "--dir", tmp.write("file", "")], 4, /it is not a folder/],
  ];
  for (const [argv, status, message] of table) {
    const result = await runInProcess(argv);
    assert.equal(result.status, status, `${argv.join(" ")}: ${result.stderr}`);
    assert.match(result.stderr, message);
  }
  assert.deepEqual([...Deno.readDirSync(tmp.path)].map(({ name }) => name), ["file"]);
});

Deno.test("an interrupted command ends with 130", async () => {
  const controller = new AbortController();
  controller.abort();
  using tmp = tempFolder();
  const { status } = await runInProcess([
    "ca",
    "init",
    "--profile",
    "ec/root-ca",
    "--var",
    "cn=X",
    "-d",
    tmp.join("ca"),
  ], {
    signal: controller.signal,
  });
  assert.equal(status, 130);
  assert.deepEqual([...Deno.readDirSync(tmp.path)], [], "nothing is left");
});
