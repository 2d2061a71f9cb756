import { EXIT, type ExitStatus, InterruptedError, suggest, UsageError } from "../errors.ts";
import type { Command, Flag } from "./command.ts";
import { COMMANDS } from "./commands/mod.ts";
import { commandHelp, nounHelp, programHelp } from "./help.ts";
import { GLOBAL_FLAGS, ParsedInput, type RawInput } from "./input.ts";
import type { Io } from "./io.ts";
import { type Call, locate } from "./locate.ts";
import { Output, type OutputOptions } from "./output.ts";

/** How long an interrupted command may take to clean up, in milliseconds. */
const GRACE_MS = 10_000;

/** Runs one command line and tells its exit status. Never throws. */
export async function main(argv: readonly string[], io: Io): Promise<ExitStatus> {
  const output = new Output(io, guessOptions(argv, io));
  try {
    return await dispatch(argv, io, output);
  } catch (error) {
    const status = output.error(error);
    return io.signal.aborted ? EXIT.INTERRUPTED : status;
  } finally {
    await output.flush();
  }
}

async function dispatch(argv: readonly string[], io: Io, output: Output): Promise<ExitStatus> {
  if (argv[0] === "--version" || argv[0] === "-V") {
    const { versionData, versionText } = await import("./version.ts");
    await output.result({ data: versionData(), text: versionText() });
    return EXIT.OK;
  }
  if (argv[0] === "__complete") {
    const { complete } = await import("./completion.ts");
    await output.text((await complete(argv.slice(1), io, COMMANDS)).map((line) => `${line}\n`).join(""));
    return EXIT.OK;
  }
  const call = locate(argv, COMMANDS);
  if (call.kind === "command") return await runCommand(call, io, output);
  const help = call.kind === "program" ? programHelp(COMMANDS) : nounHelp(call.noun, COMMANDS);
  if (call.asked) {
    await output.text(help);
    return EXIT.OK;
  }
  if (guessOptions(argv, io).json) {
    throw new UsageError("Missing command: a noun and a verb must be given", { code: "usage.command_missing" });
  }
  output.note(help);
  return EXIT.USAGE;
}

async function runCommand(call: Call & { kind: "command" }, io: Io, output: Output): Promise<ExitStatus> {
  const { default: command } = await call.row.load();
  const name = `qpki ${call.row.path.join(" ")}`;
  const raw = await parseArguments(command, call.rest).catch((error) => rethrow(error, name));
  if (raw.flags.has("help")) {
    await output.text(commandHelp(call.row, command));
    return EXIT.OK;
  }
  output.set({ json: raw.flags.has("json"), quiet: raw.flags.has("quiet") });
  const { openContext } = await import("./context.ts");
  const world = openContext(io, output, { allowFinalTry: raw.flags.has("allow-final-try") });
  try {
    const work = start(command, raw, world.context).catch((error) => rethrow(error, name));
    const result = await untilInterrupted(work, io.signal);
    // before the token is closed: a module may crash in C_Finalize
    await output.result(result);
    return result.exit ?? EXIT.OK;
  } finally {
    output.endProgress();
    await world.close();
  }
}

async function start(command: Command, raw: RawInput, context: Parameters<Command["run"]>[1]) {
  return await command.run(new ParsedInput(command, raw), context);
}

/**
 * Splits the arguments of `command` into flags and operands; whether they are complete is checked by ParsedInput.
 * @throws {UsageError} for an unknown flag or a missing value.
 */
export async function parseArguments(command: Pick<Command, "flags">, argv: readonly string[]): Promise<RawInput> {
  const { Command: Parser, CommanderError, Option } = await import("commander");
  const flags = [...command.flags, ...GLOBAL_FLAGS];
  const spellings = new Set(flags.flatMap(flagSpellings));
  const values = new Map<string, string[]>();
  const parser = new Parser().helpOption(false).exitOverride().configureOutput({ outputError() {} });
  for (const flag of flags) {
    for (const name of [flag.name, ...flag.aliases ?? []]) {
      const short = flag.short && name === flag.name ? `-${flag.short}, ` : "";
      parser.addOption(new Option(`${short}--${name}${flag.value ? " <value>" : ""}`));
      parser.on(`option:${name}`, (value?: string) => {
        // `--out --force` is a forgotten value; `--out=--force` is meant
        if (value !== undefined && spellings.has(value) && !argv.includes(`--${name}=${value}`)) {
          throw missingValue(flag);
        }
        values.set(flag.name, [...values.get(flag.name) ?? [], value ?? ""]);
      });
    }
  }
  try {
    const { operands, unknown } = parser.parseOptions([...argv]);
    if (unknown.length > 0 && !values.has("help")) throw unknownFlag(unknown[0]!, flags);
    return { flags: values, operands };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const spelling = /--[\w-]+/.exec(error.message)?.[0] ?? "";
    throw missingValue(flags.find((flag) => flagSpellings(flag).includes(spelling)));
  }
}

function flagSpellings(flag: Flag): string[] {
  return [flag.name, ...flag.aliases ?? []].map((name) => `--${name}`).concat(flag.short ? `-${flag.short}` : []);
}

function missingValue(flag: Flag | undefined): UsageError {
  return new UsageError(`Missing value of --${flag?.name ?? "flag"}: ${flag?.value ?? "a value"} must follow`, {
    code: "usage.value_missing",
  });
}

function unknownFlag(word: string, flags: readonly Flag[]): UsageError {
  const [name] = word.split("=", 1) as [string];
  if (/^--?(user-?)?pin$/i.test(name)) {
    return new UsageError("Cannot take a PIN from the command line: it would be visible in the process list", {
      code: "pin.on_command_line",
      hint: "State pin_env, pin_file, pin_command or pin_credential in hsm.yaml; on a terminal the PIN is asked for",
    });
  }
  const known = flags.flatMap((flag) => flagSpellings(flag));
  if (known.includes(name)) return new UsageError(`Cannot use ${name} with a value: it is a switch`);
  const near = name.startsWith("--") ? suggest(name, known.filter((flag) => flag.startsWith("--"))) : undefined;
  return new UsageError(`Unknown flag "${name}"`, {
    code: "usage.flag_unknown",
    ...(near ? { hint: `Did you mean "${near}"?` } : {}),
  });
}

/** Adds where to look to a usage error without a hint. */
function rethrow(error: unknown, name: string): never {
  if (error instanceof UsageError && error.hint === undefined) {
    throw new UsageError(error.message, { code: error.code, hint: `See: ${name} --help`, cause: error.cause });
  }
  throw error;
}

/** The result of `work`; rejects when it has not ended in time after an interrupt. */
function untilInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  function onAbort(): void {
    timer = setTimeout(() => reject(new InterruptedError()), GRACE_MS);
  }
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([work, promise]).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  });
}

function guessOptions(argv: readonly string[], io: Io): OutputOptions {
  const end = argv.indexOf("--");
  const words = end < 0 ? argv : argv.slice(0, end);
  return {
    json: words.includes("--json"),
    quiet: words.includes("--quiet") || words.includes("-q"),
    debug: io.env("QPKI_DEBUG") === "1",
  };
}
