import { expectSequence, oid, readOid, sequenceOf } from "../../asn1/der.ts";
import { OID_CE_EXT_KEY_USAGE, oidName } from "../../asn1/oid.ts";
import { type ExtensionCodec, extensionError, nonEmpty, readContent } from "./codec.ts";

/** extKeyUsage, RFC 5280 section 4.2.1.12: dotted OIDs of the purposes, in order. */
export const extKeyUsage: ExtensionCodec<readonly string[]> = {
  oid: OID_CE_EXT_KEY_USAGE,
  encode(values) {
    if (values.length === 0) throw extensionError("extKeyUsage", "it has no purpose");
    return sequenceOf([...new Set(values)].map(oid));
  },
  decode(der) {
    const parts = nonEmpty(expectSequence(readContent(der), "extKeyUsage"), "extKeyUsage");
    return parts.map((part) => readOid(part, "KeyPurposeId"));
  },
  show(values) {
    const names = values.map((value) => oidName(value) ?? value);
    return { json: names, text: [names.join(", ")] };
  },
};
