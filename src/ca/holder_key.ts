import { type KeyRow, requireAllowed, type SchemeRow } from "../alg/find.ts";
import type { Bytes } from "../bytes.ts";
import { compositeSigner } from "../keys/composite.ts";
import { compositeSpki } from "../keys/joint.ts";
import type { Key, Signer } from "../keys/types.ts";
import type { KeyWishes } from "./key_parts.ts";

/** The private side of one certificate, wherever its keys live: one key, two that act as one, or one with an alternative. */
export interface HolderKey {
  /** Row of the key in subjectPublicKeyInfo. */
  readonly algorithm: KeyRow;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Bytes;
  /** @throws {InputError} `scheme.mismatch`, `scheme.none`; {TokenError} `mechanism.absent`. */
  signer(scheme: SchemeRow): Signer;
  /** The alternative key of a Catalyst certificate. */
  readonly alternative?: Key;
}

/** Joins the open keys of one certificate, the classical one first. */
export function holderKey({ mode, rows }: KeyWishes, keys: readonly Key[]): HolderKey {
  const [first, second] = keys as readonly [Key, Key?];
  if (!second) return first;
  if (mode === "catalyst") {
    const { algorithm, spki } = first;
    return { algorithm, spki, signer: (scheme) => first.signer(scheme), alternative: second };
  }
  const row = rows[0]!;
  return {
    algorithm: row,
    spki: compositeSpki(row, second.spki, first.spki),
    signer(scheme) {
      requireAllowed(row, scheme);
      return compositeSigner(row, { classical: first, pqc: second });
    },
  };
}
