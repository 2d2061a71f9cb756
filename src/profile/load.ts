import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { type Bytes, concatBytes } from "../bytes.ts";
import { InputError, suggest } from "../errors.ts";
import { readFileBytes } from "../files.ts";
import { sha256Hex } from "../keys/digest.ts";
import { builtinProfiles, customFolder, profilesBelow } from "./names.ts";
import { isProfileName, readProfile } from "./schema.ts";
import { VARIABLE_NAME } from "./templates.ts";
import type { Located, LocatedEntry } from "./tree.ts";
import {
  type Mistake,
  type ParsedProfile,
  type Position,
  type Profile,
  ProfileError,
  type ProfileSource,
  type ProfileSummary,
} from "./types.ts";

/** Where profiles are looked for. */
export interface ProfilePlaces {
  /** Folder of a CA, whose `profiles/` overrides the built-in ones. */
  readonly caDir?: string;
  /** Folder that relative paths start from; the process's own unless told. */
  readonly cwd?: string;
}

const MAX_BYTES = 1024 * 1024;
const MAX_NODES = 50_000;
const MAX_DEPTH = 40;
const MAX_SYNTAX_ERRORS = 10;

/**
 * The profile called `nameOrPath`: a path (it starts with `./`, `../` or `/`, or ends in `.yaml` or `.yml`), else the CA's
 * own profile of that name, else the built-in one, else an existing file.
 * @throws {InputError} `profile.unknown` with the nearest name, `file.not_found`, {@link ProfileError}.
 */
export async function loadProfile(nameOrPath: string, places: ProfilePlaces = {}): Promise<Profile> {
  if (looksLikePath(nameOrPath)) return await loadPath(nameOrPath, places);
  const custom = await customProfiles(places);
  const builtin = await builtinProfiles();
  const own = custom.get(nameOrPath);
  if (own !== undefined) return await loadFile(own, { name: nameOrPath, source: customSource(nameOrPath, builtin) });
  const file = builtin.get(nameOrPath);
  if (file !== undefined) return await loadFile(file, { name: nameOrPath, source: "default" });
  if (await isFile(resolve(nameOrPath, places.cwd))) return await loadPath(nameOrPath, places);
  throw unknownProfile(nameOrPath, [...custom.keys(), ...builtin.keys()], places.caDir);
}

/** Every profile, sorted by name; one whose file cannot be used is listed with its error. */
export async function listProfiles(places: ProfilePlaces = {}): Promise<ProfileSummary[]> {
  const custom = await customProfiles(places);
  const builtin = await builtinProfiles();
  const out: ProfileSummary[] = [];
  for (const name of [...new Set([...builtin.keys(), ...custom.keys()])].sort()) {
    const file = custom.get(name) ?? builtin.get(name)!;
    const source = custom.has(name) ? customSource(name, builtin) : "default";
    try {
      out.push({ name, source, file, profile: await loadFile(file, { name, source }) });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      out.push({ name, source, file, error });
    }
  }
  return out;
}

/**
 * The profile in a YAML text; `file` names it in messages.
 * @throws {ProfileError} with every mistake.
 */
export function parseProfile(text: string, file: string): ParsedProfile {
  return readProfile(parseYaml(text, file, "profile"), file, text);
}

/**
 * Values of a variable file (YAML or JSON): a mapping of names to scalars and lists of scalars. Numbers come as the text
 * that was written, so that `01234` keeps its zero.
 * @throws {ProfileError} for anything else, `file.not_found`.
 */
export async function loadVarFile(path: string, cwd?: string): Promise<Record<string, unknown>> {
  const tree = parseYaml(decode(await readBounded(resolve(path, cwd)), path), path, "variable file");
  const mistakes: Mistake[] = [];
  const out: Record<string, unknown> = Object.create(null);
  if (tree.kind !== "map") {
    throw new ProfileError("variable file", path, [{ ...tree.at, message: "the file must be a mapping of variables" }]);
  }
  for (const { key, at, value } of tree.entries) {
    if (!VARIABLE_NAME.test(key)) mistakes.push({ ...at, message: `"${key}" cannot name a variable` });
    else if (key in out) mistakes.push({ ...at, message: `variable "${key}" comes twice` });
    out[key] = value.kind === "list"
      ? value.items.map((item) => scalarValue(item, mistakes))
      : scalarValue(value, mistakes);
  }
  if (mistakes.length > 0) throw new ProfileError("variable file", path, mistakes);
  return out;
}

function scalarValue(node: Located, mistakes: Mistake[]): unknown {
  if (node.kind === "scalar") return typeof node.value === "number" ? node.text : node.value;
  mistakes.push({ ...node.at, message: "a variable holds a scalar or a list of scalars" });
  return undefined;
}

async function loadPath(path: string, places: ProfilePlaces): Promise<Profile> {
  return await loadFile(resolve(path, places.cwd), { source: path, label: path });
}

async function loadFile(
  path: string,
  known: { name?: string; source: ProfileSource; label?: string },
): Promise<Profile> {
  const bytes = await readBounded(path);
  const label = known.label ?? (known.source === "default" ? `${known.name}.yaml` : path);
  const parsed = parseProfile(decode(bytes, label), label);
  return { ...parsed, name: known.name ?? parsed.name, source: known.source, sha256: await sha256Hex(bytes) };
}

function looksLikePath(text: string): boolean {
  return /^(\.{1,2}[\\/]|[\\/]|[A-Za-z]:[\\/])|\.ya?ml$/.test(text);
}

function customSource(name: string, builtin: ReadonlyMap<string, string>): ProfileSource {
  return builtin.has(name) ? "custom (overrides default)" : "custom";
}

