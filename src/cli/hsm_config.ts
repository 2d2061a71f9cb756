import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from "yaml";
import { InputError, suggest } from "../errors.ts";
import { readFileText } from "../files.ts";
import type { PinSpec } from "./pin.ts";

/** A checked hsm.yaml. */
export interface HsmConfig {
  /** Path of the file, as given. */
  readonly path: string;
  /** PKCS#11 library: a path, or a bare name for the system's search. */
  readonly lib: string;
  /** Exactly one of token, tokenSerial and slot selects the token. */
  readonly token?: string;
  readonly tokenSerial?: string;
  readonly slot?: number;
  /** Where the PIN comes from; without it, it is asked for. */
  readonly pin?: PinSpec;
  readonly logoutAfterUse: boolean;
  /** Driver name, or path of a plug-in. */
  readonly driver?: string;
  /** Text for the library itself, at its start; only some read one. */
  readonly initString?: string;
  /** Another kind of user than the usual one, by the driver's name for it. */
  readonly userType?: string;
  /** Sessions of the pool. */
  readonly sessions?: number;
}

const SELECTORS = ["token", "token_serial", "slot"] as const;
const PIN_KEYS = ["pin_env", "pin_file", "pin_command", "pin_credential"] as const;
const KEYS = [
  ...["lib", ...SELECTORS, ...PIN_KEYS],
  ...["logout_after_use", "driver", "init_string", "user_type", "sessions"],
] as const;
const SECRET_KEY = /^(user_?|so_?)?(pin|password|passphrase)$/i;
const MAX_CHARACTERS = 65536;
const MAX_SESSIONS = 1024;

/**
 * Reads hsm.yaml strictly: every unknown key, wrong type or contradiction is an error that names line and column.
 * Relative paths inside count from the file's own folder.
 * @throws {InputError} `file.not_found`, `hsm.config`.
 */
export async function loadHsmConfig(path: string): Promise<HsmConfig> {
  return parseHsmConfig(await readFileText(path), path);
}

/** As {@link loadHsmConfig}, from text; `path` is for messages and relative paths. */
export function parseHsmConfig(text: string, path: string): HsmConfig {
  const reader = new Reader(text, path);
  const top = reader.map(reader.root, "the file", ["type", "pkcs11"]);
  const type = reader.text(top, "type");
  if (type !== "pkcs11") reader.fail(`type "${type}" is unknown; it must be pkcs11`, top.get("type")!.value);
  const fields = reader.map(reader.required(top, "pkcs11").value, "pkcs11", KEYS);
  const lib = reader.text(fields, "lib");
  const selector = reader.one(fields, SELECTORS, { what: "token selector" });
  const pin = readPinSpec(reader, fields);
  const slot = reader.integer(fields, "slot", { min: 0, max: Number.MAX_SAFE_INTEGER });
  const sessions = reader.integer(fields, "sessions", { min: 1, max: MAX_SESSIONS });
  const driver = fields.has("driver") ? reader.text(fields, "driver") : undefined;
  return {
    path,
    lib: fromFolder(lib, path),
    ...(selector === "token" ? { token: reader.text(fields, "token") } : {}),
    ...(selector === "token_serial" ? { tokenSerial: reader.text(fields, "token_serial") } : {}),
    ...(slot === undefined ? {} : { slot }),
    ...(pin === undefined ? {} : { pin }),
    logoutAfterUse: reader.boolean(fields, "logout_after_use") ?? false,
    ...(driver === undefined ? {} : { driver: fromFolder(driver, path) }),
    ...(fields.has("init_string") ? { initString: reader.text(fields, "init_string") } : {}),
    ...(fields.has("user_type") ? { userType: reader.text(fields, "user_type") } : {}),
    ...(sessions === undefined ? {} : { sessions }),
  };
}

function readPinSpec(reader: Reader, fields: Fields): PinSpec | undefined {
  const key = reader.one(fields, PIN_KEYS, { what: "PIN source", optional: true });
  if (key === undefined) return undefined;
  const { value } = fields.get(key)!;
  if (key === "pin_command") return { type: "command", argv: reader.argv(fields, key) };
  const text = reader.text(fields, key);
  if (key === "pin_file") return { type: "file", path: fromFolder(text, reader.path, { always: true }) };
  // the value may be the PIN itself, put here by mistake: never shown
  if (key === "pin_credential") {
    if (!/^[\w.@:-]{1,255}$/.test(text) || /^\.+$/.test(text)) {
      reader.fail("pin_credential must be the name of a systemd credential", value);
    }
    return { type: "credential", name: text };
  }
  if (!/^[A-Za-z_]\w*$/.test(text)) {
    reader.fail("pin_env must be the name of an environment variable, not the PIN itself", value);
  }
  return { type: "env", name: text };
}

interface Field {
  /** Byte offset of the key. */
  readonly at: number;
  readonly value: Node | null;
}

type Fields = ReadonlyMap<string, Field>;

/** Reads values out of a YAML tree and knows where each one stands. */
class Reader {
  readonly path: string;
  readonly root: Node | null;
  #lines = new LineCounter();

