import { derError } from "../asn1/der.ts";

/**
 * A cursor over DER that makes no object for a TLV: a CRL of several hundred thousand entries is read with it in one
 * linear pass. It checks what the reader in asn1/ checks of a header: definite, minimal lengths within the limit.
 */
export class DerScan {
  readonly bytes: Uint8Array;
  /** Identifier octet of the TLV last entered. */
  tag = 0;
  /** Where it, its content and what follows it begin. */
  start = 0;
  content = 0;
  end = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Enters the TLV at `at`, which must end by `limit`. @throws {InputError} `der.invalid`. */
  enter(at: number, limit: number): void {
    const { bytes } = this;
    if (at + 2 > limit) throw derError("truncated", at);
    const tag = bytes[at]!;
    if ((tag & 0x1f) === 0x1f) throw derError("a tag number above 30", at);
    const first = bytes[at + 1]!;
    this.tag = tag;
    this.start = at;
    this.content = at + 2;
    this.end = first < 0x80 ? this.content + first : this.#longLength(at, first & 0x7f, limit);
    if (this.end > limit) throw derError("a length goes beyond the end (truncated)", at);
  }

  #longLength(at: number, count: number, limit: number): number {
    if (count === 0) throw derError("indefinite length", at + 1);
    if (count > 6 || at + 2 + count > limit) throw derError("truncated or oversized length", at + 1);
    let length = 0;
    for (let i = at + 2; i < at + 2 + count; i++) length = length * 256 + this.bytes[i]!;
    if (length < 0x80 || this.bytes[at + 2] === 0) throw derError("length is not in its shortest form", at + 1);
    this.content = at + 2 + count;
    return this.content + length;
  }

  /** Enters the TLV at `at` and checks its identifier octet. @throws {InputError} `der.invalid`. */
  expect(tag: number, at: number, limit: number, what: string): void {
    this.enter(at, limit);
    if (this.tag !== tag) throw derError(`${what} has tag ${hex(this.tag)} where ${hex(tag)} is expected`, at);
  }
}

function hex(octet: number): string {
  return octet.toString(16).padStart(2, "0");
}
