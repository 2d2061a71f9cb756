import { implicit, integer, oid, sequence, setOf } from "../asn1/der.ts";
import { OID_EXTENSION_REQUEST } from "../asn1/oid.ts";
import { type Bytes, encodePem, equalBytes } from "../bytes.ts";
import { OperationError } from "../errors.ts";
import type { Signer } from "../keys/types.ts";
import { inFile, openSingle } from "./container.ts";
import { parseCsr } from "./csr_parse.ts";
import { encodeExtensionList, encodeExtensions } from "./extensions/mod.ts";
import { encodeName } from "./name_codec.ts";
import { readBack, signStructure } from "./sign.ts";
import { checkSignature } from "./signature.ts";
import type { Csr, ExtensionValues, Name } from "./types.ts";

export { parseCsr } from "./csr_parse.ts";
export { describeCsr } from "./describe.ts";

/** What a request shall say. */
export interface CsrSpec {
  /** May be empty. */
  readonly subject: Name;
  /** SubjectPublicKeyInfo of the key the certificate is asked for, DER. */
  readonly spki: Bytes;
  /** Asked for in an extensionRequest attribute. */
  readonly extensions?: ExtensionValues;
}

/**
 * The one builder of requests (RFC 2986), with our own writers for the reasons in tbs.ts. `signer` holds the private half
 * of `spec.spki`.
 * @throws {InputError} for a value that cannot be encoded.
 * @throws {OperationError} `sign.key_mismatch`, `sign.verify_failed` or `sign.read_back`.
 * @throws {TokenError} when a token fails.
 */
export async function buildCsr(spec: CsrSpec, signer: Signer): Promise<Csr> {
  if (!equalBytes(spec.spki, signer.spki)) {
    throw new OperationError("Cannot sign the certificate request: the signing key is not the one it is for", {
      code: "sign.key_mismatch",
    });
  }
  const extensions = encodeExtensions(spec.extensions ?? {});
  const attributes = extensions.length === 0
    ? []
    : [sequence(oid(OID_EXTENSION_REQUEST), setOf(encodeExtensionList(extensions)))];
  const info = sequence(integer(0), encodeName(spec.subject), spec.spki, implicit(0, setOf(...attributes)));
  const der = await signStructure(info, signer, { what: "certificate request" });
  return readBack(der, parseCsr, "certificate request");
}

/**
 * The one request of a file, PEM (`CERTIFICATE REQUEST` or `NEW CERTIFICATE REQUEST`) or DER.
 * @param file its path, for messages.
 * @throws {InputError} `csr.invalid`.
 */
export function readCsr(content: Uint8Array, file?: string): Csr {
  const der = openSingle(content, {
    labels: ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"],
    what: "certificate request",
    code: "csr.invalid",
    ...(file === undefined ? {} : { file }),
  });
  return inFile(file, () => parseCsr(der));
}

/** PEM of a request. */
export function csrPem(csr: Pick<Csr, "der">): string {
  return encodePem("CERTIFICATE REQUEST", csr.der);
}

/** Whether a request is signed by the key it holds: the proof of possession. Never throws for a bad request. */
export async function verifyCsr(csr: Csr): Promise<{ valid: boolean; reason?: string }> {
  const { spki, info: message, signatureAlgorithm: algorithm, signature } = csr;
  const { valid, reason } = await checkSignature({ spki, message, algorithm, signature });
  return { valid, ...(reason === undefined ? {} : { reason }) };
}
