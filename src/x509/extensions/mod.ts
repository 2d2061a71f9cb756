import { readDer } from "../../asn1/der.ts";
import { isDottedOid, oidName } from "../../asn1/oid.ts";
import { type Bytes, encodeHex, shorten } from "../../bytes.ts";
import { InputError } from "../../errors.ts";
import type { Extension, ExtensionValues } from "../types.ts";
import { altSignatureAlgorithm } from "./alt_signature_algorithm.ts";
import { altSignatureValue } from "./alt_signature_value.ts";
import { certificateIssuer, issuerAltName, subjectAltName } from "./alt_name.ts";
import { authorityInfoAccess, subjectInfoAccess } from "./authority_info_access.ts";
import { basicConstraints } from "./basic_constraints.ts";
import { certificatePolicies } from "./certificate_policies.ts";
import type { AnyReader } from "./codec.ts";
import { crlNumber, crlReason, deltaCrlIndicator, invalidityDate, issuingDistributionPoint } from "./crl_extensions.ts";
import { crlDistributionPoints, freshestCrl } from "./distribution_points.ts";
import { extKeyUsage } from "./ext_key_usage.ts";
import { authorityKeyIdentifier, subjectKeyIdentifier } from "./key_identifiers.ts";
import { keyUsage } from "./key_usage.ts";
import { nameConstraints } from "./name_constraints.ts";
import { ocspNoCheck } from "./ocsp_no_check.ts";
import { inhibitAnyPolicy, policyConstraints, policyMappings } from "./policy_constraints.ts";
import { qcStatements } from "./qc_statements.ts";
import { subjectAltPublicKeyInfo } from "./subject_alt_public_key_info.ts";
import { tlsFeature } from "./tls_feature.ts";

export { decodeFrom, encodeExtensionList, findExtension, readExtensionList } from "./list.ts";

/** Every extension this program can read. */
const READERS: readonly AnyReader[] = [
  subjectKeyIdentifier,
  authorityKeyIdentifier,
  basicConstraints,
  keyUsage,
  extKeyUsage,
  subjectAltName,
  issuerAltName,
  certificatePolicies,
  policyMappings,
  policyConstraints,
  inhibitAnyPolicy,
  nameConstraints,
  crlDistributionPoints,
  freshestCrl,
  authorityInfoAccess,
  subjectInfoAccess,
  ocspNoCheck,
  qcStatements,
  tlsFeature,
  subjectAltPublicKeyInfo,
  altSignatureAlgorithm,
  altSignatureValue,
  crlNumber,
  deltaCrlIndicator,
  issuingDistributionPoint,
  crlReason,
  invalidityDate,
  certificateIssuer,
];

const readersByOid = indexReaders();

function indexReaders(): ReadonlyMap<string, AnyReader> {
  const map = new Map<string, AnyReader>();
  for (const reader of READERS) {
    if (map.has(reader.oid)) throw new Error(`Two extension readers claim ${reader.oid}`);
    map.set(reader.oid, reader);
  }
  return map;
}

/**
 * Extensions in the order of a certificate: what a profile states, each present at most once. Key identifiers are not
 * among them.
 * @throws {InputError} `extension.invalid`, `general_name.invalid`, or `extension.duplicate` when a custom extension has
 * the OID of another one.
 */
export function encodeExtensions(values: ExtensionValues): Extension[] {
  const out: Extension[] = [];
  const put = (oid: string, critical: boolean, value: Bytes) => out.push({ oid, critical, value });
  const v = values;
  if (v.basicConstraints) {
    put(basicConstraints.oid, v.basicConstraints.critical, basicConstraints.encode(v.basicConstraints));
  }
  if (v.keyUsage) put(keyUsage.oid, v.keyUsage.critical, keyUsage.encode(v.keyUsage.values));
  if (v.extKeyUsage) put(extKeyUsage.oid, v.extKeyUsage.critical, extKeyUsage.encode(v.extKeyUsage.values));
  if (v.subjectAltName) {
    put(subjectAltName.oid, v.subjectAltName.critical, subjectAltName.encode(v.subjectAltName.names));
  }
  if (v.nameConstraints) {
    put(nameConstraints.oid, v.nameConstraints.critical, nameConstraints.encode(v.nameConstraints));
  }
  if (v.certificatePolicies) {
    const { critical, policies } = v.certificatePolicies;
    put(certificatePolicies.oid, critical, certificatePolicies.encode(policies));
  }
  if (v.crlDistributionPoints) {
    const { critical, urls } = v.crlDistributionPoints;
    put(crlDistributionPoints.oid, critical, crlDistributionPoints.encode(urls));
  }
  if (v.authorityInfoAccess) put(authorityInfoAccess.oid, false, authorityInfoAccess.encode(v.authorityInfoAccess));
  if (v.ocspNoCheck) put(ocspNoCheck.oid, v.ocspNoCheck.critical, ocspNoCheck.encode());
  if (v.qcStatements) put(qcStatements.oid, v.qcStatements.critical, qcStatements.encode(v.qcStatements));
  out.push(...(v.custom ?? []).map(checkedCustom));
  refuseDuplicates(out);
  return out;
}

function checkedCustom(extension: Extension): Extension {
  if (!isDottedOid(extension.oid)) {
    throw new InputError(`Cannot encode the extension "${shorten(extension.oid)}": not a dotted OID`, {
      code: "oid.invalid",
    });
  }
  try {
    readDer(extension.value);
  } catch (cause) {
    throw new InputError(`Cannot encode the extension ${extension.oid}: its value is not DER`, {
      code: "extension.invalid",
      hint: "Give the DER of the value, as it stands inside the OCTET STRING, in hex or base64",
      cause,
    });
  }
  return extension;
}

/** @throws {InputError} `extension.duplicate` when an OID is there twice. */
export function refuseDuplicates(extensions: readonly Extension[]): void {
  const seen = new Set<string>();
  for (const { oid } of extensions) {
    if (seen.has(oid)) {
      throw new InputError(`Cannot encode the extension ${oidName(oid) ?? oid}: it is stated twice`, {
        code: "extension.duplicate",
      });
    }
    seen.add(oid);
  }
}

/** Whether this program understands an extension, as RFC 5280 section 4.2 asks for critical ones. */
export function isKnownExtension(oid: string): boolean {
  return readersByOid.has(oid);
}

/** Whether the content of a known extension can be read; an unknown one counts as readable. */
export function isWellFormed(extension: Extension): boolean {
  try {
    readersByOid.get(extension.oid)?.decode(extension.value);
    return true;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

/** An extension for display. */
export interface DescribedExtension {
  /** Name of the OID table, or the dotted OID. */
  readonly name: string;
  readonly json: unknown;
  readonly text: readonly string[];
}

/** Describes any extension: a known one by its content, an unknown or malformed one in hex. Never throws. */
export function decodeExtension(extension: Extension): DescribedExtension {
  const name = oidName(extension.oid) ?? extension.oid;
  const reader = readersByOid.get(extension.oid);
  const hex = encodeHex(extension.value);
  if (!reader) return { name, json: hex, text: [hex] };
  try {
    return { name, ...reader.show(reader.decode(extension.value)) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { name, json: { malformed: reason, der: hex }, text: [`malformed: ${reason}`, hex] };
  }
}
