import { oidByName } from "../../asn1/oid.ts";
import { type Bytes, encodeHex } from "../../bytes.ts";
import { describeAlgorithm } from "../../keys/scheme.ts";
import { checkAlgorithm } from "../structure.ts";
import { type ExtensionCodec, readContent } from "./codec.ts";

/** altSignatureAlgorithm, X.509 clause 9.8.3: AlgorithmIdentifier of the alternative signature, DER. */
export const altSignatureAlgorithm: ExtensionCodec<Bytes> = {
  oid: oidByName("altSignatureAlgorithm", "extension")!,
  encode: (algorithm) => checkAlgorithm(readContent(algorithm), "altSignatureAlgorithm"),
  decode: (der) => checkAlgorithm(readContent(der), "altSignatureAlgorithm"),
  show(algorithm) {
    const label = describeAlgorithm(algorithm);
    return { json: { algorithm: label, der: encodeHex(algorithm) }, text: [label] };
  },
};
