import { isDottedOid } from "../asn1/oid.ts";
import { suggest } from "../errors.ts";
import { parseCidr } from "../x509/extensions/ip_address.ts";
import type { Fields, Reader } from "./reader.ts";
import { compilePattern } from "./regexp.ts";
import { VARIABLE_NAME } from "./templates.ts";
import { type Located, plainValue } from "./tree.ts";
import { type Value, type Variable, VARIABLE_TYPES, type VariableType } from "./types.ts";
import { checkValue, durationSeconds, isListType } from "./values.ts";

const TEXT = ["pattern", "enum", "minLength", "maxLength"];
const AFFIXES = ["constraints.allowed_suffixes", "constraints.denied_prefixes"];
const ITEMS = ["constraints.min_items", "constraints.max_items"];
const DNS = [...TEXT, ...AFFIXES, "allow_single_label", "wildcard"];

/** Constraints that each type enforces; any other is a mistake, because an unenforced rule is worse than none. */
const CONSTRAINTS: Readonly<Record<VariableType, readonly string[]>> = {
  string: [...TEXT, ...AFFIXES],
  integer: ["min", "max", "enum"],
  boolean: [],
  list: [...TEXT, ...AFFIXES, ...ITEMS],
  ip_list: ["constraints.allowed_ranges", ...ITEMS],
  dns_name: DNS,
  dns_names: [...DNS, ...ITEMS],
  email: [...TEXT, ...AFFIXES],
  uri: [...TEXT, "constraints.allowed_schemes", "constraints.allowed_hosts"],
  oid: [...TEXT, ...AFFIXES],
  duration: ["min_duration", "max_duration", "enum"],
};

const KEYS = [
  ...["type", "required", "default", "description", "pattern", "enum", "minLength", "maxLength", "min", "max"],
  ...["min_duration", "max_duration", "allow_single_label", "wildcard", "constraints"],
];
const OLDER = { min_length: "minLength", max_length: "maxLength" };
const WILDCARD_KEYS = ["allowed", "single_label", "forbid_public_suffix"];
const CONSTRAINT_KEYS = [
  ...["allowed_suffixes", "denied_prefixes", "allowed_ranges", "allowed_schemes", "allowed_hosts"],
  ...["min_items", "max_items"],
];
const COUNT = { min: 0, max: 100_000 };
const WHOLE = { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER };

/** The declared variables. */
export function readVariables(reader: Reader, node: Located | undefined): Readonly<Record<string, Variable>> {
  const out: Record<string, Variable> = Object.create(null);
  if (!node) return out;
  for (const entry of reader.entries(node, "variables")) {
    if (!VARIABLE_NAME.test(entry.key)) {
      reader.complain(entry.at, `"${entry.key}" cannot name a variable: use letters, digits and underscores`);
      continue;
    }
    const fields = reader.fields(entry.value, `variables.${entry.key}`, { keys: KEYS, older: OLDER });
    const variable = fields && readVariable(fields, entry.key);
    // a variable with mistakes still counts as declared, so that templates are not blamed as well
    out[entry.key] = variable ?? { name: entry.key, type: "string", required: false };
  }
  return out;
}

function readVariable(fields: Fields, name: string): Variable | undefined {
  fields.require("type");
  const type = fields.choice("type", VARIABLE_TYPES);
  const texts = {
    description: fields.text("description"),
    pattern: fields.text("pattern"),
    minDuration: fields.text("min_duration"),
    maxDuration: fields.text("max_duration"),
  };
  const variable: Variable | undefined = type && dropUndefined<Variable>({
    name,
    type,
    required: fields.boolean("required") ?? false,
    ...texts,
    enum: nonEmpty(fields, "enum"),
    minLength: fields.integer("minLength", COUNT),
    maxLength: fields.integer("maxLength", COUNT),
    min: fields.integer("min", WHOLE),
    max: fields.integer("max", WHOLE),
    allowSingleLabel: fields.boolean("allow_single_label"),
    wildcard: readWildcard(fields),
    constraints: readConstraints(fields),
  });
  if (!variable) return undefined;
  checkApplicable(fields, variable.type);
  return checkTexts(fields, variable) ? withDefault(fields, variable) : variable;
}

function readWildcard(fields: Fields): Variable["wildcard"] {
  const wildcard = fields.fields("wildcard", { keys: WILDCARD_KEYS });
  return wildcard && {
    allowed: wildcard.boolean("allowed") ?? false,
    singleLabel: wildcard.boolean("single_label") ?? true,
    forbidPublicSuffix: wildcard.boolean("forbid_public_suffix") ?? false,
  };
}

