import { run, type RunOptions, type RunResult, spawnCli } from "../support/cli.ts";
import type { SoftHsmToken } from "../support/softhsm.ts";
import { type TempFolder, tempFolder } from "../support/tmp.ts";

/** The built file as an operator would have it: no Deno, node or npm on PATH, and a cache of its own. */
export interface BuiltFile extends Disposable {
  readonly path: string;
  /** Holds `cache/` (its XDG_CACHE_HOME), `home/` and `tmp/`. */
  readonly folder: TempFolder;
  /** `cache/qpki`. */
  readonly base: string;
  /** Environment of a start; nothing is inherited. */
  readonly env: Record<string, string>;
  /** The one unpacked folder. @throws {Error} when there is none, or several. */
  unpacked(): string;
  start(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Starts without waiting. */
  spawn(args: readonly string[], options?: RunOptions): Deno.ChildProcess;
}

/** The file that QPKI_BIN names. */
export function builtFile(): BuiltFile {
  const folder = tempFolder("qpki-build-");
  for (const name of ["cache", "home", "tmp", "empty"]) Deno.mkdirSync(folder.join(name), { mode: 0o700 });
  const path = Deno.realPathSync(new URL(Deno.env.get("QPKI_BIN")!, new URL("../../", import.meta.url)).pathname);
  const env = {
    PATH: folder.join("empty"),
    HOME: folder.join("home"),
    XDG_CACHE_HOME: folder.join("cache"),
    TMPDIR: folder.join("tmp"),
    NO_COLOR: "1",
    DENO_DIR: folder.join("no-such-folder"),
  };
  const base = folder.join("cache", "qpki");
  return {
    path,
    folder,
    base,
    env,
    unpacked() {
      const names = [...Deno.readDirSync(base)].map((entry) => entry.name);
      if (names.length !== 1) throw new Error(`${base} holds ${names.join(", ") || "nothing"}`);
      return `${base}/${names[0]}`;
    },
    start: (args, options = {}) => run(path, args, { clearEnv: true, ...options, env: options.env ?? env }),
    spawn: (args, options = {}) =>
      spawnCli(args, { clearEnv: true, binary: path, ...options, env: options.env ?? env }),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

/** A start that waits for its PIN command, so that it has surely come to work. */
export async function startWaiting(built: BuiltFile, token: SoftHsmToken, env = built.env): Promise<Deno.ChildProcess> {
  const mark = built.folder.join("waiting");
  const script = built.folder.write("wait.sh", `#!/bin/sh\n: > "${mark}"\nexec /bin/sleep 4\n`, 0o700);
  const config = built.folder.write(
    "waiting.yaml",
    `type: pkcs11\npkcs11:\n  lib: ${token.lib}\n  token: ${token.label}\n  pin_command: ["${script}"]\n`,
  );
  const child = built.spawn(["key", "list", "--hsm-config", config], {
    env: { ...env, SOFTHSM2_CONF: token.conf },
  });
  await eventually(() => isThere(mark), "the PIN command runs");
  Deno.removeSync(mark);
  return child;
}

/** Whether something is at `path`. */
export function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** How the file was built, for tests that concern one way only. */
export async function isSelfExtracting(): Promise<boolean> {
  if (!Deno.env.get("QPKI_BIN")) return false;
  using built = builtFile();
  return (await built.start(["--version"])).stdout.includes("self-extracting");
}

/** Names in a folder, sorted. */
export function namesIn(path: string): string[] {
  return [...Deno.readDirSync(path)].map((entry) => entry.name).sort();
}

/** Waits until a condition holds, at most ten seconds. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`It did not come to pass: ${what}`);
}
