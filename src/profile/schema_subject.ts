import { isDottedOid, oidByName, oidNames } from "../asn1/oid.ts";
import { shorten } from "../bytes.ts";
import { suggest } from "../errors.ts";
import { attributeProblem, nameAttribute } from "../x509/name.ts";
import type { NameEncoding } from "../x509/types.ts";
import type { Reader } from "./reader.ts";
import type { Located, LocatedEntry } from "./tree.ts";
import type { SubjectAttribute, Template } from "./types.ts";

const ENCODINGS: readonly NameEncoding[] = ["utf8", "printable", "ia5"];

/** The subject's attributes in the order written: that is the order of the RDNs. */
export function readSubject(reader: Reader, node: Located | undefined): SubjectAttribute[] {
  const out: SubjectAttribute[] = [];
  if (!node) return out;
  for (const entry of reader.entries(node, "subject")) {
    const type = subjectAttributeType(entry.key);
    if (type === undefined) {
      const near = suggest(entry.key, [...oidNames("attribute"), "postal_code", "serial_number", "given_name"]);
      const hint = near ? `did you mean "${near}"?` : "use a name such as cn, o, ou, c, or a dotted OID";
      reader.complain(entry.at, `unknown attribute "${shorten(entry.key, 60)}" in subject (${hint})`);
    } else if (out.some((attribute) => attribute.type === type)) {
      reader.complain(
        entry.at,
        `attribute "${entry.key}" comes twice in subject; several values are written as a list`,
      );
    } else {
      const attribute = readAttribute(reader, entry, type);
      if (attribute) out.push(attribute);
    }
  }
  return out;
}

/** Dotted OID of a subject key: `cn`, `postal_code`, `organizationIdentifier`, `2.5.4.97`. */
export function subjectAttributeType(key: string): string | undefined {
  return isDottedOid(key) ? key : oidByName(key.replace(/[_-]/g, ""), "attribute");
}

function readAttribute(reader: Reader, entry: LocatedEntry, type: string): SubjectAttribute | undefined {
  const path = `subject.${entry.key}`;
  if (entry.value.kind !== "map") return attribute(reader, entry, { type, path, value: entry.value });
  const fields = reader.fields(entry.value, path, { keys: ["value", "encoding"] });
  if (!fields) return undefined;
  fields.require("value");
  const encoding = fields.choice("encoding", ENCODINGS);
  const value = fields.node("value");
  if (!value) return undefined;
  return attribute(reader, entry, { type, path: fields.path("value"), value, ...(encoding ? { encoding } : {}) });
}

interface AttributeParts {
  type: string;
  path: string;
  value: Located;
  encoding?: NameEncoding;
}

function attribute(reader: Reader, entry: LocatedEntry, parts: AttributeParts): SubjectAttribute | undefined {
  const values: Template[] = [];
  const items = reader.items(parts.value, parts.path);
  if (items.length === 0) reader.complain(parts.value.at, `${parts.path} is empty: leave the attribute out`);
  for (const item of items) {
    const template = reader.template(item.node, item.path);
    if (!template) continue;
    const problem = staticProblem(template, parts);
    if (problem) reader.complain(item.node.at, `${item.path}: ${problem}`);
    else values.push(template);
  }
  if (values.length === 0) return undefined;
  return { key: entry.key, type: parts.type, values, ...(parts.encoding ? { encoding: parts.encoding } : {}) };
}

/** What the standard has against a value that is known already, or against the stated string type. */
function staticProblem(template: Template, parts: AttributeParts): string | undefined {
  const known = template.variables.length === 0;
  const encoding = parts.encoding ?? defaultEncoding(parts.type);
  // "00" fits every attribute, so with it only the string type can be at fault
  return attributeProblem({ type: parts.type, value: known ? template.text : "00", encoding });
}

function defaultEncoding(type: string): NameEncoding {
  return nameAttribute(type, "00").encoding;
}
