import { oidName } from "../../../asn1/oid.ts";
import { encodeHex } from "../../../bytes.ts";
import type { Profile, SubjectAttribute } from "../../../profile/types.ts";
import type { Command } from "../../command.ts";
import { algorithmText, DIR, NAME, namedProfile } from "./_profile.ts";

/** `qpki profile info NAME`. */
const command: Command = {
  summary: "Show what a profile puts into a certificate",
  args: [NAME],
  flags: [DIR],
  examples: ["qpki profile info ec/root-ca", "qpki profile info eidas/qc-esign --json"],
  async run(input, ctx) {
    const profile = await namedProfile(input, ctx);
    return { data: profileJson(profile), text: profileText(profile) };
  },
};
export default command;

function profileJson(profile: Profile): Record<string, unknown> {
  return {
    name: profile.name,
    description: profile.description,
    source: profile.source,
    sha256: profile.sha256,
    mode: profile.mode,
    algorithms: profile.algorithms,
    signature: profile.signature ? snake(profile.signature) : null,
    validity: profile.validity.text,
    ca: profile.extensions.basicConstraints?.ca ?? false,
    subject: profile.subject.map((attribute) => ({
      attribute: attributeLabel(attribute),
      oid: attribute.type,
      values: attribute.values.map((template) => template.text),
      ...(attribute.encoding ? { encoding: attribute.encoding } : {}),
    })),
    extensions: snake(profile.extensions),
    variables: Object.keys(profile.variables),
  };
}

function profileText(profile: Profile): string {
  const signature = profile.signature;
  const names = Object.values(profile.variables);
  const required = names.filter((variable) => variable.required && variable.default === undefined);
  const optional = names.filter((variable) => !required.includes(variable));
  const lines = [
    `Name:         ${profile.name}`,
    `Description:  ${profile.description}`,
    `Source:       ${profile.source}`,
    `SHA-256:      ${profile.sha256}`,
    `Algorithm:    ${algorithmText(profile)}${profile.mode === "simple" ? "" : ` (${profile.mode})`}`,
    ...(signature ? [`Signature:    ${Object.values(signature).join(", ")}`] : []),
    `Validity:     ${validityText(profile)}`,
    `CA:           ${profile.extensions.basicConstraints?.ca ? "yes" : "no"}`,
    "Subject:",
    ...profile.subject.map((one) => `  ${attributeLabel(one)} = ${one.values.map((v) => v.text).join(", ")}`),
    "Extensions:",
    ...Object.entries(profile.extensions).map(([name, value]) => `  ${name}: ${extensionText(value)}`),
    `Required:     ${required.map((variable) => variable.name).join(", ") || "-"}`,
    `Optional:     ${optional.map((variable) => variable.name).join(", ") || "-"}`,
  ];
  return lines.join("\n");
}

function attributeLabel(attribute: SubjectAttribute): string {
  return oidName(attribute.type) ?? attribute.type;
}

/** The validity as written, and the default of the variable behind it. */
function validityText({ validity, variables }: Profile): string {
  const defaults = validity.variables.map((name) => variables[name]?.default).filter((value) => value !== undefined);
  return defaults.length === 0 ? validity.text : `${validity.text}, ${defaults.join(", ")} unless given`;
}

/** One extension on one line: `critical` first, then its content. */
function extensionText(value: unknown): string {
  const plain = snake(value) as Record<string, unknown>;
  if (Array.isArray(plain)) return plain.map((item) => compact(item)).join("; ");
  const { critical, ...rest } = plain;
  const parts = Object.entries(rest)
    .filter(([, part]) => part !== false && !(Array.isArray(part) && part.length === 0))
    .map(([key, part]) => `${key} ${compact(part)}`);
  return [...(critical === true ? ["critical"] : []), ...parts].join(", ") || "present";
}

function compact(value: unknown): string {
  if (Array.isArray(value)) return value.map(compact).join(" ");
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).map(([key, part]) => `${key} ${compact(part)}`).join(" ");
  }
  return typeof value === "string" ? oidName(value) ?? value : String(value);
}

/** Plain JSON: templates as their text, bytes as hex, keys in snake_case. */
function snake(value: unknown): unknown {
  if (value instanceof Uint8Array) return encodeHex(value);
  if (Array.isArray(value)) return value.map(snake);
  if (typeof value !== "object" || value === null) return value;
  if ("text" in value && "variables" in value) return value.text;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      key.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase(),
      snake(part),
    ]),
  );
}
