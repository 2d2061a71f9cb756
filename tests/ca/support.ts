import { Secret } from "../../src/bytes.ts";
import type { Deps } from "../../src/ca/deps.ts";
import { initCa, type InitRequest, type InitResult } from "../../src/ca/init.ts";
import { caSigner, type OpenCa } from "../../src/ca/signer.ts";
import { softwareProvider } from "../../src/keys/software.ts";
import type { PassphraseSource } from "../../src/keys/types.ts";
import { compileProfile } from "../../src/profile/compile.ts";
import { loadProfile } from "../../src/profile/load.ts";
import type { CompiledProfile } from "../../src/profile/types.ts";
import { CaStore } from "../../src/store/ca.ts";
import { run } from "../support/cli.ts";

/** Dependencies of use cases for tests: software keys only, and what was said is kept. */
export interface TestDeps extends Deps {
  readonly warnings: string[];
  readonly progressed: string[];
}

/** Dependencies that work in `cwd`. */
export function testDeps(cwd: string, more: Partial<Deps> = {}): TestDeps {
  const warnings: string[] = [];
  const progressed: string[] = [];
  return {
    cwd,
    now: () => new Date(),
    warn: (text) => void warnings.push(text),
    progress: (text) => void progressed.push(text),
    signal: new AbortController().signal,
    openProvider: (request) => {
      if (request.type !== "software") throw new Error("this test has no token");
      return Promise.resolve(
        softwareProvider({ cwd, ...(request.passphrase ? { passphrase: request.passphrase } : {}) }),
      );
    },
    ...more,
    warnings,
    progressed,
  };
}

/** A built-in profile with values filled in. */
export async function profileOf(name: string, given: Record<string, unknown>): Promise<CompiledProfile> {
  return compileProfile(await loadProfile(name), given);
}

/** A source of a fixed passphrase. */
export function passphrase(text: string): PassphraseSource {
  return () => Promise.resolve(new Secret(text));
}

/** Makes a CA with a key in a file. */
export async function makeCa(
  folder: string,
  deps: Deps,
  request: Partial<InitRequest> & { profileName?: string; given?: Record<string, unknown> } = {},
): Promise<InitResult> {
  const { profileName = "ec/root-ca", given = { cn: "Test Root" }, ...rest } = request;
  const profiles = [await profileOf(profileName, given)] as const;
  return await initCa({ folder, profiles, key: { type: "software" }, ...rest }, deps);
}

/** Opens a CA for signing. */
export async function openCa(folder: string, deps: Deps, source?: PassphraseSource): Promise<OpenCa> {
  return await caSigner(await CaStore.open(folder), deps, { passphrase: source });
}

/** Runs OpenSSL and returns its output. @throws {Error} with what it said when it fails. */
export async function openssl(args: readonly string[], stdin?: string): Promise<string> {
  const result = await run("openssl", args, stdin === undefined ? {} : { stdin });
  if (result.code !== 0) throw new Error(`openssl ${args.join(" ")}: ${result.stderr}${result.stdout}`);
  return result.stdout;
}

/** Names of everything below a folder, sorted. */
export function treeOf(folder: string): string[] {
  const names: string[] = [];
  for (const entry of Deno.readDirSync(folder)) {
    names.push(entry.name);
    if (entry.isDirectory) names.push(...treeOf(`${folder}/${entry.name}`).map((name) => `${entry.name}/${name}`));
  }
  return names.sort();
}
