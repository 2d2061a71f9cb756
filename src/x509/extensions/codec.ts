import { type DerNode, readDer } from "../../asn1/der.ts";
import type { Bytes } from "../../bytes.ts";
import { InputError } from "../../errors.ts";

/** How one extension is shown: a value for JSON, lines for people. */
export interface Shown {
  readonly json: unknown;
  readonly text: readonly string[];
}

/**
 * One extension that can be read: `decode` reads the DER inside the OCTET STRING strictly, `show` renders what was read.
 */
export interface ExtensionReader<Read> {
  readonly oid: string;
  /** @throws {InputError} `der.invalid` or `extension.invalid` when the content is malformed. */
  decode(der: Uint8Array): Read;
  show(value: Read): Shown;
}

/** One extension that we also write. What is read can hold more than what is written. */
export interface ExtensionCodec<Read, Written = Read> extends ExtensionReader<Read> {
  /** The DER inside the OCTET STRING. @throws {InputError} when the values cannot stand in the extension. */
  encode(value: Written): Bytes;
}

/** Any reader: methods are compared bivariantly, so a reader of T is one of unknown. */
export type AnyReader = ExtensionReader<unknown>;

/** Nesting allowed inside one extension. */
const MAX_DEPTH = 24;

/** Reads the content of an extension. @throws {InputError} `der.invalid`. */
export function readContent(der: Uint8Array): DerNode {
  return readDer(der, { maxDepth: MAX_DEPTH });
}

/** Most values in any list of an extension; real ones have a few dozen. */
const MAX_VALUES = 10_000;

/** Checks a SEQUENCE OF that must not be empty, and bounds it. @throws {InputError} `extension.invalid`. */
export function nonEmpty<T>(parts: readonly T[], what: string): readonly T[] {
  if (parts.length > 0 && parts.length <= MAX_VALUES) return parts;
  const reason = parts.length === 0 ? "it is empty" : `it has more than ${MAX_VALUES} values`;
  throw new InputError(`Cannot read ${what}: ${reason}`, { code: "extension.invalid" });
}

/** The error for values that an extension we write cannot hold. */
export function extensionError(what: string, reason: string, hint?: string): InputError {
  return new InputError(`Cannot encode ${what}: ${reason}`, {
    code: "extension.invalid",
    ...(hint === undefined ? {} : { hint }),
  });
}
