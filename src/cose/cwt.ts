import { type Bytes, decodeHex } from "../bytes.ts";
import { InputError, UsageError } from "../errors.ts";
import { CborFloat, type CborMap, type CborValue, decodeCbor, encodeCbor, type ReadOptions } from "./cbor.ts";

/** CBOR Web Tokens (RFC 8392): claims, and what they say about a time. */

/** Labels of the registered claims. */
export const CLAIM = { ISS: 1, SUB: 2, AUD: 3, EXP: 4, NBF: 5, IAT: 6, CTI: 7, CNF: 8 } as const;

/** Their names, by label. */
export const CLAIM_NAMES: Readonly<Record<number, string>> = Object.freeze({
  1: "iss",
  2: "sub",
  3: "aud",
  4: "exp",
  5: "nbf",
  6: "iat",
  7: "cti",
  8: "cnf",
});

/** Claims by label: integers, or text for those of nobody's registry. */
export type Claims = CborMap;

/** How far in the future the time of issue may be, in seconds: clocks differ. */
const CLOCK_SKEW = 60;

interface Shape {
  readonly what: string;
  fits(value: CborValue): boolean;
}

const TEXT: Shape = { what: "text", fits: (value) => typeof value === "string" };
const TIME: Shape = {
  what: "a number of seconds",
  fits: (value) => typeof value === "number" || (value instanceof CborFloat && Number.isFinite(value.value)),
};

const SHAPES: Readonly<Record<number, Shape>> = {
  [CLAIM.ISS]: TEXT,
  [CLAIM.SUB]: TEXT,
  [CLAIM.AUD]: {
    what: "text or a list of texts",
    fits: (value) => TEXT.fits(value) || (Array.isArray(value) && value.length > 0 && value.every(TEXT.fits)),
  },
  [CLAIM.EXP]: TIME,
  [CLAIM.NBF]: TIME,
  [CLAIM.IAT]: TIME,
  [CLAIM.CTI]: { what: "bytes", fits: (value) => value instanceof Uint8Array },
  [CLAIM.CNF]: { what: "a map", fits: (value) => value instanceof Map },
};

/** The claims' bytes, deterministic. @throws {InputError} `cwt.claim` for a registered claim of a wrong type. */
export function encodeClaims(claims: Claims): Bytes {
  checkClaims(claims);
  return encodeCbor(claims);
}

/** Reads claims. @throws {InputError} `cwt.claim`, `cwt.invalid`, and what `decodeCbor` throws. */
export function decodeClaims(payload: Bytes, options: ReadOptions = {}): Claims {
  const claims = decodeCbor(payload, options);
  if (!(claims instanceof Map)) {
    throw new InputError("Cannot read the CWT: its payload is no map of claims", { code: "cwt.invalid" });
  }
  checkClaims(claims as Claims);
  return claims as Claims;
}

function checkClaims(claims: Claims): void {
  for (const [label, value] of claims) {
    if (typeof label !== "number" && typeof label !== "string" && typeof label !== "bigint") {
      throw wrong("a claim's name is neither an integer nor text");
    }
    const shape = typeof label === "number" ? SHAPES[label] : undefined;
    if (shape && !shape.fits(value)) throw wrong(`${claimName(label)} is not ${shape.what}`);
  }
}

function wrong(reason: string): InputError {
  return new InputError(`Cannot use the claims: ${reason}`, { code: "cwt.claim" });
}

/** A claim for people: `iss`, or its label. */
export function claimName(label: CborValue): string {
  return typeof label === "number" ? CLAIM_NAMES[label] ?? String(label) : String(label);
}

/** A time claim in seconds since 1970; undefined when it is not there. */
export function timeClaim(claims: Claims, label: number): number | undefined {
  const value = claims.get(label);
  if (value instanceof CborFloat) return value.value;
  return typeof value === "number" ? value : undefined;
}

/** One thing that is wrong with claims. */
export interface ClaimProblem {
  readonly code: string;
  readonly message: string;
}

/** What a verifier wants of claims. */
export interface ClaimWishes {
  readonly now: Date;
  /** Whether a past `exp` matters. */
  readonly checkExp: boolean;
  readonly iss?: string | undefined;
  readonly sub?: string | undefined;
  /** Must be among the audience. */
  readonly aud?: string | undefined;
}

