import { type Bytes, encodeHex, randomBytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { fileError, makeFolder, pathExists, readFileText, syncFolder, writeAll, writeFileDurably } from "../files.ts";
import { mayHoldPrivateKey } from "../keys/container.ts";
import { CaStore, isCaFolder } from "./ca.ts";
import { parseIndex } from "./index_txt.ts";
import { readJournal } from "./journal_read.ts";
import { CRL_NUMBER_FILE, INDEX_FILE, joinPath, LOCK_FILE, META_FILE, parentFolder } from "./layout.ts";
import { acquireLock, type LockOptions } from "./lock.ts";
import { checkManifest, type LeftOut, type Manifest, MANIFEST_FILE, parseManifest } from "./manifest.ts";
import type { CaMeta } from "./meta.ts";
import { checkCaMeta } from "./meta_check.ts";
import { CA_MIGRATIONS, readMetaObject } from "./migrations.ts";
import { markRestore, switchFolders } from "./restore_switch.ts";
import { StagedFolder } from "./staged_folder.ts";
import { readTar, type TarEntry } from "./tar.ts";

/** Files written at the same time. */
const PARALLEL = 16;

/** A backup whose every byte was verified. */
export interface VerifiedBackup {
  readonly meta: CaMeta;
  /** Without the manifest. */
  readonly entries: readonly TarEntry[];
  readonly leftOut: readonly LeftOut[];
  /** Key files that the metadata names and the backup does not have. */
  readonly missingKeys: readonly string[];
}

/**
 * Verifies a backup as a whole: form, paths, checksums, metadata, index; nothing is written.
 * @throws {InputError} `archive.invalid`, `archive.newer`, `archive.checksum`, `meta.invalid`, `meta.newer`, `index.damaged`.
 */
export async function verifyBackup(archive: Bytes): Promise<VerifiedBackup> {
  const [first, ...entries] = readTar(archive);
  if (first?.path !== MANIFEST_FILE || !first.content) {
    throw new InputError(`Cannot read the archive: its first file is not "${MANIFEST_FILE}"`, {
      code: "archive.invalid",
      hint: "Only archives that qpki ca backup wrote can be restored",
    });
  }
  const manifest: Manifest = parseManifest(textOf(first));
  await checkManifest(manifest, entries);
  const files = new Map(entries.map((entry) => [entry.path, entry]));
  const meta = checkCaMeta(
    readMetaObject(textOf(files.get(META_FILE), META_FILE), META_FILE, CA_MIGRATIONS),
    META_FILE,
  );
  parseIndex(textOf(files.get(INDEX_FILE), INDEX_FILE), INDEX_FILE);
  const missingKeys = Object.values(meta.versions).flatMap(({ keys }) =>
    keys.flatMap(({ storage }) => {
      if (storage.type !== "software") return [];
      const path = storage.path.replace(/^(\.\/)+/, "");
      return files.has(path) ? [] : [path];
    })
  );
  return { meta, entries, leftOut: manifest.leftOut, missingKeys };
}

/** How a backup is put in place. */
export interface RestoreOptions extends LockOptions {
  /** Puts an existing CA aside. */
  readonly force?: boolean;
  readonly now: Date;
}

/** A CA that was restored. */
export interface Restored {
  /** Where the CA that was there is now. */
  readonly aside?: string;
  /** The next CRL number, where that of the old CA was kept because it is higher. */
  readonly crlNumber?: string;
  /** Serial numbers that the old CA issued or revoked and the backup does not know of. */
  readonly unknown: readonly string[];
}

/**
 * Puts a verified backup in the place of `target` (absolute), all at once: it is built beside it and moved there. An existing
 * CA is kept under another name, and its CRL number if that is higher: no number is ever used twice.
 * @throws {OperationError} `ca.exists` without `force`, `file.write`, `ca.locked`; {InputError} `journal.damaged`.
 */
export async function restoreBackup(
  backup: VerifiedBackup,
  target: string,
  options: RestoreOptions,
): Promise<Restored> {
  const place = target.replace(/[\\/]+$/, "");
  const hasCa = await isCaFolder(place);
  if (hasCa && !options.force) {
    throw new OperationError(`Cannot restore to "${place}": there is a CA already`, {
      code: "ca.exists",
      object: place,
      hint: "Choose another folder with --ca-dir, or pass --force: the CA that is there is then kept beside it",
    });
  }
  if (!hasCa && await pathExists(place) && !await isEmptyFolder(place)) {
    throw new OperationError(`Cannot restore to "${place}": it is not empty`, {
      code: "file.exists",
      object: place,
      hint: "Choose another folder with --ca-dir",
    });
  }
  await using _lock = hasCa ? await acquireLock(joinPath(place, LOCK_FILE), "restore", options) : undefined;
  await makeFolder(parentFolder(place));
  const name = place.slice(place.lastIndexOf("/") + 1);
  const staging = joinPath(parentFolder(place), `.${name}.qpki-${encodeHex(randomBytes(4))}`);
  let staged: StagedFolder | undefined;
  let decided = false;
  try {
    const known = hasCa ? await compare(place, backup) : undefined;
    await makeFolder(staging);
    // the journal first: it goes on in the restored CA, and its lock says that somebody is at work
    const [journal, others] = partition(backup.entries, ({ path }) => path.split("/")[0]!.startsWith("journal"));
    await writeEntries(staging, journal);
    staged = await StagedFolder.take(staging, "restore");
    await writeEntries(staging, others);
    if (known?.crlNumber !== undefined) {
      await writeFileDurably(joinPath(staging, CRL_NUMBER_FILE), `${known.crlNumber}\n`, { overwrite: true });
    }
    await proveFolder(staging);
    const aside = hasCa ? await freeName(`${place}.old-${stamp(options.now)}`) : undefined;
    await markRestore(staging, aside);
    // from here on an interruption is finished by: qpki ca check --repair
    decided = true;
    await staged.complete(() => switchFolders(staging, place));
    return {
      unknown: known?.unknown ?? [],
      ...(aside === undefined ? {} : { aside }),
      ...(known?.crlNumber === undefined ? {} : { crlNumber: known.crlNumber }),
    };
  } finally {
    await staged?.close();
    if (!decided) await Deno.remove(staging, { recursive: true }).catch(() => {});
  }
}

function partition<T>(items: readonly T[], isFirst: (item: T) => boolean): [first: T[], others: T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}

/** What the CA that is there has beyond the backup. */
async function compare(place: string, { entries }: VerifiedBackup): Promise<Pick<Restored, "crlNumber" | "unknown">> {
  const file = (path: string) => textOf(entries.find((entry) => entry.path === path) ?? NOTHING);
  const before = parseNumber(await readFileText(joinPath(place, CRL_NUMBER_FILE)).catch(() => ""));
  const after = parseNumber(file(CRL_NUMBER_FILE));
  const higher = before !== undefined && (after === undefined || before.value > after.value);
  const states = new Map(parseIndex(file(INDEX_FILE), INDEX_FILE).map(({ entry }) => [entry.serial, entry.status]));
  let unknown: string[] = [];
  try {
    const current = parseIndex(await readFileText(joinPath(place, INDEX_FILE)), INDEX_FILE);
    unknown = current.filter(({ entry }) => states.get(entry.serial) !== entry.status).map(({ entry }) => entry.serial);
  } catch {
    // a damaged index is why there are backups
  }
  return { unknown, ...(higher ? { crlNumber: before.text } : {}) };
}

const NOTHING: TarEntry = { path: "", mode: 0, content: new Uint8Array() };

function parseNumber(text: string): { value: bigint; text: string } | undefined {
  const digits = text.trim();
  return /^([0-9A-Fa-f]{2}){1,20}$/.test(digits) ? { value: BigInt(`0x${digits}`), text: digits } : undefined;
}

async function writeEntries(folder: string, entries: readonly TarEntry[]): Promise<void> {
  const folders = entries.filter(({ content }) => content === undefined);
  const files = entries.filter(({ content }) => content !== undefined);
  for (const { path, mode } of folders) await makeFolder(joinPath(folder, path), mode);
  for (let at = 0; at < files.length; at += PARALLEL) {
    await Promise.all(files.slice(at, at + PARALLEL).map((entry) => writeEntry(folder, entry)));
  }
  for (const { path } of [...folders.toReversed(), NOTHING]) await syncFolder(joinPath(folder, path));
}

async function writeEntry(folder: string, { path, mode, content }: TarEntry): Promise<void> {
  const target = joinPath(folder, path);
  try {
    // a key stays its owner's only, whatever the archive says
    const isKey = mayHoldPrivateKey(content!) && content![0] !== 0x30;
    using file = await Deno.open(target, { write: true, createNew: true, mode: isKey ? 0o600 : mode });
    await writeAll(file, content!);
    await file.sync();
  } catch (cause) {
    throw fileError("write", target, cause);
  }
}

/** The folder opens as a CA, with its index and its journal. */
async function proveFolder(folder: string): Promise<void> {
  await (await CaStore.open(folder)).entries();
  for await (const _record of readJournal(folder));
}

async function isEmptyFolder(path: string): Promise<boolean> {
  try {
    for await (const _entry of Deno.readDir(path)) return false;
    return true;
  } catch {
    return false;
  }
}

async function freeName(path: string): Promise<string> {
  for (let i = 0;; i++) {
    const name = i === 0 ? path : `${path}-${i}`;
    if (!await pathExists(name)) return name;
  }
}

function stamp(date: Date): string {
  return date.toISOString().replace(/[-:]|\.\d+/g, "");
}

function textOf(entry: TarEntry | undefined, name = ""): string {
  if (!entry?.content) {
    throw new InputError(`Cannot restore the backup: "${name}" is not in it`, {
      code: "archive.invalid",
      object: name,
    });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(entry.content);
  } catch (cause) {
    throw new InputError(`Cannot restore the backup: "${entry.path}" is not UTF-8 text`, {
      code: "archive.invalid",
      object: entry.path,
      cause,
    });
  }
}
