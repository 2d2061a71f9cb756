import type { CheckReport } from "../ca/check_report.ts";
import { countFindings } from "../ca/check_report.ts";
import { EXIT } from "../errors.ts";
import type { CommandResult, Flag, Input } from "./command.ts";

/** Leaves tokens alone. */
export const NO_TOKEN: Flag = {
  name: "no-token",
  aliases: ["offline-token"],
  description: "leave the keys in tokens unchecked: no PIN is needed",
};

/** Makes warnings count. */
export const WARNINGS_FAIL: Flag = { name: "warnings-fail", description: "exit with 1 for warnings too" };

/** Sets right what needs no decision. */
export const REPAIR: Flag = {
  name: "repair",
  description: "finish or undo interrupted commands and set right what needs no decision, saying what is done",
};

/** What a check prints: one line a finding, one summary line, the same as JSON. Errors make the exit status 1. */
export function checkResult(path: string, report: CheckReport, input: Input): CommandResult {
  const { findings, repaired, checked } = report;
  const { errors, warnings } = countFindings(findings);
  const failed = errors > 0 || (warnings > 0 && input.on(WARNINGS_FAIL.name));
  const lines = [
    ...repaired.map((text) => `repaired ${text}`),
    ...findings.map(({ severity, code, message, hint }) =>
      `${severity.padEnd(8)} ${code}: ${message}${hint === undefined ? "" : ` (${hint})`}`
    ),
    `${path}: ${errors + warnings === 0 ? "OK" : summary(errors, warnings)}; checked ${counts(checked)}`,
  ];
  return {
    data: { path, ok: !failed, errors, warnings, findings, repaired, checked },
    text: lines.map(oneLine).join("\n"),
    ...(failed ? { exit: EXIT.FAILED } : {}),
  };
}

function summary(errors: number, warnings: number): string {
  return [plural(errors, "error"), plural(warnings, "warning")].filter((text) => !text.startsWith("0 ")).join(", ");
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

function counts(checked: CheckReport["checked"]): string {
  const texts = Object.entries(checked).filter(([, count]) => count > 0).map(([kind, count]) => {
    const words = kind.replaceAll("_", " ").replace(/\b(ca|crl)(s?)\b/g, (_, name, s) => name.toUpperCase() + s);
    return `${count} ${count === 1 ? words.replace(/s\b/, "") : words}`;
  });
  return texts.join(", ") || "nothing";
}

/** A message must not make two lines of one. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}
