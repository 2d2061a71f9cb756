import {
  DerFields,
  type DerNode,
  enumerated,
  expectExplicit,
  expectTag,
  integer,
  readEnumerated,
  readTime,
  TAG,
} from "../../asn1/der.ts";
import {
  OID_CE_CRL_NUMBER,
  OID_CE_CRL_REASON,
  OID_CE_DELTA_CRL_INDICATOR,
  OID_CE_INVALIDITY_DATE,
  OID_CE_ISSUING_DISTRIBUTION_POINT,
} from "../../asn1/oid.ts";
import type { Bytes } from "../../bytes.ts";
import { InputError } from "../../errors.ts";
import { MAX_SERIAL_OCTETS, normalizeSerial, serialHex } from "../serial.ts";
import { formatTime } from "../time_text.ts";
import type { RevocationReason } from "../types.ts";
import { type ExtensionCodec, extensionError, type ExtensionReader, readContent } from "./codec.ts";
import { type DistributionPointName, pointJson, pointText, readPointName } from "./distribution_points.ts";
import { readReasonFlags } from "./reason_flags.ts";

/** cRLNumber, RFC 5280 section 5.2.3: hex as in serials, at most 20 octets. */
export const crlNumber: ExtensionCodec<string> = {
  oid: OID_CE_CRL_NUMBER,
  encode: (number) => encodeNumber(number),
  decode: (der) => serialHex(expectTag(readContent(der), TAG.INTEGER, "cRLNumber").content),
  show: (number) => ({ json: number, text: [number] }),
};

function encodeNumber(number: string): Bytes {
  const der = integer(Uint8Array.fromHex(normalizeSerial(number)));
  if (der.length - 2 > MAX_SERIAL_OCTETS) throw extensionError("cRLNumber", "it is longer than 20 octets");
  return der;
}

/** deltaCRLIndicator, RFC 5280 section 5.2.4: the number of the base CRL. */
export const deltaCrlIndicator: ExtensionReader<string> = {
  oid: OID_CE_DELTA_CRL_INDICATOR,
  decode: (der) => serialHex(expectTag(readContent(der), TAG.INTEGER, "BaseCRLNumber").content),
  show: (number) => ({ json: number, text: [number] }),
};

/** Content of issuingDistributionPoint. */
export interface IssuingDistributionPoint {
  readonly name?: DistributionPointName;
  readonly onlyUserCerts: boolean;
  readonly onlyCaCerts: boolean;
  readonly onlySomeReasons?: readonly string[];
  readonly indirect: boolean;
  readonly onlyAttributeCerts: boolean;
}

/** issuingDistributionPoint, RFC 5280 section 5.2.5. */
export const issuingDistributionPoint: ExtensionReader<IssuingDistributionPoint> = {
  oid: OID_CE_ISSUING_DISTRIBUTION_POINT,
  decode(der) {
    const fields = new DerFields(readContent(der), "issuingDistributionPoint");
    const name = fields.optionalContext(0);
    const onlyUserCerts = readFlag(fields.optionalContext(1));
    const onlyCaCerts = readFlag(fields.optionalContext(2));
    const reasons = fields.optionalContext(3);
    const indirect = readFlag(fields.optionalContext(4));
    const onlyAttributeCerts = readFlag(fields.optionalContext(5));
    fields.end();
    return {
      ...(name ? { name: readPointName(expectExplicit(name, 0, "distributionPoint")) } : {}),
      onlyUserCerts,
      onlyCaCerts,
      ...(reasons ? { onlySomeReasons: readReasonFlags(reasons) } : {}),
      indirect,
      onlyAttributeCerts,
    };
  },
  show(point) {
    return {
      json: {
        ...(point.name ? { distribution_point: pointJson(point.name) } : {}),
        only_user_certs: point.onlyUserCerts,
        only_ca_certs: point.onlyCaCerts,
        ...(point.onlySomeReasons ? { only_some_reasons: point.onlySomeReasons } : {}),
        indirect: point.indirect,
        only_attribute_certs: point.onlyAttributeCerts,
      },
      text: [
        ...(point.name ? pointText(point.name) : []),
        ...(point.onlyUserCerts ? ["Only User Certificates"] : []),
        ...(point.onlyCaCerts ? ["Only CA Certificates"] : []),
        ...(point.onlySomeReasons ? [`Only Some Reasons: ${point.onlySomeReasons.join(", ")}`] : []),
        ...(point.indirect ? ["Indirect CRL"] : []),
        ...(point.onlyAttributeCerts ? ["Only Attribute Certificates"] : []),
      ],
    };
  },
};

/** An implicitly tagged BOOLEAN DEFAULT FALSE. */
function readFlag(node: DerNode | undefined): boolean {
  if (!node) return false;
  const { content } = node;
  if (node.constructed || content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) {
    throw new InputError(`Cannot read DER at offset ${node.offset}: BOOLEAN is neither 00 nor FF`, {
      code: "der.invalid",
      offset: node.offset,
    });
  }
  return content[0] === 0xff;
}

/** CRLReason by number (RFC 5280 section 5.3.1); 7 is not used. */
const REASONS: readonly (RevocationReason | undefined)[] = [
  "unspecified",
  "keyCompromise",
  "cACompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
  "certificateHold",
  undefined,
  "removeFromCRL",
  "privilegeWithdrawn",
  "aACompromise",
];

/** Every reason name, in the order of the numbers. */
export const REVOCATION_REASONS: readonly RevocationReason[] = REASONS.filter((name) => name !== undefined);

/** cRLReason of an entry: ENUMERATED. */
export const crlReason: ExtensionCodec<RevocationReason> = {
  oid: OID_CE_CRL_REASON,
  encode(reason) {
    const number = REASONS.indexOf(reason);
    if (number < 0) throw extensionError("cRLReason", `there is no reason "${reason}"`);
    return enumerated(number);
  },
  decode(der) {
    return reasonByNumber(readEnumerated(readContent(der), "cRLReason"));
  },
  show: (reason) => ({ json: reason, text: [reason] }),
};

/** The reason with a number. @throws {InputError} `extension.invalid` when there is none. */
export function reasonByNumber(number: number): RevocationReason {
  const reason = REASONS[number];
  if (reason !== undefined) return reason;
  throw new InputError(`Cannot read cRLReason: there is no reason ${number}`, { code: "extension.invalid" });
}

/** invalidityDate of an entry, RFC 5280 section 5.3.2: always GeneralizedTime. */
export const invalidityDate: ExtensionReader<Date> = {
  oid: OID_CE_INVALIDITY_DATE,
  decode: (der) => readTime(expectTag(readContent(der), TAG.GENERALIZED_TIME, "invalidityDate"), "invalidityDate"),
  show: (date) => ({ json: formatTime(date), text: [formatTime(date)] }),
};
