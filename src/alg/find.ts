import { InputError, suggest, UsageError } from "../errors.ts";
import {
  type HashName,
  KEY_ALGORITHMS,
  type KeyAlgorithm,
  type KeyAlgorithmName,
  type SchemeName,
  SIGNATURE_SCHEMES,
  type SignatureScheme,
} from "./registry.ts";

/** A row of the table with its literal name. */
export type KeyRow = KeyAlgorithm & { readonly name: KeyAlgorithmName };

/** A scheme row with its literal name. */
export type SchemeRow = SignatureScheme & { readonly name: SchemeName };

const KEY_ROWS: readonly KeyRow[] = KEY_ALGORITHMS;
const SCHEME_ROWS: readonly SchemeRow[] = SIGNATURE_SCHEMES;
const keysByName = index(KEY_ROWS, (row) => [row.name, ...row.aliases]);
const schemesByName = index(SCHEME_ROWS, (row) => [row.name]);

for (const row of KEY_ROWS) {
  for (const scheme of row.schemes) {
    if (!schemesByName.has(scheme)) throw new Error(`Row "${row.name}" names the unknown scheme "${scheme}"`);
  }
}

function index<T>(rows: readonly T[], names: (row: T) => readonly string[]): Map<string, T> {
  const map = new Map<string, T>();
  for (const row of rows) {
    for (const name of names(row)) {
      if (map.has(name)) throw new Error(`The algorithm table has "${name}" twice`);
      map.set(name, row);
    }
  }
  return map;
}

/** Every key row, in table order. */
export function keyRows(): readonly KeyRow[] {
  return KEY_ROWS;
}

/** Every scheme row, in table order. */
export function schemeRows(): readonly SchemeRow[] {
  return SCHEME_ROWS;
}

/** The key row called `name` (or an alias, any case), or undefined. */
export function lookUpKeyRow(name: string): KeyRow | undefined {
  return keysByName.get(name.toLowerCase());
}

/**
 * The key row called `name`, or an alias of it, in any case.
 * @throws {UsageError} when there is none, with the nearest name as a hint.
 */
export function findKeyRow(name: string): KeyRow {
  const row = lookUpKeyRow(name);
  if (row) return row;
  const near = suggest(name, keysByName.keys());
  throw new UsageError(`Unknown algorithm "${name}"`, {
    code: "algorithm.unknown",
    hint: near ? `Did you mean "${near}"?` : `Known algorithms: ${KEY_ROWS.map((r) => r.name).join(", ")}`,
  });
}

/** The scheme row called `name`. @throws {UsageError} when there is none. */
export function findSchemeRow(name: string): SchemeRow {
  const row = schemesByName.get(name);
  if (row) return row;
  throw new UsageError(`Unknown signature scheme "${name}"`, { code: "scheme.unknown" });
}

/** Whether a key of `row` may sign with `scheme`. */
export function allowsScheme(row: KeyRow, scheme: SchemeName): boolean {
  return row.schemes.includes(scheme);
}

/** The default scheme of a key row: the first one it lists. */
export function defaultScheme(row: KeyRow): SchemeRow {
  return schemesByName.get(row.schemes[0]!)!;
}

/** What a profile's `signature:` may state. */
export interface SchemeWish {
  /** `ecdsa`, `pkcs1v15`, `rsassa-pss`, `ed25519`, `ed448`, … */
  scheme?: string;
  hash?: HashName;
  /** PSS salt length in bytes; must be the hash length. */
  saltBytes?: number;
}

/**
 * The scheme of `row` that a profile asks for; without a wish the row's default.
 * @throws {InputError} when the key cannot sign so: profile and key disagree.
 */
export function chooseScheme(row: KeyRow, wish: SchemeWish = {}): SchemeRow {
  for (const name of row.schemes) {
    const scheme = schemesByName.get(name)!;
    if (wish.scheme !== undefined && wish.scheme !== scheme.profileScheme) continue;
    if (wish.hash !== undefined && scheme.hash !== wish.hash) continue;
    if (wish.saltBytes !== undefined && scheme.saltBytes !== wish.saltBytes) continue;
    return scheme;
  }
  const asked = [wish.scheme, wish.hash, wish.saltBytes && `salt ${wish.saltBytes}`].filter(Boolean).join(" ");
  throw new InputError(`Cannot sign with ${asked} using a key of type ${row.label}`, {
    code: "scheme.mismatch",
    hint: `A key of type ${row.label} signs with: ${row.schemes.join(", ")}`,
  });
}

/** The scheme rows with signature algorithm `oid`. Several for RSASSA-PSS, whose parameters tell them apart. */
export function schemesByOid(oid: string): readonly SchemeRow[] {
  return SCHEME_ROWS.filter((row) => row.oid === oid);
}

/** The key rows whose SubjectPublicKeyInfo algorithm is `oid`. */
export function keyRowsBySpkiOid(oid: string): readonly KeyRow[] {
  return KEY_ROWS.filter((row) => row.spki.oid === oid);
}
