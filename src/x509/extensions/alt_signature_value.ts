import { bitString, readBitOctets } from "../../asn1/der.ts";
import { oidByName } from "../../asn1/oid.ts";
import { type Bytes, encodeHex } from "../../bytes.ts";
import { type ExtensionCodec, readContent } from "./codec.ts";

/** altSignatureValue, X.509 clause 9.8.4: the alternative signature of the issuer. */
export const altSignatureValue: ExtensionCodec<Bytes> = {
  oid: oidByName("altSignatureValue", "extension")!,
  encode: (signature) => bitString(signature),
  decode: (der) => readBitOctets(readContent(der), "altSignatureValue"),
  show: (signature) => ({ json: encodeHex(signature), text: [`${signature.length} bytes`] }),
};
