import { suggest, UsageError } from "../errors.ts";
import type { CommandRow } from "./commands/mod.ts";
import { GLOBAL_FLAGS } from "./input.ts";

/** What a command line asks for. `asked` tells help that was asked for from help for want of a verb. */
export type Call =
  | { readonly kind: "program"; readonly asked: boolean }
  | { readonly kind: "noun"; readonly noun: string; readonly asked: boolean }
  | { readonly kind: "command"; readonly row: CommandRow; readonly rest: readonly string[] };

/**
 * Finds the command that `argv` names. Flags of every command may stand before noun and verb; they end up in `rest`.
 * @throws {UsageError} for an unknown noun, verb, or flag before them, with the nearest name as a hint.
 */
export function locate(argv: readonly string[], rows: readonly CommandRow[]): Call {
  const early: string[] = [];
  const noun = nextWord(argv, 0, early);
  if (noun.help) return { kind: "program", asked: true };
  if (noun.word === undefined) return { kind: "program", asked: false };
  const found = rows.filter((row) => row.path[0] === noun.word);
  if (found.length === 0) throw unknown("command", noun.word, rows.map((row) => row.path[0]), "qpki --help");
  const single = found.find((row) => row.path[1] === undefined);
  if (single) return { kind: "command", row: single, rest: [...early, ...argv.slice(noun.next)] };
  const verb = nextWord(argv, noun.next, early);
  if (verb.help) return { kind: "noun", noun: noun.word, asked: true };
  if (verb.word === undefined) return { kind: "noun", noun: noun.word, asked: false };
  const row = findVerb(found, verb.word);
  if (row) return { kind: "command", row, rest: [...early, ...argv.slice(verb.next)] };
  const verbs = found.flatMap((row) => [row.path[1]!, ...row.aliases ?? []]);
  throw unknown(`"${noun.word}" command`, verb.word, verbs, `qpki ${noun.word} --help`);
}

/** The row of `words` (noun, verb), by name or alias. */
export function findRow(words: readonly string[], rows: readonly CommandRow[]): CommandRow | undefined {
  const found = rows.filter((row) => row.path[0] === words[0]);
  return found.find((row) => row.path[1] === undefined) ??
    (words[1] === undefined ? undefined : findVerb(found, words[1]));
}

function findVerb(rows: readonly CommandRow[], verb: string): CommandRow | undefined {
  return rows.find((row) => row.path[1] === verb || row.aliases?.includes(verb));
}

function nextWord(argv: readonly string[], from: number, early: string[]) {
  for (let at = from; at < argv.length; at++) {
    const word = argv[at]!;
    if (!word.startsWith("-")) return { word, next: at + 1, help: false };
    const [spelling] = word.split("=", 1);
    const flag = GLOBAL_FLAGS.find(({ name, short, value }) =>
      value === undefined ? word === `--${name}` || (short && word === `-${short}`) : spelling === `--${name}`
    );
    if (!flag) {
      throw new UsageError(`Unknown flag "${word.replace(/=.*/s, "")}" before the command`, {
        code: "usage.flag_unknown",
        hint: "Flags of a command stand after its noun and verb, for example: qpki ca info --ca-dir ./ca",
      });
    }
    if (flag.name === "help") return { next: at, help: true };
    early.push(word);
    // a value of its own word belongs to the flag
    if (flag.value !== undefined && word === spelling && at + 1 < argv.length) early.push(argv[++at]!);
  }
  return { next: argv.length, help: false };
}

function unknown(what: string, word: string, known: readonly string[], help: string): UsageError {
  const near = suggest(word, new Set(known));
  return new UsageError(`Unknown ${what} "${word}"`, {
    code: "usage.command_unknown",
    hint: near ? `Did you mean "${near}"? See: ${help}` : `See: ${help}`,
  });
}
