import { type KeyRow, keyRows, type SchemeRow } from "./find.ts";
import type { Family } from "./registry.ts";

/** Whether keys of a family resist a quantum computer, as far as is known; a composite key does by its ML-DSA part. */
const QUANTUM_SAFE: Readonly<Record<Family, boolean>> = {
  ecdsa: false,
  eddsa: false,
  rsa: false,
  "ml-dsa": true,
  "slh-dsa": true,
  "ml-kem": true,
  composite: true,
};

/** Whether a key of this row is post-quantum; the others are classical. */
export function isQuantumSafe(row: Pick<KeyRow, "family">): boolean {
  return QUANTUM_SAFE[row.family];
}

/** Whether signatures of this scheme are post-quantum. */
export function isQuantumSafeScheme({ name }: Pick<SchemeRow, "name">): boolean {
  return keyRows().some((row) => row.schemes.some((own) => own === name) && isQuantumSafe(row));
}
