import {
  type DerNode,
  expectSequence,
  expectSet,
  ia5String,
  oid,
  printableString,
  readDer,
  readOid,
  readString,
  sequence,
  sequenceOf,
  setOf,
  TAG,
  utf8String,
} from "../asn1/der.ts";
import { type Bytes, encodeHex } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { attributeError, attributeProblem } from "./name_attributes.ts";
import type { Name, NameAttribute, NameEncoding } from "./types.ts";

/** Most attributes read from one Name; real ones have about ten. */
const MAX_ATTRIBUTES = 1024;

const WRITERS: Readonly<Record<NameEncoding, (text: string) => Bytes>> = {
  utf8: utf8String,
  printable: printableString,
  ia5: ia5String,
};

const ENCODING_BY_TAG: Readonly<Record<number, NameEncoding>> = {
  [TAG.PRINTABLE_STRING]: "printable",
  [TAG.NUMERIC_STRING]: "printable",
  [TAG.IA5_STRING]: "ia5",
};

/**
 * DER of a Name (RFC 5280 section 4.1.2.4), attributes in the given order, each set sorted.
 * @throws {InputError} `name.invalid` when an attribute is not as {@link nameAttribute} makes it, or a set is empty.
 */
export function encodeName(name: Name): Bytes {
  return sequenceOf(name.map((rdn) => {
    if (rdn.length === 0) {
      throw new InputError("Cannot encode a name: a relative distinguished name has no attribute", {
        code: "name.invalid",
      });
    }
    return setOf(...rdn.map(encodeAttribute));
  }));
}

function encodeAttribute(attribute: NameAttribute): Bytes {
  const problem = attributeProblem(attribute);
  if (problem !== undefined) throw attributeError(attribute, problem);
  return sequence(oid(attribute.type), WRITERS[attribute.encoding](attribute.value));
}

/**
 * Reads a Name of anybody. String types that are no longer written (TeletexString, BMPString, UniversalString) are read
 * as text; a value that is no string becomes `#` and the hex of its DER, as RFC 4514 writes it.
 * @throws {InputError} `der.invalid` when the bytes are not a Name.
 */
export function decodeName(der: Uint8Array): Name {
  return readName(readDer(der));
}

/** As {@link decodeName}, from a node that has been read already. */
export function readName(node: DerNode | undefined, what = "Name"): Name {
  let count = 0;
  return expectSequence(node, what).map((rdn) => {
    const parts = expectSet(rdn, "RelativeDistinguishedName");
    count += parts.length;
    if (parts.length === 0) throw nameError("a RelativeDistinguishedName is empty", rdn.offset);
    if (count > MAX_ATTRIBUTES) throw nameError(`a Name has more than ${MAX_ATTRIBUTES} attributes`, rdn.offset);
    return parts.map(readAttribute);
  });
}

function readAttribute(node: DerNode): NameAttribute {
  const parts = expectSequence(node, "AttributeTypeAndValue");
  const value = parts[1];
  if (value === undefined || parts.length > 2) {
    throw nameError("an AttributeTypeAndValue does not have two fields", node.offset);
  }
  const type = readOid(parts[0], "attribute type");
  if (!isString(value)) return { type, value: `#${encodeHex(value.raw)}`, encoding: "utf8" };
  return { type, value: readString(value, "attribute value"), encoding: ENCODING_BY_TAG[value.tag] ?? "utf8" };
}

const STRING_TAGS: ReadonlySet<number> = new Set([
  TAG.UTF8_STRING,
  TAG.PRINTABLE_STRING,
  TAG.NUMERIC_STRING,
  TAG.IA5_STRING,
  TAG.VISIBLE_STRING,
  TAG.TELETEX_STRING,
  TAG.BMP_STRING,
  TAG.UNIVERSAL_STRING,
]);

function isString(node: DerNode): boolean {
  return node.tagClass === "universal" && STRING_TAGS.has(node.tag);
}

function nameError(reason: string, offset: number): InputError {
  return new InputError(`Cannot read DER at offset ${offset}: ${reason}`, { code: "der.invalid", offset });
}

/** Whether a Name has no attribute at all: `30 00`. */
export function isEmptyName(der: Uint8Array): boolean {
  return der.length === 2 && der[0] === 0x30 && der[1] === 0;
}
