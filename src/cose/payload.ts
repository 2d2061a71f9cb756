import type { Bytes } from "../bytes.ts";

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
