import { GONE, journalTail, readIntent } from "../store/journal.ts";
import { readJournal } from "../store/journal_read.ts";
import type { KeyIntent } from "../store/journal_record.ts";
import { JOURNAL_FILE, LOCK_FILE } from "../store/layout.ts";
import { planRecovery, type RecoveryStep } from "../store/recover.ts";
import type { Findings } from "./check_report.ts";
import { checkInterrupted, type Deps } from "./deps.ts";

/** A key that an interrupted command may have made in a token. */
export interface LostKey {
  readonly key: KeyIntent;
  /** Number of the intent in the journal. */
  readonly seq: number;
  /** Which command it was, in words. */
  readonly origin: string;
}

/** What the journal says about commands that were cut short. */
export interface JournalCheck {
  /** A change is decided and not carried out: what the folder says is not what it will say. */
  readonly unfinished: boolean;
  /** Serial numbers of certificates that were being issued: their files are not orphans. */
  readonly interrupted: ReadonlySet<string>;
  /** Keys to look for in tokens. */
  readonly keys: readonly LostKey[];
  /** What became of each serial number, as far as the journal goes back. */
  readonly recorded: ReadonlyMap<string, RecordedState>;
}

/** What the journal says became of a certificate. */
export interface RecordedState {
  /** A change after the one that recorded it: it was revoked then. */
  readonly revoked?: Date;
}

/** Records between two looks at Ctrl-C. */
const STRIDE = 1000;

/** What the recovery of a folder is for, in the words of findings. */
const HINT = "The next command that writes sets it right, or: qpki ca check --repair";

/** Checks the whole journal of a folder, and tells what interrupted commands left. */
export async function checkJournal(folder: string, findings: Findings, deps: Deps): Promise<JournalCheck> {
  const none: JournalCheck = { unfinished: false, interrupted: new Set(), keys: [], recorded: new Map() };
  try {
    const steps = await interruptedSteps(folder);
    for (const step of steps) tell(step, findings);
    const recorded = await readWhole(folder, findings, deps);
    return {
      recorded,
      unfinished: steps.some(({ action }) => action === "finish"),
      interrupted: new Set(steps.flatMap(({ action, serials = [] }) => action === "undo" ? serials : [])),
      keys: [...steps.flatMap(lostKeys), ...await forgottenKeys(folder)],
    };
  } catch (error) {
    findings.caught(error, { file: JOURNAL_FILE });
    return none;
  }
}

/** What two looks agree on: a command that came and went during one of them is told by neither. */
async function interruptedSteps(folder: string): Promise<RecoveryStep[]> {
  const look = async () => (await planRecovery(folder, `${folder}/${LOCK_FILE}`)).steps;
  const first = await look();
  if (first.length === 0) return [];
  const second = await look();
  return first.filter(({ action, seq, text }) =>
    second.some((step) => step.action === action && step.seq === seq && step.text === text)
  );
}

function tell({ action, text }: RecoveryStep, findings: Findings): void {
  const file = JOURNAL_FILE;
  if (action === "finish") findings.error("journal.unfinished", text, { file, hint: HINT });
  // keys are told when their token was looked into
  else if (action !== "key") findings.warning("journal.interrupted", text, { file, hint: HINT });
}

function lostKeys({ action, keys = [], seq = 0, op = "", time = "" }: RecoveryStep): LostKey[] {
  return action === "key" ? keys.map((key) => ({ key, seq, origin: originOf(op, time) })) : [];
}

function originOf(op: string, time: string): string {
  return `the interrupted command "${op}" of ${time}`;
}

/** Intents whose command is long gone and whose keys nobody has looked for yet. */
async function forgottenKeys(folder: string): Promise<LostKey[]> {
  const { last } = await journalTail(folder);
  const lost: LostKey[] = [];
  for (const intent of last?.open ?? []) {
    if (intent.owner !== GONE) continue;
    const { keys = [], seq, op, time } = await readIntent(folder, intent);
    lost.push(...keys.map((key) => ({ key, seq, origin: originOf(op, time) })));
  }
  return lost;
}

async function readWhole(folder: string, findings: Findings, deps: Deps): Promise<Map<string, RecordedState>> {
  const recorded = new Map<string, RecordedState>();
  let count = 0;
  for await (const { record } of readJournal(folder)) {
    for (const serial of record.state === "commit" ? record.serials ?? [] : []) {
      // a serial is recorded once; whatever concerns it later is its revocation
      recorded.set(serial, recorded.has(serial) ? { revoked: new Date(record.time) } : {});
    }
    if (++count % STRIDE !== 0) continue;
    checkInterrupted(deps);
    deps.progress(`${count} records of the journal checked`);
  }
  findings.count("journal_records", count);
  return recorded;
}
