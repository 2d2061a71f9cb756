import { OID_AT_COUNTRY } from "../asn1/oid.ts";
import { compilePattern } from "./regexp.ts";
import type { ParsedProfile, Template, Value, Variable } from "./types.ts";
import { checkValue, isListType } from "./values.ts";

/** Sample values for linting. */
export interface Samples {
  /** Values of the required variables only. */
  readonly required: Readonly<Record<string, Value>>;
  /** Values of all variables. */
  readonly all: Readonly<Record<string, Value>>;
  /** Variables for which no sample was found. */
  readonly missing: readonly string[];
}

/** Values with which a profile can be tried out: its defaults, else something that the constraints accept. */
export function sampleValues(profile: ParsedProfile): Samples {
  const required: Record<string, Value> = Object.create(null);
  const all: Record<string, Value> = Object.create(null);
  const missing: string[] = [];
  const hints = placeSamples(profile);
  for (const [name, variable] of Object.entries(profile.variables)) {
    const value = sampleValue(variable, hints.get(name) ?? []);
    if (value === undefined) missing.push(name);
    else {
      all[name] = value;
      if (variable.required) required[name] = value;
    }
  }
  return { required, all, missing };
}

/** A value that a variable accepts, `preferred` ones first, or undefined when none was found. */
export function sampleValue(variable: Variable, preferred: readonly string[] = []): Value | undefined {
  if (variable.default !== undefined && !isEmptyList(variable.default)) return variable.default;
  const own = [...candidatesFor(variable), ...patternSamples(variable)];
  const candidates: unknown[] = [...variable.enum ?? [], ...preferred, ...own];
  const wanted = Math.max(1, variable.constraints?.minItems ?? 1);
  for (const candidate of candidates) {
    const raw = isListType(variable.type) ? Array.from({ length: wanted }, () => candidate) : candidate;
    const checked = checkValue(variable, raw);
    if (checked.ok && checked.value !== undefined) return checked.value;
  }
  return undefined;
}

/** Texts that fit the places where each variable is used: a variable of type string or list may stand for anything. */
function placeSamples({ subject, extensions: e, validity }: ParsedProfile): Map<string, string[]> {
  const san = e.subjectAltName;
  const trees = [e.nameConstraints?.permitted, e.nameConstraints?.excluded].filter((tree) => tree !== undefined);
  const places: [sample: string, templates: readonly (Template | undefined)[]][] = [
    ["www.example.com", [...san?.dns ?? [], ...trees.flatMap((tree) => [...tree.dns, ...tree.uri])]],
    ["192.0.2.1", [...san?.ip ?? [], ...trees.flatMap((tree) => tree.ip)]],
    ["alice@example.com", [...san?.email ?? [], ...trees.flatMap((tree) => tree.email)]],
    ["http://pki.example.com/sample", [
      ...san?.uri ?? [],
      ...e.crlDistributionPoints?.urls ?? [],
      ...e.authorityInfoAccess?.ocsp ?? [],
      ...e.authorityInfoAccess?.caIssuers ?? [],
      ...(e.certificatePolicies?.policies ?? []).map((policy) => policy.cps),
      ...(e.qcStatements?.qcPds ?? []).map((location) => location.url),
    ]],
    ["2.23.140.1.2.1", (e.certificatePolicies?.policies ?? []).map((policy) => policy.oid)],
    ["en", (e.qcStatements?.qcPds ?? []).map((location) => location.language)],
    ["FR", [
      ...e.qcStatements?.qcLegislation ?? [],
      ...subject.filter((attribute) => attribute.type === OID_AT_COUNTRY).flatMap((attribute) => attribute.values),
    ]],
    ["O=Sample", trees.flatMap((tree) => tree.directory)],
    ["90d", [validity]],
  ];
  const out = new Map<string, string[]>();
  for (const [sample, templates] of places) {
    for (const name of templates.flatMap((template) => template?.variables ?? [])) {
      out.set(name, [...out.get(name) ?? [], sample]);
    }
  }
  return out;
}

function candidatesFor(variable: Variable): readonly unknown[] {
  const { allowedSuffixes, allowedRanges, allowedSchemes, allowedHosts } = variable.constraints ?? {};
  const suffixes = allowedSuffixes ?? [];
  switch (variable.type) {
    case "integer":
      return [variable.min ?? Math.min(1, variable.max ?? 1)];
    case "boolean":
      return [true];
    case "duration":
      return ["90d", variable.minDuration, variable.maxDuration].filter((text) => text !== undefined);
    case "dns_name":
    case "dns_names":
      return ["www.example.com", ...suffixes.map((suffix) => `www.${suffix.replace(/^\./, "")}`)];
    case "email":
      return ["alice@example.com", ...suffixes.map((suffix) => `alice@${suffix.replace(/^[@.]/, "")}`)];
    case "ip_list":
      return (allowedRanges ?? ["192.0.2.1"]).map((range) => range.split("/")[0]);
    case "uri":
      return (allowedSchemes ?? ["http", "https"]).flatMap((scheme) =>
        (allowedHosts ?? ["pki.example.com"]).map((host) => `${scheme}://${host}/sample`)
      );
    case "oid":
      return ["2.23.140.1.2.1", ...suffixes.map((arc) => `${arc.replace(/\.$/, "")}.1`)];
    case "list":
    case "string": {
      const texts = [
        "Sample",
        "FR",
        "en",
        "1",
        "www.example.com",
        "alice@example.com",
        "http://www.example.com/sample",
      ];
      const long = "Sample".padEnd(variable.minLength ?? 0, "x");
      return [...texts, long, ...suffixes.map((suffix) => `sample${suffix}`), ...suffixes];
    }
  }
}

function patternSamples(variable: Variable): string[] {
  if (variable.pattern === undefined) return [];
  const pattern = compilePattern(variable.pattern);
  const sample = pattern.ok ? pattern.value.sample() : undefined;
  return sample === undefined ? [] : [sample];
}

function isEmptyList(value: Value): boolean {
  return Array.isArray(value) && value.length === 0;
}
