import { QpkiError } from "../errors.ts";

/** How bad a finding is: an error makes the check fail, a warning is for people. */
export type CheckSeverity = "error" | "warning";

/** One thing that a check found. */
export interface CheckFinding {
  readonly severity: CheckSeverity;
  /** Stable name, for example `issued.orphan`. */
  readonly code: string;
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
  /** The file it is about, relative to the folder that was checked. */
  readonly file?: string;
}

/** A finding that can be set right without a decision; `fix` says what it did. */
export interface Repairable extends CheckFinding {
  readonly fix?: () => Promise<string>;
}

/** What a finding may say besides its code and message. */
export type FindingDetails = Omit<Repairable, "severity" | "code" | "message">;

/** What was looked at, by kind: `certificates: 12`. */
export type CheckCounts = Readonly<Record<string, number>>;

/** Collects what a check finds, in the order in which it looks. */
export class Findings {
  readonly #list: Repairable[] = [];
  readonly #counts = new Map<string, number>();

  /** Everything found so far. */
  get list(): readonly Repairable[] {
    return this.#list;
  }

  /** How many of each kind were looked at. */
  get counts(): CheckCounts {
    return Object.fromEntries(this.#counts);
  }

  /** Notes something that makes the check fail. */
  error(code: string, message: string, details: FindingDetails = {}): void {
    this.#list.push({ severity: "error", code, message, ...details });
  }

  /** Notes something that somebody should look at. */
  warning(code: string, message: string, details: FindingDetails = {}): void {
    this.#list.push({ severity: "warning", code, message, ...details });
  }

  /** Notes an error that was thrown: an expected failure becomes a finding, anything else is thrown again. */
  caught(error: unknown, details: FindingDetails = {}): void {
    if (!(error instanceof QpkiError) || error.code === "interrupted") throw error;
    const hint = details.hint ?? error.hint;
    this.error(error.code, error.message, { ...details, ...(hint === undefined ? {} : { hint }) });
  }

  /** Takes over what was found in a folder below: `place` goes before messages and files. */
  merge(other: Findings, place: string): void {
    for (const finding of other.list) {
      this.#list.push({
        ...finding,
        message: `${place}: ${finding.message}`,
        ...(finding.file === undefined || finding.file.startsWith("/") ? {} : { file: `${place}/${finding.file}` }),
      });
    }
    for (const [kind, number] of Object.entries(other.counts)) this.count(kind, number);
  }

  /** Counts things that were looked at. */
  count(kind: string, number = 1): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + number);
  }
}

/** Result of a check. */
export interface CheckReport {
  readonly findings: readonly CheckFinding[];
  readonly checked: CheckCounts;
  /** What `--repair` did, in words; empty without it. */
  readonly repaired: readonly string[];
}

/** How many findings of each severity there are. */
export function countFindings(findings: readonly CheckFinding[]): Record<"errors" | "warnings", number> {
  const errors = findings.filter(({ severity }) => severity === "error").length;
  return { errors, warnings: findings.length - errors };
}

/** A finding as it is told: without its repair. */
export function plainFinding({ fix: _fix, ...finding }: Repairable): CheckFinding {
  return finding;
}
