import type { AuditTrail } from "../audit/trail.ts";
import { EXIT, type ExitStatus, InterruptedError, QpkiError, UsageError } from "../errors.ts";
import type { Command } from "./command.ts";
import { COMMANDS } from "./commands/mod.ts";
import { AUDIT_LOG, AUDIT_VARIABLE, isOutput, ParsedInput, type RawInput } from "./input.ts";
import type { Io } from "./io.ts";
import { type Call, locate } from "./locate.ts";
import { asTold, Output, type OutputOptions } from "./output.ts";

/** How long an interrupted command may take to clean up: so many seconds in which it could act. */
const GRACE_TICKS = 30;
const TICK_MS = 1_000;

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
  const { nounHelp, programHelp } = await import("./help.ts");
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
  const raw = await parseOrExplain(command, call.rest, name);
  if (raw.flags.has("help")) {
    const { commandHelp } = await import("./help.ts");
    await output.text(commandHelp(call.row, command));
    return EXIT.OK;
  }
  output.set({ json: raw.flags.has("json"), quiet: raw.flags.has("quiet") });
  const { openContext } = await import("./context.ts");
  const trail = await auditTrail(call, raw, { io, output });
  const world = openContext(io, output, { allowFinalTry: raw.flags.has("allow-final-try"), trail });
  output.expect(name);
  try {
    const work = start(command, raw, world.context).catch((error) => rethrow(error, name));
    const result = await untilInterrupted(work, io.signal).catch((error) => endTrail(trail, error, output));
    await trail?.finish({ exit: result.exit ?? EXIT.OK });
    // before the token is closed: a module may crash in C_Finalize
    await output.result(result);
    return result.exit ?? EXIT.OK;
  } finally {
    output.endProgress();
    await world.close();
  }
}

/** The audit log of this command; nothing of it is loaded without one. */
async function auditTrail(
  call: Call & { kind: "command" },
  raw: RawInput,
  { io, output }: { io: Io; output: Output },
): Promise<AuditTrail | undefined> {
  const given = raw.flags.get(AUDIT_LOG.name)?.at(-1);
  if (given === undefined && !io.env(AUDIT_VARIABLE)) return undefined;
  const { auditLogPath, openTrail } = await import("./audit_trail.ts");
  const path = auditLogPath(given, io);
  if (path === undefined) return undefined;
  return openTrail(path, call.row.path.join(" "), { io, notice: (text) => output.note(`note: ${text}`) });
}

/** Records that a command failed; its own error is the one to tell. */
async function endTrail(trail: AuditTrail | undefined, error: unknown, output: Output): Promise<never> {
  const { exit } = asTold(error);
  await trail?.finish({ error, exit }).catch((problem) => {
    if (!(error instanceof QpkiError && error.code.startsWith("audit."))) output.warn(asTold(problem).message);
  });
  throw error;
}

async function parseOrExplain(command: Command, argv: readonly string[], name: string): Promise<RawInput> {
  const { parseArguments } = await import("./arguments.ts");
  try {
    return parseArguments(command, argv);
  } catch (error) {
    rethrow(error, name);
  }
}

async function start(command: Command, raw: RawInput, context: Parameters<Command["run"]>[1]) {
  const input = new ParsedInput(command, raw);
  if (command.flags.some((flag) => isOutput(flag) && raw.flags.has(flag.name))) {
    const { checkOutputs } = await import("./output_files.ts");
    await checkOutputs(command, input, context);
  }
  return await command.run(input, context);
}

/** Adds where to look to a usage error without a hint. */
function rethrow(error: unknown, name: string): never {
  if (error instanceof UsageError && error.hint === undefined) {
    throw new UsageError(error.message, { code: error.code, hint: `See: ${name} --help`, cause: error.cause });
  }
  throw error;
}

/**
 * The result of `work`; rejects when it has not ended in time after an interrupt. A long computation (a hash-based signature)
 * stops the clock with everything else: it must not use up the time for destroying a key in the token.
 */
function untilInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  let timer: ReturnType<typeof setInterval> | undefined;
  let ticks = 0;
  function onAbort(): void {
    timer = setInterval(() => ++ticks < GRACE_TICKS || reject(new InterruptedError()), TICK_MS);
  }
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([work, promise]).finally(() => {
    // waking up the timers takes 4 ms
    if (timer !== undefined) clearInterval(timer);
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
