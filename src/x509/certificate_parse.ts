import {
  DerFields,
  type DerNode,
  expectExplicit,
  expectTag,
  readBitString,
  readDer,
  readSmallInteger,
  readTime,
  TAG,
} from "../asn1/der.ts";
import { concatBytes, equalBytes, plainBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { readExtensionList } from "./extensions/list.ts";
import { readName } from "./name_codec.ts";
import { serialHex } from "./serial.ts";
import { checkAlgorithm, checkSpki, parsing, readSigned } from "./structure.ts";
import type { Certificate } from "./types.ts";

/**
 * Reads one certificate (RFC 5280 section 4.1), DER. Byte fields are views of the input. What is refused: anything that
 * is not DER, different algorithms inside and outside, extensions below version 3, an empty or repeated extension. A
 * serial number that we would not issue (negative, zero, long) is read.
 * @throws {InputError} `certificate.invalid`, with the byte offset where there is one.
 */
export function parseCertificate(bytes: Uint8Array): Certificate {
  return parsing("a certificate", "certificate.invalid", () => {
    const der = plainBytes(bytes);
    const { toBeSigned, algorithm, signature } = readSigned(der, "Certificate");
    const { inner, ...fields } = readTbs(toBeSigned);
    if (!equalBytes(inner.raw, algorithm)) {
      throw invalid(inner, "signatureAlgorithm differs inside and outside tbsCertificate");
    }
    return { der, tbs: toBeSigned.raw, signatureAlgorithm: algorithm, signature, ...fields };
  });
}

function readTbs(node: DerNode) {
  const fields = new DerFields(node, "TBSCertificate");
  const version = readVersion(fields.optionalContext(0));
  const serial = serialHex(expectTag(fields.next("serialNumber"), TAG.INTEGER, "serialNumber").content);
  const inner = fields.next("signature");
  checkAlgorithm(inner, "signature");
  const issuer = fields.next("issuer");
  readName(issuer, "issuer");
  const validity = new DerFields(fields.next("validity"), "validity");
  const notBefore = readTime(validity.next("notBefore"), "notBefore");
  const notAfter = readTime(validity.next("notAfter"), "notAfter");
  validity.end();
  const subject = fields.next("subject");
  readName(subject, "subject");
  const spki = checkSpki(fields.next("subjectPublicKeyInfo"));
  readUniqueIds(fields, version);
  const tagged = fields.optionalContext(3);
  fields.end();
  if (tagged && version !== 3) throw invalid(tagged, `a version ${version} certificate has extensions`);
  const extensions = tagged ? readExtensionList(expectExplicit(tagged, 3, "extensions")) : [];
  return { inner, version, serial, issuer: issuer.raw, subject: subject.raw, notBefore, notAfter, spki, extensions };
}

/** 1, 2 or 3: v1 is the DEFAULT and must be absent. */
function readVersion(node: DerNode | undefined): number {
  if (!node) return 1;
  const number = readSmallInteger(expectExplicit(node, 0, "version"), "version", { max: 255 });
  if (number !== 1 && number !== 2) throw invalid(node, `version ${number + 1} is not known or not written so`);
  return number + 1;
}

/** issuerUniqueID and subjectUniqueID: nobody uses them, but they are allowed. */
function readUniqueIds(fields: DerFields, version: number): void {
  for (const n of [1, 2]) {
    const node = fields.optionalContext(n);
    if (!node) continue;
    if (version === 1) throw invalid(node, "a version 1 certificate has a unique identifier");
    readBitString(readDer(concatBytes(Uint8Array.of(TAG.BIT_STRING), node.raw.subarray(1))), "unique identifier");
  }
}

function invalid(node: DerNode, reason: string): InputError {
  return new InputError(`Cannot read DER at offset ${node.offset}: ${reason}`, {
    code: "certificate.invalid",
    offset: node.offset,
  });
}
