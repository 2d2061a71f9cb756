/**
 * Checks what the architecture promises: who imports whom, one door a library, no cycles, a doc comment on every export,
 * no output or exit outside their files, no vendor outside its driver. Run by `deno task check`.
 */

/** Files by path relative to the root, with `/`. */
export type Files = ReadonlyMap<string, string>;

interface Room {
  readonly name: string;
  readonly files: RegExp;
  /** Rooms it may import besides itself. */
  readonly may: readonly string[];
}

const LOW = ["base", "asn1", "alg"];
const MIDDLE = [...LOW, "keys"];

/** First match wins. A room further down is at the same or a higher level. */
const ROOMS: readonly Room[] = [
  { name: "base", files: /^src\/(errors|bytes|files|resources)\.ts$/, may: [] },
  { name: "asn1", files: /^src\/asn1\//, may: ["base"] },
  { name: "alg", files: /^src\/alg\//, may: ["base"] },
  { name: "software", files: /^src\/keys\/(software|composite)(_\w+)?\.ts$/, may: MIDDLE },
  { name: "keys", files: /^src\/keys\//, may: LOW },
  { name: "driver contract", files: /^src\/pkcs11\/driver\.ts$/, may: [...MIDDLE, "pkcs11"] },
  // the provider loads a driver by name, lazily; diagnostics open a token as it does
  {
    name: "provider",
    files: /^src\/pkcs11\/(provider|diagnose)\.ts$/,
    may: [...MIDDLE, "pkcs11", "driver contract", "drivers"],
  },
  { name: "pkcs11", files: /^src\/pkcs11\//, may: [...MIDDLE, "driver contract"] },
  { name: "x509", files: /^src\/x509\//, may: MIDDLE },
  { name: "cose", files: /^src\/cose\//, may: MIDDLE },
  { name: "audit", files: /^src\/audit\//, may: MIDDLE },
  { name: "profile", files: /^src\/profile\//, may: [...MIDDLE, "x509"] },
  { name: "store", files: /^src\/store\//, may: [...MIDDLE, "x509"] },
  { name: "ca", files: /^src\/ca\//, may: [...MIDDLE, "software", "x509", "cose", "audit", "profile", "store"] },
  {
    name: "credential",
    files: /^src\/credential\//,
    may: [...MIDDLE, "software", "x509", "cose", "audit", "profile", "store", "ca"],
  },
  {
    name: "cli",
    files: /^src\/cli\//,
    may: [
      ...[...MIDDLE, "software", "provider", "pkcs11", "driver contract", "x509", "cose", "audit"],
      ...["profile", "store", "ca", "credential", "drivers"],
    ],
  },
  { name: "drivers", files: /^drivers\//, may: ["driver contract", "alg", "base"] },
  { name: "main", files: /^main\.ts$/, may: ["cli", "base"] },
];

/** Library to the files that may import it. */
const DOORS: readonly (readonly [library: RegExp, files: RegExp])[] = [
  [/^commander$/, /^src\/cli\/arguments\.ts$/],
  [/^koffi$/, /^src\/pkcs11\/ffi\.ts$/],
  [/^@noble\//, /^src\/keys\//],
  [/^(pkijs|asn1js)$/, /^src\/(x509|asn1)\//],
  [/^cbor-x(\/|$)/, /^src\/cose\//],
  [/^yaml$/, /^src\/(profile\/load|cli\/hsm_config)\.ts$/],
  [/^node:crypto$/, /^src\/keys\//],
];

/** Things that only some files may say. */
const WORDS: readonly (readonly [what: string, pattern: RegExp, files: RegExp])[] = [
  ["console", /\bconsole\s*\./, /^$/],
  ["Deno.exit", /\bDeno\s*\.\s*exit\b/, /^main\.ts$/],
  ["Deno.stdout or Deno.stderr", /\bDeno\s*\.\s*(stdout|stderr)\b/, /^(main|src\/cli\/(io|prompt))\.ts$/],
  ["crypto.subtle", /\bcrypto\s*\.\s*subtle\b/, /^src\/keys\//],
  ["crypto.getRandomValues", /\bcrypto\s*\.\s*getRandomValues\b/, /^src\/bytes\.ts$/],
  ["@ts-ignore or @ts-expect-error", /@ts-(ignore|expect-error)/, /^$/],
  [
    "a vendor's name",
    /\b\w*(softhsm|kryoptic|nssoftokn|utimaco|luna_|lunaclient|nshield|securosys|proteccio|cloudhsm|yubihsm)\w*/i,
    /^(drivers|src\/cli)\//,
  ],
  // the profile linter tries certificates with made-up values
  ["a host name", /https?:\/\/[a-z0-9-]+\.[a-z]/i, /^src\/profile\/samples\.ts$/],
];

const IMPORT = /\b(?:import|export)\b[^"'`;()]*?\bfrom\s*["']([^"']+)["']|\bimport\s*["']([^"']+)["']/g;
const TYPE_IMPORT = /\b(?:import|export)\s+type\b[^"'`;()]*?\bfrom\s*["'][^"']+["']/g;
const DYNAMIC = /\bimport\s*\(\s*["']([^"']+)["']/g;
/** A default export needs no comment of its own: a command's or a driver's fields say what it is. */
const EXPORT = /^export (?:abstract |async |declare )*(?:function\*?|class|interface|type|const|let|enum)\s+(\w+)/;
const ARROW = /^(?:export )?const \w+(?:\s*:[^=]+)? = (?:async )?(?:\([^)]*\)|\w+)(?:\s*:[^=]+)? =>/m;

/** Every breach of the rules, one line each, in the order of the files. */
export function checkFiles(files: Files): string[] {
  const problems: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [path, text] of files) {
    if (/_test\.ts$/.test(path)) continue;
    const code = stripComments(text);
    const still = targets(code, IMPORT);
    const loaded = targets(code.replace(TYPE_IMPORT, ""), IMPORT);
    graph.set(path, loaded.filter(isOurs).map((target) => resolve(path, target)));
    for (const target of [...still, ...targets(code, DYNAMIC)]) {
      const problem = isOurs(target) ? roomProblem(path, resolve(path, target)) : doorProblem(path, target);
      if (problem) problems.push(`${path}: ${problem}`);
    }
    problems.push(...wordProblems(path, code), ...docProblems(path, text), ...styleProblems(path, code));
  }
  return [...problems, ...cycleProblems(graph)];
}

/** `text` with comments blanked out, lines kept. Knows strings, templates and regular expressions well enough. */
export function stripComments(text: string): string {
  const token =
    /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\/|(?<=(?:[(,=:[!&|?{};>]|\breturn|^)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/gm;
  return text.replace(token, (match) => /^\/[/*]/.test(match) ? match.replace(/[^\n]/g, " ") : match);
}

function targets(code: string, pattern: RegExp): string[] {
  return [...code.matchAll(pattern)].map((match) => match[1] ?? match[2]!);
}

function isOurs(target: string): boolean {
  return target.startsWith(".");
}

function resolve(from: string, target: string): string {
  return new URL(target, `file:///${from}`).pathname.slice(1);
}

function roomOf(path: string): Room | undefined {
  return ROOMS.find((room) => room.files.test(path));
}

function roomProblem(from: string, to: string): string | undefined {
  const [here, there] = [roomOf(from), roomOf(to)];
  if (!here) return `is in no room of the table`;
  if (!there) return `imports ${to}, which is in no room`;
  if (here === there || here.may.includes(there.name)) return undefined;
  return `imports ${to}: ${here.name} may not import ${there.name}`;
}

function doorProblem(path: string, library: string): string | undefined {
  const door = DOORS.find(([name]) => name.test(library));
  if (!door) return /^node:(path|url)$/.test(library) ? undefined : `imports "${library}", which no room may`;
  return door[1].test(path) ? undefined : `imports "${library}" past its door`;
}

function wordProblems(path: string, code: string): string[] {
  return WORDS.filter(([, , files]) => !files.test(path)).flatMap(([what, pattern]) => {
    const match = pattern.exec(code);
    return match ? [`${path}:${lineOf(code, match.index)}: says ${what} (${match[0]})`] : [];
  });
}

function docProblems(path: string, text: string): string[] {
  const problems: string[] = [];
  const lines = text.split("\n");
  let last = "";
  let groupEnd = -2;
  for (const [at, line] of lines.entries()) {
    const match = EXPORT.exec(line);
    if (!match) continue;
    const name = match[1]!;
    let before = at - 1;
    while (before >= 0 && /^\s*\/\/ deno-lint-ignore/.test(lines[before]!)) before--;
    // one comment serves a run of one-line constants, and the overloads of one function
    const isDocumented = /\*\/\s*$/.test(lines[before] ?? "") || groupEnd === at - 1;
    if (isDocumented && /^export const .*;$/.test(line)) groupEnd = at;
    if (!isDocumented && name !== last) problems.push(`${path}:${at + 1}: export "${name}" has no doc comment`);
    last = name;
  }
  return problems;
}

function styleProblems(path: string, code: string): string[] {
  const problems: string[] = [];
  if (!/^[a-z0-9_./]+$/.test(path)) problems.push(`${path}: the name is not snake_case`);
  const arrow = ARROW.exec(code);
  if (arrow) problems.push(`${path}:${lineOf(code, arrow.index)}: a top-level function is an arrow`);
  const mutable = /^(?:export )?(?:let|var) \w+/m.exec(code);
  if (mutable) problems.push(`${path}:${lineOf(code, mutable.index)}: module-level mutable state (${mutable[0]})`);
  return problems;
}

/** Cycles of imports at load time: types vanish, and the lazy imports of the list of commands come later. */
function cycleProblems(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const state = new Map<string, "open" | "done">();
  const problems: string[] = [];
  function visit(path: string, trail: readonly string[]): void {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      problems.push(`cycle: ${[...trail.slice(trail.indexOf(path)), path].join(" -> ")}`);
      return;
    }
    state.set(path, "open");
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    state.set(path, "done");
  }
  for (const path of graph.keys()) visit(path, []);
  return problems;
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** The checked files below `root`: main.ts, src and drivers. */
export function readFiles(root: string): Files {
  const files = new Map<string, string>();
  function walk(folder: string): void {
    for (const entry of [...Deno.readDirSync(`${root}/${folder}`)].sort((a, b) => a.name < b.name ? -1 : 1)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) walk(path);
      else if (path.endsWith(".ts")) files.set(path, Deno.readTextFileSync(`${root}/${path}`));
    }
  }
  files.set("main.ts", Deno.readTextFileSync(`${root}/main.ts`));
  for (const folder of ["drivers", "src"]) walk(folder);
  return files;
}

if (import.meta.main) {
  const files = readFiles(new URL("..", import.meta.url).pathname.replace(/\/$/, ""));
  const problems = checkFiles(files);
  for (const problem of problems) console.error(problem);
  console.log(`rooms: ${files.size} files, ${problems.length} problems`);
  if (problems.length > 0) Deno.exit(1);
}
