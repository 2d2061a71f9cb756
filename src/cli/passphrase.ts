import { Secret } from "../bytes.ts";
import { InputError, UsageError } from "../errors.ts";
import { readFileText } from "../files.ts";
import type { PassphraseSource } from "../keys/types.ts";
import type { Prompter } from "./command.ts";

/** What passphrase sources need from outside. */
export interface PassphraseWorld {
  env(name: string): string | undefined;
  readonly prompter: Prompter;
  warn(text: string): void;
}

/** How a passphrase is asked for. */
export interface PassphraseOptions {
  /** Question when no value is given: then it is asked for on a terminal. */
  question?: string;
  /** Ask again and compare: for a new passphrase. */
  twice?: boolean;
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
  return () => answer ??= resolve(value, world, options);
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

async function fromFile(path: string, world: PassphraseWorld): Promise<Secret> {
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
  try {
    return firstLine(await Deno.readTextFile(`/dev/fd/${number}`), `fd:${number}`);
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(`Cannot take the passphrase from fd:${number}: the descriptor cannot be read`, {
      code: "passphrase.fd",
      hint: `Open it in the shell, for example: ${number}< passphrase.txt`,
      cause,
    });
  }
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
  if (line !== "") return new Secret(line);
  throw new InputError(`Cannot take the passphrase from ${source}: the first line is empty`, {
    code: "passphrase.empty",
  });
}
