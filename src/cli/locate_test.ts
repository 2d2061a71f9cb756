import assert from "node:assert/strict";
import { UsageError } from "../errors.ts";
import type { CommandRow } from "./commands/mod.ts";
import { findRow, locate } from "./locate.ts";

function row(path: CommandRow["path"], aliases?: string[]): CommandRow {
  return { path, summary: path.join(" "), load: () => Promise.reject(), ...(aliases ? { aliases } : {}) };
}

const ROWS = [row(["key", "generate"], ["gen"]), row(["key", "list"]), row(["inspect"])];

Deno.test("a command is found by noun and verb, or alias, with global flags anywhere", () => {
  const table: [string[], string, string[]][] = [
    [["key", "generate", "-a", "x"], "key generate", ["-a", "x"]],
    [["key", "gen"], "key generate", []],
    [["--json", "key", "-q", "list", "--x"], "key list", ["--json", "-q", "--x"]],
    [["inspect", "list"], "inspect", ["list"]],
    [["inspect", "--help"], "inspect", ["--help"]],
  ];
  for (const [argv, path, rest] of table) {
    const call = locate(argv, ROWS);
    assert.ok(call.kind === "command");
    assert.equal(call.row.path.join(" "), path);
    assert.deepEqual(call.rest, rest);
  }
});

Deno.test("help that was asked for differs from help for want of a verb", () => {
  assert.deepEqual(locate([], ROWS), { kind: "program", asked: false });
  assert.deepEqual(locate(["--help"], ROWS), { kind: "program", asked: true });
  assert.deepEqual(locate(["-h", "key"], ROWS), { kind: "program", asked: true });
  assert.deepEqual(locate(["key"], ROWS), { kind: "noun", noun: "key", asked: false });
  assert.deepEqual(locate(["key", "--json"], ROWS), { kind: "noun", noun: "key", asked: false });
  assert.deepEqual(locate(["key", "--help"], ROWS), { kind: "noun", noun: "key", asked: true });
});

Deno.test("unknown words are told with the nearest one", () => {
  const table: [string[], RegExp, RegExp][] = [
    [["kye"], /Unknown command "kye"/, /Did you mean "key"/],
    [["zzzzzz"], /Unknown command "zzzzzz"/, /qpki --help/],
    [["key", "lst"], /Unknown "key" command "lst"/, /Did you mean "list"/],
    [["key", "gne"], /Unknown "key" command "gne"/, /Did you mean "gen"/],
    [["--out", "x", "key"], /Unknown flag "--out" before the command/, /after its noun and verb/],
    [["key", "--pin=1234", "list"], /Unknown flag "--pin" before/, /./],
    [["__proto__"], /Unknown command/, /./],
    [["key", "constructor"], /Unknown "key" command/, /./],
  ];
  for (const [argv, message, hint] of table) {
    assert.throws(() => locate(argv, ROWS), (error: unknown) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, message);
      assert.match(error.hint ?? "", hint);
      return true;
    });
  }
});

Deno.test("rows are found for completion", () => {
  assert.equal(findRow(["key", "gen"], ROWS)?.path[1], "generate");
  assert.equal(findRow(["key"], ROWS), undefined);
  assert.equal(findRow(["inspect"], ROWS)?.path[0], "inspect");
  assert.equal(findRow([], ROWS), undefined);
});
