import { UsageError } from "../errors.ts";
import type { Command, Flag, Input } from "./command.ts";

/** Turns the audit log on, where no flag does. */
export const AUDIT_VARIABLE = "PKI_AUDIT_LOG";

/** Where the audit log is. */
export const AUDIT_LOG: Flag = {
  name: "audit-log",
  value: "FILE",
  description: "record every change and every use of a private key in this audit log; PKI_AUDIT_LOG stands in for it",
  complete: "file",
};

/** Flags that every command takes. */
export const GLOBAL_FLAGS: readonly Flag[] = [
  { name: "json", description: "print the result, or the error, as one JSON document" },
  { name: "quiet", short: "q", description: "no progress on stderr" },
  {
    name: "allow-final-try",
    description: "log in although the token says that one more wrong PIN locks it",
  },
  AUDIT_LOG,
  { name: "help", short: "h", description: "show this help" },
];

/** Whether a flag names a file that is written. */
export function isOutput({ name, value }: Flag): boolean {
  return value !== undefined && name.endsWith("out");
}

/** What the argument parser found: values by flag name, in order, and the positional arguments. */
export interface RawInput {
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
}

/** The arguments of one call, checked against what the command declares. */
export class ParsedInput implements Input {
  #flags: ReadonlyMap<string, Flag>;
  #values: ReadonlyMap<string, readonly string[]>;
  #arguments = new Map<string, readonly string[]>();

  /** @throws {UsageError} for a missing or stray argument, a missing flag, or a value outside of a flag's choices. */
  constructor(command: Pick<Command, "args" | "flags">, raw: RawInput) {
    this.#flags = new Map([...command.flags, ...GLOBAL_FLAGS].map((flag) => [flag.name, flag]));
    this.#values = raw.flags;
    this.#takeArguments(command, raw.operands);
    for (const flag of command.flags) this.#check(flag);
  }

  argument(name: string): string | undefined {
    return this.#argument(name)[0];
  }

  rest(name: string): string[] {
    return [...this.#argument(name)];
  }

  text(flag: string): string | undefined {
    return this.#values.get(flag)?.at(-1) ?? this.#flag(flag, true).default;
  }

  list(flag: string): string[] {
    const { default: fallback } = this.#flag(flag, true);
    return [...this.#values.get(flag) ?? (fallback === undefined ? [] : [fallback])];
  }

  on(flag: string): boolean {
    this.#flag(flag, false);
    return this.#values.has(flag);
  }

  integer(flag: string, range: { min?: number; max?: number } = {}): number | undefined {
    const text = this.text(flag);
    if (text === undefined) return undefined;
    const { min = -Number.MAX_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = range;
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new UsageError(`Cannot use --${flag} "${text}": not a whole number${rangeText(range)}`, {
      code: "usage.number",
    });
  }

  #takeArguments(command: Pick<Command, "args">, operands: readonly string[]): void {
    let at = 0;
    for (const argument of command.args ?? []) {
      const taken = argument.variadic ? operands.slice(at) : operands.slice(at, at + 1);
      if (argument.required && taken.length === 0) {
        throw new UsageError(`Missing argument ${argument.name.toUpperCase()}: ${argument.description}`, {
          code: "usage.argument_missing",
        });
      }
      const wrong = argument.choices && taken.find((value) => !argument.choices!.includes(value));
      if (wrong !== undefined) {
        throw new UsageError(`Unknown ${argument.name} "${wrong}": not one of ${argument.choices!.join(", ")}`, {
          code: "usage.choice",
        });
      }
      this.#arguments.set(argument.name, taken);
      at += taken.length;
    }
    if (at < operands.length) {
      throw new UsageError(`Unexpected argument "${operands[at]}"`, { code: "usage.argument_stray" });
    }
  }

  #check(flag: Flag): void {
    const values = this.#values.get(flag.name);
    if (flag.required && values === undefined) {
      throw new UsageError(`Missing flag --${flag.name}: ${flag.description}`, { code: "usage.flag_missing" });
    }
    if (isOutput(flag) && values?.includes("-")) {
      throw new UsageError(`Cannot use --${flag.name} -: it takes the name of a file`, {
        code: "usage.out",
        hint: "Leave it out where the result may be printed; a file of that name is ./-",
      });
    }
    const wrong = flag.choices && values?.find((value) => !flag.choices!.includes(value));
    if (wrong !== undefined) {
      throw new UsageError(`Cannot use --${flag.name} "${wrong}": not one of ${flag.choices!.join(", ")}`, {
        code: "usage.choice",
      });
    }
  }

  #argument(name: string): readonly string[] {
    const values = this.#arguments.get(name);
    if (values === undefined) throw new Error(`The command does not declare the argument "${name}"`);
    return values;
  }

  #flag(name: string, takesValue: boolean): Flag {
    const flag = this.#flags.get(name);
    if (flag === undefined) throw new Error(`The command does not declare the flag "${name}"`);
    if ((flag.value !== undefined) !== takesValue) {
      throw new Error(`The flag "${name}" ${takesValue ? "is a switch" : "takes a value"}`);
    }
    return flag;
  }
}

function rangeText({ min, max }: { min?: number; max?: number }): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` of at least ${min}`;
  return max === undefined ? "" : ` of at most ${max}`;
}
