import type { Bytes } from "../../../bytes.ts";
import { decodeHex, encodeHex } from "../../../bytes.ts";
import type { CborValue } from "../../../cose/cbor.ts";
import { CLAIM, claimLabel, encodeClaims } from "../../../cose/cwt.ts";
import { bytesPayload, filePayload } from "../../../cose/payload.ts";
import { type CoseSigner, signMessage, type SignRequest } from "../../../cose/sign.ts";
import { type BatchResult, runBatch } from "../../../credential/cose_batch.ts";
import { InputError, OperationError, type QpkiError } from "../../../errors.ts";
import { existsError, pathExists, readFileText, writeFileDurably } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Context, Flag } from "../../command.ts";
import { refusePrivateKey } from "../../output_files.ts";
import { type GivenClaims, seconds, withIssueTime } from "./_claims.ts";

/** Many messages in one login. */
export const BATCH: Flag = {
  name: "batch",
  value: "FILE",
  description: 'sign every line of a JSON Lines file: {"data": FILE} or {"claims": {…}}, with "out": FILE',
  complete: "file",
};

/** One line of the file, read. */
interface Job {
  readonly line: number;
  readonly data?: string;
  readonly detached: boolean;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly out?: string;
}

/** What all messages have in common. */
export interface BatchSettings extends Pick<SignRequest, "kind" | "aad" | "contentType"> {
  readonly signers: readonly CoseSigner[];
  /** Claims of the command line, which those of a line win over. */
  readonly claims: GivenClaims;
  readonly issueTime: boolean;
  readonly detached: boolean;
  readonly overwrite: boolean;
}

/** One result, as it is printed. */
export type BatchLine = Readonly<Record<string, unknown>> & { readonly line: number };

const FIELDS: ReadonlySet<string> = new Set(["data", "detached", "claims", "out"]);

/** Signs every line of `file`. @throws {InputError} for a file that cannot be read; {TokenError} when a token fails. */
export async function signLines(file: string, settings: BatchSettings, ctx: Context): Promise<BatchLine[]> {
  const path = file === "-" ? "/dev/stdin" : joinPath(ctx.cwd, file);
  const lines = (await readFileText(path)).split("\n")
    .map((text, i) => ({ text, line: i + 1 })).filter(({ text }) => text.trim() !== "");
  const results = await runBatch(lines, ({ text, line }) => signLine(readJob(text, line), settings, ctx), {
    deps: ctx,
  });
  return results.map((result, i) => resultLine(lines[i]!.line, result));
}

function resultLine(line: number, result: BatchResult<Record<string, unknown>>): BatchLine {
  return "done" in result ? { line, ...result.done } : { line, error: errorOf(result.error) };
}

function errorOf({ code, message, hint }: QpkiError) {
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}

async function signLine(job: Job, settings: BatchSettings, ctx: Context): Promise<Record<string, unknown>> {
  const { kind, aad, contentType, signers, overwrite } = settings;
  const { out } = job;
  const path = out === undefined ? undefined : joinPath(ctx.cwd, out);
  if (path !== undefined && !overwrite && await pathExists(path)) throw existsError(out!);
  if (path !== undefined) await refusePrivateKey(path);
  const payload = job.data === undefined
    ? bytesPayload(claimBytes(job, settings, ctx.now()))
    : await filePayload(joinPath(ctx.cwd, job.data), { name: job.data, signal: ctx.signal });
  const detached = job.data !== undefined && (job.detached || settings.detached);
  if (!payload.bytes && !detached) {
    throw new OperationError(`Cannot sign "${job.data}": it is too large to be in a message`, {
      code: "cose.too_large",
      hint: 'Add "detached": true',
    });
  }
  const message = await signMessage({
    kind,
    payload,
    detached,
    cwt: job.data === undefined,
    signers,
    ...(aad ? { aad } : {}),
    ...(contentType === undefined ? {} : { contentType }),
  });
  if (path === undefined) return { message: encodeHex(message) };
  await writeFileDurably(path, message, { overwrite });
  return { out, bytes: message.length };
}

function readJob(text: string, line: number): Job {
  const value = parse(text, line);
  const unknown = Object.keys(value).find((key) => !FIELDS.has(key));
  if (unknown !== undefined) throw bad(line, `"${unknown}" is none of its fields`);
  const { data, detached = false, claims, out } = value;
  if ((data === undefined) === (claims === undefined)) throw bad(line, 'it has either "data" or "claims"');
  if (data !== undefined && typeof data !== "string") throw bad(line, '"data" is not the name of a file');
  if (out !== undefined && (typeof out !== "string" || out === "")) throw bad(line, '"out" is not the name of a file');
  if (typeof detached !== "boolean") throw bad(line, '"detached" is neither true nor false');
  if (claims !== undefined && !isObject(claims)) throw bad(line, '"claims" is no object');
  return {
    line,
    detached,
    ...(data === undefined ? {} : { data }),
    ...(claims === undefined ? {} : { claims }),
    ...(out === undefined ? {} : { out }),
  };
}

function parse(text: string, line: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InputError(`Cannot use line ${line}: it is not JSON`, { code: "batch.line", line, cause });
  }
  if (!isObject(value)) throw bad(line, "it is no object");
  return value;
}

function claimBytes({ claims = {}, line }: Job, settings: BatchSettings, now: Date): Bytes {
  const all: GivenClaims = new Map(settings.claims);
  for (const [name, value] of Object.entries(claims)) {
    const label = claimLabel(name);
    all.set(label, claimValue(label, value, { line, name, now }));
  }
  return encodeClaims(withIssueTime(all, { now, wanted: settings.issueTime }));
}

/** JSON to a claim: texts, integers, true and false, `{"bytes": HEX}`, lists; times as a duration or a moment. */
function claimValue(
  label: CborValue,
  value: unknown,
  where: { line: number; name: string; now: Date },
): CborValue {
  if (typeof value === "string" && (label === CLAIM.EXP || label === CLAIM.NBF || label === CLAIM.IAT)) {
    return seconds(value, { flag: where.name, now: where.now });
  }
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  if (Array.isArray(value)) return value.map((one) => claimValue(undefined, one, where));
  if (isObject(value) && typeof value["bytes"] === "string" && Object.keys(value).length === 1) {
    return decodeHex(value["bytes"]);
  }
  throw bad(where.line, `the claim "${where.name}" is no text, integer, boolean, {"bytes": HEX} or list of them`);
}

function bad(line: number, reason: string): InputError {
  return new InputError(`Cannot use line ${line}: ${reason}`, { code: "batch.line", line });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