/** What is wrong with claims now: expired, not yet valid, issued in the future, or others than wished for. */
export function claimProblems(claims: Claims, wishes: ClaimWishes): ClaimProblem[] {
  const now = wishes.now.getTime() / 1000;
  const [exp, nbf, iat] = [CLAIM.EXP, CLAIM.NBF, CLAIM.IAT].map((label) => timeClaim(claims, label));
  const problems: ClaimProblem[] = [];
  function problem(code: string, message: string): void {
    problems.push({ code, message });
  }
  if (wishes.checkExp && exp !== undefined && now >= exp) problem("cwt.expired", `it expired at ${instant(exp)}`);
  if (nbf !== undefined && now < nbf) problem("cwt.not_yet_valid", `it is not valid before ${instant(nbf)}`);
  if (iat !== undefined && iat > now + CLOCK_SKEW) {
    problem("cwt.issued_in_future", `it says that it was issued at ${instant(iat)}`);
  }
  for (const [name, label] of [["iss", CLAIM.ISS], ["sub", CLAIM.SUB]] as const) {
    const [wanted, found] = [wishes[name], claims.get(label)];
    if (wanted !== undefined && found !== wanted) problem(`cwt.${name}`, `${name} is ${shown(found)}, not "${wanted}"`);
  }
  const audience = [claims.get(CLAIM.AUD) ?? []].flat() as readonly CborValue[];
  if (wishes.aud !== undefined && !audience.includes(wishes.aud)) problem("cwt.aud", `it is not for "${wishes.aud}"`);
  return problems;
}

function shown(value: CborValue): string {
  return value === undefined ? "absent" : `"${String(value)}"`;
}

/** A time claim for people; numbers that no calendar has stay numbers. */
export function instant(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace(/\.000Z$/, "Z");
}

/** What a claim's value is written as. */
const TYPES: Readonly<Record<string, (text: string) => CborValue | undefined>> = {
  text: (text) => text,
  int: (text) => {
    if (!/^[+-]?\d{1,20}$/.test(text)) return undefined;
    const value = BigInt(text);
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  },
  bool: (text) => ({ true: true, false: false })[text],
  bytes: (text) => {
    try {
      return decodeHex(text);
    } catch {
      return undefined;
    }
  },
};

/**
 * A claim as it is written on a command line: `KEY=VALUE` is text, `KEY:int=5`, `KEY:bool=true` and `KEY:bytes=0a0b` (or
 * `KEY=h'0a0b'`) are what they say. KEY is an integer, the name of a registered claim, or any text.
 * @throws {UsageError} `usage.claim`.
 */
export function parseClaim(text: string): readonly [label: number | string, value: CborValue] {
  const at = text.indexOf("=");
  const typed = /^(.*):([a-z]+)$/s.exec(text.slice(0, Math.max(0, at)));
  const known = typed && Object.hasOwn(TYPES, typed[2]!) ? typed : undefined;
  const name = known ? known[1]! : text.slice(0, Math.max(0, at));
  if (at < 1 || name === "") {
    throw badClaim(text, "it is not NAME=VALUE");
  }
  const written = text.slice(at + 1);
  const hex = known ? undefined : /^h'([0-9a-fA-F]*)'$/.exec(written)?.[1];
  const type = hex === undefined ? known?.[2] ?? "text" : "bytes";
  const value = TYPES[type]!(hex ?? written);
  if (value === undefined) throw badClaim(text, `its value is no ${type}`);
  return [claimLabel(name), value];
}

/** Label of a claim by its name: registered names and integers become integers. */
export function claimLabel(name: string): number | string {
  const registered = Object.entries(CLAIM_NAMES).find(([, one]) => one === name);
  if (registered) return Number(registered[0]);
  return /^-?\d{1,15}$/.test(name) ? Number(name) : name;
}

function badClaim(text: string, reason: string): UsageError {
  return new UsageError(`Cannot use --claim "${text}": ${reason}`, {
    code: "usage.claim",
    hint: "NAME=TEXT, NAME:int=5, NAME:bool=true or NAME:bytes=0a0b; NAME is a word or an integer",
  });
}
