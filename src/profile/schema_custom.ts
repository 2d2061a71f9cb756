import { readDer } from "../asn1/der.ts";
import {
  isDottedOid,
  OID_CE_AUTHORITY_KEY_IDENTIFIER,
  OID_CE_BASIC_CONSTRAINTS,
  OID_CE_CERTIFICATE_POLICIES,
  OID_CE_CRL_DISTRIBUTION_POINTS,
  OID_CE_EXT_KEY_USAGE,
  OID_CE_KEY_USAGE,
  OID_CE_NAME_CONSTRAINTS,
  OID_CE_SUBJECT_ALT_NAME,
  OID_CE_SUBJECT_KEY_IDENTIFIER,
  OID_PE_AUTHORITY_INFO_ACCESS,
  OID_PE_QC_STATEMENTS,
  OID_PKIX_OCSP_NOCHECK,
  oidName,
} from "../asn1/oid.ts";
import { type Bytes, decodeBase64, decodeHex, shorten } from "../bytes.ts";
import { InputError } from "../errors.ts";
import type { Extension } from "../x509/types.ts";
import type { Fields, Reader } from "./reader.ts";

const VALUE_KEYS = ["value", "value_hex", "value_base64"] as const;

/** Extensions that have their own section, or that the builder adds. */
const TAKEN: ReadonlySet<string> = new Set([
  OID_CE_AUTHORITY_KEY_IDENTIFIER,
  OID_CE_BASIC_CONSTRAINTS,
  OID_CE_CERTIFICATE_POLICIES,
  OID_CE_CRL_DISTRIBUTION_POINTS,
  OID_CE_EXT_KEY_USAGE,
  OID_CE_KEY_USAGE,
  OID_CE_NAME_CONSTRAINTS,
  OID_CE_SUBJECT_ALT_NAME,
  OID_CE_SUBJECT_KEY_IDENTIFIER,
  OID_PE_AUTHORITY_INFO_ACCESS,
  OID_PE_QC_STATEMENTS,
  OID_PKIX_OCSP_NOCHECK,
]);

/** Extensions whose DER the profile's author writes. */
export function readCustom(reader: Reader, all: Fields): readonly Extension[] | undefined {
  if (!all.has("custom")) return undefined;
  const out: Extension[] = [];
  for (const item of all.items("custom")) {
    const fields = reader.fields(item.node, item.path, { keys: ["oid", "critical", ...VALUE_KEYS] });
    const extension = fields && readExtension(fields);
    if (!extension) continue;
    if (out.some((other) => other.oid === extension.oid)) {
      fields.complain("oid", `extension ${extension.oid} comes twice`);
    } else out.push(extension);
  }
  return out.length > 0 ? out : undefined;
}

function readExtension(fields: Fields): Extension | undefined {
  fields.require("oid");
  const oid = fields.text("oid");
  if (oid !== undefined && !isDottedOid(oid)) {
    fields.complainValue("oid", `${fields.path("oid")}: "${shorten(oid)}" is not a dotted OID`);
  } else if (oid !== undefined && TAKEN.has(oid)) {
    fields.complainValue(
      "oid",
      `${fields.path("oid")}: ${oid} (${oidName(oid)}) has its own section or is added by qpki`,
    );
  }
  const critical = fields.boolean("critical") ?? false;
  const value = readValue(fields);
  return oid !== undefined && isDottedOid(oid) && value ? { oid, critical, value } : undefined;
}

function readValue(fields: Fields): Bytes | undefined {
  const [key, ...more] = VALUE_KEYS.filter((name) => fields.has(name));
  if (key === undefined) {
    fields.require("value");
    return undefined;
  }
  if (more.length > 0) fields.complain(more[0]!, `"${key}" and "${more[0]}" are both stated`);
  const text = fields.text(key);
  if (text === undefined) return undefined;
  const value = decoders(key).map((decode) => attempt(() => decode(text))).find((bytes) => bytes !== undefined);
  if (!value) fields.complainValue(key, `${fields.path(key)} is not the ${ENCODING_WORDS[key]} of one DER value`);
  return value;
}

const ENCODING_WORDS = { value: "hex or base64", value_hex: "hex", value_base64: "base64" };

/** `value` is hex when it can be: of text that is both, the reading that is DER counts. */
function decoders(key: typeof VALUE_KEYS[number]): readonly ((text: string) => Bytes)[] {
  if (key === "value_hex") return [decodeHex];
  return key === "value_base64" ? [decodeBase64] : [decodeHex, decodeBase64];
}

/** Bytes that are exactly one DER value. */
function attempt(decode: () => Bytes): Bytes | undefined {
  try {
    const bytes = decode();
    readDer(bytes);
    return bytes;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return undefined;
  }
}
