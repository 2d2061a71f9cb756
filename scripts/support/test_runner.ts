import { capture } from "./process.ts";
import { ROOT } from "./tree.ts";

/** How many tests passed, failed and were skipped. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** How test files are run. */
export interface RunnerOptions {
  /** Added to the environment of every test process. */
  env?: Record<string, string>;
  /** Files at a time; the number of processors unless told. */
  jobs?: number;
  /** Milliseconds for one file. */
  timeout?: number;
  /** One line of the report. */
  print(line: string): void;
}

interface FileReport extends Counts {
  file: string;
  seconds: number;
  skippedNames: string[];
  output: string;
}

/**
 * Runs test files, each in a process of its own: a PKCS#11 module and its environment belong to the whole process, and
 * a module that crashes must not take other tests along. Prints a line a file, the full output of a file that failed,
 * the names of skipped tests, and last `N passed, N failed, N skipped`.
 */
export async function runTestFiles(files: readonly string[], options: RunnerOptions): Promise<Counts> {
  const waiting = [...files];
  const reports: FileReport[] = [];
  const jobs = options.jobs ?? Math.max(1, Math.min(navigator.hardwareConcurrency, 8));
  await Promise.all(Array.from({ length: jobs }, async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const report = await runFile(file, options);
      reports.push(report);
      options.print(reportLine(report));
      if (report.failed > 0) options.print(indent(report.output));
    }
  }));
  const counts = total(reports);
  printSummary(reports, counts, options.print);
  return counts;
}

/** Exit status for the counts: a failure, or no test at all, is 1. */
export function exitStatus(counts: Counts): 0 | 1 {
  return counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}

/** Counts and skipped names in what `deno test` printed; undefined when its closing line is not there. */
export function parseReport(output: string): (Counts & { skippedNames: string[] }) | undefined {
  const closing =
    /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(?: \([^)]*\))?(?: \| (\d+) ignored(?: \((\d+) steps?\))?)?/m
      .exec(output);
  if (closing === null) return undefined;
  // a step that is skipped is a test that is skipped, though deno counts it apart
  const skippedNames = [...output.matchAll(/^ *(\S.*?) \.\.\. ignored(?: \([^)]*\))?$/gm)].map((match) => match[1]!);
  return {
    passed: Number(closing[1]),
    failed: Number(closing[2]),
    skipped: Number(closing[3] ?? 0) + Number(closing[4] ?? 0),
    skippedNames,
  };
}

async function runFile(file: string, options: RunnerOptions): Promise<FileReport> {
  const begin = performance.now();
  const { timeout = 300_000 } = options;
  const command = [Deno.execPath(), "test", "-A", "--no-check", "--quiet", file];
  const env = { ...options.env, NO_COLOR: "1" };
  const { code, output } = await capture(command, { cwd: ROOT, env, timeout });
  const seconds = (performance.now() - begin) / 1000;
  const parsed = parseReport(output);
  if (parsed === undefined || (code !== 0 && parsed.failed === 0)) {
    const reason = seconds * 1000 >= timeout ? `killed after ${timeout} ms` : `ended with status ${code}`;
    return { file, seconds, passed: 0, failed: 1, skipped: 0, skippedNames: [], output: `${output}\n(${reason})` };
  }
  if (parsed.passed + parsed.failed + parsed.skipped === 0) {
    return { file, seconds, ...parsed, failed: 1, output: "the file registers no test" };
  }
  return { file, seconds, ...parsed, output };
}

function reportLine(report: FileReport): string {
  const word = report.failed > 0 ? "FAILED" : report.passed > 0 ? "ok    " : "skip  ";
  const skipped = report.skipped > 0 ? `, ${report.skipped} skipped` : "";
  return `${word} ${report.file} (${report.passed} passed${skipped}, ${report.seconds.toFixed(1)} s)`;
}

function total(reports: readonly FileReport[]): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const report of reports) {
    counts.passed += report.passed;
    counts.failed += report.failed;
    counts.skipped += report.skipped;
  }
  return counts;
}

function printSummary(reports: readonly FileReport[], counts: Counts, print: (line: string) => void): void {
  const skipped = reports.flatMap((report) => report.skippedNames.map((name) => `  ${report.file}: ${name}`));
  if (skipped.length > 0) print(`\nSkipped:\n${skipped.sort().join("\n")}`);
  const failed = reports.filter((report) => report.failed > 0).map((report) => `  ${report.file}`);
  if (failed.length > 0) print(`\nFailed:\n${failed.sort().join("\n")}`);
  print(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
}

function indent(text: string): string {
  return text.trimEnd().split("\n").map((line) => `    ${line}`).join("\n");
}
