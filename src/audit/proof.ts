import { type Bytes, encodeHex } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { syncHasher } from "../keys/digest.ts";
import { canonicalJson, type JsonObject } from "./canonical.ts";
import { readChain } from "./chain.ts";
import {
  type Checkpoint,
  invalid,
  isHash,
  isSeq,
  PROOF_FORM,
  readProofObject,
  verifyCheckpoint,
} from "./checkpoint.ts";
import { hashedBytes, type LoggedEvent, readEvent } from "./event.ts";
import { leafHash, PathBuilder, verifyInclusion } from "./merkle.ts";

/** One event with the proof that it is in the tree. */
export interface ProvedEvent {
  readonly event: LoggedEvent & JsonObject;
  /** Hashes from the leaf up (RFC 9162 section 2.1.3), hex. The leaf is the event's line, its index `seq - 1`. */
  readonly path: readonly string[];
}

/** Proof that a log had these events when a checkpoint of so many events was made. */
export interface Proof {
  readonly form: number;
  readonly type: "audit-proof";
  readonly log_id: string;
  /** `seq` of the checkpoint. */
  readonly tree_size: number;
  readonly events: readonly ProvedEvent[];
}

/** Which events are proved: those that came of something, about this certificate; or one by number. */
export type Wanted = { readonly serial: string } | { readonly seq: number };

/** Events in one proof; more were done to no certificate. */
const MAX_EVENTS = 64;

/**
 * Makes the proof, reading the log twice: once to verify it and find the events, once to gather the paths.
 * @throws {OperationError} `audit.broken` when the log does not verify up to the checkpoint; `proof.not_found`.
 */
export async function makeProof(files: readonly string[], wanted: Wanted, checkpoint: Checkpoint): Promise<Proof> {
  const hash = await syncHasher("SHA-256");
  const size = checkpoint.seq;
  const found: (LoggedEvent & JsonObject)[] = [];
  let root: Bytes | undefined;
  const first = await readChain(files, hash, ({ event, chain }) => {
    if (event.seq === size) root = chain.tree.root();
    if (event.seq <= size && isWanted(event, wanted) && found.length < MAX_EVENTS) found.push(event);
  });
  const { problem, chain } = first;
  if (!root || encodeHex(root) !== checkpoint.root || chain.logId !== checkpoint.log_id) {
    const reason = problem
      ? `${problem.file}${problem.line === undefined ? "" : ` line ${problem.line}`}: ${problem.message}`
      : "it is not the log of the checkpoint, or not all of it";
    throw new OperationError(`Cannot prove anything with the audit log: ${reason}`, {
      code: "audit.broken",
      hint: "See: qpki audit verify --log FILE --checkpoint FILE",
    });
  }
  if (found.length === 0) throw notFound(wanted, checkpoint);
  const builders = found.map(({ seq }) => new PathBuilder(hash, seq - 1, size));
  let at = 0;
  for (const { level, hash: subtree } of chain.begin.subtrees) {
    for (const builder of builders) builder.add(at, subtree, level);
    at += 2 ** level;
  }
  await readChain(files, hash, ({ event, leaf }) => {
    if (event.seq > size) return;
    for (const builder of builders) builder.add(event.seq - 1, leaf);
  });
  const events = found.map((event, i): ProvedEvent => ({ event, path: builders[i]!.path().map(encodeHex) }));
  return { form: PROOF_FORM, type: "audit-proof", log_id: chain.logId!, tree_size: size, events };
}

/** What {@link verifyProof} found. */
export interface ProofVerdict {
  readonly valid: boolean;
  readonly reason?: string;
  /** SHA-256 of the public key that signed the checkpoint, hex. */
  readonly signer?: string;
}

/** Checks a proof against a checkpoint, without the log. @param trusted public keys of which one must have signed it. */
export async function verifyProof(
  proof: Proof,
  checkpoint: Checkpoint,
  trusted?: readonly Uint8Array[],
): Promise<ProofVerdict> {
  const { reason, signer } = await verifyCheckpoint(checkpoint, trusted);
  const problem = reason === undefined ? await proofProblem(proof, checkpoint) : `the checkpoint: ${reason}`;
  return {
    valid: problem === undefined,
    ...(problem === undefined ? {} : { reason: problem }),
    ...(signer === undefined ? {} : { signer }),
  };
}

async function proofProblem(proof: Proof, checkpoint: Checkpoint): Promise<string | undefined> {
  if (proof.log_id !== checkpoint.log_id) return "proof and checkpoint are about different logs";
  if (proof.tree_size !== checkpoint.seq) {
    return `the proof is for a checkpoint of ${proof.tree_size} events, and this one is of ${checkpoint.seq}`;
  }
  const hash = await syncHasher("SHA-256");
  const root = Uint8Array.fromHex(checkpoint.root);
  for (const { event, path } of proof.events) {
    if (encodeHex(hash(hashedBytes(event))) !== event.hash) return `event ${event.seq} was changed`;
    const leaf = leafHash(hash, new TextEncoder().encode(canonicalJson(event)));
    const hashes = path.map((one) => Uint8Array.fromHex(one));
    const inclusion = { leaf, index: event.seq - 1, size: proof.tree_size, path: hashes, root };
    if (!verifyInclusion(hash, inclusion)) return `event ${event.seq} is not in the log of the checkpoint`;
  }
  return undefined;
}

/** Reads a proof file. @throws {InputError} `checkpoint.invalid`. */
export function readProof(text: string, file: string): Proof {
  const value = readProofObject(text, file, "audit-proof");
  const { log_id, tree_size, events } = value;
  if (typeof log_id !== "string" || !isSeq(tree_size) || !Array.isArray(events) || events.length === 0) {
    throw invalid(file, "a member is missing or not as it must be");
  }
  return {
    form: PROOF_FORM,
    type: "audit-proof",
    log_id,
    tree_size,
    events: events.map((entry) => readProved(entry, file)),
  };
}

function readProved(entry: unknown, file: string): ProvedEvent {
  if (typeof entry !== "object" || entry === null) throw invalid(file, "an event is missing");
  const { event, path } = entry as { event?: JsonObject; path?: unknown };
  if (!Array.isArray(path) || path.length > 64 || !path.every(isHash)) {
    throw invalid(file, "a path is no list of hashes");
  }
  try {
    return { event: readEvent(new TextEncoder().encode(canonicalJson(event ?? null))), path };
  } catch (cause) {
    if (!(cause instanceof InputError)) throw cause;
    throw invalid(file, `an event is none: ${cause.object ?? cause.message}`, cause);
  }
}

function isWanted(event: LoggedEvent, wanted: Wanted): boolean {
  return "seq" in wanted ? event.seq === wanted.seq : event.serial === wanted.serial && event.result === "ok";
}

function notFound(wanted: Wanted, { seq, time }: Checkpoint): OperationError {
  const what = "seq" in wanted ? `event ${wanted.seq}` : `an event about certificate ${wanted.serial}`;
  return new OperationError(`Cannot find ${what} among the ${seq} events of the checkpoint of ${time}`, {
    code: "proof.not_found",
    object: "seq" in wanted ? String(wanted.seq) : wanted.serial,
    hint: "What came later needs a later checkpoint: qpki audit checkpoint",
  });
}
