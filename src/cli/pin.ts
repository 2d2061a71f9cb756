import { Secret } from "../bytes.ts";
import { TokenError } from "../errors.ts";
import type { Prompter } from "./command.ts";
import { isVariableName } from "./variable_name.ts";

/** Where hsm.yaml says that the PIN comes from. */
export type PinSpec =
  | { readonly type: "env"; readonly name: string }
  | { readonly type: "file"; readonly path: string }
  | { readonly type: "command"; readonly argv: readonly string[] }
  | { readonly type: "credential"; readonly name: string };

/** What PIN sources need from outside. */
export interface PinWorld {
  env(name: string): string | undefined;
  readonly prompter: Prompter;
  readonly signal: AbortSignal;
  /** Milliseconds that `pin_command` may take; 60 000 unless told. */
  readonly commandTimeoutMs?: number;
}

/** Longest PIN in bytes; CK_ULONG allows more, no token does. */
const MAX_PIN_BYTES = 1024;

/**
 * Gets the PIN of `token` (its name in words) from `spec`, or asks on the terminal when there is none.
 * @throws {TokenError} `pin.missing` when nobody can be asked, `pin.source` when the source fails.
 */
export async function readPin(spec: PinSpec | undefined, token: string, world: PinWorld): Promise<Secret> {
  switch (spec?.type) {
    case "env":
      return fromEnvironment(spec.name, token, world);
    case "file":
      return await fromFile(spec.path, { ownerOnly: true });
    case "credential":
      return await fromCredential(spec.name, world);
    case "command":
      return await fromCommand(spec.argv, world);
    case undefined:
      return await ask(token, world);
  }
}

function fromEnvironment(name: string, token: string, world: PinWorld): Secret {
  if (!isVariableName(name)) {
    throw failed("the environment (pin_env)", "what is stated is no name of a variable", {
      hint: "For example pin_env: HSM_PIN, the name of the variable that holds the PIN",
    });
  }
  const text = world.env(name);
  if (text) return new Secret(text);
  throw new TokenError(
    `Cannot log in to ${token}: the environment variable ${name} (pin_env) is ${text === "" ? "empty" : "not set"}`,
    { code: "pin.missing", hint: `Set it first: export ${name}=…, or name another source of the PIN in hsm.yaml` },
  );
}

async function fromFile(path: string, options: { ownerOnly: boolean }): Promise<Secret> {
  let bytes: Uint8Array;
  try {
    const { mode, isFile } = await Deno.stat(path);
    if (options.ownerOnly && Deno.build.os !== "windows" && ((mode ?? 0) & 0o077) !== 0) {
      const shown = ((mode ?? 0) & 0o777).toString(8).padStart(4, "0");
      throw failed(`"${path}"`, `the file is open to others (mode ${shown})`, {
        hint: `Restrict it: chmod 600 ${path}`,
      });
    }
    if (!isFile) throw failed(`"${path}"`, "it is not a regular file");
    bytes = await Deno.readFile(path);
  } catch (cause) {
    if (cause instanceof TokenError) throw cause;
    throw failed(`"${path}"`, cause instanceof Deno.errors.NotFound ? "no such file" : "the file cannot be read", {
      cause,
    });
  }
  return toPin(bytes, `"${path}"`);
}

async function fromCredential(name: string, world: PinWorld): Promise<Secret> {
  const folder = world.env("CREDENTIALS_DIRECTORY");
  if (!folder) {
    throw failed(
      `the systemd credential "${name}"`,
      "CREDENTIALS_DIRECTORY is not set",
      { hint: `Run it in a unit with LoadCredential=${name}:… or LoadCredentialEncrypted=${name}:…` },
    );
  }
  // systemd guards the folder itself
  return await fromFile(`${folder}/${name}`, { ownerOnly: false });
}

async function fromCommand(argv: readonly string[], world: PinWorld): Promise<Secret> {
  const [program, ...args] = argv as [string, ...string[]];
  const limit = world.commandTimeoutMs ?? 60_000;
  const timeout = AbortSignal.timeout(limit);
  const source = `the command "${program}" (pin_command)`;
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(program, {
      args,
      stdin: "inherit",
      stdout: "piped",
      stderr: "inherit",
      signal: AbortSignal.any([timeout, world.signal]),
    }).output();
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound ? "no such program" : "it cannot be run";
    throw failed(source, reason, { cause });
  }
  world.signal.throwIfAborted();
  if (timeout.aborted) throw failed(source, `no answer within ${limit / 1000} s`);
  if (!output.success) throw failed(source, `it ended with status ${output.signal ?? output.code}`);
  return toPin(output.stdout, source);
}

async function ask(token: string, world: PinWorld): Promise<Secret> {
  if (!world.prompter.interactive) {
    throw new TokenError(`Cannot log in to ${token}: there is no PIN, and no terminal to ask on`, {
      code: "pin.missing",
      hint: "Add pin_env, pin_file, pin_command or pin_credential to hsm.yaml, for example pin_env: HSM_PIN",
    });
  }
  const pin = await world.prompter.secret(`PIN of ${token}: `);
  if (pin.reveal() !== "") return pin;
  throw new TokenError(`Cannot log in to ${token}: no PIN was typed`, { code: "pin.missing" });
}

function toPin(bytes: Uint8Array, source: string): Secret {
  const end = bytes.indexOf(0x0a);
  const line = end < 0 ? bytes : bytes.subarray(0, end);
  try {
    if (line.length > MAX_PIN_BYTES) throw failed(source, `the first line is longer than ${MAX_PIN_BYTES} bytes`);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(line).replace(/\r$/, "");
    if (text === "") throw failed(source, "the first line is empty");
    if (text.includes("\0")) throw failed(source, "the first line has a NUL byte");
    return new Secret(text);
  } catch (cause) {
    throw cause instanceof TokenError ? cause : failed(source, "the first line is not UTF-8 text");
  } finally {
    bytes.fill(0);
  }
}

function failed(source: string, reason: string, details: { hint?: string; cause?: unknown } = {}): TokenError {
  return new TokenError(`Cannot take the PIN from ${source}: ${reason}`, { code: "pin.source", ...details });
}
