import { InputError } from "../errors.ts";

/** A value that JSON can say. Members that are undefined are left out. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** An object of JSON. */
export interface JsonObject {
  readonly [name: string]: Json | undefined;
}

/** Deeper values are refused: nothing here nests. */
const MAX_DEPTH = 64;

/**
 * Canonical JSON (RFC 8785): one text for each value. Members are sorted by the UTF-16 code units of their names; strings
 * and numbers are as ECMAScript writes them, which is what sections 3.2.2.2 and 3.2.2.3 of the RFC prescribe.
 * @throws {InputError} `json.not_canonical` for what I-JSON forbids: NaN, an infinity, half of a surrogate pair.
 */
export function canonicalJson(value: Json, depth = 0): string {
  if (depth > MAX_DEPTH) throw refused("it is nested too deeply");
  switch (typeof value) {
    case "string":
      return canonicalString(value);
    case "number":
      if (!Number.isFinite(value)) throw refused(`${value} is no number of JSON`);
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      break;
    default:
      throw refused(`a ${typeof value} is no value of JSON`);
  }
  if (value === null) return "null";
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonicalJson(item, depth + 1)).join(",")}]`;
  const object = value as JsonObject;
  // without a comparison sort() orders strings by their code units
  const names = Object.keys(object).filter((name) => object[name] !== undefined).sort();
  return `{${names.map((name) => `${canonicalString(name)}:${canonicalJson(object[name]!, depth + 1)}`).join(",")}}`;
}

function canonicalString(text: string): string {
  if (!text.isWellFormed()) throw refused("a string holds half of a surrogate pair");
  return JSON.stringify(text);
}

function refused(reason: string): InputError {
  return new InputError(`Cannot write canonical JSON: ${reason}`, { code: "json.not_canonical" });
}
