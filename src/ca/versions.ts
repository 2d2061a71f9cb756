import { InputError, OperationError } from "../errors.ts";
import { pathExists } from "../files.ts";
import type { CaStore } from "../store/ca.ts";
import { versionFolder } from "../store/layout.ts";
import { type CaMeta, type CaVersion, isAwaited, type KeyEntry, type VersionStatus } from "../store/meta.ts";
import { caCertificates, pinnedKeys } from "./certificates.ts";
import { type CertificateFacts, certificateFacts, keyFacts } from "./info.ts";

/** Facts of a version for printing; keys are those of `ca versions --json`. */
export interface VersionFacts {
  readonly id: string;
  readonly status: VersionStatus;
  readonly created: string;
  readonly profiles: readonly string[];
  readonly algorithms: readonly string[];
  readonly keys: readonly Record<string, unknown>[];
  /** One a profile; none while another CA has yet to issue it. */
  readonly ca_certificates: readonly CertificateFacts[];
  /** Request whose certificate is awaited. */
  readonly csr?: string;
  readonly cross_certificates: readonly Record<string, unknown>[];
}

/** Facts of every version, in the order they were made. */
export async function versionFacts(store: CaStore): Promise<VersionFacts[]> {
  const facts: VersionFacts[] = [];
  for (const [id, version] of Object.entries(store.meta.versions)) {
    const certificates = isAwaited(version) ? [] : await store.certificates(id);
    facts.push({
      id,
      status: version.status,
      created: version.created,
      profiles: version.profiles,
      algorithms: version.algos,
      keys: version.keys.map(keyFacts),
      ca_certificates: certificates.map(certificateFacts),
      ...(isAwaited(version) && version.csr !== undefined ? { csr: version.csr } : {}),
      cross_certificates: (version.cross_certificates ?? []).map((one) => ({ ...one })),
    });
  }
  return facts;
}

/** The version that is made and not active yet, if there is one. */
export function pendingVersion(meta: CaMeta): string | undefined {
  return Object.entries(meta.versions).find(([, { status }]) => status === "pending")?.[0];
}

/**
 * Throws when a version is pending: there is one at a time, or nobody could say which comes next.
 * @throws {OperationError} `version.pending`.
 */
export function refusePending(meta: CaMeta, folder: string): void {
  const id = pendingVersion(meta);
  if (id === undefined) return;
  const next = isAwaited(meta.versions[id]!) ? `qpki ca accept FILE` : `qpki ca activate --version ${id}`;
  throw new OperationError(`Cannot rotate the CA "${folder}": version ${id} is pending`, {
    code: "version.pending",
    object: folder,
    hint:
      `Use it with: ${next} --ca-dir ${folder}, or remove it with: qpki ca discard --version ${id} --ca-dir ${folder}`,
  });
}

/** The id of the next version: one more than any there is, and nothing lies in its folder. */
export async function nextVersionId(store: CaStore): Promise<string> {
  const numbers = Object.keys(store.meta.versions).map((id) => Number(/^v(\d+)$/.exec(id)?.[1] ?? 0));
  for (let next = Math.max(0, ...numbers) + 1;; next++) {
    if (!await holdsFiles(store.path(versionFolder(`v${next}`)))) return `v${next}`;
  }
}

/** Whether there are files below a folder; empty folders are what an interrupted command leaves. */
async function holdsFiles(folder: string): Promise<boolean> {
  if (!await pathExists(folder)) return false;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory || await holdsFiles(`${folder}/${name}`)) return true;
  }
  return false;
}

/**
 * The version that a command names.
 * @throws {InputError} `version.unknown`.
 */
export function namedVersion(store: CaStore, wanted: string): { id: string; version: CaVersion } {
  if (wanted !== "") return store.version(wanted);
  throw new InputError("Cannot tell which version is meant: its id is empty", { code: "version.unknown" });
}

/** Keys of every version, each with a pin where its certificate tells the key. */
export async function allKeys(store: CaStore): Promise<KeyEntry[]> {
  return Object.values(await pinnedVersions(store)).flatMap(({ keys }) => keys);
}

/** The versions as metadata lists them, each key in a token with a pin: only then may a later key have its label too. */
export async function pinnedVersions(store: CaStore): Promise<CaMeta["versions"]> {
  const versions: CaMeta["versions"] = {};
  for (const [id, version] of Object.entries(store.meta.versions)) {
    if (isAwaited(version)) {
      versions[id] = version;
      continue;
    }
    const pinned = new Map<KeyEntry, KeyEntry>();
    for (const one of await caCertificates(store, id)) {
      for (const [i, entry] of (await pinnedKeys(one)).entries()) pinned.set(one.keys[i]!, entry);
    }
    versions[id] = { ...version, keys: version.keys.map((entry) => pinned.get(entry) ?? entry) };
  }
  return versions;
}
