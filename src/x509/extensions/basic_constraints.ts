import { boolean, DerFields, integer, readBoolean, readSmallInteger, sequence, TAG } from "../../asn1/der.ts";
import { OID_CE_BASIC_CONSTRAINTS } from "../../asn1/oid.ts";
import { type ExtensionCodec, extensionError, readContent } from "./codec.ts";

/** Content of basicConstraints. */
export interface BasicConstraints {
  readonly ca: boolean;
  /** How many further intermediate CAs may follow below. */
  readonly pathLen?: number;
}

/** basicConstraints, RFC 5280 section 4.2.1.9. `cA FALSE` is the DEFAULT and left out. */
export const basicConstraints: ExtensionCodec<BasicConstraints> = {
  oid: OID_CE_BASIC_CONSTRAINTS,
  encode({ ca, pathLen }) {
    if (pathLen !== undefined && (!Number.isSafeInteger(pathLen) || pathLen < 0)) {
      throw extensionError("basicConstraints", `the path length ${pathLen} is not a whole number from 0`);
    }
    return sequence(...(ca ? [boolean(true)] : []), ...(pathLen === undefined ? [] : [integer(pathLen)]));
  },
  decode(der) {
    const fields = new DerFields(readContent(der), "basicConstraints");
    const ca = fields.optional(TAG.BOOLEAN);
    const pathLen = fields.optional(TAG.INTEGER);
    fields.end();
    return {
      ca: ca !== undefined && readBoolean(ca),
      ...(pathLen === undefined ? {} : { pathLen: readSmallInteger(pathLen, "pathLenConstraint") }),
    };
  },
  show({ ca, pathLen }) {
    const suffix = pathLen === undefined ? "" : `, pathlen:${pathLen}`;
    return {
      json: { ca, ...(pathLen === undefined ? {} : { path_len: pathLen }) },
      text: [`CA:${ca ? "TRUE" : "FALSE"}${suffix}`],
    };
  },
};
