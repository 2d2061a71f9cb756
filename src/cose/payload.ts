import type { Bytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { readFileBytes } from "../files.ts";

/** What is signed: bytes in memory, or a source that gives them piece by piece, as often as asked. */
export interface Payload {
  /** Length in bytes, known beforehand: it is signed as well. */
  readonly length: number;
  /** All of it, where it is in memory. */
  readonly bytes?: Bytes;
  /** From the beginning; together as long as `length` says, or it throws. */
  pieces(): AsyncIterable<Uint8Array>;
}

/** A payload in memory. */
export function bytesPayload(bytes: Bytes): Payload {
  return {
    length: bytes.length,
    bytes,
    async *pieces() {
      yield await Promise.resolve(bytes);
    },
  };
}

/** Longest payload that is held in memory, in bytes; longer ones are streamed where the algorithm allows it. */
export const WHOLE_BYTES = 64 * 1024 * 1024;
/** Bytes read at a time. */
const PIECE_BYTES = 1024 * 1024;

/** How a file is read. */
export interface FileOptions {
  /** Its name in messages. */
  readonly name?: string;
  /** Ends the reading of a long one. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The content of a file: in memory up to {@link WHOLE_BYTES}, from there on read anew each time.
 * @throws {InputError} `file.not_found`, `file.read`, `file.too_large`; later `file.changed` when it has another length.
 */
export async function filePayload(path: string, { name = path, signal }: FileOptions = {}): Promise<Payload> {
  const found = await Deno.stat(path).catch(() => undefined);
  if (!found?.isFile || found.size <= WHOLE_BYTES) return bytesPayload(await readFileBytes(path));
  return { length: found.size, pieces: () => filePieces(path, { name, signal, length: found.size }) };
}

async function* filePieces(
  path: string,
  { name, signal, length }: Pick<FileOptions, "signal"> & { readonly name: string; readonly length: number },
): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path, { read: true });
  const room = new Uint8Array(PIECE_BYTES);
  let total = 0;
  for (let count = await file.read(room); count !== null; count = await file.read(room)) {
    signal?.throwIfAborted();
    total += count;
    yield room.subarray(0, count);
  }
  if (total === length) return;
  throw new InputError(`Cannot read "${name}": it changed while it was read`, {
    code: "file.changed",
    file: name,
  });
}
