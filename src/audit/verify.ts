import { encodeHex } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { syncHasher } from "../keys/digest.ts";
import { type Break, type Chain, readChain, type Step } from "./chain.ts";
import { type Checkpoint, type CheckpointVerdict, verifyCheckpoint } from "./checkpoint.ts";
import { readEvent } from "./event.ts";
import { OpenLog } from "./lines.ts";
import { CONTINUED, CREATED } from "./log.ts";

/** A checkpoint with the name of its file. */
export interface GivenCheckpoint {
  readonly file: string;
  readonly checkpoint: Checkpoint;
}

/** What became of a checkpoint. */
export interface CheckedCheckpoint extends CheckpointVerdict {
  readonly file: string;
  readonly seq: number;
  readonly time: string;
  readonly valid: boolean;
}

/** A command of which the log has intents and no end. */
export interface Unfinished {
  readonly op: string;
  readonly command: string;
  readonly seq: number;
}

/** What {@link verifyLog} found. */
export interface LogVerdict {
  readonly valid: boolean;
  readonly chain: Chain;
  readonly events: number;
  /** The first break. */
  readonly problem?: Break;
  readonly checkpoints: readonly CheckedCheckpoint[];
  /** Interrupted, or under way; the first ones. */
  readonly unfinished: readonly Unfinished[];
}

/** Commands without an end that are remembered. */
const MAX_OPEN = 10_000;

/**
 * Verifies a log: every line, the chain, and that it still has what each checkpoint says.
 * @param files oldest first, as {@link logFiles} sorts them.
 * @param trusted public keys (SPKI) of which one must have signed each checkpoint.
 */
export async function verifyLog(
  files: readonly string[],
  checkpoints: readonly GivenCheckpoint[] = [],
  trusted?: readonly Uint8Array[],
): Promise<LogVerdict> {
  const found = new Map<number, { hash: string; root: string }>();
  const wanted = new Set(checkpoints.map(({ checkpoint }) => checkpoint.seq));
  const open = new Map<string, Unfinished>();
  let events = 0;
  function visit({ event, chain }: Step): void {
    events++;
    followCommand(event, open);
    if (wanted.has(event.seq)) found.set(event.seq, { hash: event.hash, root: encodeHex(chain.tree.root()) });
  }
  const { chain, problem } = await readChain(files, await syncHasher("SHA-256"), visit);
  const checked: CheckedCheckpoint[] = [];
  let missed: Break | undefined;
  for (const given of checkpoints) {
    const { checkpoint, file } = given;
    const verdict = await verifyCheckpoint(checkpoint, trusted);
    const at = found.get(checkpoint.seq);
    const reason = verdict.reason ?? difference(checkpoint, { at, chain, isBroken: problem !== undefined });
    const { seq, time } = checkpoint;
    checked.push({
      file,
      seq,
      time,
      valid: reason === undefined,
      ...verdict,
      ...(reason === undefined ? {} : { reason }),
    });
    if (reason !== undefined) missed ??= { code: "checkpoint", file, message: reason };
  }
  const first = problem ?? missed;
  return {
    valid: first === undefined,
    chain,
    events,
    ...(first ? { problem: first } : {}),
    checkpoints: checked,
    unfinished: [...open.values()],
  };
}

function followCommand(event: Step["event"], open: Map<string, Unfinished>): void {
  const { op, command, seq } = event;
  if (op === undefined) return;
  if (event.event === "command.end") open.delete(op);
  else if (event.result === "intent" && !open.has(op) && open.size < MAX_OPEN) {
    open.set(op, { op, command: command ?? "", seq });
  }
}

/** In what the log differs from a checkpoint. */
function difference(
  { seq, hash, root, log_id, time }: Checkpoint,
  { at, chain, isBroken }: { at: { hash: string; root: string } | undefined; chain: Chain; isBroken: boolean },
): string | undefined {
  if (chain.logId !== undefined && chain.logId !== log_id) {
    return `it is about log ${log_id}, and this one is ${chain.logId}: another log was put in its place`;
  }
  if (at) {
    if (at.hash !== hash) return `event ${seq} is another one than on ${time}: the log was written anew`;
    return at.root === root ? undefined : `events before ${seq} are others than on ${time}: the log was written anew`;
  }
  if (seq <= chain.begin.head.seq) {
    return `event ${seq} lies before the first file, which begins with event ${
      chain.begin.head.seq + 1
    }: name the older files as well`;
  }
  if (isBroken) return `the log could not be read up to event ${seq}`;
  const lost = seq - chain.head.seq;
  return `on ${time} the log had ${seq} events, and now it ends with event ${chain.head.seq}: ` +
    `${lost === 1 ? "one was" : `${lost} were`} cut off`;
}

/**
 * The files of a log, oldest first: those named, or those in a folder that begin as files of a log do.
 * @throws {InputError} `audit.not_found`, `audit.read`, `audit.several` when a folder holds several logs.
 */
export async function logFiles(paths: readonly string[]): Promise<string[]> {
  const found = new Map<string, { path: string; first: number; id: string }>();
  const unknown: string[] = [];
  for (const path of paths) {
    for (const { file, isNamed } of await expand(path)) {
      const first = await firstEvent(file, isNamed);
      if (first === undefined) continue;
      const { ino, dev } = await Deno.stat(file);
      // a rotation that was interrupted leaves one file under two names
      if (first !== "unknown") found.set(ino === null ? file : `${dev} ${ino}`, { path: file, ...first });
      else unknown.push(file);
    }
  }
  const files = [...found.values()].sort((a, b) => a.first - b.first);
  const ids = new Set(files.map(({ id }) => id));
  if (ids.size > 1) {
    throw new InputError(`Cannot verify ${ids.size} logs at once: ${files.map(({ path }) => path).join(", ")}`, {
      code: "audit.several",
      hint: "Name the files of one log with --log",
    });
  }
  if (files.length + unknown.length > 0) return [...files.map(({ path }) => path), ...unknown];
  throw new InputError(`Cannot find an audit log in ${paths.map((path) => `"${path}"`).join(", ")}`, {
    code: "audit.not_found",
    object: paths.join(", "),
  });
}

async function expand(path: string): Promise<{ file: string; isNamed: boolean }[]> {
  const isFolder = await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false);
  if (!isFolder) return [{ file: path, isNamed: true }];
  const names = (await Array.fromAsync(Deno.readDir(path))).filter(({ isFile }) => isFile).map(({ name }) => name);
  return names.sort().map((name) => ({ file: `${path.replace(/\/+$/, "")}/${name}`, isNamed: false }));
}

/** How a file begins; a named one, or one that looks like a log, is never left out. */
async function firstEvent(
  file: string,
  isNamed: boolean,
): Promise<{ first: number; id: string } | "unknown" | undefined> {
  using log = await OpenLog.open(file);
  let looksLikeLog = isNamed;
  for await (const { bytes, number } of log.lines()) {
    looksLikeLog ||= isLike(bytes);
    // the first line may be a torn one that the next one names
    if (!looksLikeLog || number > 2) break;
    try {
      const { event, seq, details } = readEvent(bytes);
      const id = details?.["log_id"];
      if ((event === CREATED || event === CONTINUED) && typeof id === "string") return { first: seq, id };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
  }
  return looksLikeLog ? "unknown" : undefined;
}

function isLike(line: Uint8Array): boolean {
  return new TextDecoder("latin1").decode(line.subarray(0, 12)).startsWith('{"command":');
}
