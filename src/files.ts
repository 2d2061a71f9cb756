import { InputError, OperationError } from "./errors.ts";
import { type Bytes, concatBytes } from "./bytes.ts";

/** How a file is written. */
export interface WriteOptions {
  /** Permission bits; 0o644 unless told. Files with secrets take 0o600. */
  mode?: number;
  /** Replace an existing file; without it an existing file is an error. */
  overwrite?: boolean;
}

/** Longest file that is read into memory, in bytes: no certificate, key, CRL or profile comes near. */
export const MAX_FILE_BYTES = 512 * 1024 * 1024;

/**
 * Writes a whole file so that a reader sees the old or the new content, never a part: temporary file in the same folder,
 * fsync, rename (or link, when it must not exist yet), fsync of the folder.
 * @throws {OperationError} `file.exists` without `overwrite`; `file.write` when the system refuses (full disk, read-only).
 */
export async function writeFileDurably(
  path: string,
  content: Uint8Array | string,
  options: WriteOptions = {},
): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  if (options.overwrite) await refuseSpecial(path);
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    const file = await Deno.open(temporary, { write: true, createNew: true, mode: options.mode ?? 0o644 });
    try {
      await writeAll(file, bytes);
      await file.sync();
    } finally {
      file.close();
    }
    if (options.overwrite) {
      await Deno.rename(temporary, path);
    } else {
      await Deno.link(temporary, path);
      await Deno.remove(temporary);
    }
    await syncFolder(folderOf(path));
  } catch (cause) {
    await Deno.remove(temporary).catch(() => {});
    if (cause instanceof Deno.errors.AlreadyExists) throw existsError(path, cause);
    throw fileError("write", path, cause);
  }
}

/** Writes all of `bytes` where the file stands; one call of the system may take only a part. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

/**
 * A device, pipe or folder is never replaced: the rename would put a file in the place of /dev/null.
 * @throws {OperationError} `file.write`.
 */
export async function refuseSpecial(path: string): Promise<void> {
  const found = await Deno.stat(path).catch(() => undefined);
  if (!found || found.isFile) return;
  throw new OperationError(`Cannot write "${path}": it is ${found.isDirectory ? "a folder" : "not a regular file"}`, {
    code: "file.write",
    object: path,
  });
}

/** The error for an output file that is already there. */
export function existsError(path: string, cause?: unknown): OperationError {
  return new OperationError(`Cannot write "${path}": the file exists`, {
    code: "file.exists",
    object: path,
    hint: "Choose another name, or pass --force to replace it",
    cause,
  });
}

/** Makes what has happened in a folder (create, rename, remove) durable. Windows has no such call: nothing to do. */
export async function syncFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  const folder = await Deno.open(path, { read: true });
  try {
    await folder.sync();
  } finally {
    folder.close();
  }
}

/** Creates a folder and its parents; `mode` applies to new ones. An existing folder is fine. */
export async function makeFolder(path: string, mode = 0o755): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true, mode });
  } catch (cause) {
    throw fileError("create folder", path, cause);
  }
}

/**
 * Content of a file.
 * @throws {InputError} `file.not_found`, `file.read`, `file.too_large` (over 512 MiB).
 */
export async function readFileBytes(path: string): Promise<Bytes> {
  try {
    const { size, isDirectory, isFile } = await Deno.stat(path);
    if (isDirectory) {
      throw new InputError(`Cannot read "${path}": it is a folder`, { code: "file.read", file: path });
    }
    if (size > MAX_FILE_BYTES) throw tooLarge(path);
    // a pipe or device states no length
    return isFile ? await Deno.readFile(path) : await readStream(path);
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    if (cause instanceof Deno.errors.NotFound) {
      throw new InputError(`Cannot read "${path}": no such file`, { code: "file.not_found", file: path, cause });
    }
    throw new InputError(`Cannot read "${path}": ${reason(cause)}`, { code: "file.read", file: path, cause });
  }
}

async function readStream(path: string): Promise<Bytes> {
  using file = await Deno.open(path, { read: true });
  const parts: Uint8Array[] = [];
  const room = new Uint8Array(65536);
  let length = 0;
  for (let count = await file.read(room); count !== null; count = await file.read(room)) {
    length += count;
    if (length > MAX_FILE_BYTES) throw tooLarge(path);
    parts.push(room.slice(0, count));
  }
  const bytes = concatBytes(...parts);
  room.fill(0);
  return bytes;
}

function tooLarge(path: string): InputError {
  return new InputError(`Cannot read "${path}": larger than ${MAX_FILE_BYTES} bytes`, {
    code: "file.too_large",
    file: path,
  });
}

/** Text (UTF-8) of a file. @throws {InputError} as {@link readFileBytes}, and on bytes that are not UTF-8. */
export async function readFileText(path: string): Promise<string> {
  const bytes = await readFileBytes(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new InputError(`Cannot read "${path}": not UTF-8 text`, { code: "file.not_text", file: path, cause });
  }
}

/** Whether something exists at `path`. */
export async function pathExists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}

/** An OperationError for a refused file operation, with the system's reason in words. */
export function fileError(action: string, path: string, cause: unknown): OperationError {
  return new OperationError(`Cannot ${action} "${path}": ${reason(cause)}`, {
    code: "file.write",
    object: path,
    cause,
  });
}

/** What the operating system said, in words and by its own name, without the call and its temporary file. */
function reason(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/ENOSPC|os error 28\b/.test(text)) return "no space left on device (ENOSPC)";
  if (/EROFS|os error 30\b/.test(text)) return "read-only file system (EROFS)";
  if (cause instanceof Deno.errors.PermissionDenied || /os error 13\b/.test(text)) return "permission denied (EACCES)";
  if (cause instanceof Deno.errors.NotFound) return "no such file or folder (ENOENT)";
  const told = /^(.+?) \(os error \d+\)/.exec(text)?.[1];
  if (told === undefined) return text;
  const { code } = cause as { code?: unknown };
  return `${told[0]!.toLowerCase()}${told.slice(1)}${typeof code === "string" ? ` (${code})` : ""}`;
}

function folderOf(path: string): string {
  const at = Math.max(path.lastIndexOf("/"), Deno.build.os === "windows" ? path.lastIndexOf("\\") : -1);
  return at < 0 ? "." : at === 0 ? "/" : path.slice(0, at);
}
