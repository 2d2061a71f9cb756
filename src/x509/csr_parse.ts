import { DerFields, type DerNode, expectSet, readDer, readOid, readSmallInteger, TAG } from "../asn1/der.ts";
import { OID_EXTENSION_REQUEST } from "../asn1/oid.ts";
import { plainBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { readExtensionList } from "./extensions/list.ts";
import { readName } from "./name_codec.ts";
import { checkSpki, parsing, readSigned } from "./structure.ts";
import type { Csr, Extension } from "./types.ts";

/** The older, Microsoft's own type of the extensionRequest attribute; same content. */
const OID_MS_EXTENSION_REQUEST = "1.3.6.1.4.1.311.2.1.14";

/** Most attributes read from one request. */
const MAX_ATTRIBUTES = 100;

type CsrAttribute = Csr["attributes"][number];

/**
 * Reads one certification request (RFC 2986), DER. The attributes may be left out altogether, as some old tools do.
 * @throws {InputError} `csr.invalid`, with the byte offset where there is one.
 */
export function parseCsr(bytes: Uint8Array): Csr {
  return parsing("a certificate request", "csr.invalid", () => {
    const der = plainBytes(bytes);
    const { toBeSigned, algorithm, signature } = readSigned(der, "CertificationRequest");
    const fields = new DerFields(toBeSigned, "CertificationRequestInfo");
    const version = fields.next("version");
    if (!version.is(TAG.INTEGER) || readSmallInteger(version, "version", { max: 255 }) !== 0) {
      throw invalid(version, "the version of a request must be 0");
    }
    const subject = fields.next("subject");
    readName(subject, "subject");
    const spki = checkSpki(fields.next("subjectPublicKeyInfo"));
    const attributes = readAttributes(fields.optionalContext(0));
    fields.end();
    return {
      der,
      info: toBeSigned.raw,
      subject: subject.raw,
      spki,
      attributes,
      extensions: requestedExtensions(attributes),
      signatureAlgorithm: algorithm,
      signature,
    };
  });
}

function readAttributes(node: DerNode | undefined): CsrAttribute[] {
  if (!node) return [];
  if (!node.constructed) throw invalid(node, "the attributes have a wrong form");
  if (node.children.length > MAX_ATTRIBUTES) throw invalid(node, `there are ${node.children.length} attributes`);
  const seen = new Set<string>();
  return node.children.map((part) => {
    const fields = new DerFields(part, "Attribute");
    const oid = readOid(fields.next("type"), "attribute type");
    const values = expectSet(fields.next("values"), "attribute values");
    fields.end();
    if (seen.has(oid)) throw invalid(part, `the attribute ${oid} is there twice`);
    seen.add(oid);
    return { oid, values: values.map(({ raw }) => raw) };
  });
}

function requestedExtensions(attributes: readonly CsrAttribute[]): Extension[] {
  const requests = attributes.filter(({ oid }) => oid === OID_EXTENSION_REQUEST || oid === OID_MS_EXTENSION_REQUEST);
  const [request] = requests;
  if (!request) return [];
  const [value] = request.values;
  if (requests.length > 1 || request.values.length !== 1 || value === undefined) {
    throw new InputError("Cannot read extensionRequest: it must have exactly one value", { code: "csr.invalid" });
  }
  const list = readDer(value);
  // An empty list asks for nothing; requests made from an empty configuration section have it.
  return list.is(TAG.SEQUENCE) && list.children.length === 0 ? [] : readExtensionList(list, "extensionRequest");
}

function invalid(node: DerNode, reason: string): InputError {
  return new InputError(`Cannot read DER at offset ${node.offset}: ${reason}`, {
    code: "csr.invalid",
    offset: node.offset,
  });
}
