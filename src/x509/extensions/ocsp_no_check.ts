import { nullDer, readNull } from "../../asn1/der.ts";
import { OID_PKIX_OCSP_NOCHECK } from "../../asn1/oid.ts";
import { type ExtensionCodec, readContent } from "./codec.ts";

/** id-pkix-ocsp-nocheck, RFC 6960 section 4.2.2.2.1: NULL. */
export const ocspNoCheck: ExtensionCodec<null, void> = {
  oid: OID_PKIX_OCSP_NOCHECK,
  encode: nullDer,
  decode(der) {
    readNull(readContent(der), "ocspNoCheck");
    return null;
  },
  show: () => ({ json: true, text: ["present"] }),
};
