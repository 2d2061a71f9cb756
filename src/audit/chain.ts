import { type Bytes, encodeHex, equalBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import type { JsonObject } from "./canonical.ts";
import { hashedBytes, type Head, type LoggedEvent, NO_HASH, readEvent } from "./event.ts";
import { type Line, OpenLog } from "./lines.ts";
import { CONTINUED, CREATED, RECOVERED } from "./log.ts";
import { frontierLevels, type Hash, leafHash, MerkleFrontier, type Subtree } from "./merkle.ts";

/** Where a log is broken, and why. */
export interface Break {
  /**
   * `line.malformed`, `event.changed`, `seq.gap`, `seq.order`, `chain.broken`, `line.missing`, `log.begin`, `log.other`, `log.torn`,
   * `log.empty`, `log.missing`, `checkpoint`.
   */
  readonly code: string;
  readonly message: string;
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
}

/** What an interruption left half written, and the log itself names. */
export interface Recovered {
  readonly file: string;
  readonly line: number;
  readonly bytes: number;
}

/** A file of a log; up to `size` bytes for whoever has locked it. */
export interface LogFile {
  readonly path: string;
  readonly size?: number;
}

/** A file of a log as it was read. */
export interface ReadFile {
  readonly path: string;
  readonly first_seq: number;
  readonly last_seq: number;
}

/** An event that fits, with the hash of its leaf. */
export interface Step {
  readonly event: LoggedEvent & JsonObject;
  readonly leaf: Bytes;
  readonly chain: Chain;
}

/** Recovered places that are listed; more are only counted. */
const MAX_LISTED = 100;

/** Ends the reading of a chain. */
class ChainBreak extends Error {
  readonly problem: Break;
  constructor(problem: Break) {
    super(problem.message);
    this.problem = problem;
  }
}

/** A chain of events while it is read: where it is, and the tree over what came so far. */
export class Chain {
  readonly #hash: Hash;
  readonly files: ReadFile[] = [];
  readonly recovered: Recovered[] = [];
  recoveredCount = 0;
  logId: string | undefined;
  /** The event read last. */
  head: Head = { seq: 0, hash: NO_HASH };
  /** What came before the first file. */
  begin: { readonly head: Head; readonly subtrees: readonly Subtree[] } = { head: this.head, subtrees: [] };
  tree: MerkleFrontier;
  #piece: { readonly line: Line; readonly reason: string } | undefined;

  constructor(hash: Hash) {
    this.#hash = hash;
    this.tree = new MerkleFrontier(hash);
  }

  /** Reads one file, telling of every event that fits. Rejects with a {@link ChainBreak}. */
  async readFile({ path, size }: LogFile, visit: (step: Step) => void): Promise<void> {
    using log = await OpenLog.open(path, size);
    let firstSeq: number | undefined;
    for await (const line of log.lines()) {
      const event = this.#take(line, path, firstSeq === undefined);
      if (!event) continue;
      firstSeq ??= event.seq;
      const leaf = leafHash(this.#hash, line.bytes);
      this.tree.add(leaf);
      this.head = event;
      visit({ event, leaf, chain: this });
    }
    if (this.#piece) this.#breakAt(path, this.#piece.line.number, "line.malformed", this.#piece.reason);
    if (firstSeq === undefined) throw new ChainBreak({ code: "log.empty", file: path, message: "it holds no event" });
    this.files.push({ path, first_seq: firstSeq, last_seq: this.head.seq });
  }

  #take(line: Line, file: string, isFirst: boolean): (LoggedEvent & JsonObject) | undefined {
    const at = (code: string, reason: string) => this.#breakAt(file, line.number, code, reason);
    if (!line.isEnded) {
      if (this.#piece) this.#breakAt(file, this.#piece.line.number, "line.malformed", this.#piece.reason);
      at(
        "log.torn",
        `it is torn (${line.bytes.length} bytes without an end): the next command that records anything tells of it`,
      );
    }
    const event = this.#read(line, file);
    if (!event) return undefined;
    if (encodeHex(this.#hash(hashedBytes(event))) !== event.hash) {
      at("event.changed", `its content does not have the hash that it states (event ${event.seq})`);
    }
    this.#settlePiece(event, file, line.number);
    if (isFirst) this.#beginFile(event, at);
    const expected = this.head.seq + 1;
    if (event.seq > expected) at("seq.gap", `it is event ${event.seq}, and ${missing(expected, event.seq)}`);
    if (event.seq < expected) at("seq.order", `it is event ${event.seq}, and event ${expected} belongs here`);
    if (event.prev !== this.head.hash) {
      at("chain.broken", `event ${event.seq} does not continue event ${this.head.seq} as it stands before it`);
    }
    return event;
  }

  /** The event of a line; a line that is none may yet be explained by the next one. */
  #read(line: Line, file: string): (LoggedEvent & JsonObject) | undefined {
    try {
      return readEvent(line.bytes);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (this.#piece) this.#breakAt(file, this.#piece.line.number, "line.malformed", this.#piece.reason);
      this.#piece = { line, reason: error.object ?? error.message };
      return undefined;
    }
  }

  /** What is no event must be named by the one behind it. */
  #settlePiece(event: LoggedEvent, file: string, lineNumber: number): void {
    const piece = this.#piece;
    this.#piece = undefined;
    const bytes = event.details?.["torn_bytes"];
    const names = event.event === RECOVERED || event.event === CREATED;
    if (piece) {
      const sha256 = encodeHex(this.#hash(piece.line.bytes));
      if (!names || bytes !== piece.line.bytes.length || event.details?.["torn_sha256"] !== sha256) {
        this.#breakAt(file, piece.line.number, "line.malformed", piece.reason);
      }
    }
    if (!piece && names && typeof bytes === "number" && bytes > 0) {
      this.#breakAt(
        file,
        lineNumber,
        "line.missing",
        `the ${bytes} torn bytes that it tells of no longer stand before it`,
      );
    }
    if (!piece && event.event !== RECOVERED) return;
    this.recoveredCount++;
    const line = piece?.line.number ?? 0;
    if (this.recovered.length < MAX_LISTED) {
      this.recovered.push({ file, line, bytes: typeof bytes === "number" ? bytes : 0 });
    }
  }

  #beginFile(event: LoggedEvent, at: (code: string, reason: string) => never): void {
    const id = event.details?.["log_id"];
    const isFirstFile = this.logId === undefined;
    if ((event.event !== CREATED && event.event !== CONTINUED) || typeof id !== "string") {
      at("log.begin", `the file begins with event ${event.seq}, not with the one that begins a log: lines are missing`);
    }
    if (!isFirstFile && id !== this.logId) {
      at("log.other", `it belongs to log ${id}, and the file before to ${this.logId}`);
    }
    if (event.event === CREATED && isFirstFile && event.seq !== 1) at("log.begin", "a log begins with event 1");
    if (event.event === CONTINUED) this.#continue(event, isFirstFile, at);
    this.logId = id;
  }

  /** A file that continues another one carries its tree; with the other one at hand both must agree. */
  #continue(event: LoggedEvent, isFirstFile: boolean, at: (code: string, reason: string) => never): void {
    const subtrees = readSubtrees(event);
    if (!subtrees) at("log.begin", "it does not carry the tree over the events before it");
    if (isFirstFile) {
      this.head = { seq: event.seq - 1, hash: event.prev };
      this.tree = new MerkleFrontier(this.#hash, subtrees);
      this.begin = { head: this.head, subtrees };
      return;
    }
    const carried = new MerkleFrontier(this.#hash, subtrees);
    if (event.seq === this.head.seq + 1 && !equalBytes(carried.root(), this.tree.root())) {
      at("chain.broken", "the tree that it carries is not the one over the events before it");
    }
  }

  #breakAt(file: string, line: number, code: string, reason: string): never {
    throw new ChainBreak({ code, file, line, message: reason });
  }
}

/** Reads a log in its files, oldest first; the first break ends it. */
export async function readChain(
  files: readonly (string | LogFile)[],
  hash: Hash,
  visit: (step: Step) => void = () => {},
): Promise<{ chain: Chain; problem?: Break }> {
  const chain = new Chain(hash);
  try {
    for (const file of files) await chain.readFile(typeof file === "string" ? { path: file } : file, visit);
    return { chain };
  } catch (error) {
    if (error instanceof ChainBreak) return { chain, problem: error.problem };
    throw error;
  }
}

/** The tree of a chain as a file that continues it carries it. */
export function writeSubtrees(tree: MerkleFrontier): string[] {
  return tree.subtrees.map(({ hash }) => encodeHex(hash));
}

function readSubtrees(event: LoggedEvent): Subtree[] | undefined {
  const hashes = event.details?.["tree"];
  const levels = frontierLevels(event.seq - 1);
  if (!Array.isArray(hashes) || hashes.length !== levels.length) return undefined;
  if (!hashes.every((hash) => typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash))) return undefined;
  return levels.map((level, i) => ({ level, hash: Uint8Array.fromHex(hashes[i] as string) }));
}

function missing(from: number, to: number): string {
  return to - from === 1 ? `event ${from} is missing` : `events ${from} to ${to - 1} are missing`;
}
