import { OperationError } from "../errors.ts";
import { cabfRules } from "./lint_cabf.ts";
import { RFC5280_RULES } from "./lint_rfc5280.ts";
import { type LintRule, type LintSubject, lintSubject, type Severity } from "./lint_subject.ts";
import type { Tbs, TbsFacts } from "./tbs.ts";

export type { Severity } from "./lint_subject.ts";

/** One thing a rule found. */
export interface Finding {
  readonly severity: Severity;
  /** Stable name of the rule. */
  readonly rule: string;
  /** Document and section. */
  readonly reference: string;
  readonly message: string;
}

/** Which rules apply beside those of RFC 5280. */
export interface LintOptions {
  /** CA/Browser Forum Baseline Requirements for TLS. */
  readonly cabf?: boolean;
}

/** A to-be-signed certificate without errors. Its class stays in this file: nothing else can make one. */
class LintedTbsCertificate {
  readonly #tbs: Tbs;
  /** What is left: warnings. */
  readonly warnings: readonly Finding[];

  constructor(tbs: Tbs, warnings: readonly Finding[]) {
    this.#tbs = tbs;
    this.warnings = warnings;
  }

  get tbs(): Tbs {
    return this.#tbs;
  }
}

/** The only thing `signCertificate` takes. */
export type LintedTbs = LintedTbsCertificate;

/**
 * Passes a to-be-signed certificate on to signing.
 * @throws {OperationError} `lint.refused` when a rule finds an error; the message lists them all.
 */
export function lintTbs(tbs: Tbs, options: LintOptions = {}): LintedTbs {
  const findings = lintFindings(tbs, options);
  const errors = findings.filter(({ severity }) => severity === "error");
  if (errors.length > 0) {
    const list = errors.map(({ message, reference }) => `${message} (${reference})`).join("; ");
    throw new OperationError(`Cannot issue the certificate: ${list}`, {
      code: "lint.refused",
      hint: "Change the profile or the values given to it",
    });
  }
  return new LintedTbsCertificate(tbs, findings);
}

/** What the rules find in a certificate about to be signed, errors and warnings, in the order of the rules. */
export function lintFindings(facts: TbsFacts, options: LintOptions = {}): Finding[] {
  const subject = lintSubject(facts);
  const rules = options.cabf ? [...RFC5280_RULES, ...cabfRules(subject)] : RFC5280_RULES;
  return rules.flatMap((rule) => findingsOf(rule, subject));
}

function findingsOf(rule: LintRule, subject: LintSubject): Finding[] {
  const { id, severity, reference } = rule;
  return rule.check(subject).map((message) => ({ severity, rule: id, reference, message }));
}
