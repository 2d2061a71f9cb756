import { OperationError } from "../errors.ts";
import { fileError, pathExists, syncFolder } from "../files.ts";
import { JOURNAL_FILE, META_FILE } from "./layout.ts";

/** Whoever finds the folder half moved must still find the journal, or nothing but the metadata. */
const LAST: readonly string[] = [JOURNAL_FILE, META_FILE];

/**
 * Moves a folder to its place as a whole; into one that exists, with the operator's own files, file by file, the metadata
 * last.
 * @throws {OperationError} `ca.exists` when something is in the way, `file.write`.
 */
export async function moveInto(staging: string, target: string): Promise<void> {
  try {
    await Deno.rename(staging, target);
    return;
  } catch (cause) {
    if (!await isFolder(target)) throw fileError("create folder", target, cause);
  }
  // the operator's own files are there already, profiles for example
  const names: string[] = [];
  for await (const { name } of Deno.readDir(staging)) names.push(name);
  names.sort((a, b) => LAST.indexOf(a) - LAST.indexOf(b));
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

/** The error for a place that is taken. */
export function existsAlready(target: string, name?: string): OperationError {
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
