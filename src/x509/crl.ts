import { explicit, integer, sequenceOf, time } from "../asn1/der.ts";
import { type Bytes, encodePem } from "../bytes.ts";
import { InputError, QpkiError } from "../errors.ts";
import { encodeScheme } from "../keys/scheme.ts";
import type { Signer } from "../keys/types.ts";
import { alternativeAlgorithmExtension, checkIssued, signAlternative } from "./alternative.ts";
import { keyUsage } from "./certificate_fields.ts";
import { inFile, openSingle } from "./container.ts";
import { encodeEntries } from "./crl_entries.ts";
import { parseCrl } from "./crl_parse.ts";
import { crlNumber } from "./extensions/crl_extensions.ts";
import { authorityKeyIdentifier } from "./extensions/key_identifiers.ts";
import { encodeExtensionList, isKnownExtension } from "./extensions/mod.ts";
import { decodeName, isEmptyName } from "./name_codec.ts";
import { sameName } from "./name_match.ts";
import { formatName } from "./name_text.ts";
import { preTbsCertList } from "./pre_tbs.ts";
import { issuerKeys, readBack, requireAlternative, signStructure } from "./sign.ts";
import type { Certificate, Crl, Extension, RevokedCertificate } from "./types.ts";
import { type AlternativePolicy, type CheckedSignature, checkedSignature, CLASSICAL_ONLY } from "./verdict.ts";

export { parseCrl } from "./crl_parse.ts";
export { describeCrl } from "./describe.ts";
export { REVOCATION_REASONS } from "./extensions/crl_extensions.ts";

/** What a CRL shall say. */
export interface CrlSpec {
  /** Name of the issuer, DER, copied from its certificate's subject. */
  readonly issuer: Bytes;
  /** The issuer's subjectKeyIdentifier octets. */
  readonly authorityKeyId: Bytes;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  /** cRLNumber, hex. */
  readonly number: string;
  /** In the order they are to be listed. */
  readonly revoked: readonly RevokedCertificate[];
}

/**
 * The one builder of CRLs (RFC 5280 section 5): version 2 with authorityKeyIdentifier and cRLNumber, signed with the
 * scheme of `signer`, and by `altSigner` too when the issuer has an alternative key (X.509 clause 7.10.3). Written with our
 * own writers for the reasons in tbs.ts, and because pkijs makes several objects for each entry.
 * @throws {InputError} `crl.invalid` for an empty issuer or dates in the wrong order, `serial.invalid`.
 * @throws {OperationError} `sign.verify_failed` or `sign.read_back`.
 * @throws {TokenError} when a token fails.
 */
export async function buildCrl(spec: CrlSpec, signer: Signer, altSigner?: Signer): Promise<Crl> {
  decodeName(spec.issuer);
  if (isEmptyName(spec.issuer)) throw specError("the issuer name is empty");
  const [thisUpdate, nextUpdate] = [seconds(spec.thisUpdate), seconds(spec.nextUpdate)];
  if (!(nextUpdate.getTime() > thisUpdate.getTime())) throw specError("nextUpdate is not after thisUpdate");
  const body = [spec.issuer, time(thisUpdate), time(nextUpdate), ...encodeEntries(spec.revoked)];
  const extensions: Extension[] = [
    {
      oid: authorityKeyIdentifier.oid,
      critical: false,
      value: authorityKeyIdentifier.encode(spec.authorityKeyId),
    },
    { oid: crlNumber.oid, critical: false, value: crlNumber.encode(spec.number) },
  ];
  if (altSigner) {
    extensions.push(alternativeAlgorithmExtension(altSigner.scheme));
    const pre = sequenceOf([VERSION_2, ...body, explicit(0, encodeExtensionList(extensions))]);
    extensions.push(await signAlternative(pre, altSigner));
  }
  const scheme = encodeScheme(signer.scheme);
  const tbs = sequenceOf([VERSION_2, scheme, ...body, explicit(0, encodeExtensionList(extensions))]);
  const der = await signStructure(tbs, signer, { what: "CRL" });
  const crl = readBack(der, parseCrl, "CRL");
  if (crl.revoked.length !== spec.revoked.length) throw specError("an entry was lost");
  if (altSigner) requireAlternative("CRL", await checkIssued(crl, issuerKeys(signer, altSigner), preTbsCertList));
  return crl;
}

const VERSION_2 = integer(1);

function seconds(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000);
}

function specError(reason: string): InputError {
  return new InputError(`Cannot build the CRL: ${reason}`, { code: "crl.invalid" });
}

/**
 * The one CRL of a file, PEM (`X509 CRL`) or DER.
 * @param file its path, for messages.
 * @throws {InputError} `crl.invalid`.
 */
export function readCrl(content: Uint8Array, file?: string): Crl {
  const der = openSingle(content, {
    labels: ["X509 CRL", "CRL"],
    what: "CRL",
    code: "crl.invalid",
    ...(file === undefined ? {} : { file }),
  });
  return inFile(file, () => parseCrl(der));
}

/** PEM of a CRL. */
export function crlPem(crl: Pick<Crl, "der">): string {
  return encodePem("X509 CRL", crl.der);
}

/** Answer about a CRL. */
export interface CrlVerdict {
  readonly valid: boolean;
  readonly reason?: string;
  /** The signatures that were checked and are good: of the issuer, one entry. */
  readonly signatures: readonly CheckedSignature[];
}

/** How a CRL is judged. */
export interface CrlVerifyOptions {
  /** What to make of a missing alternative signature of an issuer that has an alternative key; refused unless told. */
  readonly alternative?: AlternativePolicy;
}

/**
 * Whether a CRL comes from `issuer`: names match, the issuer may sign CRLs, no critical extension is unknown, and the
 * signature is good, or both are where the issuer has an alternative key. Freshness is not judged here. Never throws for a
 * bad CRL.
 */
export async function verifyCrl(crl: Crl, issuer: Certificate, options: CrlVerifyOptions = {}): Promise<CrlVerdict> {
  const reason = issuerReason(crl, issuer) ?? extensionReason(crl);
  if (reason !== undefined) return { valid: false, reason, signatures: [] };
  const verdict = await checkIssued(crl, issuer, preTbsCertList);
  if (!verdict.valid) return { valid: false, reason: verdict.reason!, signatures: [] };
  const signatures = [checkedSignature(formatName(crl.issuer), verdict)];
  if (verdict.alternative === null && options.alternative !== "optional") {
    return { valid: false, reason: `the CRL ${CLASSICAL_ONLY}`, signatures };
  }
  return { valid: true, signatures };
}

function issuerReason(crl: Crl, issuer: Certificate): string | undefined {
  if (!sameName(crl.issuer, issuer.subject)) {
    return `the CRL is issued by "${formatName(crl.issuer)}", not by "${formatName(issuer.subject)}"`;
  }
  try {
    const usage = keyUsage(issuer);
    return usage && !usage.includes("cRLSign") ? "the issuer's keyUsage has no cRLSign" : undefined;
  } catch (error) {
    if (error instanceof QpkiError) return `the issuer's keyUsage is malformed`;
    throw error;
  }
}

function extensionReason(crl: Crl): string | undefined {
  const unknown = crl.extensions.find(({ critical, oid }) => critical && !isKnownExtension(oid))?.oid;
  const oid = unknown ?? crl.unsupportedEntryExtension;
  return oid === undefined ? undefined : `the CRL has the critical extension ${oid}, which is not supported`;
}
