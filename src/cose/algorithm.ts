import { allowsScheme, defaultScheme, findSchemeRow, type KeyRow, type SchemeRow, schemeRows } from "../alg/find.ts";
import type { CoseAlgorithm } from "../alg/registry.ts";
import { InputError } from "../errors.ts";
import type { CborValue } from "./cbor.ts";

/** COSE algorithms: the numbers in the scheme rows of the table, seen from either side. */

/** A scheme and the number that stands for it. */
export interface CoseScheme {
  readonly scheme: SchemeRow;
  readonly algorithm: CoseAlgorithm;
}

/** Which number to write. */
export interface AlgorithmWish {
  /** The fully-specified number (RFC 9864) where there is one. */
  readonly specified?: boolean;
  /** Numbers for private use, where nothing is registered. */
  readonly privateUse?: boolean;
  /** The scheme, where the key does several; the one that COSE pairs with the key unless told. */
  readonly scheme?: SchemeRow;
}

/**
 * How a key signs in COSE: its curve's own hash, PSS with the shortest hash for RSA.
 * @throws {InputError} `cose.unregistered` when no number is registered for it, or only one for private use.
 */
export function coseSchemeOf(row: KeyRow, wish: AlgorithmWish = {}): CoseScheme {
  if (row.schemes.length === 0) defaultScheme(row); // a key that does not sign: it says so
  const all = row.schemes.map(findSchemeRow).filter((scheme) => !wish.scheme || scheme.name === wish.scheme.name)
    .flatMap((scheme) => (scheme.cose ?? []).map((algorithm) => ({ scheme, algorithm })))
    .filter(({ algorithm: { key } }) => key === undefined || key === row.name);
  const written = all.filter(({ algorithm: { use } }) => use === "usual" || use === "specified");
  const chosen = (wish.specified ? written.find(({ algorithm }) => algorithm.use === "specified") : undefined) ??
    written.find(({ algorithm }) => algorithm.use === "usual") ?? written[0];
  if (chosen) return chosen;
  const ownUse = all.find(({ algorithm }) => algorithm.use === "private");
  if (ownUse && wish.privateUse) return ownUse;
  throw new InputError(`Cannot sign a COSE message with a key of type ${row.label}: no COSE algorithm is registered`, {
    code: "cose.unregistered",
    hint: ownUse
      ? `--private-use signs with the number ${ownUse.algorithm.id}, which others may not know`
      : row.parts
      ? "Use a COSE_Sign with two signers: a classical key and a post-quantum one"
      : "COSE signs with ECDSA, EdDSA, RSASSA-PSS and ML-DSA",
  });
}

/** What an `alg` header means for a key. */
export type AlgorithmMatch =
  | CoseScheme & { readonly paired: boolean }
  | { readonly code: "cose.algorithm_unknown" | "cose.algorithm_mismatch"; readonly reason: string };

/**
 * The scheme that `alg` means with a key of `row`. One number means different things for different kinds of keys (-51 is
 * ECDSA, and SLH-DSA in a draft), so the key decides. Without the pairing of curve and hash `paired` is false.
 */
export function matchAlgorithm(alg: CborValue, row: KeyRow): AlgorithmMatch {
  const known = schemeRows().flatMap((scheme) =>
    (scheme.cose ?? []).filter(({ id }) => id === alg).map((algorithm) => ({ scheme, algorithm }))
  );
  if (known.length === 0) {
    return { code: "cose.algorithm_unknown", reason: `its algorithm ${algorithmText(alg)} is not known here` };
  }
  const fitting = known.find(({ scheme, algorithm: { key, fixed } }) =>
    allowsScheme(row, scheme.name) && (!fixed || key === row.name)
  );
  if (fitting) return { ...fitting, paired: fitting.algorithm.key === undefined || fitting.algorithm.key === row.name };
  return {
    code: "cose.algorithm_mismatch",
    reason: `its algorithm ${algorithmText(alg)} is none for a key of type ${row.label}`,
  };
}

/** An `alg` by name: `ES256`, or what it is where it has none. */
export function algorithmName(alg: CborValue): string {
  if (typeof alg === "string") return JSON.stringify(alg);
  if (alg === undefined) return "no algorithm";
  const names = schemeRows().flatMap((scheme) => (scheme.cose ?? []).filter(({ id }) => id === alg));
  const own = names.filter(({ use }) => use !== "read");
  const found = [...new Set((own.length > 0 ? own : names).map(({ name }) => name))];
  return found.join(" or ") || String(alg);
}

/** An `alg` with its number: `ES256 (-7)`. */
export function algorithmText(alg: CborValue): string {
  const name = algorithmName(alg);
  return typeof alg === "number" && name !== String(alg) ? `${name} (${alg})` : name;
}
