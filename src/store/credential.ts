import { InputError, OperationError } from "../errors.ts";
import { existsError, fileError, makeFolder, pathExists, readFileBytes, readFileText, syncFolder } from "../files.ts";
import type { Certificate } from "../x509/types.ts";
import { CredentialChange } from "./credential_change.ts";
import { checkCredentialMeta, CREDENTIAL_MIGRATIONS } from "./credential_meta.ts";
import { changeFolder, type ChangeOptions, type ChangeSession } from "./folder_change.ts";
import type { Journal } from "./journal.ts";
import { keyGroups } from "./key_groups.ts";
import { CREDENTIAL_META_FILE, isAbsolutePath, joinPath, LOCK_FILE, parentFolder, versionFolder } from "./layout.ts";
import type { CredentialMeta, CredentialVersion } from "./meta.ts";
import { readMetaObject } from "./migrations.ts";
import { settleLeftovers } from "./leftovers.ts";
import { OpenIntents } from "./open_intents.ts";
import { StagedFolder } from "./staged_folder.ts";
import type { RecordedAbove } from "./transaction.ts";

export { CREDENTIAL_META_FILE };

/** One file of the older tool that holds every certificate of the active version. */
const OLDER_CERTIFICATES_FILE = "certificates.pem";

/** Private key file of a version; `name` is its algorithm, with `-1`, `-2`, … for a further key of the same one. */
export function credentialKeyFile(version: string, name: string): string {
  return `${versionFolder(version)}/keys/credential.${name}.key`;
}

/** Certificate file of a version. */
export function credentialCertificateFile(version: string, name: string): string {
  return `${versionFolder(version)}/certs/credential.${name}.pem`;
}

/** The issuer's certificate and those above it, root last, as they were when the version was enrolled. */
export function credentialChainFile(version: string): string {
  return `${versionFolder(version)}/certs/chain.pem`;
}

/** The folder of a credential: reads it, and hands out {@link CredentialChange} for every write. */
export class CredentialStore {
  readonly folder: string;
  readonly meta: CredentialMeta;
  readonly #intents: OpenIntents;

  constructor(folder: string, meta: CredentialMeta) {
    this.folder = folder;
    this.meta = meta;
    this.#intents = new OpenIntents(folder);
  }

  /**
   * Opens credential `id` below `credDir`. Older metadata is raised in memory.
   * @throws {InputError} `credential.not_found`, `credential.id`, `meta.invalid`, `meta.newer`.
   */
  static async open(credDir: string, id: string): Promise<CredentialStore> {
    const folder = joinPath(credDir, checkCredentialId(id));
    const path = joinPath(folder, CREDENTIAL_META_FILE);
    if (!await pathExists(path)) {
      throw new InputError(`Cannot find the credential "${id}" in "${credDir}"`, {
        code: "credential.not_found",
        object: id,
        hint: `List the credentials with: qpki credential list --cred-dir ${credDir}`,
      });
    }
    return new CredentialStore(folder, await readCredentialMeta(folder));
  }

  /** Path of a file that metadata names. */
  path(relative: string): string {
    return joinPath(this.folder, relative);
  }

  /** Folder of the CA that issued the active version, as far as the metadata tells. */
  get caFolder(): string | undefined {
    return this.caFolderOf(this.meta.active);
  }

  /** Folder of the CA that issued a version (its id), as far as the metadata tells. */
  caFolderOf(versionId: string): string | undefined {
    const ca = this.meta.versions[versionId]?.ca ?? this.meta.ca;
    if (ca === undefined || ca === "") return undefined;
    return isAbsolutePath(ca) ? ca : this.path(ca);
  }

  /**
   * A version by id (`v2`, or `2`), the active one without.
   * @throws {InputError} `version.unknown`.
   */
  version(wanted = this.meta.active): { id: string; version: CredentialVersion } {
    const ids = Object.keys(this.meta.versions);
    const id = ids.find((name) => name === wanted || name === `v${wanted}`);
    const version = id === undefined ? undefined : this.meta.versions[id];
    if (id === undefined || !version) {
      throw new InputError(`Cannot find version "${wanted}" of the credential "${this.meta.id}"`, {
        code: "version.unknown",
        object: wanted,
        hint: `Versions: ${ids.join(", ") || "none"}`,
      });
    }
    return { id, version };
  }

