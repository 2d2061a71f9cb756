/** How calls to the file system go wrong; see {@link injectFaults}. */
export type FaultMode = "kill" | "ENOSPC" | "EIO";

/** Faults that are in force. Disposing takes them away. */
export interface Faults extends Disposable {
  /** Calls so far that change something. */
  readonly calls: number;
}

/**
 * Disturbs this process at one call to the file system; every call that changes something counts, from 1. Modes: `kill`
 * (SIGKILL before the call; of a write half is done), `ENOSPC` (this and every later call that needs room fails), `EIO` (this
 * one call fails). For tests: the program knows nothing of it.
 */
export function injectFaults(mode: FaultMode, at: number): Faults {
  let calls = 0;
  function point(needsRoom: boolean, half?: () => void): void {
    calls++;
    if (mode === "kill" && calls === at) {
      half?.();
      Deno.kill(Deno.pid, "SIGKILL");
      for (;;);
    }
    if (mode === "EIO" && calls === at) throw new Error("Input/output error (os error 5)");
    if (mode === "ENOSPC" && calls >= at && needsRoom) throw new Error("No space left on device (os error 28)");
  }

  const { open, rename, link, remove, mkdir } = Deno;
  const file = Deno.FsFile.prototype;
  const { write, writeSync, sync, truncate } = file;
  // async: a refusal is a rejection, as the system's
  Deno.open = async (path, options) => {
    if (options?.create || options?.createNew) point(true);
    return await open(path, options);
  };
  Deno.rename = async (from, to) => {
    point(false);
    await rename(from, to);
  };
  Deno.link = async (from, to) => {
    point(true);
    await link(from, to);
  };
  Deno.remove = async (path, options) => {
    point(false);
    await remove(path, options);
  };
  Deno.mkdir = async (path, options) => {
    point(true);
    await mkdir(path, options);
  };
  file.write = async function (bytes) {
    point(true, () => bytes.length > 1 && writeSync.call(this, bytes.subarray(0, bytes.length >> 1)));
    return await write.call(this, bytes);
  };
  file.sync = async function () {
    point(false);
    await sync.call(this);
  };
  file.truncate = async function (length) {
    point(false);
    await truncate.call(this, length);
  };
  return {
    get calls() {
      return calls;
    },
    [Symbol.dispose]() {
      Object.assign(Deno, { open, rename, link, remove, mkdir });
      Object.assign(file, { write, sync, truncate });
    },
  };
}
