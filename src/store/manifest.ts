import { InputError } from "../errors.ts";
import { sha256Hex } from "../keys/digest.ts";
import type { TarEntry } from "./tar.ts";

/** The first file of a backup: what is in it, with checksums, and what is not. `sha256sum -c MANIFEST` reads it too. */
export const MANIFEST_FILE = "MANIFEST";

/** Newest form of a backup that this program writes. */
const FORMAT = 1;

/** A file that a backup does without. */
export interface LeftOut {
  readonly path: string;
  readonly reason: string;
}

/** What a manifest says. */
export interface Manifest {
  /** SHA-256 by path, lower-case hex. */
  readonly files: ReadonlyMap<string, string>;
  readonly leftOut: readonly LeftOut[];
}

/** The manifest of entries. */
export async function formatManifest(entries: readonly TarEntry[], leftOut: readonly LeftOut[]): Promise<string> {
  const lines = [`# qpki backup, format ${FORMAT}`];
  for (const { path, reason } of leftOut) lines.push(`# left out: ${path}: ${reason}`);
  const sums = await checksums(entries);
  for (const [path, sum] of sums) lines.push(`${sum}  ${path}`);
  return lines.join("\n") + "\n";
}

/** Files hashed at the same time. */
const PARALLEL = 64;

/** SHA-256 of each file in its order. */
async function checksums(entries: readonly TarEntry[]): Promise<[path: string, sum: string][]> {
  const files = entries.flatMap(({ path, content }) => content ? [{ path, content }] : []);
  const sums: [string, string][] = [];
  for (let at = 0; at < files.length; at += PARALLEL) {
    const some = files.slice(at, at + PARALLEL);
    const hashed = await Promise.all(some.map(({ content }) => sha256Hex(content)));
    for (const [i, { path }] of some.entries()) sums.push([path, hashed[i]!]);
  }
  return sums;
}

/** Reads a manifest. @throws {InputError} `archive.invalid`, `archive.newer`. */
export function parseManifest(text: string): Manifest {
  const [first, ...lines] = text.split("\n");
  const format = /^# qpki backup, format (\d{1,6})$/.exec(first ?? "")?.[1];
  if (format === undefined) throw invalid("its first line is not the one of a backup");
  if (Number(format) > FORMAT) {
    throw new InputError(`Cannot restore the backup: it has format ${format}, and this program knows up to ${FORMAT}`, {
      code: "archive.newer",
      hint: "A newer qpki wrote it: use that version or a later one",
    });
  }
  if (lines.pop() !== "") throw invalid("its last line has no end");
  const files = new Map<string, string>();
  const leftOut: LeftOut[] = [];
  for (const [i, line] of lines.entries()) {
    const out = /^# left out: (.+?): (.+)$/.exec(line);
    const file = /^([0-9a-f]{64}) {2}(.+)$/.exec(line);
    if (out) leftOut.push({ path: out[1]!, reason: out[2]! });
    else if (!file || files.has(file[2]!)) throw invalid(`line ${i + 2} is none of a backup`);
    else files.set(file[2]!, file[1]!);
  }
  return { files, leftOut };
}

/**
 * Compares a manifest with the entries after it: each file is there, with its content, and no other.
 * @throws {InputError} `archive.checksum`, `archive.invalid`.
 */
export async function checkManifest({ files }: Manifest, entries: readonly TarEntry[]): Promise<void> {
  const left = new Set(files.keys());
  for (const [path, sum] of await checksums(entries)) {
    const wanted = files.get(path);
    if (wanted === undefined) throw invalid(`it does not name "${path}"`);
    left.delete(path);
    if (sum === wanted) continue;
    throw new InputError(`Cannot restore the backup: the content of "${path}" is not what was backed up`, {
      code: "archive.checksum",
      object: path,
      hint: "The archive was damaged or changed: use another copy",
    });
  }
  const [missing] = left;
  if (missing !== undefined) throw invalid(`"${missing}" is not in the archive`);
}

function invalid(reason: string): InputError {
  return new InputError(`Cannot read the manifest of the backup: ${reason}`, { code: "archive.invalid" });
}
