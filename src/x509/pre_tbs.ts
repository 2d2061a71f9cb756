import { explicit, oid, sequenceOf } from "../asn1/der.ts";
import { type Bytes, equalBytes, plainBytes } from "../bytes.ts";
import { DerScan } from "./der_scan.ts";
import { altSignatureValue } from "./extensions/alt_signature_value.ts";

/**
 * What an alternative signature covers (X.509 clause 9.8, 7.2.2, 7.10.3): the structure that is signed natively, without
 * its `signature` field and without the altSignatureValue extension, wherever that stands. All else stays as it is, byte
 * for byte and in its order; only the lengths around it are new. CRLs may be long, so no node is made for a TLV.
 */

const SEQUENCE = 0x30;

/** Tags around Extensions: `[3]` in a TBSCertificate, `[0]` in a TBSCertList, whose version is not tagged. */
const CERTIFICATE_EXTENSIONS = 0xa3;
const CRL_EXTENSIONS = 0xa0;

const VALUE_OID = oid(altSignatureValue.oid);

/** PreTBSCertificate of a TBSCertificate. @throws {InputError} `der.invalid` when it is none. */
export function preTbsCertificate(tbs: Uint8Array): Bytes {
  return preTbs(tbs, CERTIFICATE_EXTENSIONS);
}

/** PreTBSCertList of a TBSCertList. @throws {InputError} `der.invalid` when it is none. */
export function preTbsCertList(tbs: Uint8Array): Bytes {
  return preTbs(tbs, CRL_EXTENSIONS);
}

function preTbs(tbs: Uint8Array, extensionsTag: number): Bytes {
  const bytes = plainBytes(tbs);
  const fields = elements(bytes, 0, bytes.length)[0];
  const kept: Bytes[] = [];
  let isSignatureDropped = false;
  for (const field of elements(bytes, fields?.content ?? 0, fields?.end ?? 0)) {
    // In both structures nothing before the field `signature` is a SEQUENCE.
    if (field.tag === SEQUENCE && !isSignatureDropped) isSignatureDropped = true;
    else if (field.tag === extensionsTag) kept.push(...withoutValue(bytes, field));
    else kept.push(bytes.subarray(field.start, field.end));
  }
  return sequenceOf(kept);
}

/** The tagged Extensions without altSignatureValue; nothing when that was the only one. */
function withoutValue(bytes: Bytes, field: Element): Bytes[] {
  const [list] = elements(bytes, field.content, field.end);
  const extensions = list === undefined ? [] : elements(bytes, list.content, list.end);
  const kept = extensions.filter(({ content, end }) => {
    const type = bytes.subarray(content, Math.min(content + VALUE_OID.length, end));
    return !equalBytes(type, VALUE_OID);
  });
  if (kept.length === 0) return [];
  return [explicit(field.tag & 0x1f, sequenceOf(kept.map(({ start, end }) => bytes.subarray(start, end))))];
}

interface Element {
  readonly tag: number;
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

/** The TLVs from `start` to `end`, not what is inside them. */
function elements(bytes: Bytes, start: number, end: number): Element[] {
  const scan = new DerScan(bytes);
  const out: Element[] = [];
  for (let at = start; at < end; at = scan.end) {
    scan.enter(at, end);
    out.push({ tag: scan.tag, start: scan.start, content: scan.content, end: scan.end });
  }
  return out;
}
