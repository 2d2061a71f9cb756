import { shorten } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { pathExists, readFileText } from "../files.ts";
import type { RevocationReason } from "../x509/types.ts";
import { fitsIndex, type IndexRow, parseIndex, parseReason, revokedLine } from "./index_txt.ts";
import { journalTail } from "./journal.ts";
import { INDEX_FILE, joinPath, REVOCATIONS_FILE } from "./layout.ts";
import { isObject } from "./migrations.ts";

const RETRIES = 5;
const RETRY_WAIT_MS = 20;

/**
 * Every row of the database of the CA in `folder`, with the exact reasons. Needs no lock: a line that another process is
 * appending at this moment is waited for, and one that a killed process left is taken from the journal.
 * @throws {InputError} `index.damaged`, `file.not_found`.
 */
export async function readIndexRows(folder: string): Promise<IndexRow[]> {
  return (await Index.read(folder)).rows;
}

/** The database in memory, for reading and for making its next content. */
export class Index {
  readonly #lines: string[];
  readonly #rows: IndexRow[];
  readonly #exact: Map<string, RevocationReason>;
  readonly #path: string;
  #isExactNew = false;

  private constructor(text: string, exact: Map<string, RevocationReason>, path: string) {
    this.#rows = parseIndex(text, path).map((row) => withExactReason(row, exact));
    this.#lines = text.split("\n").slice(0, -1);
    this.#exact = exact;
    this.#path = path;
  }

  /** Reads the database of the CA in `folder`. @throws {InputError} `index.damaged`, `file.not_found`. */
  static async read(folder: string): Promise<Index> {
    const path = joinPath(folder, INDEX_FILE);
    return new Index(await readIndexText(folder, path), await readExactReasons(folder), path);
  }

  /** Every row in order. */
  get rows(): IndexRow[] {
    return [...this.#rows];
  }

  /** Adds a line, newline included, at the end. */
  add(line: string): void {
    const [row] = parseIndex(line, this.#path);
    this.#lines.push(row!.text);
    this.#rows.push({ ...row!, line: this.#lines.length });
  }

  /** Replaces the row of one certificate by a revoked one. */
  revoke(row: IndexRow, { date, reason }: { date: Date; reason?: RevocationReason }): void {
    const { serial } = row.entry;
    const at = this.#rows.findIndex(({ line }) => line === row.line);
    if (this.#rows[at]?.text !== row.text) throw new Error("The row is not one of this index");
    if (reason !== undefined && !fitsIndex(reason)) {
      this.#exact.set(serial, reason);
      this.#isExactNew = true;
    }
    const text = revokedLine(row, reason === undefined ? { date } : { date, reason });
    this.#lines[row.line - 1] = text;
    const revocation = reason === undefined ? { date } : { date, reason };
    this.#rows[at] = { text, line: row.line, entry: { ...row.entry, status: "R", revocation } };
  }

  /** Its content. */
  get text(): string {
    return this.#lines.map((line) => `${line}\n`).join("");
  }

  /** New content of the file of exact reasons; undefined when it stays. */
  get exactText(): string | undefined {
    if (!this.#isExactNew) return undefined;
    return JSON.stringify({ schema: 1, reasons: Object.fromEntries(this.#exact) }, null, 4) + "\n";
  }
}

/**
 * Length of the database in bytes, where the next line goes.
 * @throws {InputError} `index.damaged` when its last line has no end: a new one must not be glued to it.
 */
export async function appendOffset(folder: string): Promise<number> {
  const path = joinPath(folder, INDEX_FILE);
  try {
    using file = await Deno.open(path, { read: true });
    const { size } = await file.stat();
    if (size === 0) return 0;
    const last = new Uint8Array(1);
    await file.seek(size - 1, Deno.SeekMode.Start);
    await file.read(last);
    if (last[0] !== 0x0a) parseIndex(await readFileText(path), path);
    return size;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new InputError(`Cannot read "${path}": no such file`, { code: "file.not_found", file: path, cause });
  }
}

async function readIndexText(folder: string, path: string): Promise<string> {
  let text = await readFileText(path);
  for (let i = 0; i < RETRIES && text !== "" && !text.endsWith("\n"); i++) {
    await new Promise((resolve) => setTimeout(resolve, RETRY_WAIT_MS));
    text = await readFileText(path);
  }
  return text === "" || text.endsWith("\n") ? text : await completed(folder, text);
}

/** The text with the lines that a commit was adding when its process ended; the next writer adds them for good. */
async function completed(folder: string, text: string): Promise<string> {
  const { last } = await journalTail(folder);
  if (last?.state !== "commit" || !last.append) return text;
  const bytes = new TextEncoder().encode(text);
  const whole = new TextDecoder().decode(bytes.subarray(0, last.append.offset)) + last.append.text;
  return whole.startsWith(text) ? whole : text;
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

function withExactReason(row: IndexRow, exact: ReadonlyMap<string, RevocationReason>): IndexRow {
  const reason = exact.get(row.entry.serial);
  const { revocation } = row.entry;
  // a reason in the index itself is newer: this file only fills gaps
  if (!reason || !revocation || revocation.reason) return row;
  return { ...row, entry: { ...row.entry, revocation: { ...revocation, reason } } };
}
