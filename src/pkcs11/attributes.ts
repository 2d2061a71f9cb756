import { type Bytes, encodeHex } from "../bytes.ts";
import { Arena } from "./arena.ts";
import type { CKA } from "./constants.ts";
import type { Ffi } from "./ffi.ts";
import { CK_ATTRIBUTE, type Platform, readUlong, type Ulong, ulongBytes, UNAVAILABLE } from "./layout.ts";
import { constantName, mustConstant } from "./names.ts";

/** Name of an attribute of the standard. */
export type AttributeName = keyof typeof CKA;

/**
 * Value of an attribute as it is written: a CK_BBOOL, a CK_ULONG, a constant by its name (`CKO_PUBLIC_KEY`), or bytes.
 */
export type AttributeValue = boolean | number | string | Uint8Array;

/** Attributes in the order the token gets them. Names of the standard, or numbers (`0x80000001`) of a vendor. */
export type Template = Readonly<Record<string, AttributeValue>>;

/** A template in memory: `count` CK_ATTRIBUTE structures at its start. */
export interface EncodedTemplate {
  readonly bytes: Bytes;
  readonly count: number;
}

/** Attributes whose value is a CK_BBOOL, for listings and comparison. */
export const BOOLEAN_ATTRIBUTES = [
  "CKA_TOKEN",
  "CKA_PRIVATE",
  "CKA_MODIFIABLE",
  "CKA_COPYABLE",
  "CKA_DESTROYABLE",
  "CKA_SENSITIVE",
  "CKA_ALWAYS_SENSITIVE",
  "CKA_EXTRACTABLE",
  "CKA_NEVER_EXTRACTABLE",
  "CKA_LOCAL",
  "CKA_ALWAYS_AUTHENTICATE",
  "CKA_WRAP_WITH_TRUSTED",
  "CKA_TRUSTED",
  "CKA_SIGN",
  "CKA_SIGN_RECOVER",
  "CKA_VERIFY",
  "CKA_VERIFY_RECOVER",
  "CKA_ENCRYPT",
  "CKA_DECRYPT",
  "CKA_WRAP",
  "CKA_UNWRAP",
  "CKA_DERIVE",
  "CKA_ENCAPSULATE",
  "CKA_DECAPSULATE",
] as const satisfies readonly AttributeName[];

/** Number of an attribute given by name or as `0x…`. @throws {RangeError} for a name the standard lacks. */
export function attributeType(name: string): number {
  return name.startsWith("0x") ? Number(name) : mustConstant(name);
}

/** Name of an attribute, or its number as `0x…`. */
export function attributeName(type: number): string {
  return constantName("CKA", type) ?? `0x${type.toString(16)}`;
}

/** Bytes of a value as they stand in the token. */
export function encodeValue(platform: Platform, value: AttributeValue): Uint8Array {
  if (typeof value === "boolean") return Uint8Array.of(value ? 1 : 0);
  if (typeof value === "number") return ulongBytes(platform, value);
  if (typeof value === "string") return ulongBytes(platform, mustConstant(value));
  return value;
}

/** A template as C functions take it. */
export function encodeTemplate(ffi: Ffi, template: Template): EncodedTemplate {
  const { platform } = ffi;
  const entries = Object.entries(template);
  const arena = new Arena();
  const size = CK_ATTRIBUTE.size(platform);
  const table = new Uint8Array(size * entries.length);
  arena.add(table);
  entries.forEach(([name, value], i) => {
    const bytes = encodeValue(platform, value);
    const base = i * size;
    CK_ATTRIBUTE.set(platform, table, { field: "type", value: attributeType(name), base });
    CK_ATTRIBUTE.set(platform, table, { field: "ulValueLen", value: bytes.length, base });
    if (bytes.length > 0) arena.point(base + CK_ATTRIBUTE.offset(platform, "pValue"), arena.add(bytes));
  });
  return { bytes: arena.build(ffi), count: entries.length };
}

/** Values read from one object, by attribute name. An attribute that the object lacks or hides is absent. */
export class Attributes {
  readonly #platform: Platform;
  readonly #values: ReadonlyMap<string, Bytes>;

  constructor(platform: Platform, values: ReadonlyMap<string, Bytes>) {
    this.#platform = platform;
    this.#values = values;
  }

  /** The bytes as the token stores them, or undefined. */
  bytes(name: string): Bytes | undefined {
    return this.#values.get(name);
  }

