import { InterruptedError, OperationError } from "../errors.ts";
import { fileError, pathExists } from "../files.ts";

/** Who holds a lock. */
export interface LockOwner {
  readonly pid: number;
  readonly host: string;
  /** RFC 3339, UTC. */
  readonly since: string;
  /** What it is doing, in words: `issue`, `revoke`. */
  readonly action: string;
}

/** How long {@link acquireLock} waits. */
export interface LockOptions {
  /** Milliseconds until it gives up; 60 000 unless told. */
  timeoutMs?: number;
  /** Ends the wait early. */
  signal?: AbortSignal;
}

/** A held lock; released by `await using`, and by the operating system when the process ends in any way. */
export interface Lock extends AsyncDisposable {
  readonly path: string;
  /** Who had it before and ended without giving it back: killed, or the machine stopped. */
  readonly abandonedBy?: LockOwner;
}

const DEFAULT_TIMEOUT_MS = 60_000;
const FIRST_WAIT_MS = 4;
const LONGEST_WAIT_MS = 60;

/**
 * Takes the lock file `path` for this process (and against other holders inside it), waiting for its turn.
 *
 * The lock is the kernel's (flock; LockFileEx on Windows), so an owner that was killed never leaves it behind; the file's text
 * only says who holds it. It works across hosts where the file system carries such locks, as NFS of Linux does unless it is
 * mounted with `nolock` or `local_lock`. The file stays when the lock is released: removing it would let two processes lock
 * two files of one name.
 * @throws {OperationError} `ca.locked` naming the holder when the wait is over; `file.write` when the file cannot be made.
 */
export async function acquireLock(path: string, action: string, options: LockOptions = {}): Promise<Lock> {
  const file = await lockCurrent(path, options);
  let abandonedBy: LockOwner | undefined;
  try {
    abandonedBy = await lockOwner(path);
    await writeOwner(file, path, action);
  } catch (error) {
    file.close();
    throw error;
  }
  return {
    path,
    ...(abandonedBy ? { abandonedBy } : {}),
    async [Symbol.asyncDispose]() {
      // a full disk must not turn a finished change into a failure; closing releases
      await file.truncate(0).catch(() => {});
      file.close();
    },
  };
}

/** The holder that the lock file names, or undefined when nobody wrote itself down. It may have ended meanwhile. */
export async function lockOwner(path: string): Promise<LockOwner | undefined> {
  try {
    const value: unknown = JSON.parse(await Deno.readTextFile(path));
    return isOwner(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What can be said of a lock without waiting for it. */
export interface LockState {
  /** Whether a process holds it now. */
  readonly held: boolean;
  /** Whom the file names. */
  readonly owner?: LockOwner;
  /** The owner that the file names has ended without giving the lock back: it was killed, or the machine stopped. */
  readonly stale: boolean;
}

/** State of the lock file `path`; one that is missing or cannot be read counts as free. */
export async function lockState(path: string): Promise<LockState> {
  const held = await isLocked(path);
  const owner = await lockOwner(path);
  return { held, ...(owner ? { owner } : {}), stale: !held && owner !== undefined };
}

/** Whether some process holds a kernel lock on the file; false when there is none. */
export async function isLocked(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(path, { read: true });
    return !await file.tryLock(false);
  } catch (cause) {
    // another user's file, or a file system without locks: it cannot be told, and counts as held
    return !(cause instanceof Deno.errors.NotFound);
  }
}

/** Locks the file that is at `path` when the lock is got: a restored CA has taken the place of another one meanwhile. */
async function lockCurrent(path: string, options: LockOptions): Promise<Deno.FsFile> {
  for (;;) {
    const file = await openLockFile(path);
    try {
      await waitForTurn(file, path, options);
      const [own, there] = await Promise.all([file.stat(), Deno.stat(path).catch(() => undefined)]);
      if (there && own.ino === there.ino && own.dev === there.dev) return file;
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
  }
}

async function openLockFile(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { read: true, write: true, create: true, mode: 0o644 });
  } catch (cause) {
    throw fileError("lock", path, cause);
  }
}

async function waitForTurn(file: Deno.FsFile, path: string, options: LockOptions): Promise<void> {
  const deadline = Date.now() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  let wait = FIRST_WAIT_MS;
  while (!await file.tryLock(true)) {
    if (Date.now() >= deadline) throw await lockedError(path, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    if (options.signal?.aborted) throw new InterruptedError();
    // jitter keeps many waiting processes from asking in step
    await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

async function writeOwner(file: Deno.FsFile, path: string, action: string): Promise<void> {
  const owner: LockOwner = { pid: Deno.pid, host: Deno.hostname(), since: new Date().toISOString(), action };
  try {
    await file.truncate(0);
    await file.seek(0, Deno.SeekMode.Start);
    await file.write(new TextEncoder().encode(JSON.stringify(owner) + "\n"));
  } catch (cause) {
    throw fileError("lock", path, cause);
  }
}

async function lockedError(path: string, waitedMs: number): Promise<OperationError> {
  const owner = await lockOwner(path);
  const stale = owner !== undefined && await hasEnded(owner);
  const who = owner
    ? `process ${owner.pid} on ${owner.host} has held the lock since ${owner.since} (${owner.action})` +
      (stale ? ", and has ended: it is stale" : "")
    : "another process holds the lock";
  return new OperationError(`Cannot lock "${path}": ${who}`, {
    code: "ca.locked",
    object: path,
    hint: `Waited ${Math.round(waitedMs / 1000)} s; ` +
      (stale
        ? "a program that it started still has the file open, or the file server has not noticed yet that it ended"
        : "try again when that command has ended. " +
          "The lock is released by itself when its process ends: do not delete the file"),
  });
}

/** An owner for messages. */
export function ownerInWords({ pid, host, action }: LockOwner): string {
  return `process ${pid} on ${host} (${action})`;
}

/** Whether the process has ended for certain; of another host, or without /proc, that cannot be told. */
async function hasEnded({ pid, host }: LockOwner): Promise<boolean> {
  if (Deno.build.os !== "linux" || host !== Deno.hostname()) return false;
  return await pathExists("/proc/self") && !await pathExists(`/proc/${pid}`);
}

function isOwner(value: unknown): value is LockOwner {
  if (typeof value !== "object" || value === null) return false;
  const { pid, host, since, action } = value as Record<string, unknown>;
  return typeof pid === "number" && typeof host === "string" && typeof since === "string" && typeof action === "string";
}
