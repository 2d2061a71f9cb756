import { OID_AT_COMMON_NAME, OID_AT_COUNTRY, OID_AT_ORGANIZATION, OID_AT_ORGANIZATIONAL_UNIT } from "../asn1/oid.ts";
import { nameAttribute } from "../x509/name.ts";
import type { ExtensionValues, GeneralName, Name } from "../x509/types.ts";

/** What goes into a request: exactly what the operator wrote. */
export interface RequestContent {
  readonly subject: Name;
  readonly extensions?: ExtensionValues;
}

/** Names on a command line. */
export interface NameParts {
  readonly country?: string;
  readonly organization?: string;
  readonly organizationalUnit?: string;
  readonly commonName?: string;
  readonly dns: readonly string[];
  readonly ip: readonly string[];
  readonly email: readonly string[];
  readonly uri: readonly string[];
}

/**
 * Subject and subjectAltName from names; the subject runs from country to common name. Without a subject the
 * subjectAltName is critical (RFC 5280 section 4.2.1.6).
 * @throws {InputError} `name.invalid` for a value that the attribute cannot hold.
 */
export function contentFromNames(parts: NameParts): RequestContent {
  const attributes = [
    [OID_AT_COUNTRY, parts.country],
    [OID_AT_ORGANIZATION, parts.organization],
    [OID_AT_ORGANIZATIONAL_UNIT, parts.organizationalUnit],
    [OID_AT_COMMON_NAME, parts.commonName],
  ] as const;
  const subject = attributes.flatMap(([type, value]) => value === undefined ? [] : [[nameAttribute(type, value)]]);
  const names: GeneralName[] = (["dns", "ip", "email", "uri"] as const)
    .flatMap((type) => parts[type].map((value) => ({ type, value })));
  if (names.length === 0) return { subject };
  return { subject, extensions: { subjectAltName: { critical: subject.length === 0, names } } };
}
