import { decodeScheme, describeAlgorithm, encodeScheme } from "../keys/scheme.ts";
import { equalBytes } from "../bytes.ts";
import type { Profile } from "../profile/types.ts";
import type { CertificateIntent } from "../store/journal_record.ts";
import { authorityKeyIdentifier, subjectKeyIdentifier } from "../x509/extensions/key_identifiers.ts";
import { altSignatureAlgorithm } from "../x509/extensions/alt_signature_algorithm.ts";
import { altSignatureValue } from "../x509/extensions/alt_signature_value.ts";
import { decodeExtension } from "../x509/extensions/mod.ts";
import { subjectAltPublicKeyInfo } from "../x509/extensions/subject_alt_public_key_info.ts";
import { decodeName, formatName } from "../x509/name.ts";
import type { Tbs } from "../x509/tbs.ts";
import type { Certificate, Extension, Name } from "../x509/types.ts";
import { formatInstant } from "./deps.ts";

/** One field of a certificate with what caused it. */
export interface ExplainedField {
  /** RFC 5280's name: `notAfter`, `subject CN`, `keyUsage`. */
  readonly field: string;
  readonly value: string;
  /** In words where it is no line of the profile. */
  readonly cause: string;
  /** Line of the profile, `file:line`. */
  readonly source?: string;
  /** Values that the operator gave for the variables in that line. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Whether the profile of now, with the values of then, gives the same; undefined when nothing could be made again. */
  readonly same?: boolean;
}

interface Facts {
  readonly certificate: Certificate;
  readonly intent: CertificateIntent;
  readonly profile: Profile | undefined;
  readonly rebuilt: Tbs | undefined;
}

/** Every field of a certificate in its order, with its cause. */
export function explainFields(facts: Facts): ExplainedField[] {
  const { certificate, intent, rebuilt, profile } = facts;
  const given = intent["validity"];
  const field = (name: string, value: string, more: Omit<ExplainedField, "field" | "value">): ExplainedField => ({
    field: name,
    value,
    ...more,
  });
  const same = (is: (tbs: Tbs) => boolean) => rebuilt ? { same: is(rebuilt) } : {};
  return [
    field("serialNumber", certificate.serial, {
      cause: "generated at random, journalled before it was signed",
      ...same((tbs) => tbs.serial === certificate.serial),
    }),
    field("signature", schemeText(certificate.signatureAlgorithm), {
      ...lineOf(facts, "signature", "the scheme of the CA's version"),
      ...same((tbs) => equalBytes(encodeScheme(tbs.scheme), certificate.signatureAlgorithm)),
    }),
    field("issuer", formatName(certificate.issuer), {
      cause: "subject of the issuer's certificate",
      ...same((tbs) => equalBytes(tbs.issuer, certificate.issuer)),
    }),
    field("notBefore", formatInstant(certificate.notBefore), {
      cause: "time of issue",
      ...same((tbs) => tbs.notBefore.getTime() === certificate.notBefore.getTime()),
    }),
    field("notAfter", formatInstant(certificate.notAfter), {
      ...(typeof given === "string"
        ? { cause: `--days or --validity: ${given}` }
        : { ...lineOf(facts, "validity", "the profile"), ...variablesOf(facts, profile?.validity) }),
      ...same((tbs) => tbs.notAfter.getTime() === certificate.notAfter.getTime()),
    }),
    ...subjectFields(facts),
    field("subjectPublicKeyInfo", `SHA-256 ${String(intent["spki_sha256"])}`, {
      cause: "key of the request or of the holder",
      ...same((tbs) => equalBytes(tbs.spki, certificate.spki)),
    }),
    ...certificate.extensions.map((extension) => extensionField(extension, facts)),
    ...missingExtensions(facts),
  ];
}

