import { Command as Parser, CommanderError, Option } from "commander";
import { suggest, UsageError } from "../errors.ts";
import type { Command, Flag } from "./command.ts";
import { GLOBAL_FLAGS, type RawInput } from "./input.ts";

/**
 * Splits the arguments of `command` into flags and operands. Whether they are complete is checked by ParsedInput. With
 * `--help` among them, what is unknown does not matter.
 * @throws {UsageError} for an unknown flag, a missing value, or a value for a switch.
 */
export function parseArguments(command: Pick<Command, "flags">, argv: readonly string[]): RawInput {
  const flags = [...command.flags, ...GLOBAL_FLAGS];
  const values = new Map<string, string[]>();
  const parser = new Parser().helpOption(false).allowExcessArguments().exitOverride();
  parser.configureOutput({ writeErr: () => {} });
  for (const flag of flags) addFlag(parser, flag, { argv, values });
  try {
    parser.parse([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError) && !(error instanceof UsageError)) throw error;
    if (asksForHelp(argv)) return { flags: new Map([["help", [""]]]), operands: [] };
    throw error instanceof UsageError ? error : usageError(error, flags);
  }
  return { flags: values, operands: parser.args };
}

/** Every spelling of a flag adds to the values of its name, in the order of the command line. */
function addFlag(parser: Parser, flag: Flag, into: { argv: readonly string[]; values: Map<string, string[]> }): void {
  for (const [i, name] of [flag.name, ...flag.aliases ?? []].entries()) {
    const short = i === 0 && flag.short ? `-${flag.short}, ` : "";
    parser.addOption(new Option(`${short}--${name}${flag.value === undefined ? "" : ` <value>`}`));
    parser.on(`option:${name}`, (value: string | null) => {
      // `--out --force` is a forgotten value; `--out=--force` is meant
      if (value && into.argv.includes(value) && isKnown(parser, value)) throw missingValue(flag);
      into.values.set(flag.name, [...into.values.get(flag.name) ?? [], value ?? ""]);
    });
  }
}

function isKnown(parser: Parser, word: string): boolean {
  return parser.options.some(({ long, short }) => word === long || word === short);
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).some((word) => word === "--help" || word === "-h");
}

/** The parser's error in our words; its message quotes the flag, never a value. */
function usageError({ code, message }: CommanderError, flags: readonly Flag[]): UsageError {
  const [, word = ""] = /'([^']*)'/.exec(message) ?? [];
  const [name] = word.split(/[ =]/, 1) as [string];
  if (code === "commander.unknownOption") return unknownFlag(name, flags);
  const flag = flags.find((one) =>
    /^-\w, --/.test(word) ? word.startsWith(`-${one.short},`) : namesOf(one).includes(name)
  );
  if (code === "commander.optionMissingArgument" && flag) return missingValue(flag);
  return new UsageError(`Cannot read the arguments: ${message.replace(/^error: /, "")}`, { code: "usage.arguments" });
}

function unknownFlag(name: string, flags: readonly Flag[]): UsageError {
  if (/^--?(user-?)?pin$/i.test(name)) {
    return new UsageError("Cannot take a PIN from the command line: it would be visible in the process list", {
      code: "pin.on_command_line",
      hint: "State pin_env, pin_file, pin_command or pin_credential in hsm.yaml; on a terminal the PIN is asked for",
    });
  }
  const known = flags.flatMap(namesOf);
  if (known.includes(name)) {
    return new UsageError(`Cannot use ${name} with a value: it is a switch`, { code: "usage.value_stray" });
  }
  const near = name.startsWith("--") ? suggest(name, known) : undefined;
  return new UsageError(`Unknown flag "${name}"`, {
    code: "usage.flag_unknown",
    ...(near ? { hint: `Did you mean "${near}"?` } : {}),
  });
}

function missingValue(flag: Flag): UsageError {
  return new UsageError(`Missing value of --${flag.name}: ${flag.value} must follow`, { code: "usage.value_missing" });
}

function namesOf(flag: Flag): string[] {
  return [flag.name, ...flag.aliases ?? []].map((name) => `--${name}`);
}
