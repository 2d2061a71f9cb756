import type { ParsedProfile, Position } from "./types.ts";

/** Where in a profile the cause of a finding stands, by the start of the rule's name; the longest start counts. */
const PLACES: Readonly<Record<string, string>> = {
  "basic_constraints.": "extensions.basicConstraints",
  "key_usage.": "extensions.keyUsage",
  "eku.": "extensions.extKeyUsage",
  "san.": "extensions.subjectAltName",
  "policies.": "extensions.certificatePolicies",
  "name_constraints.": "extensions.nameConstraints",
  "ocsp_no_check.": "extensions.ocspNoCheck",
  "qc_statements.": "extensions.qcStatements",
  "criticality.": "extensions",
  "extension.": "extensions",
  "subject.": "subject",
  "validity.": "validity",
  "key.": "algorithm",
  "cabf.": "extensions.extKeyUsage",
  "cabf.validity": "validity",
  "cabf.san": "extensions.subjectAltName",
  "cabf.cn": "subject",
  "cabf.key_usage": "extensions.keyUsage",
  "cabf.basic_constraints": "extensions.basicConstraints",
  "cabf.aia": "extensions.authorityInfoAccess",
  "cabf.crl_dp": "extensions.crlDistributionPoints",
  "cabf.polic": "extensions.certificatePolicies",
  "cabf.dv_subject": "subject",
  "cabf.ou": "subject",
  "cabf.key": "algorithm",
};

/** Place of a rule for certificates in a profile. */
export function placeOfRule(profile: ParsedProfile, rule: string): Partial<Position> {
  const starts = Object.keys(PLACES).filter((start) => rule.startsWith(start));
  const longest = starts.sort((a, b) => b.length - a.length)[0];
  return placeOf(profile, longest === undefined ? "name" : PLACES[longest]!);
}

/** Place of a path, of the nearest path above it that was written, or else of the profile's name. */
export function placeOf(profile: ParsedProfile, path: string): Partial<Position> {
  const aliases = path === "algorithm" ? ["algorithm", "algorithms"] : [path];
  for (let at = path; at !== ""; at = at.replace(/(^|[.[])[^.[]*$/, "")) {
    const found = [at, ...aliases].map((one) => profile.positions.get(one)).find((position) => position !== undefined);
    if (found) return { line: found.line, column: found.column };
  }
  const name = profile.positions.get("name");
  return name ? { line: name.line, column: name.column } : {};
}
