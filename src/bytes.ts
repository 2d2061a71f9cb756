import { InputError } from "./errors.ts";

/** Bytes over a plain ArrayBuffer: what WebCrypto and FFI accept. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Joins byte strings into a new one. */
export function concatBytes(...parts: readonly Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Lower-case hex of `bytes`, two digits a byte, without separators. */
export function encodeHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/**
 * Bytes of a hex string. Accepts upper and lower case, an optional `0x`, and colons between bytes.
 * @throws {InputError} on an odd number of digits or another character.
 */
export function decodeHex(text: string): Bytes {
  const digits = text.trim().replace(/^0x/i, "").replaceAll(":", "");
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) {
    throw new InputError(`Cannot decode hex "${shorten(text)}": not an even number of hex digits`, {
      code: "hex.invalid",
    });
  }
  return Uint8Array.fromHex(digits);
}

/** Standard base64 with padding, on one line. */
export function encodeBase64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/**
 * Bytes of standard base64; white space is ignored.
 * @throws {InputError} on any other character or wrong padding.
 */
export function decodeBase64(text: string): Bytes {
  try {
    return Uint8Array.fromBase64(text);
  } catch (cause) {
    throw new InputError("Cannot decode base64: invalid character or padding", { code: "base64.invalid", cause });
  }
}

/** One PEM block (RFC 7468): its label and its bytes. */
export interface PemBlock {
  label: string;
  bytes: Bytes;
  /** RFC 1421 headers between the first line and the body, which only legacy encrypted keys have. */
  headers: string[];
}

/** PEM text (RFC 7468) of `bytes` under `label`, 64 characters a line, with a final newline. */
export function encodePem(label: string, bytes: Uint8Array): string {
  const body = encodeBase64(bytes).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${body.join("\n")}\n-----END ${label}-----\n`;
}

const PEM_BEGIN = "-----BEGIN ";
/** End of a first or last line: label of RFC 7468 section 3, hyphens, line end. */
const PEM_LABEL = /([ -,.-~]{1,64})-----\r?\n?/y;

/**
 * Every PEM block in `text`, in order; text between blocks is skipped as RFC 7468 allows. Time is linear in its length.
 * @throws {InputError} when a block's ends disagree, its body is not base64, or a block is cut off.
 */
export function decodePem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (let begin = text.indexOf(PEM_BEGIN); begin >= 0;) {
    const first = pemLine(text, begin + PEM_BEGIN.length);
    const end = text.indexOf("-----END ", first.next);
    if (end < 0) {
      throw new InputError("Cannot read PEM: the last block has no end line", { code: "pem.truncated" });
    }
    const last = pemLine(text, end + "-----END ".length);
    if (first.label !== last.label) {
      throw new InputError(`Cannot read PEM: block "${first.label}" ends as "${last.label}"`, { code: "pem.invalid" });
    }
    blocks.push({ label: first.label, ...pemBody(text.slice(first.next, end)) });
    begin = text.indexOf(PEM_BEGIN, last.next);
  }
  return blocks;
}

function pemLine(text: string, at: number): { label: string; next: number } {
  const pattern = new RegExp(PEM_LABEL);
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  if (!match) {
    throw new InputError("Cannot read PEM: a first or last line has no label or no end", { code: "pem.truncated" });
  }
  return { label: match[1]!, next: pattern.lastIndex };
}

function pemBody(body: string): { bytes: Bytes; headers: string[] } {
  const headers = body.match(/^[A-Za-z0-9-]+:.*$/gm) ?? [];
  const blank = headers.length === 0 ? null : /\r?\n\r?\n/.exec(body);
  const base64 = blank === null ? body : body.slice(blank.index + blank[0].length);
  return { bytes: decodeBase64(base64), headers };
}

/** Whether `bytes` look like text with a PEM block rather than DER. */
export function looksLikePem(bytes: Uint8Array): boolean {
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 65536));
  return head.includes("-----BEGIN ");
}

/** Compares two byte strings in time that depends on their lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** Overwrites secret bytes with zeros. */
export function wipe(bytes: Uint8Array): void {
  bytes.fill(0);
}

/** `bytes` over a plain ArrayBuffer, copied only when they are not so already. */
export function plainBytes(bytes: Uint8Array): Bytes {
  return bytes.buffer instanceof ArrayBuffer ? bytes as Bytes : new Uint8Array(bytes);
}

/** `length` bytes from the operating system's generator. */
export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** A secret text (PIN, passphrase) that prints as `[secret]` wherever it is shown by mistake. */
export class Secret {
  #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  /** The secret itself; call it only where it is consumed. */
  reveal(): string {
    return this.#text;
  }
  /** UTF-8 bytes of the secret; the caller wipes them. */
  bytes(): Bytes {
    return new TextEncoder().encode(this.#text);
  }
  toString(): string {
    return "[secret]";
  }
  toJSON(): string {
    return "[secret]";
  }
  [Symbol.for("Deno.customInspect")](): string {
    return "[secret]";
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[secret]";
  }
}

/** At most `max` characters of `text` for use in a message, control characters replaced. */
export function shorten(text: string, max = 80): string {
  // deno-lint-ignore no-control-regex
  const printable = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
  return printable.length <= max ? printable : `${printable.slice(0, max - 1)}…`;
}
