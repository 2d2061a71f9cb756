import { shorten } from "../bytes.ts";
import {
  type CaMeta,
  type CaVersion,
  type CredentialMeta,
  type KeyEntry,
  type KeyMode,
  type KeyStorage,
  META_SCHEMA,
} from "./meta.ts";
import { invalidMeta, isObject, type JsonObject } from "./migrations.ts";

/**
 * Checks that a parsed object is `ca.meta.json`; what the older tool leaves out (null lists) is filled in.
 * @throws {InputError} `meta.invalid` naming the field.
 */
export function checkCaMeta(value: JsonObject, file: string): CaMeta {
  const subject = isObject(value["subject"]) ? value["subject"] : {};
  if (!isObject(value["versions"])) throw invalidMeta(file, `"versions" is missing`);
  const active = value["active"] ?? "";
  if (typeof active !== "string") throw invalidMeta(file, `"active" must be a text`);
  const versions: Record<string, CaVersion> = {};
  for (const [id, version] of Object.entries(value["versions"])) {
    // the id becomes a folder name
    if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(id)) throw invalidMeta(file, `"${shorten(id)}" is no version id`);
    versions[id] = checkVersion(version, file, `versions.${id}`);
  }
  if (active !== "" && !Object.hasOwn(versions, active)) throw invalidMeta(file, `version "${active}" is missing`);
  return { ...value, schema: META_SCHEMA, subject, active, versions } as CaMeta;
}

/**
 * Keys of a version as metadata lists them.
 * @throws {InputError} `meta.invalid` naming the field.
 */
export function checkKeyEntries(value: unknown, file: string, where: string): KeyEntry[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalidMeta(file, `"${where}" must be a list`);
  return value.map((key, i) => checkKeyEntry(key, file, `${where}[${i}]`));
}

/** A list of texts; null and absent count as empty. @throws {InputError} `meta.invalid` naming the field. */
export function checkTexts(value: unknown, file: string, where: string): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw invalidMeta(file, `"${where}" must be a list of texts`);
  }
  return value;
}

/** Metadata as it is written: four spaces, a final newline. */
export function formatMeta(meta: CaMeta | CredentialMeta): string {
  return JSON.stringify(meta, null, 4) + "\n";
}

function checkVersion(value: unknown, file: string, where: string): CaVersion {
  if (!isObject(value)) throw invalidMeta(file, `"${where}" must be an object`);
  const status = value["status"] ?? "active";
  if (status !== "active" && status !== "pending" && status !== "archived") {
    throw invalidMeta(file, `"${where}.status" must be active, pending or archived`);
  }
  return {
    ...value,
    profiles: checkTexts(value["profiles"], file, `${where}.profiles`),
    algos: checkTexts(value["algos"], file, `${where}.algos`),
    status,
    created: typeof value["created"] === "string" ? value["created"] : "",
    keys: checkKeyEntries(value["keys"], file, `${where}.keys`),
    ...(value["modes"] === undefined ? {} : { modes: checkModes(value["modes"], file, `${where}.modes`) }),
    ...(value["schemes"] === undefined ? {} : { schemes: checkTexts(value["schemes"], file, `${where}.schemes`) }),
    ...(value["certificates"] === undefined
      ? {}
      : { certificates: checkTexts(value["certificates"], file, `${where}.certificates`) }),
  };
}

function checkModes(value: unknown, file: string, where: string): KeyMode[] {
  return checkTexts(value, file, where).map((mode) => {
    if (mode === "simple" || mode === "catalyst" || mode === "composite") return mode;
    throw invalidMeta(file, `"${where}" must list simple, catalyst or composite`);
  });
}

function checkKeyEntry(value: unknown, file: string, where: string): KeyEntry {
  if (!isObject(value)) throw invalidMeta(file, `"${where}" must be an object`);
  const { id = "default", algorithm, storage, spki_sha256: pin } = value;
  if (typeof id !== "string") throw invalidMeta(file, `"${where}.id" must be a text`);
  if (typeof algorithm !== "string") throw invalidMeta(file, `"${where}.algorithm" must be a text`);
  if (pin !== undefined && (typeof pin !== "string" || !/^[0-9a-f]{64}$/i.test(pin))) {
    throw invalidMeta(file, `"${where}.spki_sha256" must be 64 hex digits`);
  }
  return { ...value, id, algorithm, storage: checkStorage(storage, file, `${where}.storage`) } as KeyEntry;
}

/** Fields that each kind of storage cannot be without. */
const STORAGE_FIELDS: Readonly<Record<string, readonly string[]>> = { software: ["path"], pkcs11: ["config"] };

function checkStorage(value: unknown, file: string, where: string): KeyStorage {
  if (!isObject(value)) throw invalidMeta(file, `"${where}" must be an object`);
  const type = String(value["type"]);
  const needed = Object.hasOwn(STORAGE_FIELDS, type) ? STORAGE_FIELDS[type] : undefined;
  if (!needed) throw invalidMeta(file, `"${where}.type" must be software or pkcs11`);
  for (const name of [...needed, "label", "key_id"]) {
    const field = value[name];
    if (field === undefined && !needed.includes(name)) continue;
    if (typeof field !== "string") throw invalidMeta(file, `"${where}.${name}" must be a text`);
  }
  return value as KeyStorage;
}
