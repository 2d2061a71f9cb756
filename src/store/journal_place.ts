import { sha256Hex } from "../keys/digest.ts";
import { joinPath, JOURNAL_FILE } from "./layout.ts";
import { type JournalHead, journalTail } from "./journal.ts";
import { readJournal } from "./journal_read.ts";

/** Bytes of the end of the journal that are searched before the whole of it is. */
const NEAR_BYTES = 1 << 20;

/**
 * Where a head that somebody remembers stands in the journal of a folder: `in` it; `beyond` its end, when the journal is an
 * older copy; `other`, when its record is not the one remembered.
 * @throws {InputError} `journal.damaged`.
 */
export async function placeInJournal(folder: string, head: JournalHead): Promise<"in" | "beyond" | "other"> {
  const tail = await journalTail(folder);
  const seq = tail.last?.seq ?? 0;
  if (head.seq > seq) return "beyond";
  if (head.seq === seq) return head.sha256 === tail.head ? "in" : "other";
  const found = await nearHash(folder, head.seq, tail.size) ?? await farHash(folder, head.seq);
  return found === head.sha256 ? "in" : "other";
}

/** Hash of a record near the end of the last file. */
async function nearHash(folder: string, seq: number, size: number): Promise<string | undefined> {
  using file = await Deno.open(joinPath(folder, JOURNAL_FILE), { read: true });
  const from = Math.max(0, size - NEAR_BYTES);
  await file.seek(from, Deno.SeekMode.Start);
  const bytes = new Uint8Array(size - from);
  for (let at = 0; at < bytes.length;) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) break;
    at += count;
  }
  const line = new TextDecoder().decode(bytes).split("\n").find((text) => text.startsWith(`{"seq":${seq},`));
  return line === undefined ? undefined : await sha256Hex(new TextEncoder().encode(line));
}

/** The same from the beginning; the record after it holds the hash. */
async function farHash(folder: string, seq: number): Promise<string | undefined> {
  for await (const { record } of readJournal(folder)) {
    if (record.seq === seq + 1) return record.prev;
  }
  return undefined;
}
