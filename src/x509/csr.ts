import { integer } from "../asn1/der.ts";
import { OID_EXTENSION_REQUEST } from "../asn1/oid.ts";
import { type Bytes, encodePem, equalBytes } from "../bytes.ts";
import { InputError, OperationError, withArticle } from "../errors.ts";
import { describeSpki } from "../keys/spki.ts";
import type { Signer } from "../keys/types.ts";
import { alternativeAlgorithmExtension, alternativeKeyExtension, signAlternative } from "./alternative.ts";
import { inFile, openSingle } from "./container.ts";
import { encodeAttribute, encodeRequestInfo } from "./csr_attributes.ts";
import { parseCsr } from "./csr_parse.ts";
import { verifyCsr } from "./csr_verify.ts";
import { encodeExtensionList, encodeExtensions } from "./extensions/mod.ts";
import { encodeName } from "./name_codec.ts";
import { attestationProblem, encodePossession, type PossessionSpec } from "./possession.ts";
import { readBack, requireAlternative, signStructure } from "./sign.ts";
import type { Csr, Extension, ExtensionValues, Name } from "./types.ts";

export { requestedAlternative } from "./csr_attributes.ts";
export { parseCsr } from "./csr_parse.ts";
export { type Attestation, type CsrVerdict, type CsrVerifyOptions, verifyCsr } from "./csr_verify.ts";
export { describeCsr } from "./describe.ts";
export { type PossessionStatement, possessionStatement } from "./possession.ts";

/** What a request shall say. */
export interface CsrSpec {
  /** May be empty. */
  readonly subject: Name;
  /** SubjectPublicKeyInfo of the key the certificate is asked for, DER. */
  readonly spki: Bytes;
  /** Asked for in an extensionRequest attribute. */
  readonly extensions?: ExtensionValues;
  /** For a key that cannot sign (KEM): who signs the request instead, and states that the key is there (RFC 9883). */
  readonly possession?: PossessionSpec;
}

/**
 * The one builder of requests (RFC 2986), with our own writers for the reasons in tbs.ts. `signer` holds the private half
 * of `spec.spki`, or with `spec.possession` that of the attesting certificate. `altSigner` holds an alternative key for
 * which the request asks as well: it gets the three attributes, and both signatures.
 * @throws {InputError} for a value that cannot be encoded; `possession.missing`, `possession.not_allowed`,
 * `possession.foreign` when the key needs a statement of possession, must not have one, or the certificate is another's.
 * @throws {OperationError} `sign.key_mismatch`, `sign.verify_failed` or `sign.read_back`.
 * @throws {TokenError} when a token fails.
 */
export async function buildCsr(spec: CsrSpec, signer: Signer, altSigner?: Signer): Promise<Csr> {
  const extensions = encodeExtensions(spec.extensions ?? {});
  checkKeys(spec, { extensions, signer, altSigner });
  const head = [integer(0), encodeName(spec.subject), spec.spki];
  const attributes = [
    ...(extensions.length === 0 ? [] : [encodeAttribute(OID_EXTENSION_REQUEST, encodeExtensionList(extensions))]),
    ...(spec.possession ? [encodePossession(spec.possession)] : []),
  ];
  if (altSigner) {
    attributes.push(
      asAttribute(alternativeKeyExtension(altSigner.spki)),
      asAttribute(alternativeAlgorithmExtension(altSigner.scheme)),
    );
    attributes.push(asAttribute(await signAlternative(encodeRequestInfo(head, attributes), altSigner)));
  }
  const der = await signStructure(encodeRequestInfo(head, attributes), signer, { what: "certificate request" });
  const csr = readBack(der, parseCsr, "certificate request");
  // The native signature was verified when it was made.
  if (altSigner) requireAlternative("certificate request", await verifyCsr(csr));
  return csr;
}

function asAttribute({ oid, value }: Extension): Bytes {
  return encodeAttribute(oid, value);
}

/** Who signs: the key itself, or for a key that cannot sign the attesting certificate's. */
function checkKeys(
  spec: CsrSpec,
  { extensions, signer, altSigner }: {
    extensions: readonly Extension[];
    signer: Signer;
    altSigner: Signer | undefined;
  },
): void {
  const { possession, spki } = spec;
  const { row, description } = describeSpki(spki);
  if (possession && row?.kind !== "kem") {
    throw requestError("possession.not_allowed", `${withArticle(description)} key must sign its own request`);
  }
  if (row?.kind === "kem") {
    if (!possession) {
      throw requestError(
        "possession.missing",
        `${withArticle(description)} key cannot sign`,
        "Name a signature certificate of the same subject and its key, which sign the request (RFC 9883)",
      );
    }
    if (altSigner) {
      throw requestError("possession.not_allowed", `${withArticle(description)} key has no alternative key`);
    }
    const problem = attestationProblem({ subject: encodeName(spec.subject), extensions }, possession.certificate);
    if (problem !== undefined) throw requestError("possession.foreign", problem);
  }
  const expected = possession ? possession.certificate.spki : spki;
  if (!equalBytes(expected, signer.spki)) {
    const whose = possession ? "the attesting certificate's" : "the one it is for";
    throw new OperationError(`Cannot sign the certificate request: the signing key is not ${whose}`, {
      code: "sign.key_mismatch",
    });
  }
  if (altSigner && equalBytes(altSigner.spki, spki)) {
    throw requestError("alternative.same_key", "its alternative key is the same as its key");
  }
}

function requestError(code: string, reason: string, hint?: string): InputError {
  return new InputError(`Cannot make the certificate request: ${reason}`, {
    code,
    ...(hint === undefined ? {} : { hint }),
  });
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
