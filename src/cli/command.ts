import type { Audit } from "../audit/trail.ts";
import type { Secret } from "../bytes.ts";
import type { ExitStatus } from "../errors.ts";
import type { OpenProvider, PassphraseSource } from "../keys/types.ts";

/** What a flag's value is, for completion and help. */
export type Completion =
  | ("file" | "directory" | "profile" | "algorithm" | "version" | "none")
  | ("credential" | "credential version");

/** One flag. Without `value` it is a switch. */
export interface Flag {
  /** Long name without dashes. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** Placeholder of the value in help, for example `FILE`. */
  readonly value?: string;
  readonly repeat?: boolean;
  readonly default?: string;
  readonly required?: boolean;
  readonly choices?: readonly string[];
  readonly description: string;
  /** Older spellings read as this flag. */
  readonly aliases?: readonly string[];
  readonly complete?: Completion;
  /** Values that completion offers; others may be taken as well. */
  readonly suggestions?: readonly string[];
  /** Of a file that is written: it is a private key, and may replace another one with --force. */
  readonly privateKey?: boolean;
  /** Of a file that is written: the command itself decides whether it may be one that it reads. */
  readonly mayReplaceInput?: boolean;
}

/** One positional argument. */
export interface Argument {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** Takes all that remain. */
  readonly variadic?: boolean;
  readonly choices?: readonly string[];
  readonly complete?: Completion;
}

/** Parsed arguments of one call. The accessors throw a programming error for a name the command does not declare. */
export interface Input {
  /** Positional argument by name. */
  argument(name: string): string | undefined;
  /** All values of a variadic argument. */
  rest(name: string): string[];
  /** Value of a flag (its default when not given), or undefined. */
  text(flag: string): string | undefined;
  /** Every value of a repeated flag. */
  list(flag: string): string[];
  /** Whether a switch was given. */
  on(flag: string): boolean;
  /** Whole number of a flag. @throws {UsageError} when it is none or out of range. */
  integer(flag: string, range?: { min?: number; max?: number }): number | undefined;
}

/** Terminal questions; tests and `--quiet` runs replace it. */
export interface Prompter {
  /** Whether somebody can answer. */
  readonly interactive: boolean;
  /** Reads a secret without echo. @throws {UsageError} when nobody can answer, {InterruptedError} on Ctrl-C. */
  secret(question: string): Promise<Secret>;
  /** Yes or no; no is the default. */
  confirm(question: string): Promise<boolean>;
}

/** Everything a command gets from outside. */
export interface Context {
  /** Value of an environment variable. */
  env(name: string): string | undefined;
  readonly cwd: string;
  now(): Date;
  readonly prompter: Prompter;
  /** One line to stderr about work under way; silent with `--quiet`. */
  progress(text: string): void;
  /** One `warning:` line to stderr. */
  warn(text: string): void;
  /** Opens a key provider; a token is opened once per command and closed when the command ends. */
  readonly openProvider: OpenProvider;
  /**
   * Source of a passphrase from a `--passphrase` style value: `env:NAME`, `file:PATH`, `fd:N`, `-` (prompt), or the value
   * itself with a warning. With `undefined` it asks on a terminal when `question` is given, else there is none; an empty
   * value means none. `twice` asks again for a new passphrase, to catch a slip. Hints name `flag`, --passphrase unless told.
   */
  passphrase(
    flagValue: string | undefined,
    question?: string,
    options?: { twice?: boolean; flag?: string },
  ): PassphraseSource;
  /** Aborted on Ctrl-C: use cases check it between steps. */
  readonly signal: AbortSignal;
  /** Records events in the audit log; undefined without one. Uses of keys are recorded by {@link openProvider}'s. */
  readonly audit?: Audit | undefined;
}

/** What a command returns; `output.ts` prints `text`, or `data` as JSON with `--json`. */
export interface CommandResult {
  /** Stable, snake_case keys. */
  readonly data: unknown;
  /** Text for stdout, with or without a final newline; empty prints nothing. */
  readonly text: string;
  /** Exit status when it is not 0: the answer is no. */
  readonly exit?: ExitStatus;
}

/** One command: the default export of `commands/<noun>/<verb>.ts`. */
export interface Command {
  /** One line, no full stop. */
  readonly summary: string;
  /** Paragraphs under the usage line. */
  readonly details?: string;
  readonly args?: readonly Argument[];
  readonly flags: readonly Flag[];
  /** Command lines that run. */
  readonly examples: readonly string[];
  run(input: Input, ctx: Context): Promise<CommandResult>;
}
