import { shorten } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { isObject } from "./migrations.ts";

/**
 * What the journal of a folder says, a JSON object a line. Numbers count up by one and each record holds the SHA-256 of the
 * line before it, so that the last line stands for all of them.
 */

/**
 * `intent`: something irrevocable is about to happen (a signature, a key in a token). `commit`: a change is decided and will
 * be carried out whatever happens. `done`: it was carried out. `undone`: an intent came to nothing; its numbers stay used.
 */
export type RecordState = "intent" | "commit" | "done" | "undone";

/** An intent without outcome yet, as each record repeats it. */
export interface OpenIntent {
  readonly seq: number;
  /** Where its record starts in the file, in bytes. */
  readonly at: number;
  readonly op: string;
  /** Name of the owner's guard (see owner_guard.ts); empty for one that ends with the change it is part of. */
  readonly owner: string;
}

/** A certificate about to be signed, with all that its to-be-signed bytes were made from. */
export interface CertificateIntent {
  /** Upper-case hex. */
  readonly serial: string;
  /**
   * Of the DER to be signed, lower-case hex. With an alternative signature it is that without the extension altSignatureValue,
   * which exists only after the first of the two signatures.
   */
  readonly tbs_sha256: string;
  readonly [input: string]: unknown;
}

/** A key about to be made in a token. */
export interface KeyIntent {
  /** The token's hsm.yaml as metadata stores it. */
  readonly config: string;
  readonly label?: string;
  /** CKA_ID, hex. */
  readonly key_id?: string;
  /** Name of the table. */
  readonly algorithm: string;
}

/** A CRL about to be signed. */
export interface CrlIntent {
  /** Upper-case hex. */
  readonly number: string;
  readonly tbs_sha256: string;
  readonly [input: string]: unknown;
}

/** What a change will do that cannot be taken back. */
export interface Intent {
  readonly op: string;
  /** Version of this program. */
  readonly tool?: string;
  readonly certificates?: readonly CertificateIntent[];
  readonly keys?: readonly KeyIntent[];
  readonly crl?: CrlIntent;
}

/** Lines that a change adds to the index. */
export interface IndexAppend {
  /** Length of the index before, in bytes. */
  readonly offset: number;
  /** With their newlines. */
  readonly text: string;
}

/** A file that a change puts in its place; all paths relative to the folder. */
export interface FileSwitch {
  readonly from: string;
  readonly to: string;
  /** Of its content, lower-case hex. */
  readonly sha256: string;
}

/** What a commit will carry out. Carrying it out twice does no harm. */
export interface Effects {
  readonly append?: IndexAppend;
  /** In order: the metadata last. */
  readonly files?: readonly FileSwitch[];
  /** Serial numbers that were issued or revoked, for people. */
  readonly serials?: readonly string[];
  readonly awaits?: Awaited;
}

/** What another CA must have recorded for a commit to count: until then it is only intended. */
export interface Awaited {
  /** Folder of that CA, as seen from the folder of the journal. */
  readonly issuer: string;
  /** Certificates that it issues. */
  readonly serials: readonly string[];
  /** Intents that end when the commit is carried out. */
  readonly closes?: readonly number[];
}

/** One record. */
export interface JournalRecord extends Intent, Effects {
  readonly seq: number;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly state: RecordState;
  /** SHA-256 of the line before, lower-case hex; empty in the first record. */
  readonly prev: string;
  /** Of an intent. */
  readonly owner?: string;
  /** Intents that end with this record. */
  readonly closes?: readonly number[];
  /** Intents whose command has ended, while their keys in a token are still to be looked for. */
  readonly orphans?: readonly number[];
  /** Of `done`: what was carried out. */
  readonly commit?: number;
  /** Whether a later command did it, after a crash. */
  readonly recovered?: boolean;
  /** Intents open after this record. */
  readonly open?: readonly OpenIntent[];
  /** Of the first record of a file that continues another: its name. */
  readonly continues?: string;
}

/** A record before it has its number and place in the chain. */
export type NewRecord = Omit<JournalRecord, "seq" | "time" | "prev" | "open">;

const STATES: readonly string[] = ["intent", "commit", "done", "undone"];

/**
 * The record of a line.
 * @throws {InputError} `journal.damaged` naming the file, and the line when it is given.
 */
export function parseRecord(text: string, file: string, line?: number): JournalRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw journalDamaged(file, `"${shorten(text, 40)}" is not JSON`, line);
  }
  if (!isObject(value)) throw journalDamaged(file, "not a JSON object", line);
  const { seq, time, op, state, prev, open = [], closes = [] } = value;
  if (typeof seq !== "number" || !Number.isSafeInteger(seq) || seq < 1) throw journalDamaged(file, `no "seq"`, line);
  if (typeof time !== "string" || typeof op !== "string" || typeof prev !== "string") {
    throw journalDamaged(file, `"time", "op" or "prev" is missing`, line);
  }
  if (typeof state !== "string" || !STATES.includes(state)) throw journalDamaged(file, `unknown "state"`, line);
  if (!Array.isArray(open) || !open.every(isOpenIntent)) throw journalDamaged(file, `"open" is malformed`, line);
  if (!Array.isArray(closes)) throw journalDamaged(file, `"closes" is malformed`, line);
  return value as unknown as JournalRecord;
}

/** The error for a journal that does not say what it must. */
export function journalDamaged(file: string, reason: string, line?: number): InputError {
  return new InputError(`Cannot read ${line === undefined ? `the end of "${file}"` : `${file}:${line}`}: ${reason}`, {
    code: "journal.damaged",
    file,
    ...(line === undefined ? {} : { line }),
    hint: "Somebody changed the journal: restore it from a backup (qpki ca check tells more)",
  });
}

function isOpenIntent(value: unknown): value is OpenIntent {
  if (!isObject(value)) return false;
  const { seq, at, op, owner } = value;
  return typeof seq === "number" && typeof at === "number" && typeof op === "string" && typeof owner === "string";
}
