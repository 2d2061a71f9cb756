import { DerFields, expectSequence, oid, readOid, sequence, sequenceOf } from "../../asn1/der.ts";
import { OID_AD_CA_ISSUERS, OID_AD_OCSP, OID_PE_AUTHORITY_INFO_ACCESS, oidByName, oidName } from "../../asn1/oid.ts";
import type { Bytes } from "../../bytes.ts";
import type { ExtensionValues } from "../types.ts";
import { type ExtensionCodec, extensionError, type ExtensionReader, nonEmpty, readContent } from "./codec.ts";
import {
  encodeGeneralName,
  formatGeneralName,
  generalNameJson,
  type ReadGeneralName,
  readGeneralName,
} from "./general_name.ts";

/** One AccessDescription. */
export interface AccessDescription {
  /** Dotted OID. */
  readonly method: string;
  readonly location: ReadGeneralName;
}

/** authorityInfoAccess, RFC 5280 section 4.2.2.1: OCSP responders first, then where the issuer's certificate is. */
export const authorityInfoAccess: ExtensionCodec<
  readonly AccessDescription[],
  NonNullable<ExtensionValues["authorityInfoAccess"]>
> = {
  oid: OID_PE_AUTHORITY_INFO_ACCESS,
  encode({ ocsp, caIssuers }) {
    if (ocsp.length + caIssuers.length === 0) throw extensionError("authorityInfoAccess", "it has no URL");
    return sequenceOf([
      ...[...new Set(ocsp)].map((url) => access(OID_AD_OCSP, url)),
      ...[...new Set(caIssuers)].map((url) => access(OID_AD_CA_ISSUERS, url)),
    ]);
  },
  decode: decodeAccess,
  show: showAccess,
};

/** subjectInfoAccess, RFC 5280 section 4.2.2.2. */
export const subjectInfoAccess: ExtensionReader<readonly AccessDescription[]> = {
  oid: oidByName("subjectInfoAccess", "extension")!,
  decode: decodeAccess,
  show: showAccess,
};

function access(method: string, url: string): Bytes {
  return sequence(oid(method), encodeGeneralName({ type: "uri", value: url }));
}

function decodeAccess(der: Uint8Array): AccessDescription[] {
  const parts = nonEmpty(expectSequence(readContent(der), "information access"), "information access");
  return parts.map((node) => {
    const fields = new DerFields(node, "AccessDescription");
    const method = readOid(fields.next("accessMethod"), "accessMethod");
    const location = readGeneralName(fields.next("accessLocation"));
    fields.end();
    return { method, location };
  });
}

function showAccess(descriptions: readonly AccessDescription[]) {
  return {
    json: descriptions.map(({ method, location }) => ({
      method: oidName(method) ?? method,
      location: generalNameJson(location),
    })),
    text: descriptions.map(({ method, location }) => `${oidName(method) ?? method} - ${formatGeneralName(location)}`),
  };
}
