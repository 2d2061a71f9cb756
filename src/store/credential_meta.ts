import { shorten } from "../bytes.ts";
import {
  type CertificateInputs,
  type CredentialCertificate,
  type CredentialMeta,
  type CredentialVersion,
  META_SCHEMA,
} from "./meta.ts";
import { checkKeyEntries, checkTexts } from "./meta_check.ts";
import { invalidMeta, isObject, type JsonObject, type Migration } from "./migrations.ts";

/** Steps of `credential.meta.json`: the one at index n leads from schema n to n + 1. */
export const CREDENTIAL_MIGRATIONS: readonly Migration[] = [versionedCredential];

/** 0 → 1: the facts at the top become version `v1` as well. */
function versionedCredential(value: JsonObject): JsonObject {
  const certificates = Array.isArray(value["certificates"]) ? value["certificates"].filter(isObject) : [];
  const version = {
    profiles: value["profiles"],
    algos: [],
    status: "active",
    created: value["created"],
    not_before: value["not_before"],
    not_after: value["not_after"],
    keys: certificates.flatMap(({ storage }) => Array.isArray(storage) ? keysAt(storage) : []),
    certificates,
  };
  return { ...value, active: "v1", versions: { v1: version } };
}

/** Two places of keys for one certificate are those of a hybrid. */
function keysAt(storages: readonly unknown[]): JsonObject[] {
  const ids = storages.length === 2 ? ["classical", "pqc"] : [];
  return storages.map((storage, i) => ({ id: ids[i] ?? "default", algorithm: "", storage }));
}

/**
 * Checks that a parsed object is `credential.meta.json`; what the older tool leaves out is filled in.
 * @throws {InputError} `meta.invalid` naming the field.
 */
export function checkCredentialMeta(value: JsonObject, file: string): CredentialMeta {
  const { id, active, versions: given, ca, ...rest } = value;
  if (typeof id !== "string" || id === "") throw invalidMeta(file, `"id" is missing`);
  if (!isObject(given)) throw invalidMeta(file, `"versions" is missing`);
  const versions: Record<string, CredentialVersion> = {};
  for (const [name, version] of Object.entries(given)) {
    // the id becomes a folder name
    if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)) throw invalidMeta(file, `"${shorten(name)}" is no version id`);
    versions[name] = checkVersion(version, file, `versions.${name}`);
  }
  if (typeof active !== "string" || !Object.hasOwn(versions, active)) {
    throw invalidMeta(file, `"active" does not name one of the versions`);
  }
  return {
    ...rest,
    ...(typeof ca === "string" && ca !== "" ? { ca } : {}),
    schema: META_SCHEMA,
    id,
    active,
    versions,
    subject: isObject(value["subject"]) ? value["subject"] : {},
    profiles: checkTexts(value["profiles"], file, "profiles"),
    created: text(value["created"]),
    not_before: text(value["not_before"]),
    not_after: text(value["not_after"]),
    certificates: checkCertificates(value["certificates"], file, "certificates"),
  };
}

function checkVersion(value: unknown, file: string, where: string): CredentialVersion {
  if (!isObject(value)) throw invalidMeta(file, `"${where}" must be an object`);
  const { ca: _ca, subject: _subject, ...rest } = value;
  const status = value["status"] ?? "active";
  if (status !== "active" && status !== "pending" && status !== "archived") {
    throw invalidMeta(file, `"${where}.status" must be active, pending or archived`);
  }
  return {
    ...rest,
    ...placeAndSubject(value),
    profiles: checkTexts(value["profiles"], file, `${where}.profiles`),
    algos: checkTexts(value["algos"], file, `${where}.algos`),
    status,
    created: text(value["created"]),
    not_before: text(value["not_before"]),
    not_after: text(value["not_after"]),
    keys: checkKeyEntries(value["keys"], file, `${where}.keys`),
    certificates: checkCertificates(value["certificates"], file, `${where}.certificates`),
    ...(value["inputs"] === undefined ? {} : { inputs: checkInputs(value["inputs"], file, `${where}.inputs`) }),
  };
}

/** The CA's folder, and the subject; what is no such thing is as good as absent. */
function placeAndSubject({ ca, subject }: JsonObject): Pick<CredentialVersion, "ca" | "subject"> {
  return { ...(typeof ca === "string" && ca !== "" ? { ca } : {}), ...(isObject(subject) ? { subject } : {}) };
}

function checkInputs(value: unknown, file: string, where: string): CertificateInputs[] {
  if (!Array.isArray(value)) throw invalidMeta(file, `"${where}" must be a list`);
  return value.map((entry, i) => {
    if (!isObject(entry)) throw invalidMeta(file, `"${where}[${i}]" must be an object`);
    const { variables } = entry;
    if (!isObject(variables)) throw invalidMeta(file, `"${where}[${i}].variables" must be an object`);
    for (const name of ["validity", "file"]) {
      if (entry[name] === undefined || typeof entry[name] === "string") continue;
      throw invalidMeta(file, `"${where}[${i}].${name}" must be a text`);
    }
    return { ...entry, variables };
  });
}

function checkCertificates(value: unknown, file: string, where: string): CredentialCertificate[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalidMeta(file, `"${where}" must be a list`);
  return value.map((entry, i) => checkCertificate(entry, file, `${where}[${i}]`));
}

function checkCertificate(value: unknown, file: string, where: string): CredentialCertificate {
  if (!isObject(value)) throw invalidMeta(file, `"${where}" must be an object`);
  const { serial, storage = [] } = value;
  if (typeof serial !== "string") throw invalidMeta(file, `"${where}.serial" must be a text`);
  if (!Array.isArray(storage)) throw invalidMeta(file, `"${where}.storage" must be a list`);
  const entries = storage.map((item) => ({ algorithm: "", storage: item }));
  return {
    ...value,
    serial,
    role: value["role"] === "encryption" ? "encryption" : "signature",
    profile: text(value["profile"]),
    algorithm: text(value["algorithm"]),
    fingerprint: text(value["fingerprint"]),
    storage: checkKeyEntries(entries, file, `${where}.storage`).map((entry) => entry.storage),
  };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
