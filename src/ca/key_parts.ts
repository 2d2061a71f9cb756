import { defaultScheme, type KeyRow, partsOf, type SchemeRow } from "../alg/find.ts";
import { partSchemes } from "../keys/joint.ts";
import type { CompiledProfile } from "../profile/types.ts";
import type { KeyEntry } from "../store/meta.ts";

/** What certificates of a profile are for: the fields of a profile that say which keys it takes. */
export type KeyWishes = Pick<CompiledProfile, "mode" | "rows">;

/** One key that a profile asks for. */
export interface KeyPart {
  readonly id: KeyEntry["id"];
  readonly row: KeyRow;
  /** What it will sign with; none for a key that does not sign. */
  readonly scheme?: SchemeRow;
}

/**
 * The keys of one certificate: one, or a classical and a post-quantum one. `scheme` is what the holder will sign with, the
 * default of its key without one.
 */
export function keyParts({ mode, rows }: KeyWishes, scheme?: SchemeRow): readonly [KeyPart, ...KeyPart[]] {
  const [row, second] = rows as readonly [KeyRow, KeyRow?];
  const own = scheme ?? schemeOf(row);
  const parts = partsOf(row);
  if (parts) {
    const schemes = partSchemes(own!);
    return [
      { id: "classical", row: parts.classical, scheme: schemes.classical },
      { id: "pqc", row: parts.pqc, scheme: schemes.pqc },
    ];
  }
  const first = { row, ...(own ? { scheme: own } : {}) };
  if (mode !== "catalyst" || !second) return [{ id: "default", ...first }];
  return [{ id: "classical", ...first }, { id: "pqc", row: second, scheme: defaultScheme(second) }];
}

/** Name of a certificate's keys in file names: the algorithm, two for a Catalyst certificate. */
export function keysName({ rows }: Pick<KeyWishes, "rows">): string {
  return rows.map((row) => row.name).join("-");
}

function schemeOf(row: KeyRow): SchemeRow | undefined {
  return row.kind === "signature" ? defaultScheme(row) : undefined;
}
