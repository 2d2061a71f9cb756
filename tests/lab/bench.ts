import assert from "node:assert/strict";
import { describe, run, runCli, type RunResult } from "../support/cli.ts";
import { runInProcess } from "../support/in_process.ts";
import type { LabToken } from "../support/lab.ts";
import { tempFolder } from "../support/tmp.ts";

/** A key's name in files and tokens, and whether it is two keys. */
export interface KeyWish {
  readonly label: string;
  readonly hybrid: boolean;
}

/** How the keys of a bench are kept. */
export interface BenchOptions {
  /** The post-quantum keys of hybrids are not for the token. */
  readonly pqcInFiles?: boolean;
}

/** A work folder with an `hsm.yaml` for a token, or without when keys are in files. */
export class Bench implements Disposable {
  readonly #tmp = tempFolder("qpki-lab-");
  readonly #token: LabToken | undefined;
  readonly #pqcInFiles: boolean;
  /** Begins every label, so that benches can share a token. */
  readonly #prefix = crypto.randomUUID().slice(0, 8);

  constructor(token: LabToken | undefined, { pqcInFiles = false }: BenchOptions = {}) {
    this.#token = token;
    this.#pqcInFiles = pqcInFiles;
    token?.hsmYaml(this.path("hsm.yaml"));
  }

  [Symbol.dispose](): void {
    this.#tmp[Symbol.dispose]();
  }

  /** Path of a file in the work folder. */
  path(name: string): string {
    return this.#tmp.join(name);
  }

  /** Names of the files in a folder. */
  filesIn(name: string): string[] {
    return [...Deno.readDirSync(this.path(name))].map((entry) => entry.name).sort();
  }

  read(name: string): string {
    return this.#tmp.read(name);
  }

  write(name: string, content: string | Uint8Array): string {
    return this.#tmp.write(name, content);
  }

  /** Flags for a command that makes the keys of a CA or a credential. */
  keyFlags({ label, hybrid }: KeyWish): string[] {
    if (!this.#token) return [];
    const flags = ["--hsm-config", "./hsm.yaml", "--key-label", `${this.#prefix}-${label}`];
    return hybrid && this.#pqcInFiles ? [...flags, "--pqc-in", "software"] : flags;
  }

  /** Flags for `csr gen`, which names its files. */
  requestKeyFlags({ label, hybrid }: KeyWish): string[] {
    const second = hybrid && (!this.#token || this.#pqcInFiles) ? ["--hybrid-keyout", `${label}-pqc.key`] : [];
    const inToken = ["--hsm-config", "./hsm.yaml", "--key-label", `${this.#prefix}-${label}`];
    const first = this.#token ? inToken : ["--keyout", `${label}.key`];
    return [...first, ...second];
  }

  /** Runs `qpki` in the work folder and returns what it prints. @throws {Error} when it fails. */
  async qpki(...args: string[]): Promise<string> {
    const result = await this.#run(args);
    if (result.code !== 0) throw new Error(describe(`qpki ${args.join(" ")}`, result));
    return result.stdout;
  }

  /** Runs `qpki`, which must answer no (exit 1) and say why. */
  async qpkiSaysNo(reason: RegExp, ...args: string[]): Promise<void> {
    const result = await this.#run(args);
    assert.equal(result.code, 1, describe(`qpki ${args.join(" ")}`, result));
    assert.match(result.stdout + result.stderr, reason);
  }

  /** In a process of its own where a token's library is loaded, else in this one: starting takes longer than working. */
  async #run(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const cwd = this.#tmp.path;
    if (this.#token && args[1] !== "verify") return await runCli(args, { cwd, env: { ...this.#token.env } });
    const { status, ...streams } = await runInProcess(args, { cwd });
    return { code: status, ...streams };
  }

  /** Runs `openssl` in the work folder. */
  openssl(...args: string[]): Promise<RunResult> {
    return run("openssl", args, { cwd: this.#tmp.path });
  }

  /** Fails when a private key is in a file that should be in the token, or the other way round. */
  checkPrivateKeyFiles(hybrid: boolean): void {
    if (!this.#token) return;
    const found = [...privateKeysBelow(this.#tmp.path)];
    if (hybrid && this.#pqcInFiles) assert.ok(found.length > 0, "no post-quantum key is in a file");
    else assert.deepEqual(found, []);
  }
}

function* privateKeysBelow(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* privateKeysBelow(path);
    else if (Deno.readTextFileSync(path).includes("PRIVATE KEY-----")) yield path;
  }
}
