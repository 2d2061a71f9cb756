import { type Bytes, concatBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";

/**
 * Tar archives in the one form that this program writes (POSIX ustar): files and folders alone, owner 0, time 0, two blocks of
 * zeros at the end. The same entries are always the same bytes, and only those bytes are read again: links, devices, other
 * owners and extensions of the format have no way to be said.
 */

/** One entry. */
export interface TarEntry {
  /** Relative, between slashes, without a slash at the end. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  /** Absent for a folder. */
  readonly content?: Bytes;
}

const BLOCK = 512;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;

/** Most entries that are read. */
const MOST_ENTRIES = 2_000_000;

/** Whether an archive can name `path`: safe below any folder, and not too long for the format. */
export function isTarPath(path: string): boolean {
  // deno-lint-ignore no-control-regex
  if (path === "" || /[\u0000-\u001f\u007f\\]/.test(path) || !path.isWellFormed()) return false;
  return path.split("/").every((name) => name !== "" && name !== "." && name !== "..") && splitPath(path) !== undefined;
}

/** An archive of entries, in their order. @throws {InputError} `archive.path` for a path that has no place in it. */
export function writeTar(entries: readonly TarEntry[]): Bytes {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    parts.push(header(entry));
    if (!entry.content) continue;
    parts.push(entry.content, new Uint8Array(-entry.content.length & (BLOCK - 1)));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return concatBytes(...parts);
}

/**
 * The entries of an archive that {@link writeTar} wrote. Contents share its memory.
 * @throws {InputError} `archive.invalid` with the offset of the first byte that is not as it would have been written.
 */
export function readTar(archive: Bytes): TarEntry[] {
  const entries: TarEntry[] = [];
  const kinds = new Map<string, "file" | "folder">();
  let at = 0;
  for (;;) {
    const block = archive.subarray(at, at + BLOCK);
    if (block.length < BLOCK) throw invalid("it ends in the middle of an entry", at);
    if (isZero(block)) break;
    const { entry, size } = readHeader(block, at);
    if (entries.length >= MOST_ENTRIES) throw invalid(`it has more than ${MOST_ENTRIES} entries`, at);
    const parent = entry.path.slice(0, Math.max(0, entry.path.lastIndexOf("/")));
    if (parent !== "" && kinds.get(parent) !== "folder") throw invalid(`"${entry.path}" comes before its folder`, at);
    if (kinds.has(entry.path)) throw invalid(`"${entry.path}" comes twice`, at);
    kinds.set(entry.path, size === undefined ? "folder" : "file");
    at += BLOCK;
    if (size === undefined) {
      entries.push(entry);
      continue;
    }
    const end = at + size;
    const next = Math.ceil(end / BLOCK) * BLOCK;
    if (next > archive.length) throw invalid(`it ends in the middle of "${entry.path}"`, at);
    if (!isZero(archive.subarray(end, next))) throw invalid(`something hides behind "${entry.path}"`, end);
    entries.push({ ...entry, content: archive.subarray(at, end) });
    at = next;
  }
  if (archive.length !== at + 2 * BLOCK || !isZero(archive.subarray(at))) {
    throw invalid("its end is not two blocks of zeros", at);
  }
  return entries;
}

function readHeader(block: Bytes, at: number): { entry: TarEntry; size?: number } {
  const type = String.fromCharCode(block[156]!);
  if (type !== "0" && type !== "5") throw invalid(`it has an entry of type "${printable(type)}"`, at);
  const size = type === "0" ? octal(block, 124, 12, at) : undefined;
  const [name, prefix] = [text(block, 0, NAME_BYTES, at), text(block, 345, PREFIX_BYTES, at)];
  const path = (prefix === "" ? name : `${prefix}/${name}`).replace(/\/$/, type === "5" ? "" : "/");
  if (!isTarPath(path)) throw invalid(`"${printable(path)}" is no path below a folder`, at);
  const entry = { path, mode: octal(block, 100, 8, at) };
  // whatever else is said would not have been written
  const same = header({ ...entry, ...(size === undefined ? {} : { content: EMPTY }) }, size);
  const wrong = block.findIndex((byte, i) => byte !== same[i]);
  if (wrong >= 0) throw invalid(`the header of "${path}" is not one of this program`, at + wrong);
  return { entry, ...(size === undefined ? {} : { size }) };
}

const EMPTY: Bytes = new Uint8Array();

function header({ path, mode, content }: TarEntry, size = content?.length ?? 0): Bytes {
  const split = splitPath(path);
  if (!split) {
    throw new InputError(`Cannot archive "${path}": its path is too long for the format`, {
      code: "archive.path",
      file: path,
    });
  }
  const block = new Uint8Array(BLOCK);
  const put = (at: number, value: Uint8Array | string) =>
    block.set(typeof value === "string" ? new TextEncoder().encode(value) : value, at);
  put(0, split.name);
  if (!content) block[split.name.length] = 0x2f;
  put(100, digits(mode & 0o777, 7));
  put(108, digits(0, 7));
  put(116, digits(0, 7));
  put(124, digits(size, 11));
  put(136, digits(0, 11));
  put(148, "        ");
  put(156, content ? "0" : "5");
  put(257, "ustar\u000000");
  put(329, digits(0, 7));
  put(337, digits(0, 7));
  put(345, split.prefix);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${digits(sum, 6)}\u0000 `);
  return block;
}

function digits(value: number, length: number): string {
  return value.toString(8).padStart(length, "0");
}

/** The two fields of a path, or undefined when it does not fit. A folder needs room for its slash. */
function splitPath(path: string): { prefix: Uint8Array; name: Uint8Array } | undefined {
  const bytes = new TextEncoder().encode(path);
  if (bytes.length < NAME_BYTES) return { prefix: EMPTY, name: bytes };
  for (let at = bytes.indexOf(0x2f); at >= 0; at = bytes.indexOf(0x2f, at + 1)) {
    const [prefix, name] = [bytes.subarray(0, at), bytes.subarray(at + 1)];
    if (name.length < NAME_BYTES && prefix.length <= PREFIX_BYTES) return { prefix, name };
  }
  return undefined;
}

function text(block: Bytes, from: number, length: number, at: number): string {
  const field = block.subarray(from, from + length);
  const end = field.indexOf(0);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(end < 0 ? field : field.subarray(0, end));
  } catch {
    throw invalid("a name is not UTF-8", at + from);
  }
}

function octal(block: Bytes, from: number, length: number, at: number): number {
  const field = text(block, from, length, at);
  if (!/^[0-7]{1,11}$/.test(field)) throw invalid("a number is not octal", at + from);
  return parseInt(field, 8);
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function printable(value: string): string {
  // deno-lint-ignore no-control-regex
  return value.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?").slice(0, 100);
}

function invalid(reason: string, offset: number): InputError {
  return new InputError(`Cannot read the archive: ${reason}`, {
    code: "archive.invalid",
    offset,
    hint: "Only archives that qpki ca backup wrote can be restored",
  });
}
