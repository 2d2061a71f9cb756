import { encodePem } from "../bytes.ts";
import { parseCertificate } from "./certificate_parse.ts";
import { inFile, openContainer } from "./container.ts";
import type { Certificate } from "./types.ts";

/** Door to certificates: reading, PEM, fields, description. */
export { alternativeSpki } from "./alternative.ts";
export { parseCertificate } from "./certificate_parse.ts";
export {
  authorityKeyId,
  basicConstraints,
  extKeyUsage,
  fingerprint,
  isCa,
  isSelfIssued,
  isSelfSigned,
  keyUsage,
  subjectAltNames,
  subjectKeyId,
} from "./certificate_fields.ts";
export { commonName } from "./name_text.ts";
export { describeCertificate } from "./describe.ts";

/**
 * Every certificate of a file, in order: PEM (a bundle, with text and other blocks between) or one in DER.
 * @param file its path, for messages.
 * @throws {InputError} `certificate.invalid` when there is none or one is malformed; it says which.
 */
export function readCertificates(content: Uint8Array, file?: string): Certificate[] {
  const found = openContainer(content, {
    labels: ["CERTIFICATE", "X509 CERTIFICATE"],
    what: "certificate",
    code: "certificate.invalid",
    ...(file === undefined ? {} : { file }),
  });
  return found.map((der) => inFile(file, () => parseCertificate(der)));
}

/** PEM of a certificate. */
export function certificatePem(certificate: Pick<Certificate, "der">): string {
  return encodePem("CERTIFICATE", certificate.der);
}