async function customProfiles(places: ProfilePlaces): Promise<Map<string, string>> {
  return places.caDir === undefined ? new Map() : await profilesBelow(customFolder(resolve(places.caDir, places.cwd)));
}

function unknownProfile(name: string, names: readonly string[], caDir: string | undefined): InputError {
  const near = isProfileName(name) ? suggest(name, names) : undefined;
  const where = caDir === undefined ? "" : `, and "${customFolder(caDir)}" has none`;
  return new InputError(`Cannot find profile "${name}": no built-in profile has this name${where}`, {
    code: "profile.unknown",
    object: name,
    hint: near ? `Did you mean "${near}"?` : "List the profiles with: qpki profile list",
  });
}

function resolve(path: string, cwd: string | undefined): string {
  return cwd === undefined || /^([\\/]|[A-Za-z]:[\\/])/.test(path) ? path : `${cwd.replace(/[\\/]+$/, "")}/${path}`;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/** Content of a file, pipe or device, refused beyond 1 MiB without reading on. */
async function readBounded(path: string): Promise<Bytes> {
  let file: Deno.FsFile;
  try {
    if ((await Deno.stat(path)).isDirectory) return await readFileBytes(path);
    file = await Deno.open(path, { read: true });
  } catch {
    // says in words what is wrong
    return await readFileBytes(path);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    const buffer = new Uint8Array(65536);
    for (let n = await file.read(buffer); n !== null; n = await file.read(buffer)) {
      chunks.push(buffer.slice(0, n));
      length += n;
      if (length > MAX_BYTES) break;
    }
  } finally {
    file.close();
  }
  if (length <= MAX_BYTES) return concatBytes(...chunks);
  throw new InputError(`Cannot read "${path}": it is larger than 1 MiB`, { code: "file.too_large", file: path });
}

function decode(bytes: Bytes, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new InputError(`Cannot read "${file}": not UTF-8 text`, { code: "file.not_text", file, cause });
  }
}

/** The located tree of a YAML text, or a ProfileError with the syntax errors. Size, nodes and depth are bounded. */
function parseYaml(text: string, file: string, what: string): Located {
  if (text.length > MAX_BYTES) {
    throw new InputError(`Cannot read "${file}": it is larger than 1 MiB`, { code: "file.too_large", file });
  }
  const lines = new LineCounter();
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(Math.max(0, Math.min(offset, text.length)));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      // repeated keys are the schema's to report: the library compares each with each
      uniqueKeys: false,
      merge: false,
      // "silent" would also hide that a second document follows
      logLevel: "error",
    });
    const problems = [...document.errors, ...document.warnings].slice(0, MAX_SYNTAX_ERRORS);
    if (problems.length > 0) {
      throw new ProfileError(what, file, problems.map((p) => ({ ...place(p.pos[0]), message: `YAML: ${p.message}` })));
    }
    if (document.contents === null) {
      throw new ProfileError(what, file, [{ line: 1, column: 1, message: "the file is empty" }]);
    }
    return new TreeBuilder(place).build(document.contents as Node, 0, { line: 1, column: 1 });
  } catch (error) {
    if (error instanceof TreeError) throw new ProfileError(what, file, [{ ...error.at, message: error.message }]);
    // the library recurses: what exhausts the stack is nested far beyond any profile
    if (error instanceof RangeError) {
      throw new ProfileError(what, file, [{ line: 1, column: 1, message: "YAML: nested too deeply" }]);
    }
    throw error;
  }
}

class TreeError extends Error {
  constructor(readonly at: Position, message: string) {
    super(message);
  }
}

/** Turns YAML nodes into a located tree; aliases are followed, and what they repeat counts against the limit. */
class TreeBuilder {
  readonly #place: (offset: number) => Position;
  readonly #anchors = new Map<string, Node>();
  #count = 0;

  constructor(place: (offset: number) => Position) {
    this.#place = place;
  }

  build(node: Node | null, depth: number, fallback: Position): Located {
    const at = node?.range ? this.#place(node.range[0]) : fallback;
    if (++this.#count > MAX_NODES) throw new TreeError(at, `YAML: more than ${MAX_NODES} nodes (aliases counted)`);
    if (depth > MAX_DEPTH) throw new TreeError(at, `YAML: nested more than ${MAX_DEPTH} deep`);
    if (node === null) return { kind: "scalar", at, value: null, text: "" };
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (!target) throw new TreeError(at, `YAML: unknown anchor "${node.source}"`);
      return this.build(target, depth + 1, at);
    }
    if ("anchor" in node && node.anchor) this.#anchors.set(node.anchor, node);
    if (isMap(node)) return { kind: "map", at, entries: node.items.map((pair) => this.#entry(pair, depth, at)) };
    if (isSeq(node)) {
      return { kind: "list", at, items: node.items.map((item) => this.build(item as Node | null, depth + 1, at)) };
    }
    if (isScalar(node)) return scalar(node.value, node.source, at);
    throw new TreeError(at, "YAML: unexpected node");
  }

  #entry(pair: { key: unknown; value: unknown }, depth: number, at: Position): LocatedEntry {
    const key = this.build(pair.key as Node | null, depth + 1, at);
    if (key.kind !== "scalar" || key.value === null) throw new TreeError(key.at, "YAML: a key must be text");
    return { key: key.text, at: key.at, value: this.build(pair.value as Node | null, depth + 1, key.at) };
  }
}

function scalar(value: unknown, source: string | undefined, at: Position): Located {
  if (typeof value === "string") return { kind: "scalar", at, value, text: value };
  if (value === null || value === undefined) return { kind: "scalar", at, value: null, text: "" };
  if (typeof value === "number" || typeof value === "boolean") {
    return { kind: "scalar", at, value, text: source ?? String(value) };
  }
  throw new TreeError(at, "YAML: unexpected value");
}
