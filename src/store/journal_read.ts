import { concatBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { pathExists } from "../files.ts";
import { sha256Hex } from "../keys/digest.ts";
import { journalDamaged, type JournalRecord, parseRecord } from "./journal_record.ts";
import { joinPath, JOURNAL_FILE, JOURNAL_FOLDER } from "./layout.ts";

/** One record with where it stands. */
export interface ReadRecord {
  readonly record: JournalRecord;
  /** File relative to the folder. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** Most parts that a journal is followed through. */
const MOST_PARTS = 10_000;

/** Longest record, in bytes. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/**
 * Every record of the journal of a folder from its beginning, earlier parts first. Each must follow the one before: its number
 * and the hash of the line before it. An unfinished record at the very end is not there yet.
 * @throws {InputError} `journal.damaged` with file and line.
 */
export async function* readJournal(folder: string): AsyncGenerator<ReadRecord> {
  let last: { seq: number; head: string } = { seq: 0, head: "" };
  for (const file of await journalParts(folder)) {
    const path = joinPath(folder, file);
    let number = 0;
    for await (const bytes of linesOf(path)) {
      const line = ++number;
      const record = parseRecord(textOf(bytes, path, line), path, line);
      if (record.seq !== last.seq + 1) {
        throw journalDamaged(path, `record ${record.seq} follows record ${last.seq}`, line);
      }
      if (record.prev !== last.head) {
        throw journalDamaged(path, `the record before ${record.seq} is not the one that was written`, line);
      }
      last = { seq: record.seq, head: await sha256Hex(bytes) };
      yield { record, file, line };
    }
  }
}

/** Files of the journal, the first part first. @throws {InputError} `journal.damaged`. */
async function journalParts(folder: string): Promise<string[]> {
  const parts: string[] = [];
  for (let file: string | undefined = JOURNAL_FILE; file !== undefined;) {
    if (!await pathExists(joinPath(folder, file))) {
      if (parts.length === 0) return [];
      throw journalDamaged(joinPath(folder, file), "this part of the journal is missing");
    }
    parts.unshift(file);
    if (parts.length > MOST_PARTS) throw journalDamaged(joinPath(folder, file), "its parts have no beginning");
    const before = await continuedPart(joinPath(folder, file));
    if (before !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/.test(before)) {
      throw journalDamaged(joinPath(folder, file), "it continues a part of an impossible name", 1);
    }
    file = before === undefined ? undefined : `${JOURNAL_FOLDER}/${before}`;
  }
  return parts;
}

async function continuedPart(path: string): Promise<string | undefined> {
  for await (const bytes of linesOf(path)) return parseRecord(textOf(bytes, path, 1), path, 1).continues;
  return undefined;
}

/** Whole lines, without their newline. */
async function* linesOf(path: string): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array();
  for await (const chunk of await openStream(path)) {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      const part = chunk.subarray(from, end);
      yield rest.length === 0 ? part : concatBytes(rest, part);
      rest = new Uint8Array();
      from = end + 1;
    }
    const left = chunk.subarray(from);
    rest = rest.length === 0 ? left : concatBytes(rest, left);
    if (rest.length > MAX_LINE_BYTES) throw journalDamaged(path, `a record is longer than ${MAX_LINE_BYTES} bytes`);
  }
}

async function openStream(path: string): Promise<ReadableStream<Uint8Array>> {
  try {
    return (await Deno.open(path, { read: true })).readable;
  } catch (cause) {
    throw new InputError(`Cannot read "${path}"`, { code: "file.read", file: path, cause });
  }
}

function textOf(line: Uint8Array, path: string, number: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(line);
  } catch {
    throw journalDamaged(path, "not UTF-8 text", number);
  }
}
