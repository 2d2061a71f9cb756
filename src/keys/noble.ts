import type { KeyRow } from "../alg/find.ts";

/**
 * The one place that loads the elliptic-curve library; only rows whose back end it is get here, so other commands never
 * pay for it.
 */

type Nist = typeof import("@noble/curves/nist.js");

/** ECDSA over one curve. */
export type EcdsaCurve = Nist["p256"];

/** EdDSA over one curve. */
export type EdwardsCurve = typeof import("@noble/curves/ed448.js")["ed448"];

/** By namedCurve OID. */
const ECDSA_CURVES: Readonly<Record<string, (nist: Nist) => EcdsaCurve>> = {
  "1.2.840.10045.3.1.7": (nist) => nist.p256,
  "1.3.132.0.34": (nist) => nist.p384,
  "1.3.132.0.35": (nist) => nist.p521,
};

/** By algorithm OID. */
const EDWARDS_CURVES: Readonly<Record<string, () => Promise<EdwardsCurve>>> = {
  "1.3.101.112": async () => (await import("@noble/curves/ed25519.js")).ed25519,
  "1.3.101.113": async () => (await import("@noble/curves/ed448.js")).ed448,
};

/** Curve of an EC row. */
export async function ecdsaCurve(row: KeyRow): Promise<EcdsaCurve> {
  const { parameters } = row.spki;
  const pick = typeof parameters === "string" ? undefined : ECDSA_CURVES[parameters.curve];
  if (!pick) throw new Error(`Row "${row.name}" has no curve here`);
  return pick(await import("@noble/curves/nist.js"));
}

/** Curve of an EdDSA row. */
export function edwardsCurve(row: KeyRow): Promise<EdwardsCurve> {
  const load = EDWARDS_CURVES[row.spki.oid];
  if (!load) throw new Error(`Row "${row.name}" has no curve here`);
  return load();
}
