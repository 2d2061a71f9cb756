import { findCompositeRow, findKeyRow, type KeyRow } from "../alg/find.ts";
import { isQuantumSafe } from "../alg/quantum.ts";
import { InputError } from "../errors.ts";
import type { ProfileMode } from "./types.ts";

/** What the algorithms of a profile must be for each mode, and the key rows they lead to. */

/** Why algorithms cannot stand in a profile of this mode: `at` is the index of the wrong one, absent for the whole. */
export interface ModeMistake {
  readonly at?: number;
  readonly message: string;
}

type ModeCheck = (rows: readonly KeyRow[]) => ModeMistake | undefined;

const CHECKS: Readonly<Record<ProfileMode, ModeCheck>> = {
  simple(rows) {
    if (rows.length !== 1) return { message: `mode simple takes one algorithm, and ${rows.length} stand here` };
    if (!rows[0]!.parts) return undefined;
    return { at: 0, message: `"${rows[0]!.name}" is two keys in one: state "mode: composite"` };
  },
  catalyst(rows) {
    if (rows.length !== 2) return takesTwo("catalyst", rows);
    const [classical, pqc] = rows as readonly [KeyRow, KeyRow];
    if (isQuantumSafe(classical)) return notClassical(classical);
    if (isQuantumSafe(pqc) && pqc.kind === "signature" && !pqc.parts) return undefined;
    return { at: 1, message: `mode catalyst takes a post-quantum signature algorithm here, not ${pqc.label}` };
  },
  composite(rows) {
    if (rows.length === 1) {
      if (rows[0]!.parts) return undefined;
      return { at: 0, message: `mode composite takes two algorithms, or the name of a composite one` };
    }
    if (rows.length !== 2) return takesTwo("composite", rows);
    const [classical, pqc] = rows as readonly [KeyRow, KeyRow];
    if (isQuantumSafe(classical)) return notClassical(classical);
    return unregistered(classical, pqc);
  },
};

/** The first thing wrong with the algorithms of a mode. */
export function modeMistake(mode: ProfileMode, rows: readonly KeyRow[]): ModeMistake | undefined {
  return CHECKS[mode](rows);
}

/**
 * Key rows of a certificate: one, for a Catalyst certificate the classical one and the post-quantum one, for a composite
 * one the row of the pair.
 * @throws {InputError} `composite.unregistered`.
 */
export function rowsOfMode(mode: ProfileMode, algorithms: readonly string[]): KeyRow[] {
  const [first, second] = algorithms;
  if (mode === "composite" && second !== undefined) return [findCompositeRow(first!, second)];
  return algorithms.map(findKeyRow);
}

function takesTwo(mode: ProfileMode, rows: readonly KeyRow[]): ModeMistake {
  return { message: `mode ${mode} takes two algorithms, the classical one first, and ${rows.length} stand here` };
}

function notClassical(row: KeyRow): ModeMistake {
  return { at: 0, message: `the classical algorithm stands first, and ${row.label} is none` };
}

function unregistered(classical: KeyRow, pqc: KeyRow): ModeMistake | undefined {
  try {
    findCompositeRow(classical.name, pqc.name);
    return undefined;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const reason = error.message.replace(/^Cannot/, "cannot");
    return { message: error.hint === undefined ? reason : `${reason} (${lowerFirst(error.hint)})` };
  }
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
