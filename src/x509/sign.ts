import { type Bytes, equalBytes } from "../bytes.ts";
import { OperationError, QpkiError } from "../errors.ts";
import { encodeScheme } from "../keys/scheme.ts";
import type { Signer } from "../keys/types.ts";
import { verifySignature } from "../keys/verify.ts";
import { parseCertificate } from "./certificate_parse.ts";
import type { LintedTbs } from "./lint.ts";
import { assembleSigned } from "./structure.ts";
import type { Tbs } from "./tbs.ts";
import type { Certificate } from "./types.ts";

/** What a signed structure is, for messages. */
export interface SigningOptions {
  readonly what: string;
}

/**
 * Signs any to-be-signed structure and checks the signature in software before anybody sees it: certificates, requests
 * and CRLs all pass here.
 * @returns DER of SEQUENCE { toBeSigned, AlgorithmIdentifier, BIT STRING }.
 * @throws {OperationError} `sign.verify_failed` when the signature does not verify with the signer's public key.
 * @throws {TokenError} when a token fails.
 */
export async function signStructure(toBeSigned: Bytes, signer: Signer, { what }: SigningOptions): Promise<Bytes> {
  const signature = await signer.sign(toBeSigned);
  if (!await verifySignature({ spki: signer.spki, scheme: signer.scheme, message: toBeSigned, signature })) {
    throw new OperationError(`Cannot sign the ${what}: the signature does not verify with the signing key`, {
      code: "sign.verify_failed",
      hint: "The key or token returned a wrong signature; nothing was written",
    });
  }
  return assembleSigned({ toBeSigned, algorithm: encodeScheme(signer.scheme), signature });
}

/**
 * Signs a linted certificate, reads the result back strictly and compares it with what was linted.
 * @throws {OperationError} `sign.scheme_mismatch` when the signer has another scheme than the certificate names,
 * `sign.verify_failed`, `sign.read_back` when what came out is not what was linted.
 * @throws {TokenError} when a token fails.
 */
export async function signCertificate(linted: LintedTbs, signer: Signer): Promise<Certificate> {
  const { tbs } = linted;
  if (signer.scheme.name !== tbs.scheme.name) {
    throw new OperationError(
      `Cannot sign the certificate: it names ${tbs.scheme.label}, the signer does ${signer.scheme.label}`,
      { code: "sign.scheme_mismatch" },
    );
  }
  const der = await signStructure(tbs.der, signer, { what: "certificate" });
  const certificate = readBack(der, parseCertificate, "certificate");
  compare(tbs, certificate);
  return certificate;
}

/** Reads what was just built. @throws {OperationError} `sign.read_back` when our own parser refuses it. */
export function readBack<T>(der: Bytes, parse: (der: Bytes) => T, what: string): T {
  try {
    return parse(der);
  } catch (cause) {
    if (!(cause instanceof QpkiError)) throw cause;
    throw new OperationError(`Cannot sign the ${what}: it cannot be read back: ${cause.message}`, {
      code: "sign.read_back",
      cause,
    });
  }
}

function compare(tbs: Tbs, certificate: Certificate): void {
  const same = equalBytes(certificate.tbs, tbs.der) && certificate.serial === tbs.serial &&
    equalBytes(certificate.issuer, tbs.issuer) && equalBytes(certificate.subject, tbs.subject) &&
    equalBytes(certificate.spki, tbs.spki) && certificate.notBefore.getTime() === tbs.notBefore.getTime() &&
    certificate.notAfter.getTime() === tbs.notAfter.getTime() &&
    certificate.extensions.length === tbs.extensions.length;
  if (same) return;
  throw new OperationError("Cannot sign the certificate: what was read back differs from what was checked", {
    code: "sign.read_back",
  });
}
