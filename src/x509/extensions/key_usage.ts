import type { KeyUsageBit } from "../../alg/registry.ts";
import { namedBits, readNamedBits } from "../../asn1/der.ts";
import { OID_CE_KEY_USAGE } from "../../asn1/oid.ts";
import { InputError } from "../../errors.ts";
import { type ExtensionCodec, extensionError, readContent } from "./codec.ts";

/** Names of the bits, in bit order. */
const BITS: readonly KeyUsageBit[] = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
];

const LABELS: Readonly<Record<KeyUsageBit, string>> = {
  digitalSignature: "Digital Signature",
  nonRepudiation: "Non Repudiation",
  keyEncipherment: "Key Encipherment",
  dataEncipherment: "Data Encipherment",
  keyAgreement: "Key Agreement",
  keyCertSign: "Certificate Sign",
  cRLSign: "CRL Sign",
  encipherOnly: "Encipher Only",
  decipherOnly: "Decipher Only",
};

/** keyUsage, RFC 5280 section 4.2.1.3: a named BIT STRING without trailing zero bits. */
export const keyUsage: ExtensionCodec<readonly KeyUsageBit[]> = {
  oid: OID_CE_KEY_USAGE,
  encode(values) {
    if (values.length === 0) throw extensionError("keyUsage", "it has no bit");
    return namedBits(values.map((bit) => {
      const position = BITS.indexOf(bit);
      if (position < 0) throw extensionError("keyUsage", `there is no bit "${bit}"`);
      return position;
    }));
  },
  decode(der) {
    return readNamedBits(readContent(der), "keyUsage").map((position) => {
      const bit = BITS[position];
      if (bit !== undefined) return bit;
      throw new InputError(`Cannot read keyUsage: bit ${position} has no meaning`, { code: "extension.invalid" });
    });
  },
  show(values) {
    return { json: [...values], text: [values.map((bit) => LABELS[bit]).join(", ")] };
  },
};
