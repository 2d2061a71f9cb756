import { InputError } from "../errors.ts";
import { shorten } from "../bytes.ts";
import { REVOCATION_REASONS } from "../x509/extensions/crl_extensions.ts";
import { normalizeSerial } from "../x509/serial.ts";
import type { RevocationReason } from "../x509/types.ts";

/**
 * OpenSSL's certificate database: a row a line, six columns between tabs (status, expiry, revocation, serial, file name,
 * subject in one line).
 */
export interface IndexEntry {
  readonly status: "V" | "R" | "E";
  readonly notAfter: Date;
  /** Present exactly when the status is `R`. */
  readonly revocation?: { readonly date: Date; readonly reason?: RevocationReason };
  /** Upper-case hex, even number of digits. */
  readonly serial: string;
  readonly subject: string;
}

/** An entry together with the text it was read from. */
export interface IndexRow {
  readonly entry: IndexEntry;
  /** The line without its newline. */
  readonly text: string;
  /** Number of the line, from 1. */
  readonly line: number;
}

/** Reasons that `openssl ca` does not know: one such word in the file breaks its -gencrl. */
const UNKNOWN_TO_OPENSSL: readonly RevocationReason[] = ["privilegeWithdrawn", "aACompromise"];

/** Words in the reason column that carry a further value, and the reason that a CRL gives for them. */
const PSEUDO_REASONS: Readonly<Record<string, RevocationReason>> = {
  holdinstruction: "certificateHold",
  keytime: "keyCompromise",
  cakeytime: "cACompromise",
};

const MAX_LINE_CHARACTERS = 65_536;

/**
 * The reason that `text` names: any case, with or without dashes and underscores (`key-compromise`), or undefined.
 */
export function parseReason(text: string): RevocationReason | undefined {
  const word = text.replace(/[-_ ]/g, "").toLowerCase();
  return REVOCATION_REASONS.find((reason) => reason.toLowerCase() === word);
}

/** Whether `index.txt` can hold the reason without breaking `openssl ca`. */
export function fitsIndex(reason: RevocationReason): boolean {
  return !UNKNOWN_TO_OPENSSL.includes(reason);
}

/**
 * Every row of a database, in order.
 * @throws {InputError} `index.damaged` with the line of the first row that is not whole. No row is ever skipped: a revoked
 * certificate could come back to life.
 */
export function parseIndex(text: string, file: string): IndexRow[] {
  if (text === "") return [];
  const lines = text.split("\n");
  const rest = lines.pop()!;
  const rows: IndexRow[] = [];
  const seen = new Map<string, number>();
  for (const [i, line] of lines.entries()) {
    const number = i + 1;
    if (line.startsWith("#")) continue;
    const entry = parseLine(line, file, number);
    const before = seen.get(entry.serial);
    if (before !== undefined) throw damaged(file, number, `serial ${entry.serial} is already on line ${before}`);
    seen.set(entry.serial, number);
    rows.push({ entry, text: line, line: number });
  }
  if (rest !== "") throw damaged(file, lines.length + 1, "the last line has no end");
  return rows;
}

/** The line of an entry, newline included. A reason that OpenSSL does not know is left out. */
export function formatIndexLine(entry: IndexEntry): string {
  const columns = [
    entry.status,
    formatTime(entry.notAfter),
    formatRevocation(entry),
    entry.serial,
    "unknown",
    entry.subject,
  ];
  if (columns.some((column) => /[\t\n]/.test(column))) throw new Error("A column of index.txt holds a tab or newline");
  return columns.join("\t") + "\n";
}

/** The text of `row` with its certificate revoked; the columns that do not change keep their bytes. */
export function revokedLine(row: IndexRow, revocation: { date: Date; reason?: RevocationReason }): string {
  const columns = row.text.split("\t");
  columns[0] = "R";
  columns[2] = formatRevocation({ ...row.entry, status: "R", revocation });
  return columns.join("\t");
}

