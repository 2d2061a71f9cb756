import { type Bytes, concatBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { MAX_PIECE_BYTES, settledSize } from "./file.ts";

const BLOCK_BYTES = 262_144;
const NEWLINE = 0x0a;

/** One line of a file. */
export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its newline; at most {@link MAX_PIECE_BYTES}, and then `isEnded` is false. */
  readonly bytes: Bytes;
  readonly isEnded: boolean;
}

/** A log that is open for reading, up to where it reached when nobody was writing. */
export class OpenLog implements Disposable {
  readonly path: string;
  readonly size: number;
  readonly #file: Deno.FsFile;

  private constructor(path: string, file: Deno.FsFile, size: number) {
    this.path = path;
    this.#file = file;
    this.size = size;
  }

  /**
   * @param size of a log that the caller has locked.
   * @throws {InputError} `audit.read`; {OperationError} `audit.locked`.
   */
  static async open(path: string, size?: number): Promise<OpenLog> {
    const file = await openFile(path);
    try {
      return new OpenLog(path, file, size ?? await settledSize(file, path));
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** The lines in order; a few blocks of memory whatever the length. Stops behind a piece that is too long for a line. */
  async *lines(): AsyncGenerator<Line> {
    await this.#file.seek(0, Deno.SeekMode.Start);
    const block = new Uint8Array(BLOCK_BYTES);
    let rest: Bytes = new Uint8Array();
    let number = 0;
    for (let at = 0; at < this.size;) {
      const count = await this.#read(block.subarray(0, Math.min(BLOCK_BYTES, this.size - at)));
      at += count;
      let start = 0;
      for (let end = block.indexOf(NEWLINE); end >= 0 && end < count; end = block.indexOf(NEWLINE, start)) {
        const piece = block.subarray(start, end);
        yield { number: ++number, bytes: rest.length === 0 ? piece.slice() : concatBytes(rest, piece), isEnded: true };
        rest = new Uint8Array();
        start = end + 1;
      }
      rest = concatBytes(rest, block.subarray(start, count));
      if (rest.length > MAX_PIECE_BYTES) break;
    }
    if (rest.length > 0) yield { number: ++number, bytes: rest.slice(0, MAX_PIECE_BYTES), isEnded: false };
  }

  /** The last lines, at most `count`, without reading what comes before. */
  async lastLines(count: number): Promise<Bytes[]> {
    const blocks: Bytes[] = [];
    let newlines = 0;
    let from = this.size;
    while (from > 0 && newlines <= count && this.size - from < count * MAX_PIECE_BYTES) {
      const start = Math.max(0, from - BLOCK_BYTES);
      const block = new Uint8Array(from - start);
      await this.#file.seek(start, Deno.SeekMode.Start);
      for (let at = 0; at < block.length;) at += await this.#read(block.subarray(at));
      for (let at = block.indexOf(NEWLINE); at >= 0; at = block.indexOf(NEWLINE, at + 1)) newlines++;
      blocks.unshift(block);
      from = start;
    }
    const lines = split(concatBytes(...blocks));
    return count === 0 ? [] : lines.slice(-count);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  async #read(into: Uint8Array): Promise<number> {
    const count = await this.#file.read(into);
    if (count !== null) return count;
    throw readError(this.path, "it became shorter while it was read");
  }
}

function split(bytes: Bytes): Bytes[] {
  const lines: Bytes[] = [];
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    lines.push(bytes.slice(start, end));
    start = end + 1;
  }
  if (start < bytes.length) lines.push(bytes.slice(start));
  return lines;
}

async function openFile(path: string): Promise<Deno.FsFile> {
  try {
    const file = await Deno.open(path, { read: true });
    if ((await file.stat()).isFile) return file;
    file.close();
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new InputError(`Cannot read the audit log "${path}": no such file`, {
        code: "audit.not_found",
        file: path,
        cause,
      });
    }
    throw readError(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
  throw readError(path, "it is not a regular file");
}

function readError(path: string, reason: string, cause?: unknown): InputError {
  return new InputError(`Cannot read the audit log "${path}": ${reason}`, { code: "audit.read", file: path, cause });
}
