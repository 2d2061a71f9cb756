import { shorten } from "../bytes.ts";
import { suggest } from "../errors.ts";
import { parseTemplate } from "./templates.ts";
import { describeNode, isEmpty, type Located, type LocatedEntry, type LocatedMap } from "./tree.ts";
import type { Checked, Mistake, Position, Template, Variable } from "./types.ts";
import { isListType } from "./values.ts";

/** Keys that a mapping may have; older spellings map to the key they stand for. */
export interface KeySpec {
  readonly keys: readonly string[];
  readonly older?: Readonly<Record<string, string>>;
}

/** How a template may be used where it stands. */
export interface TemplateRules {
  /** Refuses list variables: the place holds one value. */
  readonly single?: boolean;
}

/** Reads a located tree, collecting every mistake instead of stopping at the first. */
export class Reader {
  readonly mistakes: Mistake[] = [];
  readonly positions = new Map<string, Position>();
  /** Variables that templates may name; set before the first template is read. */
  variables: Readonly<Record<string, Variable>> = {};

  /** Notes a mistake, once. */
  complain(at: Position, message: string): void {
    const known = this.mistakes.some((m) => m.line === at.line && m.column === at.column && m.message === message);
    if (!known) this.mistakes.push({ line: at.line, column: at.column, message });
  }

  /** The keys of a mapping; unknown and repeated keys are mistakes, an empty value is an empty mapping. */
  fields(node: Located, path: string, spec: KeySpec): Fields | undefined {
    if (isEmpty(node)) return new Fields(this, path, { kind: "map", at: node.at, entries: [] }, new Map());
    if (node.kind !== "map") {
      this.complain(node.at, `${path} must be a mapping, and is ${describeNode(node)}`);
      return undefined;
    }
    const found = new Map<string, LocatedEntry>();
    for (const entry of node.entries) {
      const key = spec.older && Object.hasOwn(spec.older, entry.key) ? spec.older[entry.key]! : entry.key;
      if (!spec.keys.includes(key)) {
        this.complain(entry.at, unknownKey(entry.key, path, [...spec.keys, ...Object.keys(spec.older ?? {})]));
      } else if (found.has(key)) {
        this.complain(entry.at, `key "${shorten(entry.key)}" comes twice${key === entry.key ? "" : ` (as "${key}")`}`);
      } else {
        found.set(key, entry);
        this.positions.set(join(path, key), entry.at);
      }
    }
    return new Fields(this, path, node, found);
  }

  /** Every key of a mapping whose keys are the author's own; repeated ones are mistakes. */
  entries(node: Located, path: string): readonly LocatedEntry[] {
    if (isEmpty(node)) return [];
    if (node.kind !== "map") {
      this.complain(node.at, `${path} must be a mapping, and is ${describeNode(node)}`);
      return [];
    }
    const seen = new Set<string>();
    return node.entries.filter((entry) => {
      if (seen.has(entry.key)) this.complain(entry.at, `key "${shorten(entry.key)}" comes twice`);
      else this.positions.set(join(path, entry.key), entry.at);
      return !seen.has(entry.key) && seen.add(entry.key);
    });
  }

  /** Text of a scalar as written; numbers and booleans are taken as their text. */
  text(node: Located, path: string): string | undefined {
    if (node.kind === "scalar" && node.value !== null) {
      // deno-lint-ignore no-control-regex
      if (!/[\u0000-\u001f\u007f]/.test(node.text)) return node.text;
      this.complain(node.at, `${path} has control characters`);
    } else {
      this.complain(node.at, `${path} must be text, and is ${describeNode(node)}`);
    }
    return undefined;
  }

  /** A template; its variables must be declared. */
  template(node: Located, path: string, rules: TemplateRules = {}): Template | undefined {
    const text = this.text(node, path);
    if (text === undefined) return undefined;
    const template = parseTemplate(text);
    if (!template.ok) {
      this.complain(node.at, `${path}: ${template.reason}`);
      return undefined;
    }
    let good = true;
    let lists = 0;
    for (const name of template.value.variables) {
      const variable = Object.hasOwn(this.variables, name) ? this.variables[name]! : undefined;
      if (!variable) {
        const near = suggest(name, Object.keys(this.variables));
        this.complain(
          node.at,
          `${path} names the undeclared variable "${name}"${near ? ` (did you mean "${near}"?)` : ""}`,
        );
        good = false;
      } else if (isListType(variable.type)) {
        lists++;
      }
    }
    if (lists > (rules.single ? 0 : 1)) {
      this.complain(
        node.at,
        `${path} ${rules.single ? "holds one value, and names a list" : "names more than one list"}`,
      );
      good = false;
    }
    return good ? template.value : undefined;
  }

  /** The items of a list; a value that is no list is a list of one. */
  items(node: Located, path: string): readonly { readonly node: Located; readonly path: string }[] {
    if (isEmpty(node)) return [];
    if (node.kind !== "list") return [{ node, path }];
    return node.items.map((item, i) => {
      this.positions.set(`${path}[${i}]`, item.at);
      return { node: item, path: `${path}[${i}]` };
    });
  }
}

