import { InputError } from "../errors.ts";
import { META_SCHEMA } from "./meta.ts";

/** A parsed JSON object before its shape is known. */
export type JsonObject = Record<string, unknown>;

/** One step: takes an object of schema n, returns it as schema n + 1. Never touches fields it does not know. */
export type Migration = (value: JsonObject) => JsonObject;

/** Steps of `ca.meta.json`: the one at index n leads from schema n to n + 1. */
export const CA_MIGRATIONS: readonly Migration[] = [versionedCa];

/**
 * `text` as an object of the newest schema; older ones are raised in memory, nothing is written.
 * @throws {InputError} `meta.invalid` when it is no JSON object, `meta.newer` when a later program wrote it.
 */
export function readMetaObject(text: string, file: string, migrations: readonly Migration[]): JsonObject {
  let value = parseObject(text, file);
  let schema = schemaOf(value, file);
  if (schema > META_SCHEMA) {
    throw new InputError(
      `Cannot read "${file}": it has schema ${schema}, and this program knows up to ${META_SCHEMA}`,
      {
        code: "meta.newer",
        file,
        hint: "A newer qpki wrote this file: use that version or a later one",
      },
    );
  }
  while (schema < META_SCHEMA) {
    const step = migrations[schema];
    if (!step) throw invalidMeta(file, `no way leads from schema ${schema} to ${META_SCHEMA}`);
    value = step(value);
    schema++;
  }
  return { ...value, schema };
}

/** Schema of the metadata in `text`, as it is written there; undefined when it is no JSON object. */
export function readSchema(text: string): number | undefined {
  try {
    return schemaOf(parseObject(text, ""), "");
  } catch {
    return undefined;
  }
}

/** The error for metadata whose content is not what it must be. */
export function invalidMeta(file: string, reason: string): InputError {
  return new InputError(`Cannot read "${file}": ${reason}`, { code: "meta.invalid", file });
}

/** Whether `value` is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseObject(text: string, file: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InputError(`Cannot read "${file}": it is not JSON`, { code: "meta.invalid", file, cause });
  }
  if (!isObject(value)) throw invalidMeta(file, "it is not a JSON object");
  return value;
}

/** What the older form, without versions, has at least one of. */
const OLDER_FIELDS = ["keys", "profile", "certificates"] as const;

/** Files of the older tool carry no number: with `versions` they have the form of schema 1, without it they are older. */
function schemaOf(value: JsonObject, file: string): number {
  const schema = value["schema"];
  if (schema === undefined) {
    if (isObject(value["versions"])) return 1;
    if (OLDER_FIELDS.some((name) => Object.hasOwn(value, name))) return 0;
    throw invalidMeta(file, `"versions" is missing`);
  }
  if (typeof schema !== "number" || !Number.isSafeInteger(schema) || schema < 0) {
    throw invalidMeta(file, `"schema" must be a whole number`);
  }
  return schema;
}

/** 0 → 1: the one profile and its keys become version `v1`. */
function versionedCa(value: JsonObject): JsonObject {
  const { profile, keys, ...rest } = value;
  const list = Array.isArray(keys) ? keys : [];
  const algos = list.filter(isObject).map((key) => key["algorithm"]).filter((name) => typeof name === "string");
  const created = typeof value["created"] === "string" ? value["created"] : "";
  const version = {
    profiles: typeof profile === "string" && profile !== "" ? [profile] : [],
    algos,
    status: "active",
    created,
    keys: list,
  };
  return { subject: {}, ...rest, active: "v1", versions: { v1: version } };
}
