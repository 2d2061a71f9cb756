import type { KeyRow } from "../alg/find.ts";
import type { Bytes } from "../bytes.ts";
import { InputError } from "../errors.ts";

/** What the codecs of private keys have in common. */

/** A private key taken out of its file. */
export interface PrivateKey {
  readonly row: KeyRow;
  /**
   * The secret in the family's bare form: scalar, seed, RSAPrivateKey DER, concatenation. Its own buffer, so that it can be
   * wiped. Rows with `seedBytes` have a seed or, where only that was in the file, the expanded key; their lengths differ.
   */
  readonly material: Bytes;
  /** Content of the SubjectPublicKeyInfo's BIT STRING. */
  readonly publicKey: Bytes;
}

/** Forms of private keys that can be expanded from a seed (RFC 9881 section 6, RFC 9935 section 6). */
export type KeyForm = "seed" | "expanded" | "both";

/** What the privateKey field of PKCS#8 yields; `publicKey` where the field carries or implies it. */
export interface DecodedPrivateKey {
  readonly row: KeyRow;
  readonly material: Bytes;
  readonly publicKey?: Bytes;
  /** The expanded key that stood beside the seed; whether it belongs to it is not checked yet. */
  readonly expanded?: Bytes;
}

/** A key to write; the public key is optional because not every form has a place for it. */
export interface EncodableKey {
  readonly row: KeyRow;
  readonly material: Bytes;
  readonly publicKey?: Bytes;
}

/** How one family writes the privateKey OCTET STRING of PKCS#8 (RFC 5958). */
export interface PrivateKeyCodec {
  /** Content of the OCTET STRING; the caller wipes it. `publicKey` is put in where the format has a place and it is given. */
  encode(key: EncodableKey): Bytes;
  /**
   * Reads the content. `rows` are those whose algorithm identifier the key has.
   * @throws {InputError} `der.invalid`, `key.invalid`, or `algorithm.unsupported` when no row fits.
   */
  decode(rows: readonly KeyRow[], content: Bytes): DecodedPrivateKey;
  /** The form inside composite private keys, where it is another than that of `encode` and `decode`. */
  readonly part?: PartCodec;
}

/** How one family's keys stand behind the ML-DSA seed in a composite private key. */
export interface PartCodec {
  /** The caller wipes it. */
  encode(key: EncodableKey): Bytes;
  /** @throws {InputError} as {@link PrivateKeyCodec.decode}. */
  decode(row: KeyRow, content: Bytes): DecodedPrivateKey;
}

/** The form in which a key's material is; undefined for rows that have one form only. */
export function formOf(
  { row, material }: { readonly row: KeyRow; readonly material: Uint8Array },
): KeyForm | undefined {
  if (row.seedBytes === undefined) return undefined;
  return material.length === row.seedBytes ? "seed" : "expanded";
}

/** The error for a private key that cannot be one. */
export function invalid(label: string, reason: string): InputError {
  return new InputError(`Cannot read the ${label} private key: ${reason}`, { code: "key.invalid" });
}

/** The error for a private key without a row; `object` carries the algorithm in words. */
export function unsupported(description: string): InputError {
  return new InputError(`Cannot read the private key: algorithm ${description} is not supported`, {
    code: "algorithm.unsupported",
    object: description,
  });
}