/** One mapping under way: typed access by key. Each getter notes a mistake and gives undefined for a wrong value. */
export class Fields {
  readonly #reader: Reader;
  readonly #path: string;
  readonly #node: LocatedMap;
  readonly #entries: ReadonlyMap<string, LocatedEntry>;

  constructor(reader: Reader, path: string, node: LocatedMap, entries: ReadonlyMap<string, LocatedEntry>) {
    this.#reader = reader;
    this.#path = path;
    this.#node = node;
    this.#entries = entries;
  }

  /** Where the mapping starts. */
  get at(): Position {
    return this.#node.at;
  }

  /** Path of a key. */
  path(key: string): string {
    return join(this.#path, key);
  }

  /** Whether the key is there. */
  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Where a key stands, else the mapping. */
  position(key: string): Position {
    return this.#entries.get(key)?.at ?? this.at;
  }

  /** The raw value of a key. */
  node(key: string): Located | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Notes a mistake at a key (or at the mapping when the key is absent). */
  complain(key: string, message: string): void {
    this.#reader.complain(this.position(key), message);
  }

  /** Notes a mistake at the value of a key. */
  complainValue(key: string, message: string): void {
    this.#reader.complain(this.node(key)?.at ?? this.position(key), message);
  }

  /** Notes a mistake when the key is absent. */
  require(key: string): void {
    if (!this.has(key)) {
      this.#reader.complain(this.at, `${this.#path === "" ? "" : `${this.#path}: `}"${key}" is missing`);
    }
  }

  text(key: string): string | undefined {
    const node = this.node(key);
    return node && this.#reader.text(node, this.path(key));
  }

  boolean(key: string): boolean | undefined {
    const node = this.node(key);
    if (!node) return undefined;
    if (node.kind === "scalar" && typeof node.value === "boolean") return node.value;
    this.#reader.complain(node.at, `${this.path(key)} must be true or false, and is ${describeNode(node)}`);
    return undefined;
  }

  integer(key: string, range: { min: number; max: number }): number | undefined {
    const node = this.node(key);
    if (!node) return undefined;
    const value = node.kind === "scalar" ? node.value : undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= range.min && value <= range.max) return value;
    const shown = node.kind === "scalar" ? `"${shorten(node.text, 40)}"` : describeNode(node);
    const words = range.max >= Number.MAX_SAFE_INTEGER
      ? range.min <= Number.MIN_SAFE_INTEGER ? "a whole number" : `a whole number from ${range.min}`
      : `a whole number from ${range.min} to ${range.max}`;
    this.#reader.complain(node.at, `${this.path(key)} must be ${words}, and is ${shown}`);
    return undefined;
  }

  choice<T extends string>(key: string, choices: readonly T[]): T | undefined {
    const node = this.node(key);
    const text = this.text(key);
    if (!node || text === undefined) return undefined;
    const found = choices.find((choice) => choice === text);
    if (found === undefined) {
      const near = suggest(text, choices);
      const hint = near ? `did you mean "${near}"?` : `one of ${choices.join(", ")}`;
      this.#reader.complain(node.at, `${this.path(key)}: unknown value "${shorten(text)}" (${hint})`);
    }
    return found;
  }

  /** Items of a list, or the one value that stands in its place. */
  items(key: string): readonly { readonly node: Located; readonly path: string }[] {
    const node = this.node(key);
    return node ? this.#reader.items(node, this.path(key)) : [];
  }

  texts(key: string): string[] {
    return this.items(key).map((item) => this.#reader.text(item.node, item.path)).filter((text) => text !== undefined);
  }

  template(key: string): Template | undefined {
    const node = this.node(key);
    return node && this.#reader.template(node, this.path(key), { single: true });
  }

  /** Templates of a list; those without variables are checked at once, the others when they are filled in. */
  checkedTemplates(key: string, check: (text: string) => Checked<unknown>): Template[] {
    const out: Template[] = [];
    for (const item of this.items(key)) {
      const template = this.#reader.template(item.node, item.path);
      if (template && this.#passes(template, { ...item, check })) out.push(template);
    }
    return out;
  }

  /** The template of a place that holds one value, checked like {@link checkedTemplates}. */
  checkedTemplate(key: string, check: (text: string) => Checked<unknown>): Template | undefined {
    const node = this.node(key);
    const template = this.template(key);
    return node && template && this.#passes(template, { node, path: this.path(key), check }) ? template : undefined;
  }

  #passes(
    template: Template,
    item: { readonly node: Located; readonly path: string; check(text: string): Checked<unknown> },
  ): boolean {
    if (template.variables.length > 0) return true;
    const checked = item.check(template.text);
    if (!checked.ok) this.#reader.complain(item.node.at, `${item.path}: ${checked.reason}`);
    return checked.ok;
  }

  /** A mapping below a key. */
  fields(key: string, spec: KeySpec): Fields | undefined {
    const node = this.node(key);
    return node && this.#reader.fields(node, this.path(key), spec);
  }
}

function unknownKey(key: string, path: string, known: readonly string[]): string {
  const near = suggest(key, known);
  const where = path === "" ? "" : ` in ${path}`;
  return `unknown key "${shorten(key, 60)}"${where} (${
    near ? `did you mean "${near}"?` : `known: ${known.join(", ")}`
  })`;
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
