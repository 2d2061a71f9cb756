import type { Command } from "../command.ts";

/** One command in the list. The module behind `load` is imported only when the command runs or its help is asked for. */
export interface CommandRow {
  /** Noun and verb, or one word for a command without verbs. */
  readonly path: readonly [noun: string, verb?: string];
  /** Other spellings of the last word. */
  readonly aliases?: readonly string[];
  /** One line, no full stop; the same as the command's own. */
  readonly summary: string;
  load(): Promise<{ readonly default: Command }>;
}

/** Every noun with its summary, in the order of the help. */
export const NOUNS: Readonly<Record<string, string>> = {
  ca: "Certification authorities",
  cert: "Certificates that a CA issues",
  credential: "Keys with their certificates, issued together",
  crl: "Certificate revocation lists",
  csr: "Certificate signing requests",
  hsm: "PKCS#11 libraries and tokens",
  key: "Private keys, in files and in tokens",
  profile: "Certificate profiles",
};

/**
 * The one list of commands, sorted by noun and verb. Keep each `load` an import with a literal path: the build and the
 * type checker follow it.
 */
export const COMMANDS: readonly CommandRow[] = [
  {
    path: ["completion"],
    summary: "Print a script that makes a shell complete qpki's commands",
    load: () => import("./completion.ts"),
  },
  {
    path: ["help"],
    summary: "Show help of a noun, of a command, or the exit statuses",
    load: () => import("./help.ts"),
  },
];
