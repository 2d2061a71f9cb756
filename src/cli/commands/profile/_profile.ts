import { OperationError } from "../../../errors.ts";
import { makeFolder, pathExists, writeFileDurably } from "../../../files.ts";
import { loadProfile } from "../../../profile/load.ts";
import type { Profile } from "../../../profile/types.ts";
import { joinPath, parentFolder } from "../../../store/layout.ts";
import type { Argument, Context, Flag, Input } from "../../command.ts";
import { CA_DIR } from "../../flags.ts";
import { refusePrivateKey } from "../../output_files.ts";

/** Folder of the CA whose own profiles count. */
export const DIR: Flag = {
  ...CA_DIR,
  name: "dir",
  aliases: ["ca-dir"],
  description: "folder of the CA whose profiles/ overrides the built-in profiles",
};

/** Permission to replace files. */
export const OVERWRITE: Flag = { name: "overwrite", aliases: ["force"], description: "replace files that exist" };

/** The profile as positional argument. */
export const NAME: Argument = {
  name: "name",
  description: "profile: a built-in name, one of the CA's profiles, or a path to a YAML file",
  required: true,
  complete: "profile",
};

/** Absolute folder of the CA. */
export function caDir(input: Input, ctx: Context): string {
  return joinPath(ctx.cwd, input.text(DIR.name)!);
}

/** The profile that the argument names. */
export async function namedProfile(input: Input, ctx: Context): Promise<Profile> {
  return await loadProfile(input.argument(NAME.name)!, { caDir: caDir(input, ctx), cwd: ctx.cwd });
}

/** Algorithms in words: both, joined by a plus, for a hybrid. */
export function algorithmText(profile: Profile): string {
  return profile.algorithms.join(" + ");
}

/** One file to write. */
export interface ProfileFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Writes profiles, each whole or not at all, folders made as needed.
 * @throws {OperationError} `file.exists` before anything is written, when one is there and may not be replaced.
 */
export async function writeProfiles(files: readonly ProfileFile[], overwrite: boolean): Promise<void> {
  for (const { path } of overwrite ? [] : files) {
    if (!await pathExists(path)) continue;
    throw new OperationError(`Cannot write "${path}": the file exists`, {
      code: "file.exists",
      object: path,
      hint: "Choose another place, or pass --overwrite to replace it",
    });
  }
  for (const { path } of files) await refusePrivateKey(path);
  for (const { path, text } of files) {
    await makeFolder(parentFolder(path));
    await writeFileDurably(path, text, { overwrite });
  }
}
