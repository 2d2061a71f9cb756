import { keyRows } from "../alg/find.ts";
import type { Command, Completion, Flag } from "./command.ts";
import type { CommandRow } from "./commands/mod.ts";
import { GLOBAL_FLAGS } from "./input.ts";
import type { Io } from "./io.ts";
import { findRow } from "./locate.ts";

/** Shells that a completion script exists for. */
export const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;

/** One of {@link SHELLS}. */
export type Shell = typeof SHELLS[number];

/** Lines that leave the rest to the shell: names of files, or of folders. */
const FILES = ":files";
const FOLDERS = ":folders";

/**
 * Candidates for the last of `words` (the words after `qpki`, the last one as far as it is typed): one a line, or
 * `:files` or `:folders`. Never fails: what cannot be found has no candidates.
 */
export async function complete(words: readonly string[], io: Io, rows: readonly CommandRow[]): Promise<string[]> {
  // bash makes "=" a word of its own
  const last = words.at(-1) ?? "";
  const current = last === "=" ? "" : last;
  const before = words.slice(0, -1)
    .filter((word) => word !== "=" && !GLOBAL_FLAGS.some((flag) => word === `--${flag.name}`));
  try {
    const row = findRow(before, rows);
    const candidates = row
      ? await forCommand(row, before.slice(row.path.filter((word) => word !== undefined).length), current, io)
      : forWord(before, rows);
    return candidates.filter((candidate) => candidate.startsWith(current) || candidate.startsWith(":"));
  } catch {
    return [];
  }
}

function forWord(before: readonly string[], rows: readonly CommandRow[]): string[] {
  if (before.length === 0) return [...new Set(rows.map((row) => row.path[0])), "--help", "--version"];
  if (before.length > 1) return [];
  return [
    ...rows.filter((row) => row.path[0] === before[0]).flatMap((row) => [row.path[1]!, ...row.aliases ?? []]),
    "--help",
  ];
}

async function forCommand(row: CommandRow, given: readonly string[], current: string, io: Io): Promise<string[]> {
  const { default: command } = await row.load();
  const flags = [...command.flags, ...GLOBAL_FLAGS];
  const attached = /^(--[\w-]+)=/.exec(current)?.[1];
  const flag = flags.find((one) => one.value !== undefined && spellings(one).includes(attached ?? given.at(-1) ?? ""));
  if (flag) {
    const values = await valuesOf(flag, { given, operands: operandsOf(flags, given) }, io);
    return attached ? values.map((value) => value.startsWith(":") ? value : `${attached}=${value}`) : values;
  }
  if (current.startsWith("-")) return freeFlags(flags, given);
  return await forArgument(command, { given, operands: operandsOf(flags, given) }, io);
}

/** What stands on the line so far. */
interface Line {
  readonly given: readonly string[];
  /** Those of them that are arguments. */
  readonly operands: readonly string[];
}

function freeFlags(flags: readonly Flag[], given: readonly string[]): string[] {
  return flags.filter((flag) => flag.repeat || !given.some((word) => spellings(flag).includes(word)))
    .map((flag) => `--${flag.name}`);
}

async function forArgument(command: Command, line: Line, io: Io): Promise<string[]> {
  const args = command.args ?? [];
  const argument = args[line.operands.length] ?? (args.at(-1)?.variadic ? args.at(-1) : undefined);
  if (!argument) return freeFlags([...command.flags, ...GLOBAL_FLAGS], line.given);
  return argument.choices ? [...argument.choices] : await namesOf(argument.complete, line, io);
}

function operandsOf(flags: readonly Flag[], given: readonly string[]): string[] {
  const operands: string[] = [];
  for (let at = 0; at < given.length; at++) {
    const word = given[at]!;
    if (!word.startsWith("-")) operands.push(word);
    else if (flags.some((flag) => flag.value !== undefined && spellings(flag).includes(word))) at++;
  }
  return operands;
}

