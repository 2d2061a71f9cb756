import { oidByName } from "../../asn1/oid.ts";
import { type Bytes, encodeHex } from "../../bytes.ts";
import { InputError } from "../../errors.ts";
import { describeSpki } from "../../keys/spki.ts";
import { checkSpki } from "../structure.ts";
import { type ExtensionCodec, readContent } from "./codec.ts";

/**
 * subjectAltPublicKeyInfo, X.509 clause 9.8.2: the alternative key of the subject. Its value is, byte for byte, a
 * SubjectPublicKeyInfo.
 */
export const subjectAltPublicKeyInfo: ExtensionCodec<Bytes> = {
  oid: oidByName("subjectAltPublicKeyInfo", "extension")!,
  encode: (spki) => checkSpki(readContent(spki)),
  decode: (der) => checkSpki(readContent(der)),
  show: (spki) => ({ json: { algorithm: keyText(spki), spki: encodeHex(spki) }, text: [keyText(spki)] }),
};

function keyText(spki: Bytes): string {
  try {
    return describeSpki(spki).description;
  } catch (error) {
    if (error instanceof InputError) return `invalid (${error.message})`;
    throw error;
  }
}