  constructor(text: string, path: string) {
    this.path = path;
    if (text.length > MAX_CHARACTERS) {
      throw new InputError(`Cannot read "${path}": longer than ${MAX_CHARACTERS} characters`, { file: path });
    }
    const document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: false });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) this.fail(problem.message.split("\n")[0]!.replace(/\.$/, ""), problem.pos[0]);
    this.root = document.contents;
  }

  /** @throws {InputError} with line and column of `where`, a node or an offset. */
  fail(reason: string, where: Node | number | null, hint?: string): never {
    const offset = typeof where === "number" ? where : where?.range?.[0] ?? 0;
    const { line, col } = this.#lines.linePos(offset);
    const place = line === 0 ? this.path : `${this.path}:${line}:${col}`;
    throw new InputError(`Cannot use "${place}": ${reason}`, {
      code: "hsm.config",
      file: this.path,
      ...(line === 0 ? {} : { line, column: col }),
      ...(hint === undefined ? {} : { hint }),
    });
  }

  /** The fields of a mapping, all of them known. */
  map(node: Node | null, what: string, known: readonly string[]): Fields {
    if (!isMap(node)) this.fail(`${what} must be a mapping (key: value)`, node);
    const fields = new Map<string, Field>();
    for (const { key, value } of (node as YAMLMap<Node, Node | null>).items) {
      const name = isScalar(key) ? String(key.value) : "";
      const at = key.range?.[0] ?? 0;
      if (!known.includes(name)) this.#unknownKey(name, at, known);
      if (fields.has(name)) this.fail(`the key "${name}" is there twice`, at);
      if (isAlias(value)) this.fail(`the value of ${name} must not be an alias (*)`, value);
      fields.set(name, { at, value });
    }
    return fields;
  }

  required(fields: Fields, name: string): Field {
    return fields.get(name) ?? this.fail(`"${name}" is missing`, this.root);
  }

  /** A text that must be there and not be empty. */
  text(fields: Fields, name: string): string {
    const { value, at } = this.required(fields, name);
    const text = isScalar(value) ? value.value : undefined;
    if (typeof text === "string" && text.trim() !== "") return text;
    if (typeof text === "number" || typeof text === "boolean") {
      this.fail(`${name} must be text`, value, `Put it in quotes: ${name}: "…"`);
    }
    this.fail(`${name} must be text, and not empty`, value ?? at);
  }

  integer(fields: Fields, name: string, range: { min: number; max: number }): number | undefined {
    const field = fields.get(name);
    if (!field) return undefined;
    const number = isScalar(field.value) ? field.value.value : undefined;
    if (Number.isSafeInteger(number) && Number(number) >= range.min && Number(number) <= range.max) {
      return Number(number);
    }
    this.fail(`${name} must be a whole number from ${range.min} to ${range.max}`, field.value ?? field.at);
  }

  boolean(fields: Fields, name: string): boolean | undefined {
    const field = fields.get(name);
    if (!field) return undefined;
    if (isScalar(field.value) && typeof field.value.value === "boolean") return field.value.value;
    this.fail(`${name} must be true or false`, field.value ?? field.at);
  }

  /** A program with its arguments: a list of texts, or one text split at white space. No shell is involved. */
  argv(fields: Fields, name: string): string[] {
    const { value, at } = fields.get(name)!;
    if (isSeq(value)) {
      const words = value.items.map((item) => isScalar(item) ? item.value : undefined);
      if (words.length > 0 && words[0] !== "" && words.every((word) => typeof word === "string")) return words;
      this.fail(`${name} must be a list of texts: the program, then its arguments`, value ?? at);
    }
    const text = this.text(fields, name);
    if (/["'`$|&;<>\\*?(){}]/.test(text)) {
      this.fail(
        `${name} is not run by a shell, so it must not hold quotes or shell characters`,
        value,
        `Write a list: ${name}: [program, argument]`,
      );
    }
    return text.trim().split(/\s+/);
  }

  /** The one key of `names` that is there; none is an error unless `optional`. */
  one<T extends string>(
    fields: Fields,
    names: readonly T[],
    options: { what: string; optional?: boolean },
  ): T | undefined {
    const given = names.filter((name) => fields.has(name));
    const { what, optional } = options;
    if (given.length > 1) {
      const second = fields.get(given[1]!)!.at;
      this.fail(`more than one ${what}: ${given.join(", ")}`, second, `Keep one of ${names.join(", ")}`);
    }
    if (given.length === 0 && !optional) this.fail(`no ${what}`, this.root, `Add one of ${names.join(", ")}`);
    return given[0];
  }

  #unknownKey(name: string, at: number, known: readonly string[]): never {
    if (SECRET_KEY.test(name)) {
      this.fail(
        `the key "${name}" is not allowed: a PIN in a file that is copied and versioned is no secret`,
        at,
        "Use pin_env, pin_file, pin_command or pin_credential, or leave it out to be asked",
      );
    }
    const near = suggest(name, known);
    this.fail(
      `unknown key "${name}"`,
      at,
      near ? `Did you mean "${near}"?` : `Known keys: ${known.join(", ")}`,
    );
  }
}

/** `path` from the folder of `file`; a bare name stays as it is unless `always`. */
function fromFolder(path: string, file: string, options: { always?: boolean } = {}): string {
  const absolute = path.startsWith("/") || /^[A-Za-z]:[\\/]/.test(path) || path.startsWith("\\\\");
  if (absolute || (!options.always && !/[\\/]/.test(path))) return path;
  const at = Math.max(file.lastIndexOf("/"), Deno.build.os === "windows" ? file.lastIndexOf("\\") : -1);
  return at < 0 ? path : `${file.slice(0, at + 1)}${path}`;
}
