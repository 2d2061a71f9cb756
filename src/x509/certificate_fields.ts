import type { KeyUsageBit } from "../alg/registry.ts";
import { type Bytes, equalBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { sha256Hex } from "../keys/digest.ts";
import { subjectAltName } from "./extensions/alt_name.ts";
import { type BasicConstraints, basicConstraints as basicConstraintsCodec } from "./extensions/basic_constraints.ts";
import { extKeyUsage as extKeyUsageCodec } from "./extensions/ext_key_usage.ts";
import type { ReadGeneralName } from "./extensions/general_name.ts";
import { type AuthorityKeyId, authorityKeyIdentifier, subjectKeyIdentifier } from "./extensions/key_identifiers.ts";
import { keyUsage as keyUsageCodec } from "./extensions/key_usage.ts";
import { decodeFrom } from "./extensions/list.ts";
import { sameName } from "./name_match.ts";
import type { Certificate, Extension } from "./types.ts";

/** Whatever carries extensions: a certificate, a request, a list about to be signed. */
export interface HasExtensions {
  readonly extensions: readonly Extension[];
}

/** SHA-256 of the DER in upper-case hex. */
export async function fingerprint(certificate: { readonly der: Bytes }): Promise<string> {
  return (await sha256Hex(certificate.der)).toUpperCase();
}

/** Octets of subjectKeyIdentifier. @throws {InputError} when it is malformed. */
export function subjectKeyId(certificate: HasExtensions): Bytes | undefined {
  return decodeFrom(certificate.extensions, subjectKeyIdentifier);
}

/** Content of authorityKeyIdentifier. @throws {InputError} when it is malformed. */
export function authorityKeyId(certificate: HasExtensions): AuthorityKeyId | undefined {
  return decodeFrom(certificate.extensions, authorityKeyIdentifier);
}

/** Content of basicConstraints. @throws {InputError} when it is malformed. */
export function basicConstraints(certificate: HasExtensions): BasicConstraints | undefined {
  return decodeFrom(certificate.extensions, basicConstraintsCodec);
}

/** Whether basicConstraints says CA. @throws {InputError} when it is malformed. */
export function isCa(certificate: HasExtensions): boolean {
  return basicConstraints(certificate)?.ca === true;
}

/** Bits of keyUsage; undefined when it is absent, which allows everything. @throws {InputError} when malformed. */
export function keyUsage(certificate: HasExtensions): readonly KeyUsageBit[] | undefined {
  return decodeFrom(certificate.extensions, keyUsageCodec);
}

/** Dotted OIDs of extKeyUsage. @throws {InputError} when it is malformed. */
export function extKeyUsage(certificate: HasExtensions): readonly string[] | undefined {
  return decodeFrom(certificate.extensions, extKeyUsageCodec);
}

/** Names of subjectAltName; none when it is absent. @throws {InputError} when it is malformed. */
export function subjectAltNames(certificate: HasExtensions): readonly ReadGeneralName[] {
  return decodeFrom(certificate.extensions, subjectAltName) ?? [];
}

/** Whether subject and issuer are the same name (RFC 5280 section 3.2, self-issued). */
export function isSelfIssued(certificate: Pick<Certificate, "subject" | "issuer">): boolean {
  return sameName(certificate.subject, certificate.issuer);
}

/**
 * Whether it is signed with its own key, as far as names and key identifiers tell. A certificate of one key of a CA by another
 * is self-issued and not that.
 */
export function isSelfSigned(certificate: Pick<Certificate, "subject" | "issuer" | "extensions">): boolean {
  if (!isSelfIssued(certificate)) return false;
  try {
    const [issuer, own] = [authorityKeyId(certificate)?.keyId, subjectKeyId(certificate)];
    return issuer === undefined || own === undefined || equalBytes(issuer, own);
  } catch (error) {
    // names are all there is to go by
    if (error instanceof InputError) return true;
    throw error;
  }
}
