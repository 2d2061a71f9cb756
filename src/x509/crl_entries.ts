import { derError, readDer, readTime, sequence, time } from "../asn1/der.ts";
import { type Bytes, concatBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { DerScan } from "./der_scan.ts";
import { crlReason, invalidityDate, reasonByNumber } from "./extensions/crl_extensions.ts";
import { decodeFrom, encodeExtension, readExtensionList } from "./extensions/list.ts";
import { encodeSerial, serialHex } from "./serial.ts";
import type { RevocationReason, RevokedCertificate } from "./types.ts";

/** revokedCertificates (RFC 5280 section 5.1.2.6), read and written in linear time without a node for each TLV. */

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

/** Entry extensions with nothing but a reason, up to the value itself: what nearly every entry has, if any. */
const ONLY_REASON = sequence(encodeExtension({ oid: crlReason.oid, critical: false, value: Uint8Array.of(10, 1, 0) }))
  .subarray(0, -1);

/** The entries of a list. */
export interface CrlEntries {
  readonly revoked: RevokedCertificate[];
  /** OID of a critical entry extension that this program does not process: the CRL must not be relied on then. */
  readonly unsupportedExtension?: string;
}

/** Reads the entries in the content octets from `start` to `end`. @throws {InputError} */
export function readEntries(bytes: Bytes, start: number, end: number): CrlEntries {
  const scan = new DerScan(bytes);
  const revoked: RevokedCertificate[] = [];
  let unsupportedExtension: string | undefined;
  for (let at = start; at < end;) {
    scan.expect(SEQUENCE, at, end, "a CRL entry");
    const { content, end: entryEnd } = scan;
    const serial = readSerial(scan, content, entryEnd);
    const revocationDate = readDate(scan, scan.end, entryEnd);
    const afterDate = scan.end;
    if (afterDate === entryEnd) {
      revoked.push({ serial, revocationDate });
    } else {
      const extensions = bytes.subarray(afterDate, entryEnd);
      const reason = quickReason(extensions) ?? slowReason(extensions, afterDate);
      if (typeof reason === "object") unsupportedExtension ??= reason.unsupported;
      const known = typeof reason === "object" ? reason.reason : reason;
      revoked.push(known === undefined ? { serial, revocationDate } : { serial, revocationDate, reason: known });
    }
    at = entryEnd;
  }
  return { revoked, ...(unsupportedExtension === undefined ? {} : { unsupportedExtension }) };
}

function readSerial(scan: DerScan, at: number, limit: number): string {
  scan.expect(INTEGER, at, limit, "userCertificate");
  const content = scan.bytes.subarray(scan.content, scan.end);
  const [first, second] = [content[0], content[1]];
  const padded = second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
  if (first === undefined || padded) throw derError("INTEGER is not in its shortest form", scan.content);
  return serialHex(content);
}

function readDate(scan: DerScan, at: number, limit: number): Date {
  scan.enter(at, limit);
  const quick = scan.tag === UTC_TIME && scan.end - scan.content === 13
    ? quickUtcTime(scan.bytes, scan.content)
    : undefined;
  if (quick) return quick;
  if (scan.tag !== UTC_TIME && scan.tag !== GENERALIZED_TIME) throw derError("revocationDate is no time", at);
  return shifted(at, () => readTime(readDer(scan.bytes.subarray(at, scan.end)), "revocationDate"));
}

/** YYMMDDHHMMSSZ when it is one beyond doubt (days 29 to 31 are left to the careful reader). */
function quickUtcTime(bytes: Uint8Array, at: number): Date | undefined {
  const year = pair(bytes, at);
  const month = pair(bytes, at + 2);
  const day = pair(bytes, at + 4);
  const hour = pair(bytes, at + 6);
  const minute = pair(bytes, at + 8);
  const second = pair(bytes, at + 10);
  const sure = year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= 28 && hour >= 0 && hour <= 23 &&
    minute >= 0 && minute <= 59 && second >= 0 && second <= 59 && bytes[at + 12] === 0x5a;
  if (!sure) return undefined;
  return new Date(Date.UTC(year < 50 ? 2000 + year : 1900 + year, month - 1, day, hour, minute, second));
}

/** Two ASCII digits as a number; negative when they are not. */
function pair(bytes: Uint8Array, at: number): number {
  const [tens, ones] = [bytes[at]! - 0x30, bytes[at + 1]! - 0x30];
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? -1 : tens * 10 + ones;
}

function quickReason(extensions: Uint8Array): RevocationReason | undefined {
  if (extensions.length !== ONLY_REASON.length + 1) return undefined;
  for (let i = 0; i < ONLY_REASON.length; i++) {
    if (extensions[i] !== ONLY_REASON[i]) return undefined;
  }
  return reasonByNumber(extensions[ONLY_REASON.length]!);
}

function slowReason(der: Bytes, offset: number): { reason?: RevocationReason; unsupported?: string } {
  return shifted(offset, () => {
    const list = readExtensionList(readDer(der), "crlEntryExtensions");
    const reason = decodeFrom(list, crlReason);
    decodeFrom(list, invalidityDate);
    const unsupported = list.find((e) => e.critical && e.oid !== crlReason.oid && e.oid !== invalidityDate.oid)?.oid;
    return { ...(reason === undefined ? {} : { reason }), ...(unsupported === undefined ? {} : { unsupported }) };
  });
}

/** Runs a reader of a part, and counts the offset in its error from the beginning of the whole. */
export function shifted<T>(base: number, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof InputError) || cause.offset === undefined) throw cause;
    throw derError(cause.message.replace(/^Cannot read DER at offset \d+: /, ""), cause.offset + base);
  }
}

