import type { Variable } from "../../../profile/types.ts";
import { valueText } from "../../../profile/templates.ts";
import type { Command } from "../../command.ts";
import { table } from "../../table.ts";
import { DIR, NAME, namedProfile } from "./_profile.ts";

/** `qpki profile vars NAME`. */
const command: Command = {
  summary: "List the variables of a profile with their types and constraints",
  args: [NAME],
  flags: [DIR],
  examples: ["qpki profile vars ec/tls-server", "qpki profile vars ./my-tls-server.yaml --json"],
  async run(input, ctx) {
    const profile = await namedProfile(input, ctx);
    const variables = Object.values(profile.variables);
    const rows = variables.map((variable) => [
      variable.name,
      variable.type,
      variable.required ? "yes" : "no",
      variable.default === undefined ? "-" : valueText(variable.default),
      Object.entries(constraints(variable)).map(([key, value]) => `${key}=${String(value)}`).join(" ") || "-",
      variable.description ?? "",
    ]);
    return {
      data: { profile: profile.name, source: profile.source, variables: variables.map(variableJson) },
      text: rows.length === 0
        ? `Profile ${profile.name} has no variables`
        : table(["NAME", "TYPE", "REQUIRED", "DEFAULT", "CONSTRAINTS", "DESCRIPTION"], rows),
    };
  },
};
export default command;

function variableJson(variable: Variable): Record<string, unknown> {
  return {
    name: variable.name,
    type: variable.type,
    required: variable.required,
    default: variable.default ?? null,
    description: variable.description ?? null,
    constraints: constraints(variable),
  };
}

/** What constrains a variable, under the keys of the YAML in snake_case. */
function constraints(variable: Variable): Record<string, unknown> {
  const { wildcard, constraints: nested } = variable;
  const all: Record<string, unknown> = {
    pattern: variable.pattern,
    enum: variable.enum,
    min_length: variable.minLength,
    max_length: variable.maxLength,
    min: variable.min,
    max: variable.max,
    min_duration: variable.minDuration,
    max_duration: variable.maxDuration,
    allow_single_label: variable.allowSingleLabel,
    wildcard_allowed: wildcard?.allowed,
    forbid_public_suffix: wildcard?.forbidPublicSuffix || undefined,
    allowed_suffixes: nested?.allowedSuffixes,
    denied_prefixes: nested?.deniedPrefixes,
    allowed_ranges: nested?.allowedRanges,
    allowed_schemes: nested?.allowedSchemes,
    allowed_hosts: nested?.allowedHosts,
    min_items: nested?.minItems,
    max_items: nested?.maxItems,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
