import { isDottedOid, OID_QCS_TYPE, oidByName } from "../asn1/oid.ts";
import { shorten } from "../bytes.ts";
import type { Fields, Reader } from "./reader.ts";
import { onlyVariable } from "./templates.ts";
import { checkCountry, checkLanguage, checkUriText } from "./text_checks.ts";
import type { ProfileExtensions, Template, VariableType } from "./types.ts";

const KEYS = ["critical", "qcCompliance", "qcSscd", "qcTypes", "qcPds", "qcRetentionPeriod", "qcLegislation"];
const OLDER = {
  qcSSCD: "qcSscd",
  qcType: "qcTypes",
  qcPDS: "qcPds",
  qcRetentionYears: "qcRetentionPeriod",
  qcCClegislation: "qcLegislation",
};

/** Statements of qualified certificates (ETSI EN 319 412-5). */
export function readQcStatements(reader: Reader, all: Fields): ProfileExtensions["qcStatements"] {
  const fields = all.fields("qcStatements", { keys: KEYS, older: OLDER });
  if (!fields) return undefined;
  if (!KEYS.slice(1).some((key) => fields.has(key))) all.complain("qcStatements", "qcStatements has no statements");
  const retention = readRetention(reader, fields);
  return {
    critical: fields.boolean("critical") ?? false,
    qcCompliance: readFlag(reader, fields, "qcCompliance"),
    qcSscd: readFlag(reader, fields, "qcSscd"),
    qcTypes: readTypes(reader, fields),
    qcPds: readLocations(reader, fields),
    ...(retention === undefined ? {} : { qcRetentionPeriod: retention }),
    qcLegislation: fields.checkedTemplates("qcLegislation", checkCountry),
  };
}

function readFlag(reader: Reader, fields: Fields, key: string): boolean | Template {
  const node = fields.node(key);
  if (node?.kind === "scalar" && typeof node.value === "string") {
    return variableOf(reader, fields, key, "boolean") ?? false;
  }
  return fields.boolean(key) ?? false;
}

function readRetention(reader: Reader, fields: Fields): number | Template | undefined {
  const node = fields.node("qcRetentionPeriod");
  if (node?.kind === "scalar" && typeof node.value === "string") {
    return variableOf(reader, fields, "qcRetentionPeriod", "integer");
  }
  return fields.integer("qcRetentionPeriod", { min: 0, max: 1000 });
}

/** A value given by one variable of the right type and nothing else. */
function variableOf(reader: Reader, fields: Fields, key: string, type: VariableType): Template | undefined {
  const template = fields.template(key);
  if (!template) return undefined;
  const name = onlyVariable(template);
  if (name !== undefined && reader.variables[name]!.type === type) return template;
  fields.complainValue(key, `${fields.path(key)} must be a value or one variable of type ${type}`);
  return undefined;
}

function readTypes(reader: Reader, fields: Fields): string[] {
  const out: string[] = [];
  for (const item of fields.items("qcTypes")) {
    const text = reader.text(item.node, item.path);
    if (text === undefined) continue;
    const named = oidByName(text, "qcStatement");
    const oid = isDottedOid(text) ? text : named?.startsWith(`${OID_QCS_TYPE}.`) ? named : undefined;
    if (oid === undefined) {
      reader.complain(
        item.node.at,
        `${item.path}: unknown type "${shorten(text)}" (esign, eseal, web or a dotted OID)`,
      );
    } else if (!out.includes(oid)) {
      out.push(oid);
    }
  }
  return out;
}

function readLocations(reader: Reader, fields: Fields): { url: Template; language: Template }[] {
  const out: { url: Template; language: Template }[] = [];
  for (const item of fields.items("qcPds")) {
    const location = reader.fields(item.node, item.path, { keys: ["url", "language"], older: { lang: "language" } });
    if (!location) continue;
    location.require("url");
    location.require("language");
    const url = location.checkedTemplate("url", checkUriText);
    const language = location.checkedTemplate("language", checkLanguage);
    if (url && language) out.push({ url, language });
  }
  return out;
}
