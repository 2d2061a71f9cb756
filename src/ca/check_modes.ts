import { fileError } from "../files.ts";
import { joinPath, parentFolder } from "../store/layout.ts";
import type { Findings } from "./check_report.ts";

/** Permission bits of everybody but the owner. */
const OTHERS = 0o077;
/** Everybody may write. */
const WORLD_WRITABLE = 0o002;

/** A folder under check: what its files are called from there. */
export interface CheckedFolder {
  /** Absolute. */
  readonly folder: string;
  readonly findings: Findings;
}

/**
 * Private key files must be their owner's only (0600), and the folders they lie in too (0700). `keyFiles` are relative to the
 * folder; those that are not there are somebody else's finding.
 */
export async function checkKeyModes(keyFiles: readonly string[], { folder, findings }: CheckedFolder): Promise<void> {
  if (Deno.build.os === "windows") return;
  for (const file of new Set(keyFiles)) {
    const mode = await modeOf(joinPath(folder, file));
    if (mode === undefined || (mode & OTHERS) === 0) continue;
    findings.error("mode.key", `The private key file "${file}" is open to others (mode ${octal(mode)})`, {
      file,
      hint: `chmod 600 ${joinPath(folder, file)}`,
      fix: () => restrict(joinPath(folder, file), 0o600, file),
    });
  }
  for (const file of new Set(keyFiles.map(parentFolder))) {
    // a key at the top of the folder is guarded by its own mode
    if (file === ".") continue;
    const mode = await modeOf(joinPath(folder, file));
    if (mode === undefined || (mode & OTHERS) === 0) continue;
    findings.warning("mode.folder", `The folder of private keys "${file}" is open to others (mode ${octal(mode)})`, {
      file,
      hint: `chmod 700 ${joinPath(folder, file)}`,
      fix: () => restrict(joinPath(folder, file), 0o700, file),
    });
  }
}

/** Nothing that the CA relies on may be writable by everybody. Names are relative to the folder. */
export async function checkWritable(names: readonly string[], { folder, findings }: CheckedFolder): Promise<void> {
  if (Deno.build.os === "windows") return;
  for (const file of names) {
    const path = file === "." ? folder : joinPath(folder, file);
    const mode = await modeOf(path);
    if (mode === undefined || (mode & WORLD_WRITABLE) === 0) continue;
    findings.error("mode.writable", `"${file}" can be written by everybody (mode ${octal(mode)})`, {
      file,
      hint: `chmod o-w ${path}`,
      fix: () => restrict(path, mode & ~WORLD_WRITABLE, file),
    });
  }
}

async function modeOf(path: string): Promise<number | undefined> {
  const info = await Deno.stat(path).catch(() => undefined);
  return info?.mode === null || info?.mode === undefined ? undefined : info.mode & 0o7777;
}

async function restrict(path: string, mode: number, name: string): Promise<string> {
  try {
    await Deno.chmod(path, mode);
  } catch (cause) {
    throw fileError("change the permissions of", path, cause);
  }
  return `Permissions of "${name}" set to ${octal(mode)}`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
