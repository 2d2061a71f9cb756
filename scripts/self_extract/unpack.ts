/**
 * Second half of unpacking, run by the Deno executable that the shell text has just unpacked:
 * `unpack.js FILE OFFSET NEW FINAL`. Writes the packed files below `NEW/files`, checks every content against its
 * SHA-256, then moves NEW to FINAL (unless that is empty). Statuses: 0 done, 65 the file is damaged, 1 anything else.
 */
import { type Manifest, PACKED_TIME, RUN_FLAGS } from "./manifest.ts";
import { warmCache } from "./warm.ts";

const DAMAGED = 65;

/** Removes what interrupted starts left behind more than an hour ago. */
const STALE_MS = 3_600_000;

async function unpack(file: string, offset: number, folder: string): Promise<Manifest> {
  using source = await Deno.open(file);
  const manifest = await readManifest(source, offset);
  for (const path of ["", ...manifest.folders]) {
    await Deno.mkdir(`${folder}/${path}`, { recursive: true, mode: 0o700 });
    // some file systems hand a set-group-ID bit down
    await Deno.chmod(`${folder}/${path}`, 0o700);
  }
  for (const { path, size, sha256, mode } of manifest.files) {
    const target = `${folder}/${path}`;
    const content = path === manifest.executable ? await Deno.readFile(target) : await readExactly(source, size);
    if (await sha256Hex(content) !== sha256) throw new DamagedError(path);
    if (path !== manifest.executable) await Deno.writeFile(target, content, { createNew: true, mode });
    await Deno.chmod(target, mode);
    await Deno.utime(target, PACKED_TIME, PACKED_TIME);
  }
  return manifest;
}

class DamagedError extends Error {}

async function readManifest(source: Deno.FsFile, offset: number): Promise<Manifest> {
  await source.seek(offset - 1, Deno.SeekMode.Start);
  const length = new DataView((await readExactly(source, 4)).buffer).getUint32(0);
  return JSON.parse(new TextDecoder().decode(await readExactly(source, length))) as Manifest;
}

async function readExactly(source: Deno.FsFile, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await source.read(bytes.subarray(at));
    if (count === null) throw new DamagedError("end of file");
    at += count;
  }
  return bytes;
}

async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/**
 * Moves the new folder to the final place. Two starts may do this at once, and other processes may run from what is
 * there: a folder that is complete stays, and only one whose content is wrong is replaced. False when it stayed.
 */
async function moveInto(folder: string, final: string, manifest: Manifest): Promise<boolean> {
  for (let attempt = 0; attempt < 20; attempt++) {
    if (await Deno.rename(folder, final).then(() => true, () => false)) return true;
    if (await isComplete(final, manifest)) {
      await Deno.remove(folder, { recursive: true });
      return false;
    }
    const old = `${folder}.old${attempt}`;
    if (await Deno.rename(final, old).then(() => true, () => false)) await Deno.remove(old, { recursive: true });
  }
  throw new Error(`it cannot be moved to ${final}`);
}

async function isComplete(folder: string, manifest: Manifest): Promise<boolean> {
  try {
    for (const path of ["", ...manifest.folders]) {
      const { mode, isDirectory } = await Deno.lstat(`${folder}/${path}`);
      if (!isDirectory || ((mode ?? 0) & 0o7777) !== 0o700) return false;
    }
    for (const { path, sha256, mode } of manifest.files) {
      const info = await Deno.lstat(`${folder}/${path}`);
      if (!info.isFile || ((info.mode ?? 0) & 0o7777) !== mode) return false;
      if (info.mtime?.getTime() !== PACKED_TIME * 1000) return false;
      if (await sha256Hex(await Deno.readFile(`${folder}/${path}`)) !== sha256) return false;
    }
    return true;
  } catch {
    return false;
  }
}

async function removeStale(base: string): Promise<void> {
  for await (const { name } of Deno.readDir(base)) {
    if (!/^new\./.test(name)) continue;
    const { mtime } = await Deno.lstat(`${base}/${name}`);
    if (Date.now() - (mtime?.getTime() ?? 0) > STALE_MS) await Deno.remove(`${base}/${name}`, { recursive: true });
  }
}

const [file, offset, folder, final] = Deno.args as [string, string, string, string];
try {
  const manifest = await unpack(file, Number(offset), folder);
  await Deno.remove(`${folder}/unpack.js`);
  if (final !== "") {
    const base = final.replace(/\/[^/]*$/, "");
    await Deno.chmod(base, 0o700);
    if (await moveInto(folder, final, manifest)) await warmCache(final, RUN_FLAGS).catch(() => {});
    await removeStale(base).catch(() => {});
  }
} catch (error) {
  if (error instanceof DamagedError || error instanceof SyntaxError) Deno.exit(DAMAGED);
  console.error(`error: Cannot unpack qpki: ${error instanceof Error ? error.message : error}`);
  Deno.exit(1);
}
