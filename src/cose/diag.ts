import { encodeHex } from "../bytes.ts";
import { CborFloat, CborSimple, CborTag, type CborValue, decodeCbor } from "./cbor.ts";

/** Diagnostic notation (RFC 8949 section 8, `<<…>>` of RFC 8610 appendix G.3). */

const INDENT = "  ";
/** Longest list or map on one line, in characters. */
const LINE = 72;

/**
 * An item in diagnostic notation, exact. Byte strings that are a map in deterministic form are written as `<<{…}>>`, which
 * is how protected headers and claims become readable; all others in hex.
 */
export function diagnose(value: CborValue, indent = ""): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Uint8Array) return bytes(value, indent);
  if (value instanceof CborFloat) return float(value.value);
  if (value instanceof CborSimple) return `simple(${value.value})`;
  if (value instanceof CborTag) return `${value.tag}(${diagnose(value.value, indent)})`;
  const inner = indent + INDENT;
  if (Array.isArray(value)) return group(value.map((one) => diagnose(one, inner)), "[]", indent);
  if (!(value instanceof Map)) return String(value);
  return group([...value].map(([key, one]) => `${diagnose(key, inner)}: ${diagnose(one, inner)}`), "{}", indent);
}

function bytes(value: Uint8Array, indent: string): string {
  const embedded = value.length > 0 && value[0]! >> 5 === 5 ? embeddedMap(value) : undefined;
  return embedded ? `<<${diagnose(embedded, indent)}>>` : `h'${encodeHex(value)}'`;
}

function embeddedMap(value: Uint8Array): CborValue {
  try {
    return decodeCbor(value, { deterministic: true });
  } catch {
    return undefined;
  }
}

function float(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const text = Object.is(value, -0) ? "-0" : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function group(items: readonly string[], [open, close]: string, indent: string): string {
  const line = `${open}${items.join(", ")}${close}`;
  if (line.length <= LINE && !line.includes("\n")) return line;
  const lines = items.map((item) => indent + INDENT + item);
  return `${open}\n${lines.join(",\n")}\n${indent}${close}`;
}
