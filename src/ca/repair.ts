import { type CheckReport, Findings, plainFinding, type Repairable } from "./check_report.ts";

/** Rounds of repairs: one may bring to light what another can set right. */
const MOST_ROUNDS = 3;

/** Checks and changes nothing. */
export async function reportOf(check: () => Promise<Findings>): Promise<CheckReport> {
  const { list, counts } = await check();
  return { findings: list.map(plainFinding), checked: counts, repaired: [] };
}

/**
 * Finishes or undoes interrupted commands, checks, sets right what needs no decision, and checks again: what is reported is
 * what is left. A repair that fails is a finding of its own.
 * @param recover what is done about interrupted commands; it tells each step.
 */
export async function repairedReport(
  check: () => Promise<Findings>,
  recover: (tell: (text: string) => void) => Promise<void>,
): Promise<CheckReport> {
  const repaired: string[] = [];
  const failed = new Findings();
  async function recovered(): Promise<Findings> {
    try {
      await recover((text) => void repaired.push(text));
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined || !failed.list.some((one) => one.code === code)) failed.caught(error);
    }
    return await check();
  }
  let found = await recovered();
  for (let round = 0; round < MOST_ROUNDS && found.list.some(({ fix }) => fix); round++) {
    const before = repaired.length;
    for (const finding of found.list) await applyFix(finding, repaired, failed);
    // a folder that came to light has a journal of its own
    found = await recovered();
    if (repaired.length === before) break;
  }
  // what stopped the recovery is what the check tells too
  const isTold = ({ code, message }: Repairable) =>
    found.list.some((one) => one.code === code && one.message.endsWith(message));
  const more = failed.list.filter((one) => !isTold(one));
  const findings = [...found.list, ...more].map(plainFinding);
  return { findings, checked: found.counts, repaired };
}

async function applyFix({ fix, code, file }: Repairable, repaired: string[], failed: Findings): Promise<void> {
  if (!fix) return;
  try {
    repaired.push(await fix());
  } catch (error) {
    const what = `repair.failed`;
    if (failed.list.some((one) => one.code === what && one.file === file)) return;
    const reason = error instanceof Error ? error.message : String(error);
    failed.error(what, `Cannot repair ${code}: ${reason}`, file === undefined ? {} : { file });
  }
}
