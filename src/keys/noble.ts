import type { KeyRow } from "../alg/find.ts";

/**
 * The one place that loads the elliptic-curve library; only rows whose back end it is get here, so other commands never
 * pay for it.
 */

/** ECDSA over one curve. */
export type EcdsaCurve = typeof import("@noble/curves/nist.js")["p256"];

/** EdDSA over one curve. */
export type EdwardsCurve = typeof import("@noble/curves/ed448.js")["ed448"];

/** By namedCurve OID. */
const ECDSA_CURVES: Readonly<Record<string, () => Promise<EcdsaCurve>>> = {
  "1.2.840.10045.3.1.7": async () => (await import("@noble/curves/nist.js")).p256,
  "1.3.132.0.34": async () => (await import("@noble/curves/nist.js")).p384,
  "1.3.132.0.35": async () => (await import("@noble/curves/nist.js")).p521,
  "1.3.36.3.3.2.8.1.1.7": async () => (await import("@noble/curves/misc.js")).brainpoolP256r1,
  "1.3.36.3.3.2.8.1.1.11": async () => (await import("@noble/curves/misc.js")).brainpoolP384r1,
};

/** By algorithm OID. */
const EDWARDS_CURVES: Readonly<Record<string, () => Promise<EdwardsCurve>>> = {
  "1.3.101.112": async () => (await import("@noble/curves/ed25519.js")).ed25519,
  "1.3.101.113": async () => (await import("@noble/curves/ed448.js")).ed448,
};

/** Curve of an EC row. */
export function ecdsaCurve(row: KeyRow): Promise<EcdsaCurve> {
  const { parameters } = row.spki;
  const load = typeof parameters === "string" ? undefined : ECDSA_CURVES[parameters.curve];
  if (!load) throw new Error(`Row "${row.name}" has no curve here`);
  return load();
}

/** Curve of an EdDSA row. */
export function edwardsCurve(row: KeyRow): Promise<EdwardsCurve> {
  const load = EDWARDS_CURVES[row.spki.oid];
  if (!load) throw new Error(`Row "${row.name}" has no curve here`);
  return load();
}