function parseLine(line: string, file: string, number: number): IndexEntry {
  if (line.length > MAX_LINE_CHARACTERS) throw damaged(file, number, `longer than ${MAX_LINE_CHARACTERS} characters`);
  const columns = line.split("\t");
  if (columns.length !== 6) throw damaged(file, number, `${columns.length} columns instead of 6`);
  const [status, expiry, revoked, serialText, , subject] = columns as [string, string, string, string, string, string];
  if (status !== "V" && status !== "R" && status !== "E") {
    throw damaged(file, number, `unknown status "${shorten(status, 20)}"`);
  }
  const notAfter = parseTime(expiry);
  if (!notAfter) throw damaged(file, number, `"${shorten(expiry, 20)}" is no expiry date`);
  if (!/^([0-9A-Fa-f]{2}){1,64}$/.test(serialText)) {
    throw damaged(file, number, `"${shorten(serialText, 50)}" is no serial number`);
  }
  const serial = /^0|[a-f]/.test(serialText) ? normalizeSerial(serialText) : serialText;
  if (status !== "R") {
    if (revoked !== "") throw damaged(file, number, `status ${status} with a revocation date`);
    return { status, notAfter, serial, subject };
  }
  return { status, notAfter, serial, subject, revocation: parseRevocation(revoked, file, number) };
}

function parseRevocation(text: string, file: string, number: number): NonNullable<IndexEntry["revocation"]> {
  const [dateText, word, extra] = text.split(",");
  const date = parseTime(dateText!);
  if (!date) throw damaged(file, number, `"${shorten(text, 40)}" is no revocation date`);
  if (word === undefined) return { date };
  const reason = extra === undefined ? parseReason(word) : PSEUDO_REASONS[word.toLowerCase()] ?? parseReason(word);
  if (!reason) throw damaged(file, number, `unknown revocation reason "${shorten(word, 40)}"`);
  return { date, reason };
}

function formatRevocation({ status, revocation }: IndexEntry): string {
  if (status !== "R" || !revocation) return "";
  const { date, reason } = revocation;
  if (reason === undefined || !fitsIndex(reason)) return formatTime(date);
  return `${formatTime(date)},${reason === "cACompromise" ? "CACompromise" : reason}`;
}

/** UTCTime through 2049, else GeneralizedTime (RFC 5280 section 4.1.2.5): the characters of the certificate's own date. */
function formatTime(date: Date): string {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  const year = date.getUTCFullYear();
  return year >= 1950 && year < 2050 ? digits.slice(2) : digits;
}

/** An index may have a hundred thousand rows: no regular expression, no text made on the way. */
function parseTime(text: string): Date | undefined {
  const start = text.length - 13;
  if ((start !== 0 && start !== 2) || text.charCodeAt(text.length - 1) !== 0x5a) return undefined;
  const century = start === 2 ? digitPair(text, 0) : undefined;
  const yy = digitPair(text, start);
  const year = yy + 100 * (century ?? (yy >= 50 ? 19 : 20));
  const [month, day] = [digitPair(text, start + 2), digitPair(text, start + 4)];
  const [hour, minute, second] = [digitPair(text, start + 6), digitPair(text, start + 8), digitPair(text, start + 10)];
  // years below 100 mean the last century to Date; a certificate has none
  if (!(year >= 100 && hour < 24 && minute < 60 && second < 60)) return undefined;
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  return date.getUTCDate() === day && date.getUTCMonth() === month - 1 ? date : undefined;
}

/** Two decimal digits; NaN for anything else. */
function digitPair(text: string, at: number): number {
  const [tens, ones] = [text.charCodeAt(at) - 0x30, text.charCodeAt(at + 1) - 0x30];
  return tens >= 0 && tens < 10 && ones >= 0 && ones < 10 ? tens * 10 + ones : NaN;
}

function damaged(file: string, line: number, reason: string): InputError {
  return new InputError(`Cannot read ${file}:${line}: ${reason}`, {
    code: "index.damaged",
    file,
    line,
    hint:
      "qpki ca check --repair rebuilds it where issued/, the CRLs and the journal leave no doubt, or restore a backup; " +
      "no line is skipped, because a revocation could be lost with it",
  });
}
