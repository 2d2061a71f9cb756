import assert from "node:assert/strict";
import { UsageError } from "../errors.ts";
import { parseArguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { ParsedInput } from "./input.ts";

const COMMAND: Pick<Command, "args" | "flags"> = {
  args: [{ name: "file", description: "input file", required: true }],
  flags: [
    { name: "out", short: "o", value: "FILE", description: "output", aliases: ["output"] },
    { name: "var", value: "K=V", repeat: true, description: "variable" },
    { name: "days", value: "N", default: "7", description: "days" },
    { name: "format", short: "f", value: "F", choices: ["pem", "der"], default: "pem", description: "format" },
    { name: "force", description: "replace" },
    { name: "no-check-exp", description: "switch with a negative name" },
    { name: "check-exp", value: "BOOL", description: "the other one" },
  ],
};

function parse(...argv: string[]): ParsedInput {
  return new ParsedInput(COMMAND, parseArguments(COMMAND, argv));
}

Deno.test("flags are read in every usual form", () => {
  for (
    const argv of [
      ["in", "--out", "x", "--force"],
      ["--out=x", "--force", "in"],
      ["-o", "x", "in", "--force"],
      ["-ox", "--force", "--", "in"],
      ["--output", "x", "--force", "in"],
      ["--out", "w", "--out", "x", "--force", "in"],
    ]
  ) {
    const input = parse(...argv);
    assert.equal(input.text("out"), "x", argv.join(" "));
    assert.equal(input.on("force"), true);
    assert.equal(input.argument("file"), "in");
  }
});

Deno.test("repeated flags keep their order, defaults apply, switches with no- are switches", () => {
  const input = parse("in", "--var", "a=1", "--var", "b=-2", "--no-check-exp", "--check-exp", "false");
  assert.deepEqual(input.list("var"), ["a=1", "b=-2"]);
  assert.equal(input.integer("days"), 7);
  assert.equal(input.text("format"), "pem");
  assert.equal(input.on("no-check-exp"), true);
  assert.equal(input.text("check-exp"), "false");
  assert.equal(parse("in").on("no-check-exp"), false);
  assert.deepEqual(parse("in").list("var"), []);
});

Deno.test("short flags stand alone, with their value, or in a row", () => {
  for (const argv of [["in", "-qf", "der"], ["-qfder", "in"], ["in", "-f", "der", "-q"], ["-fder", "-q", "in"]]) {
    const input = parse(...argv);
    assert.deepEqual(
      [input.text("format"), input.on("quiet"), input.argument("file")],
      ["der", true, "in"],
      argv.join(" "),
    );
  }
  assert.throws(() => parse("in", "-qz"), /Unknown flag "-z"/);
  assert.throws(() => parse("in", "-qf"), /Missing value of --format/);
});

Deno.test("a dash, a negative number, and all after -- are operands", () => {
  for (const [argv, operand] of [[["-"], "-"], [["-5"], "-5"], [["--", "--out"], "--out"]] as const) {
    assert.equal(parse(...argv).argument("file"), operand);
  }
});

Deno.test("a value may look like a flag only after =", () => {
  assert.equal(parse("in", "--out=--force").text("out"), "--force");
  assert.throws(() => parse("in", "--out", "-"), /Cannot use --out -: it takes the name of a file/);
  assert.equal(parse("in", "--out", "-x-").text("out"), "-x-");
  assert.throws(() => parse("in", "--out", "--force"), /Missing value of --out/);
});

Deno.test("wrong usage is told with the nearest flag, and no value is repeated", () => {
  const table: [string[], RegExp, RegExp?][] = [
    [[], /Missing argument FILE/],
    [["in", "stray"], /Unexpected argument "stray"/],
    [["in", "--forse"], /Unknown flag "--forse"/, /Did you mean "--force"/],
    [["in", "-z"], /Unknown flag "-z"/],
    [["in", "--out"], /Missing value of --out/],
    [["in", "--force=1"], /--force with a value: it is a switch/],
    [["in", "--format", "xml"], /--format "xml": not one of pem, der/],
    [["in", "--pin", "1234"], /Cannot take a PIN from the command line/, /pin_env/],
    [["in", "--pin=1234"], /Cannot take a PIN from the command line/, /pin_env/],
  ];
  for (const [argv, message, hint] of table) {
    assert.throws(() => parse(...argv), (error: unknown) => {
      assert.ok(error instanceof UsageError, argv.join(" "));
      assert.match(error.message, message);
      if (hint) assert.match(error.hint ?? "", hint);
      assert.ok(!`${error.message}${error.hint}`.includes("1234"));
      return true;
    });
  }
});

Deno.test("numbers are checked with their range", () => {
  assert.equal(parse("in", "--days", "30").integer("days", { min: 1 }), 30);
  assert.equal(parse("in", "--days", "-3").integer("days"), -3);
  for (const text of ["", "x", "1.5", "1e3", "0x10", "99999999999999999999"]) {
    const input = parse("in", `--days=${text}`);
    assert.throws(() => input.integer("days"), UsageError, text);
  }
  const input = parse("in", "--days", "0");
  assert.throws(() => input.integer("days", { min: 1, max: 9 }), /not a whole number from 1 to 9/);
});

Deno.test("asking for what the command does not declare is a bug", () => {
  const input = parse("in");
  assert.throws(() => input.text("nothing"), /does not declare/);
  assert.throws(() => input.argument("nothing"), /does not declare/);
  assert.throws(() => input.text("force"), /is a switch/);
  assert.throws(() => input.on("out"), /takes a value/);
});