  /**
   * Certificates of a version in the order of its profiles.
   * @throws {InputError} `credential.certificate_missing` when a file is not there.
   */
  async certificates(versionId?: string): Promise<Certificate[]> {
    const { id, version } = this.version(versionId);
    const groups = keyGroups(version.keys);
    const files = version.certificates.map((entry, i) =>
      typeof entry["path"] === "string"
        ? entry["path"]
        : credentialCertificateFile(id, groups[i]?.map((key) => key.algorithm).join("-") ?? version.algos[i] ?? "")
    );
    const found: Certificate[] = [];
    for (const file of files) {
      if (await pathExists(this.path(file))) {
        found.push(...await readCertificateFile(this.path(file)));
        continue;
      }
      const older = this.path(OLDER_CERTIFICATES_FILE);
      if (id === this.meta.active && await pathExists(older)) return await readCertificateFile(older);
      throw new InputError(`Cannot find the certificate "${file}" of the credential "${this.meta.id}"`, {
        code: "credential.certificate_missing",
        object: this.meta.id,
        hint: "Restore it from the CA's folder issued/, or from a backup",
      });
    }
    return found;
  }

  /** Certificates above those of a version, issuer first; empty when none were kept. */
  async chain(versionId?: string): Promise<Certificate[]> {
    const path = this.path(credentialChainFile(this.version(versionId).id));
    return await pathExists(path) ? await readCertificateFile(path) : [];
  }

  /**
   * Changes the credential: waits for its lock, finishes or undoes what an interrupted command left, reads the metadata again,
   * and lets `work` write. What it writes takes effect together when it returns, or not at all.
   * @throws {OperationError} `ca.locked`, `file.write`, `store.unfinished`; {InputError} `journal.damaged`, `store.lost`.
   */
  async change<T>(
    action: string,
    work: (change: CredentialChange) => Promise<T>,
    options: ChangeOptions = {},
  ): Promise<T> {
    const place = { folder: this.folder, lockPath: this.path(LOCK_FILE), action, intents: this.#intents };
    const open = async (session: ChangeSession, journal: Journal) =>
      new CredentialChange(session, journal, await readCredentialMeta(this.folder));
    return await changeFolder({ ...place, open }, work, options);
  }
}

async function readCredentialMeta(folder: string): Promise<CredentialMeta> {
  const path = joinPath(folder, CREDENTIAL_META_FILE);
  return checkCredentialMeta(readMetaObject(await readFileText(path), path, CREDENTIAL_MIGRATIONS), path);
}

/**
 * Ids of every credential below `credDir`, sorted; none when the folder does not exist.
 * @throws {InputError} `file.read` when it cannot be read.
 */
export async function credentialIds(credDir: string): Promise<string[]> {
  if (!await pathExists(credDir)) return [];
  const ids: string[] = [];
  try {
    for await (const { name } of Deno.readDir(credDir)) {
      if (!isCredentialId(name)) continue;
      if (await pathExists(joinPath(joinPath(credDir, name), CREDENTIAL_META_FILE))) ids.push(name);
    }
  } catch (cause) {
    throw new InputError(`Cannot read the folder "${credDir}"`, { code: "file.read", file: credDir, cause });
  }
  return ids.sort();
}

/**
 * `id`, when it can be the name of a folder and nothing else.
 * @throws {InputError} `credential.id`.
 */
export function checkCredentialId(id: string): string {
  if (isCredentialId(id)) return id;
  throw new InputError(`Cannot use "${id.slice(0, 80)}" as the id of a credential`, {
    code: "credential.id",
    hint: "An id starts with a letter or digit; letters, digits, dots, dashes and underscores follow, 128 at most",
  });
}

function isCredentialId(id: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(id);
}

/**
 * A credential under construction: a hidden folder beside its final place, which a rename makes visible as a whole.
 * Disposing before {@link commit} removes everything.
 */
export class CredentialStaging implements AsyncDisposable {
  /** Absolute or process-relative path of the hidden folder. */
  readonly folder: string;
  readonly #credDir: string;
  readonly #id: string;
  /** Folders made for it, deepest first. */
  readonly #made: readonly string[];
  #staged: StagedFolder | undefined;

