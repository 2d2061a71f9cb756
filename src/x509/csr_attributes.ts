import { DerFields, implicit, oid, readBitOctets, readDer, readOid, sequence, sequenceOf, setOf } from "../asn1/der.ts";
import type { Bytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import type { AlternativeParts } from "./alternative.ts";
import { altSignatureAlgorithm } from "./extensions/alt_signature_algorithm.ts";
import { altSignatureValue } from "./extensions/alt_signature_value.ts";
import { subjectAltPublicKeyInfo } from "./extensions/subject_alt_public_key_info.ts";
import { checkAlgorithm, checkSpki } from "./structure.ts";
import type { Csr } from "./types.ts";

/**
 * Attributes of requests. X.509 says nothing about alternative keys in PKCS#10; the convention here is BouncyCastle's: three
 * attributes with the types and contents of the three extensions, one value each. The alternative signature covers the
 * CertificationRequestInfo without its own attribute.
 */

/** DER of one Attribute (RFC 2986 section 4.1). */
export function encodeAttribute(type: string, value: Bytes): Bytes {
  return sequence(oid(type), setOf(value));
}

/** DER of a CertificationRequestInfo. */
export function encodeRequestInfo(before: readonly Bytes[], attributes: readonly Bytes[]): Bytes {
  return sequenceOf([...before, implicit(0, setOf(...attributes))]);
}

/** The one value of an attribute, DER; undefined when it is absent. @throws {InputError} when there are more or none. */
export function attributeValue(csr: Pick<Csr, "attributes">, type: string): Bytes | undefined {
  const attribute = csr.attributes.find(({ oid: own }) => own === type);
  if (!attribute) return undefined;
  const [value, ...more] = attribute.values;
  if (value !== undefined && more.length === 0) return value;
  throw new InputError(`Cannot read the attribute ${type}: it has ${attribute.values.length} values instead of one`, {
    code: "csr.invalid",
  });
}

/** Parts of an alternative signature that a request has. @throws {InputError} when one is malformed. */
export function requestedAlternative(csr: Pick<Csr, "attributes">): AlternativeParts {
  const spki = attributeValue(csr, subjectAltPublicKeyInfo.oid);
  const algorithm = attributeValue(csr, altSignatureAlgorithm.oid);
  const signature = attributeValue(csr, altSignatureValue.oid);
  return {
    ...(spki ? { spki: checkSpki(readDer(spki)) } : {}),
    ...(algorithm ? { algorithm: checkAlgorithm(readDer(algorithm), "altSignatureAlgorithm") } : {}),
    ...(signature ? { signature: readBitOctets(readDer(signature), "altSignatureValue") } : {}),
  };
}

/** What the alternative signature of a request covers. @throws {InputError} `der.invalid`. */
export function preRequestInfo(info: Uint8Array): Bytes {
  const fields = new DerFields(readDer(info), "CertificationRequestInfo");
  const before = [fields.next("version"), fields.next("subject"), fields.next("subjectPublicKeyInfo")];
  const attributes = fields.optionalContext(0)?.children ?? [];
  const kept = attributes.filter((attribute) =>
    readOid(attribute.children[0], "attribute type") !== altSignatureValue.oid
  );
  return encodeRequestInfo(before.map(({ raw }) => raw), kept.map(({ raw }) => raw));
}
