import { InputError } from "../errors.ts";
import { pathExists } from "../files.ts";
import { readIndexRows } from "./index_file.ts";
import { GONE, type Journal, journalTail, readIntent } from "./journal.ts";
import type { JournalRecord, KeyIntent, OpenIntent } from "./journal_record.ts";
import { issuedFiles, joinPath, JOURNAL_FILE, STAGING_FOLDER } from "./layout.ts";
import { isLocked, type LockState, lockState } from "./lock.ts";
import { guardFileName, isOwnerAlive } from "./owner_guard.ts";
import { carryOut, markDone } from "./transaction.ts";

/**
 * Commands that were cut short, found in the journal: what was decided is finished, what was only intended is undone. All of
 * it needs nothing but the folder; keys that may lie in a token are named, for whoever can open the token.
 */

/** One thing that an interrupted command left. */
export interface RecoveryStep {
  /**
   * `cut`: an unfinished record at the end of the journal; `finish`: a decided change; `revert`: one that another CA had to
   * record first, and did not; `undo`: an intent without outcome, whose numbers stay used; `key`: a token key that may or may not exist; `clean`: staged files of nobody.
   */
  readonly action: "cut" | "finish" | "revert" | "undo" | "key" | "clean";
  /** Of the record in the journal. */
  readonly seq?: number;
  /** The command's word: `issue`, `revoke`. */
  readonly op?: string;
  /** RFC 3339, when it was journalled. */
  readonly time?: string;
  readonly serials?: readonly string[];
  readonly crl_number?: string;
  readonly keys?: readonly KeyIntent[];
  readonly files?: readonly string[];
  /** What it is and what becomes of it. */
  readonly text: string;
}

/** What {@link planRecovery} found. */
export interface RecoveryPlan {
  readonly steps: readonly RecoveryStep[];
  /** Set while a command is at work: then nothing can be said, and nothing is wrong. */
  readonly busy?: LockState;
}

/** What would be finished or undone in a folder; reads only. @throws {InputError} `journal.damaged`. */
export async function planRecovery(folder: string, lockPath: string): Promise<RecoveryPlan> {
  const before = await lockState(lockPath);
  if (before.held) return { steps: [], busy: before };
  const tail = await journalTail(folder);
  const steps = await stepsFor(folder, { ...tail, read: (intent) => readIntent(folder, intent) });
  // a command may have come meanwhile, and what was seen was its work
  const after = await lockState(lockPath);
  return after.held ? { steps: [], busy: after } : { steps };
}

/**
 * Finishes or undoes what {@link planRecovery} shows; the folder's lock is held. Tells each step when it is done.
 * @throws {InputError} `journal.damaged`, `store.lost`; {OperationError} `file.write`.
 */
export async function recover(
  folder: string,
  journal: Journal,
  tell: (step: RecoveryStep) => void = () => {},
): Promise<RecoveryStep[]> {
  const { last, torn, open } = journal;
  if (last?.state !== "commit" && torn === 0 && open.length === 0 && !await hasStaged(folder)) return [];
  const steps = await stepsFor(folder, { last, torn, read: (intent) => journal.read(intent) });
  for (const step of steps) {
    await apply(folder, journal, { step, last });
    tell(step);
  }
  return steps;
}

interface Found {
  readonly last?: JournalRecord | undefined;
  readonly torn: number;
  readonly read: (intent: OpenIntent) => Promise<JournalRecord>;
}

async function stepsFor(folder: string, { last, torn, read }: Found): Promise<RecoveryStep[]> {
  const steps: RecoveryStep[] = [];
  if (torn > 0) {
    const text = `The journal "${JOURNAL_FILE}" ends in ${torn} bytes of a record that was never finished: cut off`;
    steps.push({ action: "cut", text });
  }
  const isPending = last?.state === "commit" && await isRecordedAbove(folder, last);
  if (isPending) steps.push(finishStep(last));
  else if (last?.state === "commit") steps.push(revertStep(last));
  for (const intent of last?.open ?? []) {
    if (intent.owner === GONE || await isOwnerAlive(folder, intent.owner)) continue;
    if (isPending && last.awaits?.closes?.includes(intent.seq)) continue;
    steps.push(undoStep(await read(intent)));
  }
  const kept = new Set(isPending ? (last.files ?? []).map(({ from }) => from) : []);
  const files = (await stagedFiles(folder)).filter((file) => !kept.has(file));
  if (files.length > 0) {
    steps.push({ action: "clean", files, text: `${counted(files.length, "staged file")} of nobody: removed` });
  }
  return steps;
}

function finishStep({ seq, op, time, serials = [] }: JournalRecord): RecoveryStep {
  const text = `The interrupted command "${op}" of ${time}${listed(serials)} was decided: finished`;
  return { action: "finish", seq, op, time, ...(serials.length > 0 ? { serials } : {}), text };
}

