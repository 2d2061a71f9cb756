import { shorten } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { fileError, pathExists, readFileText, writeFileDurably } from "../files.ts";
import type { RevocationReason } from "../x509/types.ts";
import {
  fitsIndex,
  formatIndexLine,
  type IndexEntry,
  type IndexRow,
  parseIndex,
  parseReason,
  revokedLine,
} from "./index_txt.ts";
import { INDEX_FILE, joinPath, REVOCATIONS_FILE } from "./layout.ts";
import { isObject } from "./migrations.ts";

const RETRIES = 5;
const RETRY_WAIT_MS = 20;

/**
 * Every row of the database of the CA in `folder`, with the exact reasons. Needs no lock: a line that another process is
 * appending at this moment is waited for.
 * @throws {InputError} `index.damaged`, `file.not_found`.
 */
export async function readIndexRows(folder: string): Promise<IndexRow[]> {
  const path = joinPath(folder, INDEX_FILE);
  let text = await readFileText(path);
  for (let i = 0; i < RETRIES && text !== "" && !text.endsWith("\n"); i++) {
    await new Promise((resolve) => setTimeout(resolve, RETRY_WAIT_MS));
    text = await readFileText(path);
  }
  const rows = parseIndex(text, path);
  const exact = await readExactReasons(folder);
  return exact.size === 0 ? rows : rows.map((row) => withExactReason(row, exact));
}

/**
 * Adds entries at the end of the database and makes them durable; its length does not matter. All or none: when the disk
 * is full the file is cut back. The caller holds the CA's lock.
 */
export async function appendIndex(folder: string, entries: readonly IndexEntry[]): Promise<void> {
  const path = joinPath(folder, INDEX_FILE);
  const bytes = new TextEncoder().encode(entries.map(formatIndexLine).join(""));
  const file = await openIndex(path);
  try {
    const { size } = await file.stat();
    await checkLastLine(file, size, path);
    try {
      await file.seek(size, Deno.SeekMode.Start);
      let at = 0;
      while (at < bytes.length) at += await file.write(bytes.subarray(at));
      await file.sync();
    } catch (cause) {
      await file.truncate(size).catch(() => {});
      throw fileError("write", path, cause);
    }
  } finally {
    file.close();
  }
}

/**
 * Replaces the row of one certificate by a revoked one. The exact reason, where OpenSSL has no word for it, is stored
 * before, so that it is never missing. The caller holds the lock and has read the row under it.
 */
export async function markRevoked(
  folder: string,
  change: { row: IndexRow; date: Date; reason?: RevocationReason },
): Promise<void> {
  const { row, date, reason } = change;
  const { serial } = row.entry;
  if (reason !== undefined && !fitsIndex(reason)) await storeExactReason(folder, serial, reason);
  const path = joinPath(folder, INDEX_FILE);
  const lines = (await readFileText(path)).split("\n");
  if (lines[row.line - 1] !== row.text) throw new Error("index.txt changed although its lock is held");
  lines[row.line - 1] = revokedLine(row, reason === undefined ? { date } : { date, reason });
  await writeFileDurably(path, lines.join("\n"), { overwrite: true });
}

async function openIndex(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { read: true, write: true });
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new InputError(`Cannot read "${path}": no such file`, { code: "file.not_found", file: path, cause });
    }
    throw fileError("write", path, cause);
  }
}

/** A new line must not be glued to the rest of a torn one. */
async function checkLastLine(file: Deno.FsFile, size: number, path: string): Promise<void> {
  if (size === 0) return;
  const last = new Uint8Array(1);
  await file.seek(size - 1, Deno.SeekMode.Start);
  await file.read(last);
  if (last[0] !== 0x0a) parseIndex(await readFileText(path), path);
}

async function readExactReasons(folder: string): Promise<Map<string, RevocationReason>> {
  const path = joinPath(folder, REVOCATIONS_FILE);
  if (!await pathExists(path)) return new Map();
  let value: unknown;
  try {
    value = JSON.parse(await readFileText(path));
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(`Cannot read "${path}": it is not JSON`, { code: "index.damaged", file: path, cause });
  }
  const reasons = isObject(value) ? value["reasons"] : undefined;
  if (!isObject(reasons)) {
    throw new InputError(`Cannot read "${path}": "reasons" is missing`, { code: "index.damaged", file: path });
  }
  const exact = new Map<string, RevocationReason>();
  for (const [serial, text] of Object.entries(reasons)) {
    const reason = typeof text === "string" ? parseReason(text) : undefined;
    if (!reason) {
      throw new InputError(`Cannot read "${path}": the reason of ${shorten(serial, 50)} is none of RFC 5280`, {
        code: "index.damaged",
        file: path,
      });
    }
    exact.set(serial, reason);
  }
  return exact;
}

async function storeExactReason(folder: string, serial: string, reason: RevocationReason): Promise<void> {
  const reasons = await readExactReasons(folder);
  reasons.set(serial, reason);
  const text = JSON.stringify({ schema: 1, reasons: Object.fromEntries(reasons) }, null, 4) + "\n";
  await writeFileDurably(joinPath(folder, REVOCATIONS_FILE), text, { overwrite: true });
}

function withExactReason(row: IndexRow, exact: ReadonlyMap<string, RevocationReason>): IndexRow {
  const reason = exact.get(row.entry.serial);
  const { revocation } = row.entry;
  // a reason in the index itself is newer: this file only fills gaps
  if (!reason || !revocation || revocation.reason) return row;
  return { ...row, entry: { ...row.entry, revocation: { ...revocation, reason } } };
}
