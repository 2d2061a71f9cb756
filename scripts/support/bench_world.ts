import { findKeyRow } from "../../src/alg/find.ts";
import { Secret } from "../../src/bytes.ts";
import type { Deps } from "../../src/ca/deps.ts";
import { issueBatch, type IssueRequest } from "../../src/ca/issue.ts";
import type { OpenCa } from "../../src/ca/signer.ts";
import { generateSoftwareKey } from "../../src/keys/software.ts";
import { type Pkcs11Provider, pkcs11Provider } from "../../src/pkcs11/provider.ts";
import { compileProfile } from "../../src/profile/compile.ts";
import { loadProfile, parseProfile } from "../../src/profile/load.ts";
import type { CompiledProfile } from "../../src/profile/types.ts";
import { count, rate } from "./measure.ts";

/** What benches of every kind share: the surroundings of a use case, a CA's profile, a request, and a line of figures. */

/** Length of a measurement, seconds. */
export const SECONDS = Number(Deno.env.get("QPKI_BENCH_SECONDS") ?? 3);
/** Sessions of a pool. */
export const POOL = Math.max(2, Math.min(navigator.hardwareConcurrency, 8));

/** What a use case gets from outside. */
export function deps(folder: string, openProvider: Deps["openProvider"]): Deps {
  return {
    cwd: folder,
    openProvider,
    now: () => new Date(),
    progress() {},
    warn: (text) => console.error(`warning: ${text}`),
    signal: new AbortController().signal,
  };
}

/** A root CA's profile for any algorithm: what the built-in ones say, with one line changed. */
export async function caProfile(algorithm: string): Promise<CompiledProfile> {
  const { text } = await loadProfile("ec/root-ca");
  const changed = text.replace(/^algorithm: .*$/m, `algorithm: ${algorithm}`);
  return compileProfile(parseProfile(changed, "bench.yaml"), { cn: `Bench ${algorithm}` });
}

/** The request that is issued again and again: a server certificate for one P-256 key. */
export async function leafRequest(): Promise<IssueRequest> {
  const { spki } = await generateSoftwareKey(findKeyRow("ecdsa-p256"));
  const given = { cn: "server.test", dns_names: ["server.test", "www.server.test"] };
  return { profile: compileProfile(await loadProfile("ec/tls-server"), given), spki };
}

/** Finished certificates a second. Groups of 128 become durable together, while the next one is signed. */
export async function certificateRate(
  ca: OpenCa,
  request: IssueRequest,
  { parallel, world, seconds = SECONDS }: { parallel: number; world: Deps; seconds?: number },
): Promise<number> {
  const batch = 128;
  const issue = async (amount: number) =>
    (await issueBatch(ca, Array.from({ length: amount }, () => request), { deps: world, parallel, batch })).length;
  let each = 1 / await rate(seconds, () => issue(1));
  const end = performance.now() + seconds * 1000;
  return await count(seconds, async (stop) => {
    let issued = 0;
    while (!stop()) {
      // a slow signature must not make the last group last for minutes
      const left = (end - performance.now()) / 1000;
      const begin = performance.now();
      const amount = await issue(Math.max(1, Math.min(8 * batch, Math.floor(left / each))));
      each = (performance.now() - begin) / 1000 / amount;
      issued += amount;
    }
    return issued;
  });
}

/** A token that a bench uses. */
export interface BenchToken {
  readonly lib: string;
  readonly label: string;
  readonly pin: string;
}

/** Opens a token with this many sessions. */
export async function openToken(
  { lib, label, pin }: BenchToken,
  config: string,
  sessions: number,
): Promise<Pkcs11Provider> {
  return await pkcs11Provider({
    configPath: config,
    lib,
    token: label,
    sessions,
    pin: () => Promise.resolve(new Secret(pin)),
    notify: (text) => console.error(text),
  });
}

/** `rate` beside the rate it is measured against. */
export interface Figure {
  readonly name: string;
  readonly raw: number;
  readonly rate: number;
  /** What is counted. */
  readonly unit: string;
  /** Least ratio that is aimed at. */
  readonly aim?: number;
}

/** Prints one figure. */
export function printFigure({ name, raw, rate, unit, aim }: Figure): void {
  const ratio = rate / raw;
  const verdict = aim === undefined || ratio >= aim ? "" : `  (aim: ${aim})`;
  const digits = (value: number) => value.toFixed(value < 10 ? 2 : 0).padStart(8);
  console.log(
    `  ${name.padEnd(38)}${digits(raw)}/s raw${digits(rate)}/s ${unit.padEnd(14)} ratio ${ratio.toFixed(2)}${verdict}`,
  );
}

/** What so many `workers` count together. */
export async function inParallel(workers: number, work: () => Promise<number>): Promise<number> {
  const counts = await Promise.all(Array.from({ length: workers }, work));
  return counts.reduce((sum, each) => sum + each, 0);
}
