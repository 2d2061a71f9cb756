import { type Bytes, shorten } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { sha256Hex } from "../keys/digest.ts";
import { canonicalJson, type Json, type JsonObject } from "./canonical.ts";

/** Form of the events; a log with a higher one is refused. */
export const EVENT_FORM = 1;

/** `prev` of the very first event. */
export const NO_HASH: string = "0".repeat(64);

/** Longest line of a log in bytes, its newline not counted. */
export const MAX_LINE_BYTES = 65_536;

/** Texts of operators are cut to this many characters, and to few when the line would be too long otherwise. */
const MAX_TEXT = 1_000;
const FEW_CHARACTERS = 200;

/** What `"hash":"…",` adds to a line. */
const HASH_MEMBER_BYTES = 80;

/** `intent`: about to be done; `ok` and `failed`: what came of it. */
export type AuditResult = "intent" | "ok" | "failed";

/** A key as the log names it. */
export interface AuditedKey {
  readonly type: "software" | "pkcs11";
  readonly algorithm?: string;
  /** Of a key in a file. */
  readonly path?: string;
  /** Of a key in a token: where its configuration is, CKA_LABEL, CKA_ID (hex), and the token itself. */
  readonly config?: string;
  readonly label?: string;
  readonly id?: string;
  readonly token?: string;
  readonly token_serial?: string;
  /** SHA-256 of the SubjectPublicKeyInfo, hex: what identifies the key for good. */
  readonly spki_sha256?: string;
}

/**
 * What happened, as whoever did it says. Names as in the log. There is no place for a secret: no arguments, no messages of
 * errors, no content of files.
 */
export interface AuditEvent {
  /** What was done: `noun.verb` as on the command line, or `key.open`, `key.use`. */
  readonly event: string;
  readonly result: AuditResult;
  /** The CA that it was done to: folder, name of its subject, version. */
  readonly ca?: { readonly folder: string; readonly name?: string; readonly version?: string };
  /** Folder of the credential that it was done to. */
  readonly credential?: string;
  readonly profile?: string;
  /** Of a certificate, upper-case hex. */
  readonly serial?: string;
  readonly subject?: string;
  /** SHA-256 of the certificate, lower-case hex. */
  readonly certificate_sha256?: string;
  readonly not_after?: string;
  readonly key?: AuditedKey;
  /** How often a key was used. */
  readonly count?: number;
  /** Name of the error (its `code`) and, for a token, of the CK_RV. */
  readonly error?: string;
  readonly rv?: string;
  /** Further facts. */
  readonly details?: JsonObject;
}

/** An event with the time at which it happened, RFC 3339. */
export interface TimedEvent extends AuditEvent {
  readonly time?: string;
}

/** Who writes: the same for all events of one command. */
export interface AuditActor {
  /** Name by the system's list of users (or the environment, where it has none), and the kernel's number. */
  readonly user?: string;
  readonly uid?: number;
  /** Who logged in, before any change of user (Linux). */
  readonly login_uid?: number;
  readonly host: string;
  readonly pid: number;
  /** Name and version of the program. */
  readonly tool: string;
  /** Noun and verb, without arguments. */
  readonly command: string;
  /** Random; joins the events of one command. */
  readonly op: string;
}

/** An event with its place in the chain. */
export interface LoggedEvent extends AuditEvent, Partial<AuditActor> {
  readonly form: number;
  /** 1 for the first event of the log, across rotations. */
  readonly seq: number;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  /** `hash` of the event before. */
  readonly prev: string;
  /** SHA-256, hex, over the canonical JSON of all other members. */
  readonly hash: string;
}

/** The last event of a chain, or the place before the first. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** What all events of one append share. */
export interface Stamp {
  /** Of events that do not state their own. */
  readonly time: string;
  readonly actor: AuditActor;
}

/** Puts an event behind `head`: its line without newline, and the new head. */
export async function sealEvent(event: TimedEvent, head: Head, stamp: Stamp): Promise<Head & { line: string }> {
  const whole = { time: stamp.time, ...stamp.actor, ...event } as unknown as JsonObject;
  const place = { form: EVENT_FORM, seq: head.seq + 1, prev: head.hash };
  let body: JsonObject = { ...tidy(whole, MAX_TEXT) as JsonObject, ...place };
  if (hashedBytes(body).length > MAX_LINE_BYTES - HASH_MEMBER_BYTES) {
    const details = hashedBytes({ details: tidy(whole["details"] ?? null, Infinity) });
    const omitted = { omitted_bytes: details.length, omitted_sha256: await sha256Hex(details) };
    body = { ...tidy({ ...whole, details: omitted }, FEW_CHARACTERS) as JsonObject, ...place };
  }
  const hash = await sha256Hex(hashedBytes(body));
  return { seq: place.seq, hash, line: canonicalJson({ ...body, hash }) };
}

/** What `hash` of an event is over. */
export function hashedBytes(event: JsonObject): Bytes {
  return new TextEncoder().encode(canonicalJson({ ...event, hash: undefined }));
}

/**
 * Reads one line. Whether its hash is right is for the caller to see, with {@link hashedBytes}.
 * @throws {InputError} `audit.line` when it is not UTF-8, not canonical JSON, or no event.
 */
export function readEvent(line: Uint8Array): LoggedEvent & JsonObject {
  if (line.length > MAX_LINE_BYTES) throw lineError(`it is longer than ${MAX_LINE_BYTES} bytes`);
  const text = decodeLine(line);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw lineError("it is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw lineError("it is no JSON object");
  const event = value as JsonObject;
  if (isNewer(event)) throw lineError(`it has form ${shorten(String(event["form"]), 20)}, made by a newer qpki`);
  if (canonicalOrNone(event) !== text) throw lineError("it is not canonical JSON (RFC 8785)");
  const wrong = missingMember(event);
  if (wrong !== undefined) throw lineError(`its member "${wrong}" is missing or not as it must be`);
  return event as LoggedEvent & JsonObject;
}

function decodeLine(line: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line);
  } catch {
    throw lineError("it is not UTF-8 text");
  }
}

function canonicalOrNone(event: JsonObject): string | undefined {
  try {
    return canonicalJson(event);
  } catch {
    return undefined;
  }
}

function isNewer({ form }: JsonObject): boolean {
  return typeof form === "number" && form > EVENT_FORM;
}

const HASH = /^[0-9a-f]{64}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function missingMember(event: JsonObject): string | undefined {
  const { form, seq, time, prev, hash, event: name, result } = event;
  if (form !== EVENT_FORM) return "form";
  if (!Number.isSafeInteger(seq) || (seq as number) < 1) return "seq";
  if (typeof time !== "string" || !TIME.test(time)) return "time";
  if (typeof prev !== "string" || !HASH.test(prev)) return "prev";
  if (typeof hash !== "string" || !HASH.test(hash)) return "hash";
  if (typeof name !== "string") return "event";
  return result === "intent" || result === "ok" || result === "failed" ? undefined : "result";
}

function lineError(reason: string): InputError {
  return new InputError(`Cannot read a line of an audit log: ${reason}`, { code: "audit.line", object: reason });
}

/** Without undefined members, and with texts that are well-formed and at most so long. */
function tidy(value: Json, most: number): Json {
  if (typeof value === "string") return cut(value, most).toWellFormed();
  if (Array.isArray(value)) return value.map((item: Json) => tidy(item, most));
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value as JsonObject).filter((entry): entry is [string, Json] =>
    entry[1] !== undefined
  );
  return Object.fromEntries(members.map(([name, member]) => [name, tidy(member, most)]));
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
