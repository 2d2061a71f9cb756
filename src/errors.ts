/** Exit statuses of the command line (design: `qpki help exit-codes`). */
export const EXIT = {
  OK: 0,
  FAILED: 1,
  USAGE: 2,
  TOKEN: 3,
  INPUT: 4,
  INTERRUPTED: 130,
} as const;

/** One of the documented exit statuses. */
export type ExitStatus = typeof EXIT[keyof typeof EXIT];

/** What every error of this tool may carry besides its message. */
export interface ErrorDetails {
  /** Stable machine-readable name, for example `key.not_found`. */
  code?: string;
  /** What the operator can do next; printed on its own `hint:` line. */
  hint?: string;
  /** The object the failure is about: a path, a key label, a serial. */
  object?: string;
  /** The error underneath, kept as a chain and never flattened to text. */
  cause?: unknown;
}

/**
 * Base of every expected failure. The message follows "Cannot <action> <object>: <reason>": capital first, no full
 * stop, values quoted, the standard's own name kept. No secret may enter message, hint or details.
 */
export abstract class QpkiError extends Error {
  abstract readonly exit: ExitStatus;
  readonly code: string;
  readonly hint?: string;
  readonly object?: string;

  constructor(message: string, details: ErrorDetails = {}, defaultCode = "failed") {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = details.code ?? defaultCode;
    if (details.hint !== undefined) this.hint = details.hint;
    if (details.object !== undefined) this.object = details.object;
  }
}

/** The operation failed or the answer is no (exit 1). */
export class OperationError extends QpkiError {
  readonly exit = EXIT.FAILED;
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details, "operation.failed");
  }
}

/** The command was called wrongly: unknown flag, missing value, bad combination (exit 2). */
export class UsageError extends QpkiError {
  readonly exit = EXIT.USAGE;
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details, "usage");
  }
}

/** What a TokenError adds: the C function that failed and its return value. */
export interface TokenErrorDetails extends ErrorDetails {
  /** PKCS#11 function, for example `C_Login`. */
  functionName?: string;
  /** CK_RV as a number. */
  rv?: number;
  /** The standard's name of the CK_RV, for example `CKR_PIN_INCORRECT`. */
  rvName?: string;
}

/** HSM or token trouble: library, slot, PIN, mechanism, key in the token (exit 3). */
export class TokenError extends QpkiError {
  readonly exit = EXIT.TOKEN;
  readonly functionName?: string;
  readonly rv?: number;
  readonly rvName?: string;
  constructor(message: string, details: TokenErrorDetails = {}) {
    super(message, details, "token");
    if (details.functionName !== undefined) this.functionName = details.functionName;
    if (details.rv !== undefined) this.rv = details.rv;
    if (details.rvName !== undefined) this.rvName = details.rvName;
  }
}

/** Where in a file the trouble lies; lines and columns start at 1, offsets (bytes) at 0. */
export interface InputErrorDetails extends ErrorDetails {
  file?: string;
  line?: number;
  column?: number;
  offset?: number;
}

/** Bad input file, profile or encoding (exit 4). */
export class InputError extends QpkiError {
  readonly exit = EXIT.INPUT;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly offset?: number;
  constructor(message: string, details: InputErrorDetails = {}) {
    super(message, details, "input");
    if (details.file !== undefined) this.file = details.file;
    if (details.line !== undefined) this.line = details.line;
    if (details.column !== undefined) this.column = details.column;
    if (details.offset !== undefined) this.offset = details.offset;
  }
}

/** The operator pressed Ctrl-C, or the process was asked to end (exit 130). */
export class InterruptedError extends QpkiError {
  readonly exit = EXIT.INTERRUPTED;
  constructor(message = "Interrupted", details: ErrorDetails = {}) {
    super(message, details, "interrupted");
  }
}

/** A name with its article, as it is spoken: `an ECDSA P-256`, `an ML-DSA-65`, `a brainpool`. */
export function withArticle(name: string): string {
  // letters that are spelt out begin with a vowel when their names do
  const vowel = /^[A-Z]{2}|^[A-Z]\d/.test(name) ? /^[AEFHILMNORSX]/ : /^[aeio]/i;
  return `${vowel.test(name) ? "an" : "a"} ${name}`;
}

/**
 * The nearest of `candidates` to a mistyped `word`, or undefined when none is close (edit distance above a third of the
 * word's length).
 */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, substitution));
    }
    previous = row;
  }
  return previous[b.length]!;
}
