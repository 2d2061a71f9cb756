import { isQuantumSafe } from "../alg/quantum.ts";
import { type Bytes, encodePem } from "../bytes.ts";
import {
  OID_CE_AUTHORITY_KEY_IDENTIFIER,
  OID_CE_CRL_DISTRIBUTION_POINTS,
  OID_CE_FRESHEST_CRL,
  OID_CE_SUBJECT_KEY_IDENTIFIER,
  OID_PE_AUTHORITY_INFO_ACCESS,
} from "../asn1/oid.ts";
import { OperationError } from "../errors.ts";
import { certificateFile } from "../store/layout.ts";
import type { CrossCertificate } from "../store/meta.ts";
import { alternativeSpki, subjectKeyId } from "../x509/certificate.ts";
import { altSignatureAlgorithm } from "../x509/extensions/alt_signature_algorithm.ts";
import { altSignatureValue } from "../x509/extensions/alt_signature_value.ts";
import { subjectAltPublicKeyInfo } from "../x509/extensions/subject_alt_public_key_info.ts";
import { lintTbs } from "../x509/lint.ts";
import { formatName } from "../x509/name.ts";
import { generateSerial } from "../x509/serial.ts";
import { signCertificate } from "../x509/sign.ts";
import { type AlternativeSpec, buildTbsCertificate } from "../x509/tbs.ts";
import type { Certificate } from "../x509/types.ts";
import { announceCertificates, type Announcer, certificateIntent } from "./intents.ts";
import type { OpenCa } from "./signer.ts";

/**
 * Link certificates between two keys of a CA (RFC 4210 section 4.4; self-issued certificates of RFC 5280 section 3.2): the
 * new key's by the old one, for those who trust the old, and the old key's by the new one, for those who trust the new.
 */

/** A certificate of a CA with the keys to sign as it. */
export type LinkSigner = Pick<OpenCa, "certificate" | "signer" | "altSigner">;

/** How links are made. */
export interface LinkOptions {
  readonly at: Date;
  /** Journals them before they are signed. */
  readonly announcer: Announcer;
}

/** One side of the link. */
export interface LinkedVersion {
  readonly id: string;
  /** Name of the certificate in file names. */
  readonly name: string;
  readonly signer: LinkSigner;
  /** The certificate with those above it. */
  readonly chain: readonly Certificate[];
}

/** A link certificate and what metadata says of it. */
export interface Link {
  readonly entry: CrossCertificate;
  readonly certificate: Certificate;
  /** Files for the folder of the CA: the certificate, and with those above it. */
  readonly files: readonly (readonly [path: string, pem: string])[];
}

/** Extensions that are about the place of a certificate, not about its subject. */
const OF_THE_PLACE: ReadonlySet<string> = new Set([
  OID_CE_AUTHORITY_KEY_IDENTIFIER,
  OID_CE_SUBJECT_KEY_IDENTIFIER,
  OID_CE_CRL_DISTRIBUTION_POINTS,
  OID_CE_FRESHEST_CRL,
  OID_PE_AUTHORITY_INFO_ACCESS,
  altSignatureAlgorithm.oid,
  altSignatureValue.oid,
  subjectAltPublicKeyInfo.oid,
]);

/** Certifies the key of each of two versions with the key of the other: the new one's certificate first. */
export async function crossSign(
  older: LinkedVersion,
  newer: LinkedVersion,
  options: LinkOptions,
): Promise<[Link, Link]> {
  const make = async (subject: LinkedVersion, issuer: LinkedVersion): Promise<Link> => {
    const certificate = await linkCertificate(subject.signer.certificate, { ...issuer.signer, id: issuer.id }, options);
    const { path, chain } = crossFiles(newer.id, subject, issuer);
    const pem = encodePem("CERTIFICATE", certificate.der);
    const above = issuer.chain.map(({ der }) => encodePem("CERTIFICATE", der)).join("");
    return {
      entry: { subject: subject.id, issuer: issuer.id, serial: certificate.serial, path },
      certificate,
      files: [[path, pem], [chain, pem + above]],
    };
  };
  return [await make(newer, older), await make(older, newer)];
}

/** Files of a link certificate in the folder of the newer version, alone and with those above it. */
export function crossFiles(
  folder: string,
  subject: Pick<LinkedVersion, "id" | "name">,
  issuer: Pick<LinkedVersion, "id">,
): { path: string; chain: string } {
  const path = certificateFile(folder, `${subject.name}.${subject.id}-by-${issuer.id}`);
  return { path, chain: path.replace(/\.pem$/, ".chain.pem") };
}

/**
 * A certificate for the key of `subject`, signed by another key of the same CA: what it says of the CA stays, and it ends
 * with the first of the two certificates. A signer with a classical key alone cannot vouch for an alternative key: it is
 * left out.
 * @throws {OperationError} `ca.no_key_id`, `cross.expired`, `lint.refused`.
 */
export async function linkCertificate(
  subject: Certificate,
  issuer: LinkSigner & { readonly id: string },
  { at, announcer }: LinkOptions,
): Promise<Certificate> {
  const authorityKeyId = subjectKeyId(issuer.certificate);
  const ownKeyId = subjectKeyId(subject);
  if (!authorityKeyId || !ownKeyId) {
    throw new OperationError("Cannot link the versions: a certificate has no subjectKeyIdentifier", {
      code: "ca.no_key_id",
    });
  }
  const notAfter = subject.notAfter < issuer.certificate.notAfter ? subject.notAfter : issuer.certificate.notAfter;
  if (notAfter <= at) {
    throw new OperationError(
      `Cannot link the versions: a certificate of "${formatName(subject.subject)}" has expired`,
      {
        code: "cross.expired",
      },
    );
  }
  const spki = alternativeSpki(subject);
  const tbs = await buildTbsCertificate({
    serial: generateSerial(),
    issuer: issuer.certificate.subject,
    subject: subject.subject,
    notBefore: at,
    notAfter,
    spki: subject.spki,
    subjectKeyId: ownKeyId,
    authorityKeyId,
    scheme: issuer.signer.scheme,
    extensions: { custom: subject.extensions.filter(({ oid }) => !OF_THE_PLACE.has(oid)) },
    ...alternativePart(spki, issuer),
  });
  const linted = lintTbs(tbs);
  await announceCertificates(announcer, "cross-sign", [await certificateIntent(tbs, { issuerVersion: issuer.id })]);
  return await signCertificate(linted, issuer.signer, issuer.altSigner);
}

function alternativePart(
  spki: Bytes | undefined,
  { signer, altSigner }: LinkSigner,
): { alternative?: AlternativeSpec } {
  const key = spki && (altSigner || isQuantumSafe(signer.algorithm)) ? { spki } : {};
  const alternative = { ...key, ...(altSigner ? { scheme: altSigner.scheme } : {}) };
  return Object.keys(alternative).length > 0 ? { alternative } : {};
}
