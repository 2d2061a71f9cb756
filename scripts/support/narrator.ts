import { capture } from "./process.ts";

/** What a narrated command may end with besides 0, and what surrounds it. */
export interface TellOptions {
  env?: Record<string, string>;
  /** Expected exit status; another one ends the story. */
  status?: number;
  /** Show the command without its output. */
  quiet?: boolean;
}

/** Runs commands in a folder and prints each as one would type it, followed by what it says. */
export class Narrator {
  readonly #folder: string;
  readonly #programs: Record<string, readonly string[]>;

  /** `programs` gives the words that a name stands for, for example `qpki` for Deno with the source. */
  constructor(folder: string, programs: Record<string, readonly string[]> = {}) {
    this.#folder = folder;
    this.#programs = programs;
  }

  /** Prints a heading. */
  chapter(text: string): void {
    console.log(`\n${text}\n${"=".repeat(text.length)}`);
  }

  /** Prints a sentence. */
  say(text: string): void {
    console.log(`\n# ${text}`);
  }

  /**
   * Runs a command and returns what it printed.
   * @throws {Error} when it ends with another status than expected.
   */
  async run(command: readonly string[], options: TellOptions = {}): Promise<string> {
    const { status = 0, env = {} } = options;
    const [program, ...args] = command as [string, ...string[]];
    console.log(`$ ${command.map(quoted).join(" ")}`);
    const words = [...this.#programs[program] ?? [program], ...args];
    const { code, output } = await capture(words, {
      cwd: this.#folder,
      env: { ...env, NO_COLOR: "1" },
      timeout: 120_000,
    });
    if (!options.quiet || code !== status) console.log(output.trimEnd().replace(/^/gm, "  "));
    if (code !== status) throw new Error(`"${program}" ended with status ${code}, expected ${status}`);
    if (status !== 0) console.log(`  (exit status ${code}, as it must be)`);
    return output;
  }
}

/** A word as a shell takes it. */
export function quoted(word: string): string {
  if (/^[\w./:=@,+-]+$/.test(word)) return word;
  const assignment = /^([\w-]+=)(.*)$/s.exec(word);
  return assignment ? `${assignment[1]}${inQuotes(assignment[2]!)}` : inQuotes(word);
}

function inQuotes(text: string): string {
  return /["$`\\!]/.test(text) ? `'${text.replaceAll("'", `'\\''`)}'` : `"${text}"`;
}
