import { QpkiError } from "../errors.ts";
import { fileError, makeFolder, pathExists } from "../files.ts";
import { encodeHex, randomBytes } from "../bytes.ts";
import { isCaFolder } from "./ca.ts";
import { parentFolder } from "./layout.ts";
import { settleLeftovers } from "./leftovers.ts";
import { existsAlready, moveInto } from "./move_into.ts";
import { StagedFolder } from "./staged_folder.ts";
import type { RecordedAbove } from "./transaction.ts";

/**
 * A new folder that is built beside its final place and moved there whole: until {@link commit} nothing is visible, and
 * leaving the scope without it removes every trace.
 */
export interface Staging extends AsyncDisposable {
  /** Where to build, absolute. */
  readonly folder: string;
  /** Its own journal, which becomes that of the CA. */
  readonly staged: StagedFolder;
  /**
   * Moves everything to its place, once another CA, if one issues the certificates, has recorded them.
   * @throws {OperationError} `ca.exists`, `file.write`, `store.unfinished`; what the recording throws.
   */
  commit(above?: RecordedAbove): Promise<void>;
}

/**
 * Starts a CA folder at `target` (absolute). The target may exist, but not hold a CA or parts of one. What an interrupted
 * command left of it is set right first.
 * @throws {OperationError} `ca.exists`; `file.write` when nothing can be written there.
 */
export async function stageCaFolder(target: string, warn?: (text: string) => void): Promise<Staging> {
  await settleLeftovers(target, warn);
  if (await isCaFolder(target)) throw existsAlready(target);
  const place = target.replace(/[\\/]+$/, "");
  const above = parentFolder(place);
  const made = await missingFolders(above);
  await makeFolder(above);
  const name = place.slice(place.lastIndexOf("/") + 1);
  const folder = `${above === "/" ? "" : above}/.${name}.qpki-${encodeHex(randomBytes(4))}`;
  let staged: StagedFolder;
  try {
    await Deno.mkdir(folder, { mode: 0o755 });
    staged = await StagedFolder.take(folder, "init");
  } catch (cause) {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    await removeEmpty(made);
    throw cause instanceof QpkiError ? cause : fileError("create folder", place, cause);
  }
  return {
    folder,
    staged,
    async commit(above) {
      await staged.complete(() => moveInto(folder, place), above);
    },
    async [Symbol.asyncDispose]() {
      await staged.close();
      if (staged.isKept) return;
      await Deno.remove(folder, { recursive: true }).catch(() => {});
      await removeEmpty(made);
    },
  };
}

/** The folders that would have to be made for `path`, the deepest first. */
async function missingFolders(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = path; !await pathExists(at) && parentFolder(at) !== at; at = parentFolder(at)) missing.push(at);
  return missing;
}

async function removeEmpty(folders: readonly string[]): Promise<void> {
  for (const folder of folders) await Deno.remove(folder).catch(() => {});
}
