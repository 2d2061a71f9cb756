import type { SchemeRow } from "../alg/find.ts";
import { type Bytes, equalBytes } from "../bytes.ts";
import { OperationError, QpkiError } from "../errors.ts";
import { encodeScheme } from "../keys/scheme.ts";
import type { Signer } from "../keys/types.ts";
import { verifyOwn } from "../keys/verify.ts";
import { alternativeKeyExtension, signAlternative, verifyAlternative } from "./alternative.ts";
import { parseCertificate } from "./certificate_parse.ts";
import type { LintedTbs } from "./lint.ts";
import type { SignatureVerdict } from "./signature.ts";
import { assembleSigned } from "./structure.ts";
import { encodeTbs, type Tbs } from "./tbs.ts";
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
  if (!await verifyOwn(signer, toBeSigned, signature)) {
    throw new OperationError(`Cannot sign the ${what}: the signature does not verify with the signing key`, {
      code: "sign.verify_failed",
      hint: "The key or token returned a wrong signature; nothing was written",
    });
  }
  return assembleSigned({ toBeSigned, algorithm: encodeScheme(signer.scheme), signature });
}

/**
 * Signs a linted certificate, reads the result back strictly and compares it with what was linted. With an alternative
 * scheme (X.509 clause 9.8) `altSigner` signs first, what it signed becomes an extension, and `signer` signs the whole.
 * @throws {OperationError} `sign.scheme_mismatch` when a signer has another scheme than the certificate names, or one too
 * many or too few is given, `sign.key_mismatch` when a self-signed certificate holds another alternative key,
 * `sign.verify_failed`, `sign.read_back` when what came out is not what was linted.
 * @throws {TokenError} when a token fails.
 */
export async function signCertificate(linted: LintedTbs, signer: Signer, altSigner?: Signer): Promise<Certificate> {
  const { tbs } = linted;
  requireScheme("certificate", signer, tbs.scheme);
  checkAlternativeSigner(tbs, signer, altSigner);
  const value = altSigner && await signAlternative(encodeTbs(tbs, { omitSignature: true }), altSigner);
  const toBeSigned = value ? encodeTbs({ ...tbs, extensions: [...tbs.extensions, value] }) : tbs.der;
  const der = await signStructure(toBeSigned, signer, { what: "certificate" });
  const certificate = readBack(der, parseCertificate, "certificate");
  compare({ ...tbs, der: toBeSigned }, certificate);
  if (altSigner) requireAlternative("certificate", await verifyAlternative(certificate, issuerKeys(signer, altSigner)));
  return certificate;
}

/** The keys that the two signers hold, as their certificate states them. */
export function issuerKeys(signer: Signer, altSigner: Signer): Pick<Certificate, "spki" | "extensions"> {
  return { spki: signer.spki, extensions: [alternativeKeyExtension(altSigner.spki)] };
}

/** @throws {OperationError} `sign.verify_failed` unless the alternative signature that was just made is good. */
export function requireAlternative(what: string, { valid, reason }: SignatureVerdict): void {
  if (valid) return;
  throw new OperationError(`Cannot sign the ${what}: ${reason}`, {
    code: "sign.verify_failed",
    hint: "The alternative key or its token returned a wrong signature; nothing was written",
  });
}

function requireScheme(what: string, signer: Signer, scheme: SchemeRow): void {
  if (signer.scheme.name === scheme.name) return;
  throw new OperationError(
    `Cannot sign the ${what}: it names ${scheme.label}, the signer does ${signer.scheme.label}`,
    { code: "sign.scheme_mismatch" },
  );
}

function checkAlternativeSigner({ alternative, spki }: Tbs, signer: Signer, altSigner: Signer | undefined): void {
  const scheme = alternative?.scheme;
  if (!scheme !== !altSigner) {
    const reason = altSigner ? "it names no alternative signature" : "there is no signer for its alternative signature";
    throw new OperationError(`Cannot sign the certificate: ${reason}`, { code: "sign.scheme_mismatch" });
  }
  if (!scheme || !altSigner) return;
  requireScheme("certificate", altSigner, scheme);
  if (!equalBytes(spki, signer.spki)) return;
  if (!alternative?.key || !equalBytes(alternative.key.spki, altSigner.spki)) {
    throw new OperationError("Cannot sign the certificate: its alternative key is not the one that signs", {
      code: "sign.key_mismatch",
    });
  }
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
    certificate.extensions.length === tbs.extensions.length + (tbs.alternative?.scheme ? 1 : 0);
  if (same) return;
  throw new OperationError("Cannot sign the certificate: what was read back differs from what was checked", {
    code: "sign.read_back",
  });
}
