import { type Bytes, wipe } from "../bytes.ts";
import { OperationError } from "../errors.ts";
import { fileError, MAX_FILE_BYTES, readFileBytes } from "../files.ts";
import { findPrivateKey, type KeyContainer, mayHoldPrivateKey } from "../keys/container.ts";
import type { CaStore } from "./ca.ts";
import type { ChangeOptions } from "./folder_change.ts";
import { parseIndex } from "./index_txt.ts";
import {
  CA_CERTIFICATE_FILE,
  CHAIN_FILE,
  CRL_FOLDER,
  CRL_NUMBER_FILE,
  INDEX_ATTR_FILE,
  INDEX_FILE,
  ISSUED_FOLDER,
  joinPath,
  JOURNAL_FILE,
  JOURNAL_FOLDER,
  LOCK_FILE,
  META_FILE,
  REVOCATIONS_FILE,
  STAGING_FOLDER,
} from "./layout.ts";
import { formatManifest, type LeftOut, MANIFEST_FILE } from "./manifest.ts";
import type { CaMeta } from "./meta.ts";
import { isTarPath, type TarEntry, writeTar } from "./tar.ts";

/** What belongs to a CA, at the top of its folder; all below the folders among them. The last ones are the older tool's. */
const PARTS: ReadonlySet<string> = new Set([
  ...[META_FILE, INDEX_FILE, INDEX_ATTR_FILE, CRL_NUMBER_FILE, REVOCATIONS_FILE, JOURNAL_FILE, JOURNAL_FOLDER],
  ...[CA_CERTIFICATE_FILE, CHAIN_FILE, ISSUED_FOLDER, CRL_FOLDER, "versions", "profiles", "credentials"],
  ...["serial", "certs", "private", "cert.pem"],
]);

/** What a command at work keeps beside the files that count. */
const PASSING: ReadonlySet<string> = new Set([LOCK_FILE, STAGING_FOLDER]);

/** What a backup takes in. */
export interface BackupOptions {
  /** Private key files that are not encrypted too. */
  readonly plainKeys?: boolean;
}

/** A backup that was made. */
export interface Backup {
  readonly archive: Bytes;
  readonly files: number;
  readonly leftOut: readonly LeftOut[];
}

/**
 * Backs up a CA at one moment: under its lock, with what interrupted commands left finished or undone before.
 * Throws as {@link backupFolder} and `CaStore.change`.
 */
export function backupCa(store: CaStore, options: BackupOptions & ChangeOptions = {}): Promise<Backup> {
  return store.change("backup", (change) => backupFolder(store.folder, change.meta, options), options);
}

/**
 * One archive of a CA, the same bytes for the same state. The caller holds the CA's lock. Keys in tokens are not files; key
 * files are taken in when they are encrypted, or when asked for.
 * @throws {InputError} `index.damaged`: what is damaged cannot be restored; {OperationError} `backup.too_large`.
 */
export async function backupFolder(folder: string, meta: CaMeta, options: BackupOptions = {}): Promise<Backup> {
  const leftOut: LeftOut[] = [];
  const entries: TarEntry[] = [];
  const isPart = (name: string) => PARTS.has(name) || keyPlaces(meta).has(name);
  const found = await Array.fromAsync(walk(folder, "", isPart));
  let size = 0;
  for (let at = 0; at < found.length; at += PARALLEL) {
    const taken = await Promise.all(found.slice(at, at + PARALLEL).map((one) => take(folder, one, options)));
    for (const one of taken) {
      if ("reason" in one) leftOut.push(one);
      else entries.push(one);
      size += "content" in one ? one.content!.length + 1024 : 0;
    }
    if (size > MAX_FILE_BYTES) throw tooLarge(folder);
  }
  checkIndex(entries);
  const manifest = new TextEncoder().encode(await formatManifest(entries, leftOut));
  const archive = writeTar([{ path: MANIFEST_FILE, mode: 0o644, content: manifest }, ...entries]);
  return { archive, files: entries.filter(({ content }) => content).length, leftOut };
}

