import { DerFields, expectTag, integer, readDer, sequence, TAG } from "../asn1/der.ts";
import { OID_POSSESSION_STATEMENT } from "../asn1/oid.ts";
import type { Bytes } from "../bytes.ts";
import { describeSpki } from "../keys/spki.ts";
import { keyUsage, subjectAltNames } from "./certificate_fields.ts";
import { parseCertificate } from "./certificate_parse.ts";
import { attributeValue, encodeAttribute } from "./csr_attributes.ts";
import { formatGeneralName, generalNameJson, type ReadGeneralName } from "./extensions/general_name.ts";
import { isEmptyName, readName } from "./name_codec.ts";
import { sameName } from "./name_match.ts";
import { formatName } from "./name_text.ts";
import { serialHex } from "./serial.ts";
import type { Certificate, Csr } from "./types.ts";

/**
 * Statement of possession of a private key (RFC 9883): a key that cannot sign, as one of ML-KEM, is certified on the word of
 * the holder of a signature certificate, who signs the request. It is an assertion, not a proof.
 */

/** What the attribute says. */
export interface PossessionStatement {
  /** Name of the issuer of the signature certificate, DER. */
  readonly issuer: Bytes;
  /** Its serial number, as in `Certificate.serial`. */
  readonly serial: string;
  /** The signature certificate itself, where it is included. */
  readonly certificate?: Certificate;
}

/** How a request states possession. */
export interface PossessionSpec {
  /** Certificate of the key that signs the request. */
  readonly certificate: Certificate;
  /** Whether the request holds the certificate, for a CA that did not issue it. */
  readonly include: boolean;
}

/** DER of the attribute. */
export function encodePossession({ certificate, include }: PossessionSpec): Bytes {
  const signer = sequence(certificate.issuer, serialInteger(certificate.serial));
  return encodeAttribute(OID_POSSESSION_STATEMENT, sequence(signer, ...(include ? [certificate.der] : [])));
}

/** Serial numbers of others may be longer than ours, or negative. */
function serialInteger(serial: string): Bytes {
  return integer(serial.startsWith("-") ? -BigInt(`0x${serial.slice(1)}`) : BigInt(`0x${serial}`));
}

/** The statement of a request; undefined when it has none. @throws {InputError} when it is malformed. */
export function possessionStatement(csr: Pick<Csr, "attributes">): PossessionStatement | undefined {
  const value = attributeValue(csr, OID_POSSESSION_STATEMENT);
  if (!value) return undefined;
  const fields = new DerFields(readDer(value), "privateKeyPossessionStatement");
  const signer = new DerFields(fields.next("signer"), "signer");
  const certificate = fields.peek() && fields.next("cert");
  fields.end();
  const issuer = signer.next("issuer");
  readName(issuer, "issuer");
  const serial = serialHex(expectTag(signer.next("serialNumber"), TAG.INTEGER, "serialNumber").content);
  signer.end();
  return { issuer: issuer.raw, serial, ...(certificate ? { certificate: parseCertificate(certificate.raw) } : {}) };
}

/** Whether a certificate is the one that a statement names. */
export function isNamedBy(certificate: Certificate, { issuer, serial }: PossessionStatement): boolean {
  return certificate.serial === serial && sameName(certificate.issuer, issuer);
}

/**
 * Why the holder of a signature certificate cannot attest to a request, or undefined: the certificate is for signatures, and
 * both are about the same entity: equal subjects, and no alternative name in the request that the certificate lacks.
 * @throws {InputError} when an extension is malformed.
 */
export function attestationProblem(
  csr: Pick<Csr, "subject" | "extensions">,
  certificate: Certificate,
): string | undefined {
  const usage = keyUsage(certificate);
  if (usage && !usage.includes("digitalSignature") && !usage.includes("nonRepudiation")) {
    return "the attesting certificate is not for signatures (keyUsage)";
  }
  if (!sameName(csr.subject, certificate.subject)) {
    const [own, other] = [csr.subject, certificate.subject].map((name) => formatName(name) || "nobody");
    return `the request is for "${own}", and the attesting certificate for "${other}"`;
  }
  const known = new Set(subjectAltNames(certificate).map(comparable));
  const names = subjectAltNames(csr);
  const foreign = names.find((name) => !known.has(comparable(name)));
  if (foreign) return `the request has ${formatGeneralName(foreign)}, which the attesting certificate has not`;
  return isEmptyName(csr.subject) && names.length === 0 ? "the request names nobody" : undefined;
}

/** A text that is equal for equal names; hosts in any case. */
function comparable(name: ReadGeneralName): string {
  const json = generalNameJson(name);
  return JSON.stringify(name.type === "dns" ? { ...json, value: name.value.toLowerCase() } : json);
}

/** Whether the key of the certificate is weaker than the one it attests to (RFC 9883 section 5). */
export function isWeakAttestation(spki: Uint8Array, certificate: Certificate): boolean {
  const [attested, attesting] = [describeSpki(spki).row, describeSpki(certificate.spki).row];
  return attested !== undefined && attesting !== undefined && attesting.strength < attested.strength;
}
