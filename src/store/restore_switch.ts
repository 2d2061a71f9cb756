import { OperationError } from "../errors.ts";
import { pathExists, readFileText, syncFolder, writeFileDurably } from "../files.ts";
import { joinPath, parentFolder } from "./layout.ts";

/** The last steps of a restore: a finished folder takes the place of the CA that is there. */

/** File in a folder that is ready to take the place of a CA: where that one goes. */
export const RESTORE_MARK = ".restore";

/** Notes where the CA that is there will go; durable on return. */
export async function markRestore(staging: string, aside: string | undefined): Promise<void> {
  await writeFileDurably(joinPath(staging, RESTORE_MARK), `${JSON.stringify({ aside: aside ?? null })}\n`);
}

/**
 * Puts the CA that is there aside and the finished folder in its place; after an interruption at any point it may be called
 * again.
 * @throws {OperationError} `restore.unfinished`.
 */
export async function switchFolders(staging: string, place: string): Promise<void> {
  try {
    const aside = await asideOf(joinPath(staging, RESTORE_MARK));
    if (aside !== undefined && !await pathExists(aside) && await pathExists(place)) {
      await Deno.rename(place, aside);
      await syncFolder(parentFolder(place));
    }
    await Deno.rename(staging, place);
    await syncFolder(parentFolder(place));
    await Deno.remove(joinPath(place, RESTORE_MARK));
    await syncFolder(place);
  } catch (cause) {
    throw new OperationError(`Cannot move the restored CA to "${place}"`, {
      code: "restore.unfinished",
      object: place,
      hint: "Finish it with: qpki ca check --repair",
      cause,
    });
  }
}

async function asideOf(path: string): Promise<string | undefined> {
  const { aside } = JSON.parse(await readFileText(path)) as { aside?: unknown };
  return typeof aside === "string" ? aside : undefined;
}
