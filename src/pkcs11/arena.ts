import type { Bytes } from "../bytes.ts";
import type { Ffi } from "./ffi.ts";
import { allocate } from "./layout.ts";

/**
 * Memory for one structure and everything it points to, in a single buffer: whoever holds the buffer holds it all, so
 * nothing can be freed during a call, not even an asynchronous one.
 */
export class Arena {
  readonly #chunks: { offset: number; bytes: Uint8Array }[] = [];
  readonly #pointers: { at: number; target: number }[] = [];
  #length = 0;

  /** Copies `bytes` in, aligned to 8, and returns their offset. */
  add(bytes: Uint8Array): number {
    const offset = this.reserve(bytes.length);
    this.#chunks.push({ offset, bytes });
    return offset;
  }

  /** Keeps `length` zero bytes free, aligned to 8, and returns their offset. */
  reserve(length: number): number {
    const offset = this.#length;
    this.#length += Math.ceil(length / 8) * 8;
    return offset;
  }

  /** Makes the pointer at offset `at` point to offset `target`. */
  point(at: number, target: number): void {
    this.#pointers.push({ at, target });
  }

  /** The memory, with all pointers set. */
  build(ffi: Ffi): Bytes {
    const out = allocate(Math.max(8, this.#length));
    for (const { offset, bytes } of this.#chunks) out.set(bytes, offset);
    if (this.#pointers.length > 0) {
      const base = ffi.address(out);
      const view = new DataView(out.buffer);
      for (const { at, target } of this.#pointers) view.setBigUint64(at, base + BigInt(target), true);
    }
    return out;
  }
}