function subjectFields(facts: Facts): ExplainedField[] {
  const { certificate, profile, rebuilt } = facts;
  const name = decodeName(certificate.subject);
  const again = rebuilt ? decodeName(rebuilt.subject) : undefined;
  return name.map((rdn, i) => {
    const type = rdn[0]!.type;
    const attribute = profile?.subject.find((one) => one.type === type);
    const [label] = formatName([rdn] as Name).split("=", 1);
    return {
      field: `subject ${label}`,
      value: rdn.map(({ value }) => value).join(" + "),
      ...(attribute
        ? { ...lineOf(facts, `subject.${attribute.key}`, "the profile"), ...variablesOf(facts, attribute.values) }
        : { cause: "kept from the version before" }),
      ...(again ? { same: again[i] !== undefined && formatName([again[i]]) === formatName([rdn]) } : {}),
    };
  });
}

/** Extensions that the CA adds by itself. */
const OWN_CAUSES: ReadonlyMap<string, string> = new Map([
  [subjectKeyIdentifier.oid, "SHA-256 of the public key (RFC 7093)"],
  [authorityKeyIdentifier.oid, "subjectKeyIdentifier of the issuer"],
  [subjectAltPublicKeyInfo.oid, "alternative key of the request or of the holder"],
  [altSignatureAlgorithm.oid, "scheme of the CA's alternative key"],
  [altSignatureValue.oid, "alternative signature of the CA"],
]);

function extensionField(extension: Extension, facts: Facts): ExplainedField {
  const { rebuilt, profile } = facts;
  const { name, text } = decodeExtension(extension);
  const again = rebuilt?.extensions.find(({ oid }) => oid === extension.oid);
  const isSame = extension.oid === altSignatureValue.oid ||
    (again !== undefined && again.critical === extension.critical && equalBytes(again.value, extension.value));
  const own = OWN_CAUSES.get(extension.oid);
  const custom = profile?.extensions.custom?.findIndex(({ oid }) => oid === extension.oid) ?? -1;
  const path = custom >= 0 ? `extensions.custom[${custom}]` : `extensions.${name}`;
  const part = (profile?.extensions as Readonly<Record<string, unknown>> | undefined)?.[name];
  return {
    field: extension.critical ? `${name} (critical)` : name,
    value: text.join("; "),
    ...(own === undefined ? { ...lineOf(facts, path, "the profile"), ...variablesOf(facts, part) } : { cause: own }),
    ...(rebuilt ? { same: isSame } : {}),
  };
}

/** What the profile of now would add. */
function missingExtensions({ certificate, rebuilt }: Facts): ExplainedField[] {
  const added = rebuilt?.extensions.filter(({ oid }) => !certificate.extensions.some((one) => one.oid === oid)) ?? [];
  return added.map((extension) => ({
    field: decodeExtension(extension).name,
    value: "(not in the certificate)",
    cause: "the profile of now would add it",
    same: false,
  }));
}

function lineOf({ profile }: Facts, path: string, otherwise: string): Pick<ExplainedField, "cause" | "source"> {
  const at = profile?.positions.get(path);
  if (!profile || !at) return { cause: otherwise };
  return { cause: path, source: `${profile.file}:${at.line}` };
}

/** Variables that the templates in a part of the profile name, with the values of then. */
function variablesOf({ intent }: Facts, part: unknown): Pick<ExplainedField, "variables"> {
  const names = new Set<string>();
  collect(part, names);
  const given = (intent["variables"] ?? {}) as Readonly<Record<string, unknown>>;
  const used = [...names].filter((name) => Object.hasOwn(given, name)).map((name) => [name, given[name]] as const);
  return used.length === 0 ? {} : { variables: Object.fromEntries(used) };
}

function collect(part: unknown, names: Set<string>): void {
  if (typeof part !== "object" || part === null || part instanceof Uint8Array) return;
  const { variables, text } = part as { variables?: unknown; text?: unknown };
  if (Array.isArray(variables) && typeof text === "string") {
    for (const name of variables) names.add(String(name));
    return;
  }
  for (const value of Object.values(part)) collect(value, names);
}

function schemeText(algorithm: Uint8Array): string {
  return decodeScheme(algorithm)?.label ?? describeAlgorithm(algorithm);
}
