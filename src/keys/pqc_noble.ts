import type { KeyRow } from "../alg/find.ts";

/**
 * The one place that loads the post-quantum library, by parameter set; only what WebCrypto does not do (contexts, expanded
 * keys) or does slower gets here, so other commands never pay for it.
 */

type MlDsaModule = typeof import("@noble/post-quantum/ml-dsa.js");
type MlKemModule = typeof import("@noble/post-quantum/ml-kem.js");
type SlhDsaModule = typeof import("@noble/post-quantum/slh-dsa.js");

/** ML-DSA with one parameter set. */
export type MlDsa = MlDsaModule["ml_dsa44"];
/** ML-KEM with one parameter set. */
export type MlKem = MlKemModule["ml_kem512"];
/** SLH-DSA with one parameter set. */
export type SlhDsa = SlhDsaModule["slh_dsa_sha2_128f"];

/** By algorithm OID. */
const ML_DSA: Readonly<Record<string, (library: MlDsaModule) => MlDsa>> = {
  "2.16.840.1.101.3.4.3.17": (library) => library.ml_dsa44,
  "2.16.840.1.101.3.4.3.18": (library) => library.ml_dsa65,
  "2.16.840.1.101.3.4.3.19": (library) => library.ml_dsa87,
};

/** By algorithm OID. */
const ML_KEM: Readonly<Record<string, (library: MlKemModule) => MlKem>> = {
  "2.16.840.1.101.3.4.4.1": (library) => library.ml_kem512,
  "2.16.840.1.101.3.4.4.2": (library) => library.ml_kem768,
  "2.16.840.1.101.3.4.4.3": (library) => library.ml_kem1024,
};

/** By algorithm OID. */
const SLH_DSA: Readonly<Record<string, (library: SlhDsaModule) => SlhDsa>> = {
  "2.16.840.1.101.3.4.3.20": (library) => library.slh_dsa_sha2_128s,
  "2.16.840.1.101.3.4.3.21": (library) => library.slh_dsa_sha2_128f,
  "2.16.840.1.101.3.4.3.22": (library) => library.slh_dsa_sha2_192s,
  "2.16.840.1.101.3.4.3.23": (library) => library.slh_dsa_sha2_192f,
  "2.16.840.1.101.3.4.3.24": (library) => library.slh_dsa_sha2_256s,
  "2.16.840.1.101.3.4.3.25": (library) => library.slh_dsa_sha2_256f,
  "2.16.840.1.101.3.4.3.26": (library) => library.slh_dsa_shake_128s,
  "2.16.840.1.101.3.4.3.27": (library) => library.slh_dsa_shake_128f,
  "2.16.840.1.101.3.4.3.28": (library) => library.slh_dsa_shake_192s,
  "2.16.840.1.101.3.4.3.29": (library) => library.slh_dsa_shake_192f,
  "2.16.840.1.101.3.4.3.30": (library) => library.slh_dsa_shake_256s,
  "2.16.840.1.101.3.4.3.31": (library) => library.slh_dsa_shake_256f,
};

/** ML-DSA with the parameter set of a row. */
export async function mlDsaOf(row: KeyRow): Promise<MlDsa> {
  return pick(row, ML_DSA)(await import("@noble/post-quantum/ml-dsa.js"));
}

/** ML-KEM with the parameter set of a row. */
export async function mlKemOf(row: KeyRow): Promise<MlKem> {
  return pick(row, ML_KEM)(await import("@noble/post-quantum/ml-kem.js"));
}

/** SLH-DSA with the parameter set of a row. */
export async function slhDsaOf(row: KeyRow): Promise<SlhDsa> {
  return pick(row, SLH_DSA)(await import("@noble/post-quantum/slh-dsa.js"));
}

function pick<T>(row: KeyRow, table: Readonly<Record<string, T>>): T {
  const found = table[row.spki.oid];
  if (!found) throw new Error(`Row "${row.name}" has no parameter set here`);
  return found;
}
