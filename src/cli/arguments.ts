import { suggest, UsageError } from "../errors.ts";
import type { Command, Flag } from "./command.ts";
import { GLOBAL_FLAGS, type RawInput } from "./input.ts";

/**
 * Splits the arguments of `command` into flags and operands: `--flag value`, `--flag=value`, `-f value`, `-fvalue`, several
 * switches in one word (`-qy`), and `--` before operands that begin with a dash. Whether they are complete is checked by
 * ParsedInput. With `--help` among them, what is unknown does not matter.
 * @throws {UsageError} for an unknown flag, a missing value, or a value for a switch.
 */
export function parseArguments(command: Pick<Command, "flags">, argv: readonly string[]): RawInput {
  const parser = new ArgumentParser([...command.flags, ...GLOBAL_FLAGS]);
  return parser.parse(argv);
}

class ArgumentParser {
  readonly #flags: readonly Flag[];
  readonly #bySpelling = new Map<string, Flag>();
  readonly #values = new Map<string, string[]>();
  #problem: UsageError | undefined;

  constructor(flags: readonly Flag[]) {
    this.#flags = flags;
    for (const flag of flags) {
      for (const name of [flag.name, ...flag.aliases ?? []]) this.#bySpelling.set(`--${name}`, flag);
      if (flag.short) this.#bySpelling.set(`-${flag.short}`, flag);
    }
  }

  parse(argv: readonly string[]): RawInput {
    const operands: string[] = [];
    for (let at = 0; at < argv.length; at++) {
      const word = argv[at]!;
      if (word === "--") {
        operands.push(...argv.slice(at + 1));
        break;
      }
      // a lone dash is an operand, and so is a negative number
      if (!/^-./.test(word) || /^-\d+(\.\d+)?$/.test(word)) operands.push(word);
      else if (this.#take(word, argv[at + 1])) at++;
    }
    if (this.#problem && !this.#values.has("help")) throw this.#problem;
    return { flags: this.#values, operands };
  }

  /** Takes one word that begins with a dash; tells whether it used up the next word. */
  #take(word: string, next: string | undefined): boolean {
    const whole = this.#bySpelling.get(word);
    if (whole) return this.#takeFlag(whole, next);
    if (word.startsWith("--")) {
      const [, name, value] = /^(--[^=]*)=(.*)$/s.exec(word) ?? [word, word];
      const flag = this.#bySpelling.get(name!);
      if (flag?.value !== undefined) this.#add(flag, value!);
      else this.#fail(flag ? valueOfSwitch(name!) : this.#unknown(name!));
      return false;
    }
    return this.#takeShort(word, next);
  }

  /** `-fvalue`, or switches in a row of which the last may take the next word as its value. */
  #takeShort(word: string, next: string | undefined): boolean {
    for (let at = 1; at < word.length; at++) {
      const flag = this.#bySpelling.get(`-${word[at]}`);
      if (!flag) {
        this.#fail(this.#unknown(at === 1 ? word : `-${word[at]}`));
        return false;
      }
      if (flag.value !== undefined && at + 1 < word.length) {
        this.#add(flag, word.slice(at + 1));
        return false;
      }
      if (flag.value !== undefined) return this.#takeFlag(flag, next);
      this.#add(flag, "");
    }
    return false;
  }

  #takeFlag(flag: Flag, next: string | undefined): boolean {
    if (flag.value === undefined) {
      this.#add(flag, "");
      return false;
    }
    // `--out --force` is a forgotten value; `--out=--force` is meant
    if (next === undefined || this.#bySpelling.has(next)) {
      this.#fail(missingValue(flag));
      return false;
    }
    this.#add(flag, next);
    return true;
  }

  #add(flag: Flag, value: string): void {
    const values = this.#values.get(flag.name);
    if (values) values.push(value);
    else this.#values.set(flag.name, [value]);
  }

  #fail(problem: UsageError): void {
    this.#problem ??= problem;
  }

  #unknown(word: string): UsageError {
    const [name] = word.split("=", 1) as [string];
    if (/^--?(user-?)?pin$/i.test(name)) {
      return new UsageError("Cannot take a PIN from the command line: it would be visible in the process list", {
        code: "pin.on_command_line",
        hint: "State pin_env, pin_file, pin_command or pin_credential in hsm.yaml; on a terminal the PIN is asked for",
      });
    }
    const known = this.#flags.flatMap((flag) => [flag.name, ...flag.aliases ?? []]).map((flag) => `--${flag}`);
    const near = name.startsWith("--") ? suggest(name, known) : undefined;
    return new UsageError(`Unknown flag "${name}"`, {
      code: "usage.flag_unknown",
      ...(near ? { hint: `Did you mean "${near}"?` } : {}),
    });
  }
}

function missingValue(flag: Flag): UsageError {
  return new UsageError(`Missing value of --${flag.name}: ${flag.value} must follow`, { code: "usage.value_missing" });
}

function valueOfSwitch(name: string): UsageError {
  return new UsageError(`Cannot use ${name} with a value: it is a switch`, { code: "usage.value_stray" });
}
