import assert from "node:assert/strict";
import { readFileBytes } from "../../src/files.ts";
import type { CaMeta } from "../../src/store/meta.ts";
import { readCertificates } from "../../src/x509/certificate.ts";
import type { Certificate } from "../../src/x509/types.ts";
import { type InProcessResult, runInProcess } from "./in_process.ts";
import { type TempFolder, tempFolder } from "./tmp.ts";

/** A work folder in which `qpki` runs. */
export class Work implements Disposable {
  readonly tmp: TempFolder = tempFolder();

  readonly #env: Record<string, string>;

  constructor(env: Record<string, string> = {}) {
    this.#env = env;
  }

  async try(...args: string[]): Promise<InProcessResult> {
    return await runInProcess(args, { cwd: this.tmp.path, env: this.#env });
  }
  /** Runs a command that must succeed. */
  async run(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.try(...args);
    assert.equal(status, 0, `qpki ${args.join(" ")}\n${stdout}${stderr}`);
    return stdout;
  }
  /** Runs a command that must fail with a status and say something. */
  async fails(status: number, message: RegExp, ...args: string[]): Promise<void> {
    const result = await this.try(...args);
    assert.equal(result.status, status, `qpki ${args.join(" ")}\n${result.stdout}${result.stderr}`);
    assert.match(result.stdout + result.stderr, message);
  }
  /** As {@link run}; the answer has the fields that the caller names. */
  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.run(...args, "--json"));
  }
  meta(ca: string): CaMeta {
    return JSON.parse(this.tmp.read(`${ca}/ca.meta.json`));
  }
  /** Keys of the only version of a CA, which are in files. */
  keys(ca: string): { id: string; algorithm: string; path: string; pin: string | undefined }[] {
    return this.meta(ca).versions["v1"]!.keys.map(({ id, algorithm, storage, spki_sha256: pin }) => {
      assert.ok(storage.type === "software");
      return { id, algorithm, path: storage.path, pin };
    });
  }
  async certificate(file: string): Promise<Certificate> {
    return readCertificates(await readFileBytes(this.tmp.join(file)))[0]!;
  }
  [Symbol.dispose]() {
    this.tmp[Symbol.dispose]();
  }
}
