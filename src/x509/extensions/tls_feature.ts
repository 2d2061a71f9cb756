import { expectSequence, readSmallInteger } from "../../asn1/der.ts";
import { oidByName } from "../../asn1/oid.ts";
import { type ExtensionReader, nonEmpty, readContent } from "./codec.ts";

const NAMES: Readonly<Record<number, string>> = { 5: "status_request", 17: "status_request_v2" };

/** tlsFeature, RFC 7633: numbers of TLS extensions the server must offer. */
export const tlsFeature: ExtensionReader<readonly number[]> = {
  oid: oidByName("tlsFeature", "extension")!,
  decode(der) {
    const parts = nonEmpty(expectSequence(readContent(der), "tlsFeature"), "tlsFeature");
    return parts.map((part) => readSmallInteger(part, "feature", { max: 65535 }));
  },
  show(values) {
    const names = values.map((value) => NAMES[value] ?? String(value));
    return { json: names, text: [names.join(", ")] };
  },
};