function revertStep({ seq, op, time, append }: JournalRecord): RecoveryStep {
  const text = `The interrupted command "${op}" of ${time} was not recorded by the CA above: undone`;
  const serials = append ? serialsOf(append.text) : [];
  return { action: "revert", seq, op, time, ...(serials.length > 0 ? { serials } : {}), text };
}

function serialsOf(lines: string): string[] {
  return lines.split("\n").filter((line) => line !== "").map((line) => line.split("\t")[3]!);
}

function undoStep({ seq, op, time, certificates, crl, keys }: JournalRecord): RecoveryStep {
  const what = `The interrupted command "${op}" of ${time}`;
  if (keys) {
    const names = keys.map(({ label, key_id, config }) => `"${label ?? key_id}" in the token of ${config}`).join(", ");
    return { action: "key", seq, op, time, keys, text: `${what} may have made the key ${names}: look for it` };
  }
  if (crl) {
    const text = `${what} made no CRL ${crl.number}: undone; the number stays used`;
    return { action: "undo", seq, op, time, crl_number: crl.number, text };
  }
  const serials = certificates?.map(({ serial }) => serial) ?? [];
  const numbers = serials.length === 1 ? "the serial number stays" : "the serial numbers stay";
  const text = `${what}${listed(serials)} came to nothing: undone${serials.length > 0 ? `; ${numbers} used` : ""}`;
  return { action: "undo", seq, op, time, ...(serials.length > 0 ? { serials } : {}), text };
}

async function apply(
  folder: string,
  journal: Journal,
  { step, last }: { step: RecoveryStep; last: JournalRecord | undefined },
): Promise<void> {
  const { action, seq } = step;
  if (action === "finish" && last) {
    await carryOut(folder, last);
    await markDone(journal, last, true);
  } else if (action === "undo" && seq !== undefined) {
    await removeUnrecorded(folder, step.serials ?? []);
    await journal.append({ op: step.op!, state: "undone", closes: [seq], recovered: true });
  } else if (action === "revert" && seq !== undefined) {
    await removeUnrecorded(folder, step.serials ?? []);
    await journal.append({ op: step.op!, state: "undone", commit: seq, recovered: true });
  } else if (action === "key" && seq !== undefined) {
    await journal.append({ op: step.op!, state: "done", orphans: [seq], recovered: true });
  } else if (action === "cut") {
    await journal.cutBack(journal.tail);
  } else {
    for (const file of step.files ?? []) await Deno.remove(joinPath(folder, file)).catch(() => {});
  }
}

/**
 * Whether a commit counts: the CA that issues its certificates, if another one does, has recorded them.
 * @throws {InputError} `store.lost` when that CA cannot be asked.
 */
export async function isRecordedAbove(folder: string, { awaits }: Pick<JournalRecord, "awaits">): Promise<boolean> {
  if (!awaits) return true;
  const issuer = joinPath(folder, awaits.issuer);
  try {
    const known = new Set((await readIndexRows(issuer)).map(({ entry }) => entry.serial));
    // what is decided there counts, even before it is carried out
    const { last } = await journalTail(issuer);
    if (last?.state === "commit") { for (const serial of last.serials ?? []) known.add(serial); }
    return awaits.serials.every((serial) => known.has(serial));
  } catch (cause) {
    throw new InputError(`Cannot finish an interrupted command on "${folder}": the CA "${issuer}" cannot be asked`, {
      code: "store.lost",
      file: folder,
      hint: "Put that CA back where it was, beside this one, and try again",
      cause,
    });
  }
}

/** The files of certificates that no row of the index names: nobody was told of them. */
async function removeUnrecorded(folder: string, serials: readonly string[]): Promise<void> {
  const written: string[] = [];
  for (const serial of serials) {
    if (await pathExists(joinPath(folder, issuedFiles(serial)[0]))) written.push(serial);
  }
  if (written.length === 0) return;
  const known = new Set((await readIndexRows(folder)).map(({ entry }) => entry.serial));
  for (const serial of written) {
    if (!known.has(serial)) await Deno.remove(joinPath(folder, issuedFiles(serial)[0]));
  }
}

async function hasStaged(folder: string): Promise<boolean> {
  return (await stagedFiles(folder)).length > 0;
}

/** Files in the staging folder that no living command guards; guards are taken and files staged under the lock only. */
async function stagedFiles(folder: string): Promise<string[]> {
  const staging = joinPath(folder, STAGING_FOLDER);
  const files: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(staging)) {
      if (!isFile) continue;
      const path = joinPath(staging, name);
      if (name.startsWith(guardFileName("")) && await isLocked(path)) continue;
      files.push(`${STAGING_FOLDER}/${name}`);
    }
  } catch {
    // there is none
  }
  return files.sort();
}

function listed(serials: readonly string[]): string {
  if (serials.length === 0) return "";
  const shown = serials.slice(0, 3).join(", ");
  return serials.length > 3 ? ` (certificates ${shown} and ${serials.length - 3} more)` : ` (certificate ${shown})`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