  private constructor(credDir: string, id: string, made: readonly string[]) {
    this.#credDir = credDir;
    this.#id = id;
    this.#made = made;
    this.folder = joinPath(credDir, `.${id}.${crypto.randomUUID().slice(0, 8)}.tmp`);
  }

  /**
   * Makes the hidden folder, with those of version `version` in it, all owner-only. What an interrupted command left of the
   * credential is set right first.
   * @throws {OperationError} `file.exists` when the credential exists, `file.write`.
   */
  static async create(
    credDir: string,
    id: string,
    { version, warn }: { version: string; warn?: (text: string) => void },
  ): Promise<CredentialStaging> {
    checkCredentialId(id);
    await settleLeftovers(joinPath(credDir, id), warn);
    await checkCredentialFree(credDir, id);
    const staging = new CredentialStaging(credDir, id, await missingFolders(credDir));
    try {
      for (const part of ["keys", "certs"]) {
        await makeFolder(joinPath(staging.folder, `${versionFolder(version)}/${part}`), 0o700);
      }
      staging.#staged = await StagedFolder.take(staging.folder, "enroll");
    } catch (error) {
      await staging[Symbol.asyncDispose]();
      throw error;
    }
    return staging;
  }

  /** Its own journal, which becomes that of the credential. */
  get staged(): StagedFolder {
    return this.#staged!;
  }

  /** Path of a file in the hidden folder. */
  path(relative: string): string {
    return joinPath(this.folder, relative);
  }

  /**
   * Has the CA record the certificates, then makes the credential visible and durable; returns its folder.
   * @throws {OperationError} `file.exists` when another process was faster, `file.write`, `store.unfinished`; what the
   * recording throws.
   */
  async commit(above?: RecordedAbove): Promise<string> {
    const target = joinPath(this.#credDir, this.#id);
    await checkCredentialFree(this.#credDir, this.#id);
    const made = this.#made.map(parentFolder);
    try {
      for (const folder of [...foldersBelow(this.folder), ...made]) await syncFolder(folder);
    } catch (cause) {
      throw fileError("write", target, cause);
    }
    await this.staged.complete(() => this.#move(target), above);
    return target;
  }

  async #move(target: string): Promise<void> {
    try {
      await Deno.rename(this.folder, target);
    } catch (cause) {
      if (await pathExists(joinPath(target, CREDENTIAL_META_FILE))) throw existsError(target, cause);
      throw fileError("write", target, cause);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#staged?.close();
    if (this.#staged?.isKept) return;
    await Deno.remove(this.folder, { recursive: true }).catch(() => {});
    for (const folder of this.#made) await Deno.remove(folder).catch(() => {});
  }
}

async function missingFolders(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = path; !await pathExists(at) && parentFolder(at) !== at; at = parentFolder(at)) missing.push(at);
  return missing;
}

/** Checks that no credential is called so. @throws {OperationError} `file.exists`. */
export async function checkCredentialFree(credDir: string, id: string): Promise<void> {
  const target = joinPath(credDir, checkCredentialId(id));
  if (!await pathExists(target)) return;
  throw new OperationError(`Cannot enroll the credential "${id}": "${target}" exists`, {
    code: "file.exists",
    object: target,
    hint: "Choose another id, or leave it out to have one made",
  });
}

function* foldersBelow(path: string): Generator<string> {
  for (const entry of Deno.readDirSync(path)) {
    if (entry.isDirectory) yield* foldersBelow(`${path}/${entry.name}`);
  }
  yield path;
}

async function readCertificateFile(path: string): Promise<Certificate[]> {
  const { readCertificates } = await import("../x509/certificate.ts");
  return readCertificates(await readFileBytes(path), path);
}
