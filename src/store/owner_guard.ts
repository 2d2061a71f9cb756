import { encodeHex, randomBytes } from "../bytes.ts";
import { fileError, makeFolder } from "../files.ts";
import { joinPath, STAGING_FOLDER } from "./layout.ts";
import { isLocked } from "./lock.ts";

/**
 * Says whether the command behind an open intent is still alive: it holds a kernel lock on a file of its own as long as it
 * lives, whatever way it ends. Asking the kernel this way needs no process ids, which repeat and mean nothing to another host.
 */
export interface OwnerGuard extends AsyncDisposable {
  /** What intents call their owner. */
  readonly name: string;
}

/** Takes a guard in `folder`. Disposing gives it back. @throws {OperationError} `file.write`. */
export async function takeGuard(folder: string): Promise<OwnerGuard> {
  const name = encodeHex(randomBytes(6));
  const path = guardPath(folder, name);
  await makeFolder(joinPath(folder, STAGING_FOLDER));
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { write: true, createNew: true, mode: 0o644 });
    await file.lock(true);
  } catch (cause) {
    throw fileError("write", path, cause);
  }
  return {
    name,
    async [Symbol.asyncDispose]() {
      file.close();
      await Deno.remove(path).catch(() => {});
    },
  };
}

/** Whether the owner of that name still lives. */
export async function isOwnerAlive(folder: string, name: string): Promise<boolean> {
  return name !== "" && await isLocked(guardPath(folder, name));
}

/** Name of the guard file of an owner, below the staging folder. */
export function guardFileName(name: string): string {
  return `owner-${name}`;
}

function guardPath(folder: string, name: string): string {
  return joinPath(folder, `${STAGING_FOLDER}/${guardFileName(name)}`);
}