function spellings(flag: Flag): string[] {
  const long = [flag.name, ...flag.aliases ?? []].map((name) => `--${name}`);
  return flag.short ? [...long, `-${flag.short}`] : long;
}

async function valuesOf(flag: Flag, line: Line, io: Io): Promise<string[]> {
  const kind = flag.complete ?? (flag.name === "version" ? "version" : undefined);
  const known = flag.choices ?? flag.suggestions;
  return known ? [...known] : await namesOf(kind, line, io);
}

async function namesOf(kind: Completion | undefined, { given, operands }: Line, io: Io): Promise<string[]> {
  switch (kind) {
    case "file":
      return [FILES];
    case "directory":
      return [FOLDERS];
    case "algorithm":
      return keyRows().map((row) => row.name);
    case "profile": {
      const { listProfiles } = await import("../profile/load.ts");
      return (await listProfiles({ caDir: caFolder(given, io) })).map((profile) => profile.name);
    }
    case "version": {
      const meta = JSON.parse(await Deno.readTextFile(`${caFolder(given, io)}/ca.meta.json`));
      return Object.keys(meta.versions ?? {});
    }
    case "credential": {
      const { credentialIds } = await import("../store/credential.ts");
      return await credentialIds(credentialFolder(given, io));
    }
    case "credential version": {
      const { CredentialStore } = await import("../store/credential.ts");
      const store = await CredentialStore.open(credentialFolder(given, io), operands[0] ?? "");
      return Object.keys(store.meta.versions);
    }
    default:
      return [];
  }
}

function caFolder(given: readonly string[], io: Io): string {
  return folderAfter(["-d", "--ca-dir", "--dir"], given, io) ?? `${io.cwd}/ca`;
}

function credentialFolder(given: readonly string[], io: Io): string {
  return folderAfter(["-c", "--cred-dir"], given, io) ?? `${io.cwd}/credentials`;
}

function folderAfter(flags: readonly string[], given: readonly string[], io: Io): string | undefined {
  const at = given.findLastIndex((word) => flags.includes(word));
  const folder = at < 0 ? undefined : given[at + 1];
  return folder === undefined || folder.startsWith("/") ? folder : `${io.cwd}/${folder}`;
}

/** The script that makes `shell` complete the words of `qpki`. It asks `qpki` itself, so it never grows stale. */
export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# bash completion of qpki; load it with: source <(qpki completion bash)
_qpki() {
  local current="\${COMP_WORDS[COMP_CWORD]}" line
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :files) compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- "$current")) ;;
      :folders) compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -d -- "$current")) ;;
      *) COMPREPLY+=("$line") ;;
    esac
  done < <("\${COMP_WORDS[0]}" __complete "\${words[@]}" 2>/dev/null)
}
complete -F _qpki qpki
`,
  zsh: `#compdef qpki
# zsh completion of qpki; load it with: source <(qpki completion zsh)
_qpki() {
  local -a found
  local line
  for line in "\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case "$line" in
      :files) _files ;;
      :folders) _files -/ ;;
      ?*) found+=("$line") ;;
    esac
  done
  (( \${#found} )) && compadd -- "\${found[@]}"
}
compdef _qpki qpki
`,
  fish: `# fish completion of qpki; load it with: qpki completion fish | source
function __qpki_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in ($words[1] __complete $words[2..-1] 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path (commandline -ct)
      case ':folders'
        __fish_complete_directories (commandline -ct) ''
      case '*'
        echo $line
    end
  end
end
complete -c qpki -f -a '(__qpki_complete)'
`,
  powershell:
    `# PowerShell completion of qpki; load it with: qpki completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName qpki -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($wordToComplete -eq '') { $words += '' }
  qpki __complete @words 2>$null | ForEach-Object {
    if ($_ -eq ':files' -or $_ -eq ':folders') {
      Get-ChildItem -Path "$wordToComplete*" -Directory:($_ -eq ':folders') | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new((Resolve-Path -Relative $_.FullName))
      }
    } else {
      [System.Management.Automation.CompletionResult]::new($_)
    }
  }
}
`,
};
