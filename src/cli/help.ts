import type { Argument, Command, Flag } from "./command.ts";
import { type CommandRow, NOUNS } from "./commands/mod.ts";
import { GLOBAL_FLAGS } from "./input.ts";
import { columns } from "./output.ts";

/** Help of the whole program: nouns, commands without verbs, where to go next. */
export function programHelp(rows: readonly CommandRow[]): string {
  const nouns = Object.entries(NOUNS).filter(([noun]) => rows.some((row) => row.path[0] === noun));
  const single = rows.filter((row) => row.path[1] === undefined);
  return `Usage: qpki <noun> <verb> [arguments] [flags]

A PKI on the command line, with keys in files or in a PKCS#11 token.

Nouns:
${columns(nouns)}
Commands:
${columns(single.map((row) => [row.path[0], row.summary]))}
Flags:
      --version  print the version and how it was built
  -h, --help     show help; also: qpki <noun> --help, qpki <noun> <verb> --help

Examples:
  $ qpki ca --help
  $ qpki help exit-codes
`;
}

/** Help of a noun: its verbs, from the list alone. */
export function nounHelp(noun: string, rows: readonly CommandRow[]): string {
  const verbs = rows.filter((row) => row.path[0] === noun);
  const lines = verbs.map((row) => [[row.path[1]!, ...row.aliases ?? []].join(", "), row.summary] as const);
  return `Usage: qpki ${noun} <verb> [arguments] [flags]

${NOUNS[noun]}.

Verbs:
${columns(lines)}
Examples:
${verbs.slice(0, 2).map((row) => `  $ qpki ${row.path.join(" ")} --help\n`).join("")}`;
}

/** Help of one command. */
export function commandHelp(row: CommandRow, command: Command): string {
  const usage = ["qpki", ...row.path, ...(command.args ?? []).map(argumentUsage), ...command.flags.map(flagUsage)]
    .filter((word) => word !== "");
  const aliases = row.aliases?.map((alias) => [...row.path.slice(0, -1), alias].join(" ")) ?? [];
  const parts = [
    `Usage: ${usage.join(" ")} [flags]`,
    `${command.summary}.${command.details ? `\n\n${command.details.trim()}` : ""}`,
    aliases.length > 0 ? `Also called: ${aliases.join(", ")}` : "",
    section("Arguments", (command.args ?? []).map((argument) => [placeholder(argument), argument.description])),
    section("Flags", command.flags.map(flagLine)),
    section("Flags of every command", GLOBAL_FLAGS.map(flagLine)),
    `Examples:\n${command.examples.map(exampleText).join("")}`.trimEnd(),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function argumentUsage(argument: Argument): string {
  const name = placeholder(argument);
  return argument.required ? name : `[${name}]`;
}

function placeholder(argument: Argument): string {
  return argument.name.toUpperCase() + (argument.variadic ? "..." : "");
}

function flagUsage(flag: Flag): string {
  return flag.required ? `--${flag.name} ${flag.value ?? ""}`.trimEnd() : "";
}

function flagLine(flag: Flag): [string, string] {
  const short = flag.short ? `-${flag.short}, ` : "    ";
  const notes = [
    flag.choices ? `one of ${flag.choices.join(", ")}` : "",
    flag.default !== undefined && flag.default !== "" ? `default ${flag.default}` : "",
    flag.required ? "required" : "",
    flag.repeat ? "may be repeated" : "",
    flag.aliases?.length ? `also ${flag.aliases.map((alias) => `--${alias}`).join(", ")}` : "",
  ].filter((note) => note !== "");
  const tail = notes.length > 0 ? ` (${notes.join("; ")})` : "";
  return [`${short}--${flag.name}${flag.value ? ` ${flag.value}` : ""}`, flag.description + tail];
}

function section(title: string, lines: readonly (readonly [string, string])[]): string {
  return lines.length === 0 ? "" : `${title}:\n${columns(lines)}`.trimEnd();
}

function exampleText(example: string): string {
  return `  $ ${example.trim().replaceAll("\n", "\n    ")}\n`;
}
