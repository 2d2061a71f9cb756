import { pathExists, syncFolder } from "../files.ts";
import { journalTail } from "./journal.ts";
import type { KeyIntent } from "./journal_record.ts";
import { CREDENTIAL_META_FILE, joinPath, JOURNAL_FILE, LOCK_FILE, META_FILE, parentFolder } from "./layout.ts";
import { isLocked } from "./lock.ts";
import { moveInto } from "./move_into.ts";
import { isRecordedAbove } from "./recover.ts";

/** A folder under construction whose command has ended. */
export interface Leftover {
  readonly folder: string;
  /** Where it was to go. */
  readonly target: string;
  /** `finish`: all was ready and only the move is missing; `undo`: nobody was told of it. */
  readonly action: "finish" | "undo";
  /** Keys in a token that it may have made, to be looked for and deleted before an undo. */
  readonly keys: readonly KeyIntent[];
  /** What it is and what becomes of it. */
  readonly text: string;
}

/**
 * What interrupted commands left of the CA or credential at `target`; reads only.
 * @throws {InputError} `journal.damaged`, `index.damaged` when it cannot be told.
 */
export async function findLeftovers(target: string): Promise<Leftover[]> {
  const place = target.replace(/[\\/]+$/, "");
  const above = parentFolder(place);
  const name = place.slice(Math.max(place.lastIndexOf("/"), place.lastIndexOf("\\")) + 1);
  const found: Leftover[] = [];
  for (const folder of await stagedBeside(above, name)) {
    // between making the folder and its lock is a moment; whoever loses it wanted the same place, and one has to yield
    if (await isLocked(joinPath(folder, LOCK_FILE))) continue;
    found.push(await describe(folder, place));
  }
  return found;
}

/** Moves a leftover that was ready to its place. @throws {OperationError} `ca.exists`, `file.write`. */
export async function finishLeftover({ folder, target }: Leftover): Promise<void> {
  await Deno.remove(joinPath(folder, LOCK_FILE)).catch(() => {});
  await moveInto(folder, target);
  await Deno.remove(folder).catch(() => {});
  await syncFolder(parentFolder(target));
}

/** Removes a leftover; keys in a token are the caller's business, before this. */
export async function discardLeftover({ folder }: Leftover): Promise<void> {
  await Deno.remove(folder, { recursive: true });
}

/**
 * Sets right what interrupted commands left of the CA or credential at `target`, where that needs no token: what was ready is
 * moved to its place, the rest goes. Leftovers with keys in a token stay, and are told.
 */
export async function settleLeftovers(target: string, warn: (text: string) => void = () => {}): Promise<void> {
  for (const leftover of await findLeftovers(target)) {
    if (leftover.action === "finish") await finishLeftover(leftover);
    else if (leftover.keys.length === 0) await discardLeftover(leftover);
    warn(leftover.text);
  }
}

async function stagedBeside(above: string, name: string): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const entry of Deno.readDir(above)) {
      if (entry.isDirectory && isStagedName(entry.name, name)) found.push(joinPath(above, entry.name));
    }
  } catch {
    // no folder, no leftovers
  }
  return found.sort();
}

/** `.NAME.qpki-1a2b3c4d` of a CA, `.NAME.1a2b3c4d.tmp` of a credential. */
function isStagedName(staged: string, name: string): boolean {
  const rest = staged.startsWith(`.${name}.`) ? staged.slice(name.length + 2) : "";
  return /^(qpki-[0-9a-f]{8}|[0-9a-f]{8}\.tmp)$/.test(rest);
}

/** A move into a folder that existed takes the metadata last. */
async function isPartlyMoved(folder: string): Promise<boolean> {
  for await (const { name } of Deno.readDir(folder)) {
    if (name !== META_FILE && name !== CREDENTIAL_META_FILE) return false;
  }
  return await pathExists(joinPath(folder, META_FILE)) || await pathExists(joinPath(folder, CREDENTIAL_META_FILE));
}

async function describe(folder: string, target: string): Promise<Leftover> {
  const base = { folder, target };
  if (await isPartlyMoved(folder)) return { ...base, action: "finish", keys: [], text: finished(target) };
  const { last } = await journalTail(folder);
  if (last?.state === "commit" && await isRecordedAbove(folder, last)) {
    return { ...base, action: "finish", keys: [], text: finished(target) };
  }
  const keys: KeyIntent[] = [];
  if (await pathExists(joinPath(folder, JOURNAL_FILE))) keys.push(...await announcedKeys(folder));
  const text = keys.length === 0
    ? `An interrupted command left "${folder}", unfinished: removed`
    : `An interrupted command left "${folder}" and may have made the key ${
      keys.map(({ label, key_id, config }) => `"${label ?? key_id}" in the token of ${config}`).join(", ")
    }: look for it with: qpki ca check --repair`;
  return { ...base, action: "undo", keys, text };
}

function finished(target: string): string {
  return `An interrupted command had "${target}" ready: finished`;
}

/** A commit that never took effect has closed nothing: only what was undone is gone. */
async function announcedKeys(folder: string): Promise<KeyIntent[]> {
  const { readJournal } = await import("./journal_read.ts");
  const keys = new Map<number, readonly KeyIntent[]>();
  for await (const { record } of readJournal(folder)) {
    if (record.keys) keys.set(record.seq, record.keys);
    if (record.state === "undone") { for (const seq of record.closes ?? []) keys.delete(seq); }
  }
  return [...keys.values()].flat();
}
