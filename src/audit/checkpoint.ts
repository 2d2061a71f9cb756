import { defaultScheme, schemeRows } from "../alg/find.ts";
import { type Bytes, concatBytes, decodeBase64, encodeBase64, encodeHex, equalBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { spkiFingerprint } from "../keys/spki.ts";
import type { Key } from "../keys/types.ts";
import { verifySignature } from "../keys/verify.ts";
import { canonicalJson, type JsonObject } from "./canonical.ts";
import type { Chain } from "./chain.ts";

/** Form of checkpoints and proofs; a file with a higher one is refused. */
export const PROOF_FORM = 1;

/** What a checkpoint says: the log had these events, no others, in this order. */
export interface Statement {
  readonly form: number;
  readonly type: "audit-checkpoint";
  readonly log_id: string;
  /** Number of the last event, which is also how many leaves the tree has. */
  readonly seq: number;
  /** Hash of that event, hex. */
  readonly hash: string;
  /** Root of the Merkle tree (RFC 9162) over all lines, hex. */
  readonly root: string;
  /** RFC 3339, UTC. */
  readonly time: string;
}

/** Signature over a statement. */
export interface StatementSignature {
  /** Name of the scheme. */
  readonly scheme: string;
  /** SubjectPublicKeyInfo, base64. */
  readonly public_key: string;
  /** As X.509 carries it, base64. */
  readonly value: string;
}

/** The head of a log at a moment, to be kept where the log is not. */
export interface Checkpoint extends Statement {
  /** Without one the file proves nothing by itself: only where it was kept. */
  readonly signature?: StatementSignature;
}

/** What signatures of checkpoints begin with, so that they are none of anything else. */
const CONTEXT = new TextEncoder().encode("qpki audit checkpoint v1\n");

/** The checkpoint of a log that was read to its end, signed when there is a key. */
export async function makeCheckpoint(chain: Chain, time: Date, key?: Key): Promise<Checkpoint> {
  const statement: Statement = {
    form: PROOF_FORM,
    type: "audit-checkpoint",
    log_id: chain.logId!,
    seq: chain.head.seq,
    hash: chain.head.hash,
    root: encodeHex(chain.tree.root()),
    time: time.toISOString(),
  };
  if (!key) return statement;
  const scheme = defaultScheme(key.algorithm);
  const value = await key.signer(scheme).sign(signedBytes(statement));
  const signature = { scheme: scheme.name, public_key: encodeBase64(key.spki), value: encodeBase64(value) };
  await verifyCheckpoint({ ...statement, signature }).then((verdict) => {
    if (verdict.reason !== undefined) throw new Error(`The new signature of the checkpoint is bad: ${verdict.reason}`);
  });
  return { ...statement, signature };
}

/** What {@link verifyCheckpoint} found. */
export interface CheckpointVerdict {
  /** Undefined when the signature is good, or when none was asked for and there is none. */
  readonly reason?: string;
  /** SHA-256 of the signer's SubjectPublicKeyInfo, hex. */
  readonly signer?: string;
}

/** Checks the signature. @param trusted SubjectPublicKeyInfos of which one must have signed; any without them. */
export async function verifyCheckpoint(
  checkpoint: Checkpoint,
  trusted?: readonly Uint8Array[],
): Promise<CheckpointVerdict> {
  const { signature, ...statement } = checkpoint;
  if (!signature) return trusted ? { reason: "it is not signed" } : {};
  const scheme = schemeRows().find((row) => row.name === signature.scheme);
  if (!scheme) return { reason: `its signature has the unknown scheme "${signature.scheme.slice(0, 60)}"` };
  try {
    const [spki, value] = [decodeBase64(signature.public_key), decodeBase64(signature.value)];
    const signer = await spkiFingerprint(spki);
    if (trusted && !trusted.some((one) => equalBytes(one, spki))) {
      return { reason: `another key signed it (SPKI SHA-256 ${signer})`, signer };
    }
    const isGood = await verifySignature({ spki, scheme, message: signedBytes(statement), signature: value });
    return isGood ? { signer } : { reason: "its signature is wrong", signer };
  } catch (error) {
    if (error instanceof InputError) return { reason: `its signature cannot be read: ${error.message}` };
    throw error;
  }
}

/** Reads a checkpoint file. @throws {InputError} `checkpoint.invalid`. */
export function readCheckpoint(text: string, file: string): Checkpoint {
  const value = readProofObject(text, file, "audit-checkpoint");
  const { log_id, seq, hash, root, time, signature } = value;
  const isStated = typeof log_id === "string" && /^[0-9a-f]{32}$/.test(log_id) && isSeq(seq) && isHash(hash) &&
    isHash(root) && typeof time === "string" && time.length < 40;
  if (!isStated || !(signature === undefined || isSignature(signature))) {
    throw invalid(file, "a member is missing or not as it must be");
  }
  return value as unknown as Checkpoint;
}

/** A checkpoint or proof as an object. @throws {InputError} `checkpoint.invalid`. */
export function readProofObject(text: string, file: string, type: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(file, "it is not JSON", cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(file, "it is no JSON object");
  const object = value as JsonObject;
  if (object["type"] !== type) throw invalid(file, `it is not of type "${type}"`);
  if (typeof object["form"] === "number" && object["form"] > PROOF_FORM) {
    throw invalid(file, `it has form ${object["form"]}, made by a newer qpki`);
  }
  if (object["form"] !== PROOF_FORM) throw invalid(file, "it has no form");
  return object;
}

/** The error for a checkpoint or proof that cannot be read. */
export function invalid(file: string, reason: string, cause?: unknown): InputError {
  return new InputError(`Cannot read "${file}": ${reason}`, { code: "checkpoint.invalid", file, cause });
}

/** Whether a value is a SHA-256 in lower-case hex. */
export function isHash(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

/** Whether a value is the number of an event. */
export function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

function isSignature(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { scheme, public_key, value: bytes } = value as Record<string, unknown>;
  return typeof scheme === "string" && typeof public_key === "string" && typeof bytes === "string";
}

function signedBytes(statement: Statement): Bytes {
  return concatBytes(CONTEXT, new TextEncoder().encode(canonicalJson(statement as unknown as JsonObject)));
}
