import { expectSequence } from "../../asn1/der.ts";
import { OID_CE_CERTIFICATE_ISSUER, OID_CE_ISSUER_ALT_NAME, OID_CE_SUBJECT_ALT_NAME } from "../../asn1/oid.ts";
import type { GeneralName } from "../types.ts";
import { type ExtensionCodec, extensionError, nonEmpty, readContent } from "./codec.ts";
import {
  encodeGeneralNames,
  formatGeneralName,
  generalNameJson,
  type ReadGeneralName,
  readGeneralName,
} from "./general_name.ts";

type AltName = ExtensionCodec<readonly ReadGeneralName[], readonly GeneralName[]>;

function altName(oid: string, what: string): AltName {
  return {
    oid,
    encode(names) {
      if (names.length === 0) throw extensionError(what, "it has no name");
      return encodeGeneralNames(names);
    },
    decode(der) {
      return nonEmpty(expectSequence(readContent(der), what), what).map((part) => readGeneralName(part));
    },
    show(names) {
      return { json: names.map(generalNameJson), text: [names.map(formatGeneralName).join(", ")] };
    },
  };
}

/** subjectAltName, RFC 5280 section 4.2.1.6. A name given twice is written once. */
export const subjectAltName: AltName = altName(OID_CE_SUBJECT_ALT_NAME, "subjectAltName");

/** issuerAltName, RFC 5280 section 4.2.1.7. */
export const issuerAltName: AltName = altName(OID_CE_ISSUER_ALT_NAME, "issuerAltName");

/** certificateIssuer of a CRL entry, RFC 5280 section 5.3.3. */
export const certificateIssuer: AltName = altName(OID_CE_CERTIFICATE_ISSUER, "certificateIssuer");