  /** As {@link bytes}, and undefined for an empty value. */
  content(name: string): Bytes | undefined {
    const bytes = this.#values.get(name);
    return bytes === undefined || bytes.length === 0 ? undefined : bytes;
  }

  /** A CK_BBOOL; undefined when absent or not one byte. */
  boolean(name: string): boolean | undefined {
    const bytes = this.#values.get(name);
    return bytes?.length === 1 ? bytes[0] !== 0 : undefined;
  }

  /** A CK_ULONG; undefined when absent, unavailable or of another width. */
  ulong(name: string): number | undefined {
    const bytes = this.#values.get(name);
    if (bytes?.length !== this.#platform.ulong) return undefined;
    const value = readUlong(this.#platform, bytes);
    return typeof value === "number" && value !== UNAVAILABLE ? value : undefined;
  }

  /** UTF-8 text; undefined when absent. */
  text(name: string): string | undefined {
    const bytes = this.#values.get(name);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }

  /** Lower-case hex; undefined when absent. */
  hex(name: string): string | undefined {
    const bytes = this.#values.get(name);
    return bytes === undefined ? undefined : encodeHex(bytes);
  }

  /** Every boolean attribute that the object has, by name. */
  booleans(): Record<string, boolean> {
    const out: Record<string, boolean> = {};
    for (const name of BOOLEAN_ATTRIBUTES) {
      const value = this.boolean(name);
      if (value !== undefined) out[name] = value;
    }
    return out;
  }

  /** A value for people: true or false, text, a constant's name, or hex. */
  describe(name: string): string {
    const bytes = this.#values.get(name);
    if (bytes === undefined) return "absent";
    if ((BOOLEAN_ATTRIBUTES as readonly string[]).includes(name)) return String(this.boolean(name) ?? encodeHex(bytes));
    if (name === "CKA_LABEL") return `"${this.text(name)}"`;
    const number = this.ulong(name);
    if (name === "CKA_CLASS" && number !== undefined) return constantName("CKO", number) ?? String(number);
    if (name === "CKA_KEY_TYPE" && number !== undefined) return constantName("CKK", number) ?? String(number);
    return number === undefined ? encodeHex(bytes) : String(number);
  }
}

/** Memory for C_GetAttributeValue: first with null values to learn the lengths, then with room for them. */
export class AttributeQuery {
  readonly names: readonly string[];
  readonly #ffi: Ffi;
  readonly #lengths: readonly number[];
  readonly #offsets: readonly number[];
  readonly bytes: Bytes;

  /** `lengths` are bytes to make room for, one a name; 0 asks for the length alone. */
  constructor(ffi: Ffi, names: readonly string[], lengths: readonly number[] = names.map(() => 0)) {
    const { platform } = ffi;
    const size = CK_ATTRIBUTE.size(platform);
    const arena = new Arena();
    const table = new Uint8Array(size * names.length);
    arena.add(table);
    this.#offsets = names.map((name, i) => {
      const base = i * size;
      CK_ATTRIBUTE.set(platform, table, { field: "type", value: attributeType(name), base });
      CK_ATTRIBUTE.set(platform, table, { field: "ulValueLen", value: lengths[i]!, base });
      if (lengths[i] === 0) return -1;
      const offset = arena.reserve(lengths[i]!);
      arena.point(base + CK_ATTRIBUTE.offset(platform, "pValue"), offset);
      return offset;
    });
    this.names = names;
    this.#ffi = ffi;
    this.#lengths = lengths;
    this.bytes = arena.build(ffi);
  }

  /** Length the token states for entry `i`, or undefined when the object lacks or hides the attribute. */
  length(i: number): number | undefined {
    const { platform } = this.#ffi;
    const stated: Ulong = CK_ATTRIBUTE.get(platform, this.bytes, "ulValueLen", i * CK_ATTRIBUTE.size(platform));
    return typeof stated !== "number" || stated < 0 ? undefined : stated;
  }

  /** Value of entry `i`, copied; undefined when absent or when no room was made. */
  value(i: number): Bytes | undefined {
    const length = this.length(i);
    if (length === undefined || length > this.#lengths[i]!) return undefined;
    return length === 0 ? new Uint8Array(0) : this.bytes.slice(this.#offsets[i]!, this.#offsets[i]! + length);
  }
}
