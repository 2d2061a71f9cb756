import { CLASSICAL_KEYS, CLASSICAL_SCHEMES } from "./rows_classical.ts";
import { COMPOSITE_KEYS, COMPOSITE_SCHEMES } from "./rows_composite.ts";
import { PQC_KEYS, PQC_SCHEMES } from "./rows_pqc.ts";
import type { KeyAlgorithm, SignatureScheme } from "./types.ts";

export type {
  CompositeFacts,
  CoseAlgorithm,
  Family,
  HashName,
  KeyAlgorithm,
  KeyUsageBit,
  Kind,
  PrehashName,
  SignatureScheme,
} from "./types.ts";

/**
 * THE algorithm table. One row a key algorithm, one row a signature scheme; everything else (help, completions, look-ups,
 * SPKI, PKCS#11, tests) is derived from it. Pure data, in one file a generation of algorithms.
 */

/** Every key algorithm, in the order that lists print. */
export const KEY_ALGORITHMS = [
  ...CLASSICAL_KEYS,
  ...PQC_KEYS,
  ...COMPOSITE_KEYS,
] as const satisfies readonly KeyAlgorithm[];

/** Every signature scheme. */
export const SIGNATURE_SCHEMES = [
  ...CLASSICAL_SCHEMES,
  ...PQC_SCHEMES,
  ...COMPOSITE_SCHEMES,
] as const satisfies readonly SignatureScheme[];

/** Name of a key algorithm: the union comes from the table. */
export type KeyAlgorithmName = typeof KEY_ALGORITHMS[number]["name"];

/** Name of a signature scheme: the union comes from the table. */
export type SchemeName = typeof SIGNATURE_SCHEMES[number]["name"];
