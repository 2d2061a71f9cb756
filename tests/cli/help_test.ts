import assert from "node:assert/strict";
import { parseArguments } from "../../src/cli/arguments.ts";
import type { Command } from "../../src/cli/command.ts";
import { type CommandRow, COMMANDS, NOUNS } from "../../src/cli/commands/mod.ts";
import { GLOBAL_FLAGS, ParsedInput } from "../../src/cli/input.ts";
import { locate } from "../../src/cli/locate.ts";
import { runInProcess, shellWords } from "../support/in_process.ts";

async function everyCommand(): Promise<{ row: CommandRow; name: string; command: Command }[]> {
  return await Promise.all(COMMANDS.map(async (row) => ({
    row,
    name: row.path.join(" "),
    command: (await row.load()).default,
  })));
}

Deno.test("the list of commands is sorted, without doubles, and agrees with the commands", async () => {
  const names = COMMANDS.map((row) => row.path.join(" "));
  assert.deepEqual(names, names.toSorted());
  const spellings = COMMANDS.flatMap(({ path: [noun, verb], aliases = [] }) =>
    [verb ?? "", ...aliases].map((word) => `${noun} ${word}`)
  );
  assert.equal(new Set(spellings).size, spellings.length);
  for (const { row, name, command } of await everyCommand()) {
    assert.equal(row.summary, command.summary, name);
    assert.ok(row.path[1] === undefined || Object.hasOwn(NOUNS, row.path[0]), `${name}: the noun has no summary`);
    assert.match(command.summary, /^[A-Z].*[^.]$/s, `${name}: one line, capital first, no full stop`);
  }
});

Deno.test("no flag has two meanings, and what writes a file can be told to replace it", async () => {
  for (const { name, command } of await everyCommand()) {
    const flags = [...command.flags, ...GLOBAL_FLAGS];
    const spellings = flags.flatMap((flag) => [
      `--${flag.name}`,
      ...(flag.aliases ?? []).map((alias) => `--${alias}`),
      ...(flag.short ? [`-${flag.short}`] : []),
    ]);
    assert.deepEqual(spellings.filter((one, at) => spellings.indexOf(one) !== at), [], name);
    for (const flag of flags) {
      assert.match(flag.name, /^[a-z][a-z0-9-]*$/, `${name} --${flag.name}`);
      assert.ok(flag.description !== "" && !flag.description.endsWith("."), `${name} --${flag.name}`);
      assert.ok(flag.value !== undefined || (!flag.repeat && !flag.choices && flag.default === undefined), name);
      if (flag.default && flag.choices) assert.ok(flag.choices.includes(flag.default), `${name} --${flag.name}`);
    }
    const has = (flag: string) => command.flags.some((one) => one.name === flag);
    assert.ok(!has("out") || has("force"), `${name} writes --out but has no --force`);
    assert.ok(
      !has("hsm-config") || has("key-label") === has("key-id") || name.startsWith("key "),
      `${name}: hsm group`,
    );
  }
});

Deno.test("every command's --help shows usage, flags and examples", async () => {
  for (const { row, name, command } of await everyCommand()) {
    const { status, stdout, stderr } = await runInProcess([...name.split(" "), "--help"]);
    assert.equal(status, 0, name);
    assert.equal(stderr, "", name);
    assert.ok(stdout.startsWith(`Usage: qpki ${name}`), name);
    assert.ok(stdout.includes(command.summary));
    for (const flag of [...command.flags, ...GLOBAL_FLAGS]) assert.ok(stdout.includes(`--${flag.name}`), name);
    assert.ok(command.examples.length > 0, `${name} has no example`);
    for (const alias of row.aliases ?? []) assert.ok(stdout.includes(alias), `${name}: alias ${alias}`);
    assert.equal((await runInProcess(["help", ...name.split(" ")])).stdout, stdout, `help ${name}`);
  }
});

Deno.test("every example parses and belongs to its command", async () => {
  for (const { row, name, command } of await everyCommand()) {
    for (const example of command.examples) {
      const [program, ...all] = shellWords(example);
      const words = all.slice(0, all.includes(">") ? all.indexOf(">") : undefined);
      assert.equal(program, "qpki", `${name}: ${example}`);
      const call = locate(words, COMMANDS);
      assert.ok(call.kind === "command" && call.row === row, `${name}: ${example}`);
      new ParsedInput(command, parseArguments(command, call.rest));
    }
  }
});

Deno.test("help of the program and of every noun", async () => {
  const program = await runInProcess(["--help"]);
  assert.equal(program.status, 0);
  assert.equal((await runInProcess(["help"])).stdout, program.stdout);
  const nouns = new Set(COMMANDS.filter((row) => row.path[1] !== undefined).map((row) => row.path[0]));
  for (const noun of nouns) {
    assert.ok(program.stdout.includes(NOUNS[noun]!), noun);
    const { status, stdout, stderr } = await runInProcess([noun, "--help"]);
    assert.equal(status, 0);
    assert.equal(stderr, "");
    assert.match(stdout, /Examples:\n {2}\$ qpki/);
    for (const row of COMMANDS) {
      if (row.path[0] === noun) assert.ok(stdout.includes(row.path[1]!) && stdout.includes(row.summary));
    }
    const bare = await runInProcess([noun]);
    assert.deepEqual([bare.status, bare.stdout, bare.stderr], [2, "", stdout]);
  }
  const bare = await runInProcess([]);
  assert.deepEqual([bare.status, bare.stdout, bare.stderr], [2, "", program.stdout]);
});

Deno.test("the table of exit statuses is complete", async () => {
  const { stdout } = await runInProcess(["help", "exit-codes"]);
  for (const status of [0, 1, 2, 3, 4, 130]) assert.match(stdout, new RegExp(`^ +${status} {2,}\\w`, "m"));
});