/**
 * DER of revokedCertificates, entries in the given order; undefined when there is none, as the field is left out then.
 * The reason `unspecified` is not written.
 * @throws {InputError} `serial.invalid`, or `crl.invalid` for `removeFromCRL`, which is for delta CRLs only.
 */
export function encodeEntries(revoked: readonly RevokedCertificate[]): Bytes[] {
  if (revoked.length === 0) return [];
  const dates = new Map<number, Bytes>();
  const reasons = new Map<RevocationReason, Bytes>();
  const out = new Growing();
  for (const { serial, revocationDate, reason } of revoked) {
    const number = encodeSerial(serial);
    const date = cached(dates, revocationDate.getTime(), () => time(revocationDate));
    const extensions = reason === undefined || reason === "unspecified"
      ? NONE
      : cached(reasons, reason, () => encodeReason(reason));
    // At most 22, 17 and 14 octets: the length always fits in one.
    out.push(Uint8Array.of(SEQUENCE, number.length + date.length + extensions.length), number, date, extensions);
  }
  return [sequence(out.bytes())];
}

const NONE = new Uint8Array();

function encodeReason(reason: RevocationReason): Bytes {
  if (reason === "removeFromCRL") {
    throw new InputError('Cannot write the reason "removeFromCRL": it is for delta CRLs only', { code: "crl.invalid" });
  }
  return sequence(encodeExtension({ oid: crlReason.oid, critical: false, value: crlReason.encode(reason) }));
}

function cached<K>(map: Map<K, Bytes>, key: K, make: () => Bytes): Bytes {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/** Bytes that grow by doubling. */
class Growing {
  #bytes = new Uint8Array(4096);
  #length = 0;

  push(...parts: Uint8Array[]): void {
    for (const part of parts) {
      if (this.#length + part.length > this.#bytes.length) this.#bytes = concatBytes(this.#bytes, this.#bytes);
      this.#bytes.set(part, this.#length);
      this.#length += part.length;
    }
  }

  bytes(): Bytes {
    return this.#bytes.subarray(0, this.#length);
  }
}
