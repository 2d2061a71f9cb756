import { EXIT } from "../../../errors.ts";
import { lintProfile } from "../../../profile/lint.ts";
import { loadProfile } from "../../../profile/load.ts";
import { ProfileError, type ProfileFinding } from "../../../profile/types.ts";
import type { Command, Context } from "../../command.ts";
import { caDir, DIR } from "./_profile.ts";

/** What was found in one profile. */
interface Report {
  readonly target: string;
  /** The profile cannot be read at all. */
  readonly unreadable: boolean;
  readonly findings: readonly ProfileFinding[];
}

/** `qpki profile lint FILE|NAME…`. */
const command: Command = {
  summary: "Check profiles: mistakes in the YAML, and what RFC 5280 or the CA/Browser Forum would refuse",
  details: "Exit status 0: no errors (warnings are printed); 1: errors; 4: a profile that cannot be read.",
  args: [{
    name: "profile",
    description: "YAML file, or name of a profile",
    required: true,
    variadic: true,
    complete: "profile",
  }],
  flags: [DIR],
  examples: ["qpki profile lint ec/tls-server", "qpki profile lint ./my-tls-server.yaml --json"],
  async run(input, ctx) {
    const reports: Report[] = [];
    for (const target of input.rest("profile")) reports.push(await lintOne(target, caDir(input, ctx), ctx));
    const failed = reports.some((report) => count(report, "error") > 0);
    const exit = reports.some((report) => report.unreadable) ? EXIT.INPUT : failed ? EXIT.FAILED : EXIT.OK;
    return {
      data: { valid: !failed, profiles: reports.map(reportJson) },
      text: reports.map(reportText).join("\n"),
      exit,
    };
  },
};
export default command;

async function lintOne(target: string, folder: string, ctx: Context): Promise<Report> {
  try {
    const profile = await loadProfile(target, { caDir: folder, cwd: ctx.cwd });
    return { target, unreadable: false, findings: lintProfile(profile, { now: ctx.now() }) };
  } catch (error) {
    if (!(error instanceof ProfileError)) throw error;
    const findings = error.mistakes.map(({ line, column, message }) => ({
      severity: "error" as const,
      rule: error.code,
      reference: "qpki profile schema",
      message,
      line,
      column,
    }));
    return { target, unreadable: true, findings };
  }
}

function count(report: Report, severity: ProfileFinding["severity"]): number {
  return report.findings.filter((finding) => finding.severity === severity).length;
}

function reportJson(report: Report): Record<string, unknown> {
  return {
    profile: report.target,
    readable: !report.unreadable,
    errors: count(report, "error"),
    warnings: count(report, "warning"),
    findings: report.findings,
  };
}

function reportText(report: Report): string {
  const lines = report.findings.map(({ severity, rule, reference, message, line, column }) =>
    `${report.target}:${line ?? 1}:${column ?? 1}: ${severity}: ${message} (${reference}) [${rule}]`
  );
  const [errors, warnings] = [count(report, "error"), count(report, "warning")];
  const summary = errors + warnings === 0
    ? "no findings"
    : `${plural(errors, "error")}, ${plural(warnings, "warning")}`;
  return [...lines, `${report.target}: ${summary}`].join("\n");
}

function plural(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}
