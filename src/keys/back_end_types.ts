import type { KeyRow, SchemeRow } from "../alg/find.ts";
import { type Bytes, wipe } from "../bytes.ts";
import type { PrivateKey } from "./private_key_codec.ts";
import type { SignerOptions } from "./types.ts";

/** Makes a signature over a whole message. `wipe` overwrites secrets that were copied for it; it signs no more then. */
export interface SignFunction {
  (message: Bytes): Promise<Bytes>;
  wipe?(): void;
}

/** `sign` with a `wipe` that overwrites these secrets. */
export function wiping(sign: SignFunction, ...secrets: readonly Uint8Array[]): SignFunction {
  return Object.assign((message: Bytes) => sign(message), {
    wipe(): void {
      sign.wipe?.();
      for (const secret of secrets) wipe(secret);
    },
  });
}

/** What one family does with secret material, in one library. */
export interface BackEnd {
  /** A new key pair. */
  generate(row: KeyRow): Promise<PrivateKey>;
  /** Public key of secret material; absent where the material itself holds it (RSA). Throws for material out of range. */
  derive?(row: KeyRow, material: Bytes): Promise<Bytes>;
  /** The expanded key of a seed, for families that have both. */
  expand?(row: KeyRow, seed: Bytes): Promise<Bytes>;
  /** Prepares signing with one scheme; absent for a KEM. */
  signer?(key: PrivateKey, scheme: SchemeRow, options?: SignerOptions): Promise<SignFunction>;
  /** Shared secret of a ciphertext; only for a KEM. Throws for a ciphertext of the wrong length. */
  decapsulate?(key: PrivateKey, ciphertext: Bytes): Promise<Bytes>;
}
