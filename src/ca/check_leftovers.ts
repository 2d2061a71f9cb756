import { pathExists } from "../files.ts";
import type { PassphraseSource } from "../keys/types.ts";
import { joinPath } from "../store/layout.ts";
import { discardLeftover, findLeftovers, finishLeftover, type Leftover } from "../store/leftovers.ts";
import { RESTORE_MARK, switchFolders } from "../store/restore_switch.ts";
import { checkKeys } from "./check_keys.ts";
import type { Findings } from "./check_report.ts";
import type { Deps } from "./deps.ts";

/** A temporary file of a write that never ended: the name of its target, eight hex digits, `.tmp`. */
const TEMPORARY = /\.[0-9a-f]{8}\.tmp$/;

/** Folders deeper than this hold nothing of ours. */
const MAX_DEPTH = 6;

/** Where a check looks for what was left. */
export interface StagedScene {
  readonly findings: Findings;
  readonly deps: Deps;
  /** Whether tokens are looked into. */
  readonly token: boolean;
  readonly passphrase?: PassphraseSource | undefined;
}

/** Looks for the folders of commands that were interrupted before the CA or credential at `target` was to be seen. */
export async function checkStaged(target: string, scene: StagedScene): Promise<void> {
  let leftovers: Leftover[];
  try {
    leftovers = await findLeftovers(target);
  } catch (error) {
    return scene.findings.caught(error);
  }
  for (const leftover of leftovers) await tellLeftover(leftover, scene);
}

async function tellLeftover(leftover: Leftover, { findings, deps, token }: StagedScene): Promise<void> {
  const { folder: file, target, action, keys, text } = leftover;
  const hint = REPAIR_LEFTOVER;
  if (action === "finish") {
    const isRestore = await pathExists(joinPath(file, RESTORE_MARK));
    const finish = () => isRestore ? switchFolders(file, target) : finishLeftover(leftover);
    findings.error("leftover.unfinished", text, { file, hint, fix: () => finish().then(() => text) });
    return;
  }
  if (keys.length === 0) {
    findings.warning("leftover.folder", text, { file, hint, fix: () => discardLeftover(leftover).then(() => text) });
    return;
  }
  // its journal is all that knows of the keys: it stays until none of them is in a token
  const left = new Set(keys);
  const origin = `the interrupted command that left "${file}"`;
  await checkKeys([], {
    folder: target,
    findings,
    deps,
    token,
    lost: keys.map((key, seq) => ({ key, seq, origin })),
    async settle({ key }) {
      left.delete(key);
      if (left.size === 0) await discardLeftover(leftover);
      return left.size === 0 ? `"${file}" removed` : `The key "${key.label ?? key.key_id}" is not in the token`;
    },
  });
}

const REPAIR_LEFTOVER = "Run: qpki ca check --repair";

/** Looks for temporary files in a folder. */
export async function checkTemporary(folder: string, findings: Findings): Promise<void> {
  if (await pathExists(joinPath(folder, RESTORE_MARK))) {
    findings.warning("leftover.temporary", `"${RESTORE_MARK}" was left by a restore that was interrupted at its end`, {
      file: RESTORE_MARK,
      hint: REPAIR_LEFTOVER,
      fix: async () => {
        await Deno.remove(joinPath(folder, RESTORE_MARK)).catch(() => {});
        return `"${RESTORE_MARK}" removed`;
      },
    });
  }
  for (const file of await temporaryFiles(folder, "", MAX_DEPTH)) {
    findings.warning("leftover.temporary", `"${file}" was left by a command that was interrupted`, {
      file,
      hint: REPAIR_LEFTOVER,
      fix: async () => {
        await Deno.remove(`${folder}/${file}`).catch(() => {});
        return `"${file}" removed`;
      },
    });
  }
}

/** A younger one may be somebody's at work. */
const OLD_MS = 60_000;

async function isOld(path: string): Promise<boolean> {
  const { mtime } = await Deno.stat(path).catch(() => ({ mtime: null }));
  return mtime !== null && Date.now() - mtime.getTime() > OLD_MS;
}

/** Names relative to `folder`, sorted; links are not followed. */
async function temporaryFiles(folder: string, below: string, depth: number): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const { name, isFile, isDirectory } of Deno.readDir(`${folder}/${below}`)) {
      const path = below + name;
      if (isFile && TEMPORARY.test(name) && await isOld(`${folder}/${path}`)) found.push(path);
      else if (isDirectory && depth > 0) found.push(...await temporaryFiles(folder, `${path}/`, depth - 1));
    }
  } catch { /* told by those who need what is in it */ }
  return found.sort();
}
