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
  mustHave(schemesByName, row.schemes, row.name);
  if (row.parts) mustHave(keysByName, [row.parts.pqc, row.parts.classical], row.name);
  if ((row.kind === "signature") !== (row.schemes.length > 0)) throw new Error(`Row "${row.name}" has a wrong kind`);
}
for (const { name, composite, cose } of SCHEME_ROWS) {
  if (composite) mustHave(schemesByName, [composite.pqc, composite.classical], name);
  mustHave(keysByName, (cose ?? []).flatMap(({ key }) => key ?? []), name);
}

function mustHave(known: ReadonlyMap<string, unknown>, names: readonly string[], row: string): void {
  for (const name of names) if (!known.has(name)) throw new Error(`Row "${row}" names the unknown row "${name}"`);
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

/** The key rows of both parts of a composite row; undefined for every other row. */
export function partsOf(row: KeyRow): { readonly pqc: KeyRow; readonly classical: KeyRow } | undefined {
  return row.parts && { pqc: keysByName.get(row.parts.pqc)!, classical: keysByName.get(row.parts.classical)! };
}

/** The composite row of a classical and a post-quantum key row, as {@link findCompositeRow}, or undefined. */
export function lookUpCompositeRow(classical: string, pqc: string, wish: SchemeWish = {}): KeyRow | undefined {
  return KEY_ROWS.find((row) => {
    if (row.parts?.classical !== classical || row.parts.pqc !== pqc) return false;
    return fitsWish(schemesByName.get(defaultScheme(row).composite!.classical)!, wish);
  });
}

/**
 * The composite row that joins keys of these two rows (names or aliases). Where several do (RSA with either padding) the
 * first of the table that fits `wish`, which is about the classical signature.
 * @throws {InputError} `composite.unregistered` when nobody registered the pair; the hint lists what there is.
 */
export function findCompositeRow(classical: string, pqc: string, wish: SchemeWish = {}): KeyRow {
  const [one, two] = [findKeyRow(classical), findKeyRow(pqc)];
  const row = lookUpCompositeRow(one.name, two.name, wish);
  if (row) return row;
  const pairs = KEY_ROWS.flatMap(({ parts }) => parts ? [`${parts.classical} with ${parts.pqc}`] : []);
  const near = pairs.filter((pair) => pair.startsWith(`${one.name} `) || pair.endsWith(` ${two.name}`));
  throw new InputError(
    `Cannot combine ${one.label} with ${two.label}: no composite algorithm is registered for the two`,
    {
      code: "composite.unregistered",
      hint: `Registered: ${[...new Set(near.length > 0 ? near : pairs)].join(", ")}`,
    },
  );
}

/** Whether a key of `row` may sign with `scheme`. */
export function allowsScheme(row: KeyRow, scheme: SchemeName): boolean {
  return row.schemes.includes(scheme);
}

/**
 * The default scheme of a key row: the first one it lists.
 * @throws {InputError} `scheme.none` for a key that does not sign (KEM); ask `row.kind` first.
 */
export function defaultScheme(row: KeyRow): SchemeRow {
  const [name] = row.schemes;
  if (name === undefined) throw cannotSign(row);
  return schemesByName.get(name)!;
}

function cannotSign(row: KeyRow): InputError {
  return new InputError(`Cannot sign with a key of type ${row.label}: it is for key establishment only`, {
    code: "scheme.none",
  });
}

/** What a profile's `signature:` may state. */
export interface SchemeWish {
  /** `ecdsa`, `pkcs1v15`, `rsassa-pss`, `ed25519`, `ed448`, `ml-dsa`, `slh-dsa`, `composite`. */
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
  const scheme = row.schemes.map((name) => schemesByName.get(name)!).find((candidate) => fitsWish(candidate, wish));
  if (scheme) return scheme;
  throw mismatch(row, [wish.scheme, wish.hash, wish.saltBytes && `salt ${wish.saltBytes}`].filter(Boolean).join(" "));
}

/** Whether a scheme is what `wish` asks for. */
export function fitsWish(scheme: SchemeRow, wish: SchemeWish): boolean {
  return (wish.scheme === undefined || wish.scheme === scheme.profileScheme) &&
    (wish.hash === undefined || wish.hash === scheme.hash) &&
    (wish.saltBytes === undefined || wish.saltBytes === scheme.saltBytes);
}

/** Throws unless a key of `row` may sign with `scheme`. @throws {InputError} `scheme.mismatch`, `scheme.none`. */
export function requireAllowed(row: KeyRow, scheme: SchemeRow): void {
  if (!allowsScheme(row, scheme.name)) throw mismatch(row, scheme.label);
}

function mismatch(row: KeyRow, asked: string): InputError {
  if (row.schemes.length === 0) return cannotSign(row);
  return new InputError(`Cannot sign with ${asked} using a key of type ${row.label}`, {
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