function readConstraints(fields: Fields): Variable["constraints"] {
  const constraints = fields.fields("constraints", { keys: CONSTRAINT_KEYS });
  if (!constraints) return undefined;
  const ranges = nonEmpty(constraints, "allowed_ranges");
  for (const range of ranges ?? []) {
    if (!parseCidr(range)) {
      constraints.complainValue("allowed_ranges", `"${range}" is not a CIDR range such as 10.0.0.0/8`);
    }
  }
  checkOrder(constraints, "min_items", "max_items");
  return dropUndefined({
    allowedSuffixes: nonEmpty(constraints, "allowed_suffixes"),
    deniedPrefixes: nonEmpty(constraints, "denied_prefixes"),
    allowedRanges: ranges?.every((range) => parseCidr(range)) ? ranges : undefined,
    allowedSchemes: nonEmpty(constraints, "allowed_schemes"),
    allowedHosts: nonEmpty(constraints, "allowed_hosts"),
    minItems: constraints.integer("min_items", COUNT),
    maxItems: constraints.integer("max_items", COUNT),
  });
}

/** A list that constrains; an empty one would allow nothing, which nobody means. */
function nonEmpty(fields: Fields, key: string): string[] | undefined {
  if (!fields.has(key)) return undefined;
  const texts = fields.texts(key);
  if (texts.length === 0 && fields.items(key).length === 0) fields.complainValue(key, `${fields.path(key)} is empty`);
  return texts;
}

function checkApplicable(fields: Fields, type: VariableType): void {
  const allowed = CONSTRAINTS[type];
  const nested = fields.fields("constraints", { keys: CONSTRAINT_KEYS });
  const stated = [
    ...KEYS.slice(4, -1).filter((key) => fields.has(key)).map((key) => ({ at: fields, key, path: key })),
    ...CONSTRAINT_KEYS.filter((key) => nested?.has(key)).map((key) => ({
      at: nested!,
      key,
      path: `constraints.${key}`,
    })),
  ];
  for (const { at, key, path } of stated) {
    if (allowed.includes(path)) continue;
    const known = allowed.length === 0 ? "none" : allowed.join(", ");
    at.complain(key, `"${path}" has no meaning for type ${type} (its constraints: ${known})`);
  }
}

function checkTexts(fields: Fields, variable: Variable): boolean {
  let good = true;
  const refuse = (key: string, reason: string) => {
    fields.complainValue(key, `${fields.path(key)}: ${reason}`);
    good = false;
  };
  if (variable.pattern !== undefined) {
    const pattern = compilePattern(variable.pattern);
    if (!pattern.ok) refuse("pattern", pattern.reason);
  }
  for (const [key, text] of [["min_duration", variable.minDuration], ["max_duration", variable.maxDuration]] as const) {
    const seconds = text === undefined ? 0 : durationSeconds(text);
    if (typeof seconds === "string") refuse(key, seconds);
  }
  if (variable.type === "integer") {
    const bad = variable.enum?.find((item) => !/^[+-]?\d{1,15}$/.test(item));
    if (bad !== undefined) refuse("enum", `"${bad}" is not a whole number`);
  }
  if (variable.type === "oid") {
    const bad = variable.constraints?.allowedSuffixes?.find((item) => !isDottedOid(item.replace(/\.$/, "")));
    if (bad !== undefined) refuse("constraints", `"${bad}" is not a dotted OID (for type oid they are leading arcs)`);
  }
  checkOrder(fields, "minLength", "maxLength");
  checkOrder(fields, "min", "max");
  return good;
}

function checkOrder(fields: Fields, low: string, high: string): void {
  const [min, max] = [rawNumber(fields.node(low)), rawNumber(fields.node(high))];
  if (min !== undefined && max !== undefined && min > max) {
    fields.complain(high, `${fields.path(high)} ${max} is below ${low} ${min}`);
  }
}

function rawNumber(node: Located | undefined): number | undefined {
  return node?.kind === "scalar" && typeof node.value === "number" ? node.value : undefined;
}

/** The variable with its default in normal form; a default that its own constraints refuse is a mistake. */
function withDefault(fields: Fields, variable: Variable): Variable {
  const node = fields.node("default");
  if (!node) return variable;
  const checked = checkValue(variable, defaultValue(node, variable.type));
  if (!checked.ok) {
    const near = variable.enum && node.kind === "scalar" ? suggest(node.text, variable.enum) : undefined;
    fields.complainValue(
      "default",
      `${fields.path("default")}: ${checked.reason}${near ? ` (did you mean "${near}"?)` : ""}`,
    );
    return variable;
  }
  return checked.value === undefined ? variable : { ...variable, default: checked.value as Value };
}

/** Text types take a scalar as written, so that `default: 0123` or `1.2` keeps its digits. */
function defaultValue(node: Located, type: VariableType): unknown {
  const asWritten = (scalar: Located) =>
    scalar.kind === "scalar" && scalar.value !== null ? scalar.text : plainValue(scalar);
  if (node.kind === "list" && isListType(type)) return node.items.map(asWritten);
  return type === "boolean" || node.kind !== "scalar" ? plainValue(node) : asWritten(node);
}

function dropUndefined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T;
}
