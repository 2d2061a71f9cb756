import { type KeyRow, keyRowsBySpkiOid, type SchemeRow } from "../alg/find.ts";
import { explicit, integer, sequence, sequenceOf, time } from "../asn1/der.ts";
import { type Bytes, equalBytes, plainBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { encodeScheme } from "../keys/scheme.ts";
import { describeSpki, type SpkiInfo } from "../keys/spki.ts";
import { alternativeAlgorithmExtension, alternativeKeyExtension } from "./alternative.ts";
import { authorityKeyIdentifier, subjectKeyIdentifier } from "./extensions/key_identifiers.ts";
import { encodeExtensionList, encodeExtensions, refuseDuplicates } from "./extensions/mod.ts";
import { keyIdentifier } from "./key_id.ts";
import { decodeName, encodeName } from "./name_codec.ts";
import { encodeSerial, normalizeSerial } from "./serial.ts";
import type { Extension, ExtensionValues, Name } from "./types.ts";

/**
 * The one builder of certificates. Structures are written with our own DER writers and not with pkijs: measured here, a
 * pkijs certificate costs 0.57 ms to build (7 ms the first one, 33 ms to load the library) against well under 0.1 ms, and
 * it encodes names and extensions anew where X.509 asks for the issuer's bytes unchanged. pkijs is the second judge of
 * what is built here, in the tests.
 */

/** What a certificate shall say. */
export interface TbsSpec {
  /** Hex, see serial.ts. */
  readonly serial: string;
  /** DER Name, copied unchanged from the issuer's subject. */
  readonly issuer: Bytes;
  /** To be encoded, or DER to be copied. */
  readonly subject: Name | Bytes;
  /** Fractions of a second are cut. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Bytes;
  /** How the issuer will sign. */
  readonly scheme: SchemeRow;
  readonly extensions: ExtensionValues;
  /** The subject's key identifier where certificates of its key have another one than we would make. */
  readonly subjectKeyId?: Bytes;
  /** The issuer's subjectKeyIdentifier octets; left out only for self-signed certificates. */
  readonly authorityKeyId?: Bytes;
  /** For an issuer with an alternative key (X.509 clause 9.8): the certificate gets a second signature. */
  readonly alternative?: AlternativeSpec;
}

/** The second signature of a certificate, and the second key in it. */
export interface AlternativeSpec {
  /** SubjectPublicKeyInfo of the subject's own alternative key, DER; a subject with one key has none. */
  readonly spki?: Bytes;
  /** How the issuer will sign with its alternative key; without one its native signature must be post-quantum. */
  readonly scheme?: SchemeRow;
}

/** What lint rules look at: a certificate before it is signed, or the plan of one. */
export interface TbsFacts {
  readonly serial: string;
  /** DER Names. */
  readonly issuer: Bytes;
  readonly subject: Bytes;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The subject's key algorithm; undefined when no row has it. */
  readonly row?: KeyRow;
  /** The subject's key in words. */
  readonly keyDescription: string;
  readonly rsa?: SpkiInfo["rsa"];
  readonly scheme: SchemeRow;
  readonly extensions: readonly Extension[];
  readonly alternative?: AlternativeFacts;
}

/** What lint rules look at of an alternative key and signature. */
export interface AlternativeFacts {
  /** How the issuer will sign; absent when it has no alternative key. */
  readonly scheme?: SchemeRow;
  /** The subject's alternative key; absent when it has none. */
  readonly key?: { readonly spki: Bytes; readonly row?: KeyRow; readonly description: string };
}

/** A TBSCertificate that may be signed once it was linted. */
export interface Tbs extends TbsFacts {
  /** TBSCertificate, DER; the extension altSignatureValue is added when it is signed. */
  readonly der: Bytes;
  readonly spki: Bytes;
}

/**
 * Builds a TBSCertificate (RFC 5280 section 4.1.2), version 3. subjectKeyIdentifier is always added, and
 * authorityKeyIdentifier when the issuer's is given. An alternative signature's algorithm stands last.
 * @throws {InputError} for a value that cannot be encoded: `serial.invalid`, `name.invalid`, `general_name.invalid`,
 * `extension.invalid`, `extension.duplicate`, `validity.invalid`, `key.invalid`, `alternative.same_key`, `der.invalid`.
 */
export async function buildTbsCertificate(spec: TbsSpec): Promise<Tbs> {
  const subject = subjectBytes(spec.subject);
  decodeName(spec.issuer);
  const { row, description, rsa } = describeKey(spec.spki);
  const alternative = spec.alternative && alternativeFacts(spec.alternative, spec.spki);
  const keyIds: Extension[] = [{
    oid: subjectKeyIdentifier.oid,
    critical: false,
    value: subjectKeyIdentifier.encode(spec.subjectKeyId ?? await keyIdentifier(spec.spki)),
  }];
  if (spec.authorityKeyId !== undefined) {
    const value = authorityKeyIdentifier.encode(spec.authorityKeyId);
    keyIds.push({ oid: authorityKeyIdentifier.oid, critical: false, value });
  }
  const fields = {
    serial: normalizeSerial(spec.serial),
    issuer: spec.issuer,
    subject,
    notBefore: wholeSeconds(spec.notBefore, "notBefore"),
    notAfter: wholeSeconds(spec.notAfter, "notAfter"),
    spki: spec.spki,
    scheme: spec.scheme,
    extensions: [...keyIds, ...encodeExtensions(spec.extensions), ...alternativeExtensions(spec.alternative)],
    keyDescription: description,
    ...(alternative === undefined ? {} : { alternative }),
    ...(row === undefined ? {} : { row }),
    ...(rsa === undefined ? {} : { rsa }),
  };
  refuseDuplicates(fields.extensions);
  return { ...fields, der: encodeTbs(fields) };
}

/** As `describeSpki`; the description says so when a known algorithm has parameters that it must not have. */
function describeKey(spki: Bytes): SpkiInfo {
  const info = describeSpki(spki);
  const rows = info.row ? [] : keyRowsBySpkiOid(info.algorithmOid);
  const isAbsentKnown = rows.some((row) => row.spki.parameters === "absent");
  return isAbsentKnown ? { ...info, description: `${info.description} with parameters` } : info;
}

function alternativeFacts({ spki, scheme }: AlternativeSpec, native: Bytes): AlternativeFacts {
  const facts = scheme ? { scheme } : {};
  if (spki === undefined) return facts;
  if (equalBytes(spki, native)) {
    throw new InputError("Cannot certify the alternative key: it is the same as the subject's key", {
      code: "alternative.same_key",
    });
  }
  const { row, description } = describeKey(spki);
  return { ...facts, key: { spki, description, ...(row === undefined ? {} : { row }) } };
}

function alternativeExtensions(alternative: AlternativeSpec | undefined): Extension[] {
  if (!alternative) return [];
  const { spki, scheme } = alternative;
  return [...(spki ? [alternativeKeyExtension(spki)] : []), ...(scheme ? [alternativeAlgorithmExtension(scheme)] : [])];
}

/** The fields of a TBSCertificate, for {@link encodeTbs}. */
export type TbsFields = Pick<
  Tbs,
  "serial" | "issuer" | "subject" | "notBefore" | "notAfter" | "spki" | "scheme" | "extensions"
>;

/**
 * DER of a TBSCertificate. Without the signature field it is what an alternative signature covers (X.509 clause 9.8).
 */
export function encodeTbs(fields: TbsFields, options: { readonly omitSignature?: boolean } = {}): Bytes {
  return sequenceOf([
    VERSION_3,
    encodeSerial(fields.serial),
    ...(options.omitSignature ? [] : [encodeScheme(fields.scheme)]),
    fields.issuer,
    sequence(time(fields.notBefore), time(fields.notAfter)),
    fields.subject,
    fields.spki,
    explicit(3, encodeExtensionList(fields.extensions)),
  ]);
}

const VERSION_3 = explicit(0, integer(2));

function subjectBytes(subject: Name | Bytes): Bytes {
  if (!(subject instanceof Uint8Array)) return encodeName(subject);
  decodeName(subject);
  return plainBytes(subject);
}

/** A date cut to seconds, within what a certificate can say (years 1950 to 9999). */
function wholeSeconds(date: Date, what: string): Date {
  const milliseconds = Math.floor(date.getTime() / 1000) * 1000;
  const year = new Date(milliseconds).getUTCFullYear();
  if (Number.isNaN(year) || year < 1950 || year > 9999) {
    throw new InputError(`Cannot use the ${what} ${String(date)}: not within the years 1950 to 9999`, {
      code: "validity.invalid",
    });
  }
  return new Date(milliseconds);
}
