import type { KeyRow } from "../alg/find.ts";
import { defaultScheme } from "../alg/find.ts";
import { type Bytes, equalBytes, wipe } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { describeSpki } from "./spki.ts";
import { modernSubtle } from "./subtle.ts";
import type { Key } from "./types.ts";
import { proveSigner } from "./verify.ts";

/** Key encapsulation in software, for every public key wherever its private half lives. */

/** A shared secret for the holder of a private key; the secret is wiped by the caller. */
export interface Encapsulation {
  readonly ciphertext: Bytes;
  /** 32 bytes. */
  readonly sharedSecret: Bytes;
}

/**
 * Encapsulates a fresh secret to a public key (FIPS 203 section 7.2).
 * @throws {InputError} `algorithm.unsupported` when it is no KEM key; `der.invalid`, `key.invalid` when it is no key.
 */
export async function encapsulate(spki: Uint8Array): Promise<Encapsulation> {
  const { row, description, publicKey } = describeSpki(spki);
  if (row?.kind !== "kem") {
    throw new InputError(`Cannot encapsulate to a key of type ${description}: it is not for key establishment`, {
      code: "algorithm.unsupported",
    });
  }
  const how = { name: row.webcrypto!.name };
  const subtle = modernSubtle();
  const key = await subtle.importKey("raw-public", publicKey, how, false, ["encapsulateBits"]);
  const { ciphertext, sharedKey } = await subtle.encapsulateBits(how, key);
  return { ciphertext: new Uint8Array(ciphertext), sharedSecret: new Uint8Array(sharedKey) };
}

/** Throws unless a ciphertext has the length of the row's. @throws {InputError} `ciphertext.invalid`. */
export function requireCiphertext(row: KeyRow, ciphertext: Uint8Array): void {
  if (ciphertext.length === row.ciphertextBytes) return;
  throw new InputError(
    `Cannot decapsulate with the ${row.label} key: the ciphertext has ${ciphertext.length} bytes instead of ${
      row.ciphertextBytes ?? 0
    }`,
    { code: "ciphertext.invalid" },
  );
}

/**
 * Encapsulates in software and lets the key decapsulate.
 * @throws {OperationError} `key.proof_failed` when the secrets differ or the key does not decapsulate.
 */
export async function proveKem(key: Key): Promise<void> {
  const { ciphertext, sharedSecret } = await encapsulate(key.spki);
  const secret = await key.decapsulate?.(ciphertext);
  const isSame = secret !== undefined && equalBytes(secret, sharedSecret);
  wipe(sharedSecret);
  if (secret) wipe(secret);
  if (isSame) return;
  throw new OperationError(
    `Cannot use the ${key.algorithm.label} key: it does not decapsulate what was encapsulated to its public key`,
    { code: "key.proof_failed" },
  );
}

/**
 * Proves that the private key does its work for its public half: by a signature, or for a KEM by an encapsulation.
 * @throws {OperationError} `key.proof_failed`.
 */
export async function proveKey(key: Key): Promise<void> {
  if (key.algorithm.kind === "kem") await proveKem(key);
  else await proveSigner(key.signer(defaultScheme(key.algorithm)));
}
