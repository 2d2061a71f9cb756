import { DerFields, implicit, octetString, readDer, readOctetString, sequence, TAG } from "../../asn1/der.ts";
import { OID_CE_AUTHORITY_KEY_IDENTIFIER, OID_CE_SUBJECT_KEY_IDENTIFIER } from "../../asn1/oid.ts";
import { type Bytes, concatBytes } from "../../bytes.ts";
import { InputError } from "../../errors.ts";
import { serialHex } from "../serial.ts";
import { type ExtensionCodec, nonEmpty, readContent } from "./codec.ts";
import { formatGeneralName, generalNameJson, type ReadGeneralName, readGeneralName } from "./general_name.ts";

/** Upper-case hex with colons, as key identifiers are usually printed. */
export function colonHex(bytes: Uint8Array): string {
  return bytes.toHex().toUpperCase().match(/../g)?.join(":") ?? "";
}

/** subjectKeyIdentifier, RFC 5280 section 4.2.1.2. */
export const subjectKeyIdentifier: ExtensionCodec<Bytes> = {
  oid: OID_CE_SUBJECT_KEY_IDENTIFIER,
  encode: (keyId) => octetString(keyId),
  decode: (der) => readOctetString(readContent(der), "subjectKeyIdentifier"),
  show: (keyId) => ({ json: keyId.toHex(), text: [colonHex(keyId)] }),
};

/** Content of authorityKeyIdentifier. */
export interface AuthorityKeyId {
  readonly keyId?: Bytes;
  readonly issuer?: readonly ReadGeneralName[];
  /** Hex as in `Certificate.serial`. */
  readonly serial?: string;
}

/** authorityKeyIdentifier, RFC 5280 section 4.2.1.1. We write the keyIdentifier alone. */
export const authorityKeyIdentifier: ExtensionCodec<AuthorityKeyId, Bytes> = {
  oid: OID_CE_AUTHORITY_KEY_IDENTIFIER,
  encode: (keyId) => sequence(implicit(0, octetString(keyId))),
  decode(der) {
    const fields = new DerFields(readContent(der), "authorityKeyIdentifier");
    const keyId = fields.optionalContext(0);
    const issuer = fields.optionalContext(1);
    const serial = fields.optionalContext(2);
    fields.end();
    if (keyId?.constructed || serial?.constructed || (issuer === undefined) !== (serial === undefined)) {
      throw new InputError(
        "Cannot read authorityKeyIdentifier: a field has a wrong form, or issuer or serial is alone",
        {
          code: "extension.invalid",
        },
      );
    }
    return {
      ...(keyId ? { keyId: keyId.content } : {}),
      ...(issuer ? { issuer: nonEmpty(issuer.children, "authorityCertIssuer").map((n) => readGeneralName(n)) } : {}),
      ...(serial ? { serial: serialHex(checkedInteger(serial.raw)) } : {}),
    };
  },
  show({ keyId, issuer, serial }) {
    return {
      json: {
        ...(keyId ? { key_id: keyId.toHex() } : {}),
        ...(issuer ? { issuer: issuer.map(generalNameJson) } : {}),
        ...(serial === undefined ? {} : { serial }),
      },
      text: [
        ...(keyId ? [colonHex(keyId)] : []),
        ...(issuer ?? []).map(formatGeneralName),
        ...(serial === undefined ? [] : [`serial:${serial}`]),
      ],
    };
  },
};

/** Content of an implicitly tagged INTEGER, after the checks that its own tag would have had. */
function checkedInteger(raw: Uint8Array): Bytes {
  return readDer(concatBytes(Uint8Array.of(TAG.INTEGER), raw.subarray(1))).content;
}
