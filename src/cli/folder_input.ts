import { InputError } from "../errors.ts";

/**
 * The folder that a flag names must be there: a slip in its name is no empty list.
 * @throws {InputError} `file.not_found`, with the name as written.
 */
export async function requireFolder(path: string, written: string): Promise<void> {
  const found = await Deno.stat(path).catch(() => undefined);
  if (found?.isDirectory) return;
  const reason = found ? "it is not a folder" : "no such folder";
  throw new InputError(`Cannot look into "${written}": ${reason}`, { code: "file.not_found", file: written });
}
