import { Secret } from "../bytes.ts";
import { InputError, UsageError } from "../errors.ts";
import { readFileText } from "../files.ts";
import type { PassphraseSource } from "../keys/types.ts";
import type { Prompter } from "./command.ts";
import { isVariableName } from "./variable_name.ts";

/** What passphrase sources need from outside. */
export interface PassphraseWorld {
  env(name: string): string | undefined;
  readonly prompter: Prompter;
  warn(text: string): void;
}

/** Bits of the flags of a descriptor as Linux shows them (open(2)). */
const [ACCESS_MODE, WRITE_ONLY, CLOSE_ON_EXEC] = [0o3, 0o1, 0o2000000];

/** How a passphrase is asked for. */
export interface PassphraseOptions {
  /** Question when no value is given: then it is asked for on a terminal. */
  question?: string;
  /** Ask again and compare: for a new passphrase. */
  twice?: boolean;
  /** Flag that the value is from, without dashes, for hints. */
  flag?: string;
}

/**
 * The source behind a `--passphrase` style value: `env:NAME`, `file:PATH` (first line), `fd:N` (first line), `-` (asked
 * on the terminal), an empty text (none), or the value itself, with a warning. It is read once, when it is first needed.
 */
export function passphraseSource(
  value: string | undefined,
  world: PassphraseWorld,
  options: PassphraseOptions = {},
): PassphraseSource {
  let answer: Promise<Secret | undefined> | undefined;
  const source = () => answer ??= resolve(value, world, options);
  return options.flag === undefined ? source : Object.assign(source, { given: `--${options.flag}` });
}

async function resolve(
  value: string | undefined,
  world: PassphraseWorld,
  options: PassphraseOptions,
): Promise<Secret | undefined> {
  if (value === undefined) {
    return options.question !== undefined && world.prompter.interactive ? await ask(world, options) : undefined;
  }
  if (value === "") return undefined;
  if (value === "-") return await ask(world, options);
  const [, form, rest] = /^(env|file|fd):(.*)$/s.exec(value) ?? [];
  if (form === "env") return fromEnvironment(rest!, world);
  if (form === "file") return await fromFile(rest!, world);
  if (form === "fd") return await fromDescriptor(rest!);
  world.warn("A passphrase on the command line is visible in the process list; use env:NAME, file:PATH, fd:N or -");
  return new Secret(value);
}

function fromEnvironment(name: string, world: PassphraseWorld): Secret {
  if (!isVariableName(name)) {
    throw new UsageError(`Cannot take the passphrase from ${shown(`env:${name}`)}: that is no name of a variable`, {
      code: "passphrase.env",
      hint: "For example env:CA_PASSPHRASE, the name of the variable that holds the passphrase",
    });
  }
  const text = world.env(name);
  if (text) return new Secret(text);
  throw new UsageError(
    `Cannot take the passphrase from env:${name}: the variable is ${text === "" ? "empty" : "not set"}`,
    {
      code: "passphrase.missing",
      hint: `Set it first: export ${name}=…`,
    },
  );
}

/** A mistake in the form may be a passphrase: no more of it than what shows the mistake. */
function shown(text: string): string {
  return /^env:[\w.]*/.exec(text)![0] === text ? text : `env:…`;
}

async function fromFile(path: string, world: PassphraseWorld): Promise<Secret> {
  if (path === "" || path.includes("\0")) {
    throw new UsageError("Cannot take the passphrase from file: that is no name of a file", {
      code: "passphrase.file",
      hint: "For example file:./ca.pass",
    });
  }
  const text = await readFileText(path);
  if (Deno.build.os !== "windows" && ((await Deno.stat(path)).mode ?? 0) & 0o077) {
    world.warn(`The passphrase file "${path}" is open to others; restrict it: chmod 600 ${path}`);
  }
  return firstLine(text, `file:${path}`);
}

async function fromDescriptor(number: string): Promise<Secret> {
  if (!/^\d{1,4}$/.test(number)) {
    throw new UsageError(`Cannot take the passphrase from fd:${number}: not a file descriptor number`, {
      code: "passphrase.fd",
    });
  }
  const source = `fd:${number}`;
  const cannotRead = (cause?: unknown) =>
    new InputError(`Cannot take the passphrase from ${source}: the descriptor cannot be read`, {
      code: "passphrase.fd",
      file: source,
      hint: `Open it in the shell, for example: ${Number(number) > 2 ? number : 3}< passphrase.txt`,
      cause,
    });
  if (!await isGivenForReading(Number(number))) throw cannotRead();
  try {
    return firstLine(await Deno.readTextFile(`/dev/fd/${number}`), source);
  } catch (cause) {
    throw cause instanceof InputError ? cause : cannotRead(cause);
  }
}

/**
 * Whether a descriptor came from the shell, and not from the runtime, whose own are closed on exec. Standard output and
 * standard error never give a passphrase.
 */
async function isGivenForReading(number: number): Promise<boolean> {
  if (number === 1 || number === 2) return false;
  if (Deno.build.os !== "linux") return true;
  const facts = await Deno.readTextFile(`/proc/self/fdinfo/${number}`).catch(() => "");
  const flags = parseInt(/^flags:\s*([0-7]+)$/m.exec(facts)?.[1] ?? "", 8);
  return !Number.isNaN(flags) && (flags & CLOSE_ON_EXEC) === 0 && (flags & ACCESS_MODE) !== WRITE_ONLY;
}

async function ask(world: PassphraseWorld, options: PassphraseOptions): Promise<Secret> {
  const question = (options.question ?? "Passphrase").replace(/:? *$/, "");
  if (!world.prompter.interactive) {
    throw new UsageError(`Cannot ask for the passphrase: there is no terminal`, {
      code: "passphrase.no_terminal",
      hint: "Use env:NAME, file:PATH or fd:N",
    });
  }
  const first = await world.prompter.secret(`${question}: `);
  if (first.reveal() === "") throw new UsageError("Cannot use an empty passphrase", { code: "passphrase.empty" });
  if (options.twice && (await world.prompter.secret(`${question} (again): `)).reveal() !== first.reveal()) {
    throw new UsageError("Cannot use the passphrase: the two entries differ", { code: "passphrase.differs" });
  }
  return first;
}

function firstLine(text: string, source: string): Secret {
  const line = text.split("\n", 1)[0]!.replace(/\r$/, "");
  if (line !== "" && !line.includes("\0")) return new Secret(line);
  const reason = line === "" ? "the first line is empty" : "the first line is not text";
  throw new InputError(`Cannot take the passphrase from ${source}: ${reason}`, {
    code: line === "" ? "passphrase.empty" : "passphrase.not_text",
    file: source,
  });
}
