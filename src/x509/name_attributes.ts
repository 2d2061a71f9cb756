import { isPrintableString } from "../asn1/der.ts";
import { isDottedOid, oidByName, oidName, oidNames } from "../asn1/oid.ts";
import { shorten } from "../bytes.ts";
import { InputError, suggest } from "../errors.ts";
import type { NameAttribute, NameEncoding } from "./types.ts";

/**
 * String type and upper bound of each naming attribute (RFC 5280 appendix A.1, X.520 annex C, CA/Browser Forum EV
 * guidelines for the jurisdiction attributes, ETSI EN 319 412-1 for organizationIdentifier). Names are in the OID table.
 */
interface AttributeRule {
  readonly encoding: NameEncoding;
  /** Whether the standard leaves no other string type. */
  readonly fixed: boolean;
  /** Most characters (not bytes) allowed. */
  readonly max: number;
  /** Fewest characters; 1 unless stated. */
  readonly min?: number;
}

const DIRECTORY_64: AttributeRule = { encoding: "utf8", fixed: false, max: 64 };
const DIRECTORY_128: AttributeRule = { encoding: "utf8", fixed: false, max: 128 };
const PERSON_NAME: AttributeRule = { encoding: "utf8", fixed: false, max: 32768 };
const COUNTRY: AttributeRule = { encoding: "printable", fixed: true, max: 2, min: 2 };
const UNKNOWN: AttributeRule = { encoding: "utf8", fixed: false, max: 32768 };

const RULES: Readonly<Record<string, AttributeRule>> = {
  "2.5.4.3": DIRECTORY_64,
  "2.5.4.4": PERSON_NAME,
  "2.5.4.5": { encoding: "printable", fixed: true, max: 64 },
  "2.5.4.6": COUNTRY,
  "2.5.4.7": DIRECTORY_128,
  "2.5.4.8": DIRECTORY_128,
  "2.5.4.9": DIRECTORY_128,
  "2.5.4.10": DIRECTORY_64,
  "2.5.4.11": DIRECTORY_64,
  "2.5.4.12": DIRECTORY_64,
  "2.5.4.13": { encoding: "utf8", fixed: false, max: 1024 },
  "2.5.4.15": DIRECTORY_128,
  "2.5.4.17": { encoding: "utf8", fixed: false, max: 40 },
  "2.5.4.20": { encoding: "printable", fixed: true, max: 32 },
  "2.5.4.41": PERSON_NAME,
  "2.5.4.42": PERSON_NAME,
  "2.5.4.43": PERSON_NAME,
  "2.5.4.44": PERSON_NAME,
  "2.5.4.46": { encoding: "printable", fixed: true, max: 64 },
  "2.5.4.65": DIRECTORY_128,
  "2.5.4.97": { encoding: "utf8", fixed: false, max: 256 },
  "0.9.2342.19200300.100.1.1": { encoding: "utf8", fixed: false, max: 256 },
  "0.9.2342.19200300.100.1.25": { encoding: "ia5", fixed: true, max: 63 },
  "1.2.840.113549.1.9.1": { encoding: "ia5", fixed: true, max: 255 },
  "1.3.6.1.4.1.311.60.2.1.1": DIRECTORY_128,
  "1.3.6.1.4.1.311.60.2.1.2": DIRECTORY_128,
  "1.3.6.1.4.1.311.60.2.1.3": COUNTRY,
};

const STRING_TYPES: Readonly<Record<NameEncoding, string>> = {
  utf8: "UTF8String",
  printable: "PrintableString",
  ia5: "IA5String",
};

/** Name of the ASN.1 string type behind a NameEncoding. */
export function stringTypeName(encoding: NameEncoding): string {
  return STRING_TYPES[encoding];
}

/**
 * Dotted OID of an attribute given by OID or by name in any case (`CN`, `commonName`, `2.5.4.3`).
 * @throws {InputError} `name.attribute_unknown`, with the nearest name as a hint.
 */
export function attributeType(text: string): string {
  if (isDottedOid(text)) return text;
  const dotted = oidByName(text, "attribute");
  if (dotted !== undefined) return dotted;
  const near = suggest(text, oidNames("attribute"));
  throw new InputError(`Cannot use the attribute "${shorten(text)}": it is neither a known name nor a dotted OID`, {
    code: "name.attribute_unknown",
    ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }),
  });
}

/** Short name of an attribute type for printing: `CN`, or the dotted OID when it has no name. */
export function attributeName(type: string): string {
  return oidName(type) ?? type;
}

/**
 * An attribute in the string type the standard asks for: PrintableString for countryName, serialNumber and dnQualifier,
 * IA5String for emailAddress and domainComponent, else UTF8String or what `encoding` states.
 * @param type dotted OID or name.
 * @throws {InputError} `name.attribute_unknown`, or `name.invalid` for an empty or overlong value, a character that the
 * string type does not have, or a string type that the attribute does not allow.
 */
export function nameAttribute(type: string, value: string, encoding?: NameEncoding): NameAttribute {
  const dotted = attributeType(type);
  const attribute = { type: dotted, value, encoding: encoding ?? ruleOf(dotted).encoding };
  const problem = attributeProblem(attribute);
  if (problem !== undefined) throw attributeError(attribute, problem);
  return attribute;
}

/** The error for an attribute that may not be written, as {@link nameAttribute} throws it. */
export function attributeError(attribute: NameAttribute, problem: string): InputError {
  const shown = `${attributeName(attribute.type)} "${shorten(attribute.value, 40)}"`;
  return new InputError(`Cannot encode ${shown}: ${problem}`, { code: "name.invalid" });
}

/** Why RFC 5280 does not allow an attribute as it is, in words; undefined when it does. */
export function attributeProblem(attribute: NameAttribute): string | undefined {
  const { value, encoding } = attribute;
  const rule = ruleOf(attribute.type);
  if (rule.fixed && encoding !== rule.encoding) {
    return `the attribute is a ${STRING_TYPES[rule.encoding]}, not a ${STRING_TYPES[encoding]}`;
  }
  if (!value.isWellFormed()) return "the text has a lone surrogate";
  const length = characters(value);
  if (length === 0) return "the value is empty";
  if (length > rule.max) return `${length} characters are more than the ${rule.max} allowed`;
  if (length < (rule.min ?? 1)) return `${length} characters are fewer than the ${rule.min} needed`;
  if (encoding === "printable" && !isPrintableString(value)) return "a PrintableString has no such character";
  if (encoding === "ia5" && !isAscii(value)) return "an IA5String holds only ASCII";
  return undefined;
}

function ruleOf(type: string): AttributeRule {
  return RULES[type] ?? UNKNOWN;
}

/** Length in characters; a surrogate pair is one. */
function characters(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit <= 0xdbff) count--;
  }
  return count;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return false;
  }
  return true;
}
