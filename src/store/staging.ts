import { OperationError } from "../errors.ts";
import { fileError, makeFolder, pathExists, syncFolder } from "../files.ts";
import { encodeHex, randomBytes } from "../bytes.ts";
import { isCaFolder } from "./ca.ts";
import { META_FILE, parentFolder } from "./layout.ts";

/**
 * A new folder that is built beside its final place and moved there whole: until {@link commit} nothing is visible, and
 * leaving the scope without it removes every trace.
 */
export interface Staging extends AsyncDisposable {
  /** Where to build, absolute. */
  readonly folder: string;
  /** Moves everything to its place. @throws {OperationError} `ca.exists`, `file.write`. */
  commit(): Promise<void>;
}

/**
 * Starts a CA folder at `target` (absolute). The target may exist, but not hold a CA or parts of one.
 * @throws {OperationError} `ca.exists`; `file.write` when nothing can be written there.
 */
export async function stageCaFolder(target: string): Promise<Staging> {
  if (await isCaFolder(target)) throw existsAlready(target);
  const place = target.replace(/[\\/]+$/, "");
  const above = parentFolder(place);
  const made = await missingFolders(above);
  await makeFolder(above);
  const name = place.slice(place.lastIndexOf("/") + 1);
  const folder = `${above === "/" ? "" : above}/.${name}.qpki-${encodeHex(randomBytes(4))}`;
  let committed = false;
  try {
    await Deno.mkdir(folder, { mode: 0o755 });
  } catch (cause) {
    await removeEmpty(made);
    throw fileError("create folder", place, cause);
  }
  return {
    folder,
    async commit() {
      await moveInto(folder, place);
      committed = true;
      await syncFolder(above);
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(folder, { recursive: true }).catch(() => {});
      if (!committed) await removeEmpty(made);
    },
  };
}

async function moveInto(staging: string, target: string): Promise<void> {
  try {
    await Deno.rename(staging, target);
    return;
  } catch (cause) {
    if (!await isFolder(target)) throw fileError("create folder", target, cause);
  }
  // the operator's own files are there already, profiles for example: move in beside them, the metadata last
  const names: string[] = [];
  for await (const { name } of Deno.readDir(staging)) names.push(name);
  names.sort((a, b) => Number(a === META_FILE) - Number(b === META_FILE));
  for (const name of names) {
    if (await pathExists(`${target}/${name}`)) throw existsAlready(target, name);
  }
  const moved: string[] = [];
  try {
    for (const name of names) {
      await Deno.rename(`${staging}/${name}`, `${target}/${name}`);
      moved.push(name);
    }
    await syncFolder(target);
  } catch (cause) {
    for (const name of moved.reverse()) await Deno.rename(`${target}/${name}`, `${staging}/${name}`).catch(() => {});
    throw fileError("write", target, cause);
  }
}

function existsAlready(target: string, name?: string): OperationError {
  return new OperationError(
    `Cannot make a CA in "${target}": ${name === undefined ? "there is a CA already" : `"${name}" is already there`}`,
    { code: "ca.exists", object: target, hint: "Choose another folder with --ca-dir" },
  );
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
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