/** Files read at the same time: others wait for the lock meanwhile. */
const PARALLEL = 32;

async function take(folder: string, found: Found, options: BackupOptions): Promise<TarEntry | LeftOut> {
  const { path, isFolder, mode, oddity } = found;
  if (oddity !== undefined || !isTarPath(path)) {
    return { path: path.replace(/\p{Cc}/gu, "?"), reason: oddity ?? "its name cannot be archived" };
  }
  if (isFolder) return { path, mode: isOwnerOnly(mode) ? 0o700 : 0o755 };
  const content = await readFileBytes(joinPath(folder, path));
  const reason = secretReason(content, options);
  if (reason === undefined) return { path, mode: isOwnerOnly(mode) ? 0o600 : 0o644, content };
  wipe(content);
  return { path, reason };
}

interface Found {
  /** Relative to the folder. */
  readonly path: string;
  readonly isFolder: boolean;
  readonly mode: number;
  /** Why it cannot be taken in. */
  readonly oddity?: string;
}

/** Everything that belongs to a CA, each folder before what is in it, sorted by name. */
async function* walk(folder: string, below: string, isPart: (name: string) => boolean): AsyncGenerator<Found> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(joinPath(folder, below))) names.push(name);
  } catch (cause) {
    throw fileError("read folder", joinPath(folder, below), cause);
  }
  for (const name of names.sort()) {
    const path = below === "" ? name : `${below}/${name}`;
    if (PASSING.has(name) || /\.[0-9a-f]{8}\.tmp$/.test(name)) continue;
    const { isDirectory, isFile, isSymlink, mode } = await Deno.lstat(joinPath(folder, path));
    const found = { path, isFolder: isDirectory, mode: mode ?? 0o644 };
    if (below === "" && !isPart(name)) yield { ...found, oddity: "not a part of a CA" };
    else if (isSymlink) yield { ...found, oddity: "a link" };
    else if (!isDirectory && !isFile) yield { ...found, oddity: "not a regular file" };
    else {
      yield found;
      if (isDirectory) yield* walk(folder, path, isPart);
    }
  }
}

/** Names at the top of the folder below which metadata says that there are keys. */
function keyPlaces({ versions }: CaMeta): ReadonlySet<string> {
  const names = Object.values(versions).flatMap(({ keys }) =>
    keys.flatMap(({ storage }) =>
      storage.type === "software" ? [storage.path.replace(/^(\.\/)+/, "").split("/")[0]!] : []
    )
  );
  return new Set(names.filter((name) => name !== "" && name !== ".."));
}

/** Why a file must not be in a backup that others may see; undefined when it may. */
function secretReason(content: Bytes, { plainKeys }: BackupOptions): string | undefined {
  if (plainKeys || !mayHoldPrivateKey(content)) return undefined;
  let key: KeyContainer;
  try {
    key = findPrivateKey(content);
  } catch {
    // any DER may look like a key at first; a PEM label says that there is one
    return content[0] === 0x30 ? undefined : "a private key that is not encrypted with PBES2";
  }
  if (key.format === "encrypted PKCS#8") return undefined;
  wipe(key.der);
  return "a private key that is not encrypted";
}

function isOwnerOnly(mode: number): boolean {
  return (mode & 0o077) === 0;
}

function checkIndex(entries: readonly TarEntry[]): void {
  const content = entries.find(({ path }) => path === INDEX_FILE)?.content;
  if (content) parseIndex(new TextDecoder().decode(content), INDEX_FILE);
}

function tooLarge(folder: string): OperationError {
  return new OperationError(`Cannot back up "${folder}": it is larger than ${MAX_FILE_BYTES} bytes`, {
    code: "backup.too_large",
    object: folder,
    hint: "Back it up with the means of the file system while no command is at work",
  });
}
