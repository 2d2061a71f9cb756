import { OID_AT_COMMON_NAME } from "../asn1/oid.ts";
import { InputError } from "../errors.ts";
import { nameAttribute } from "../x509/name.ts";
import type { Name, NameAttribute } from "../x509/types.ts";
import { CompileError, compileExtensions } from "./compile_extensions.ts";
import { checkDnsName } from "./dns.ts";
import { parseDuration } from "./duration.ts";
import { keepSubject } from "./keep_subject.ts";
import { rowsOfMode } from "./modes.ts";
import { expandTemplate, onlyVariable } from "./templates.ts";
import type { CompiledProfile, ParsedProfile, Profile, ProfileInputs, SubjectAttribute, Values } from "./types.ts";
import { durationSeconds } from "./values.ts";
import { resolveVariables } from "./variables.ts";

/** What a command may state beside the variables. */
export interface CompileOptions {
  /** Duration in place of the profile's; a variable that the profile takes its validity from still sets the bounds. */
  readonly validity?: string;
  /** The holder's name as it is, in place of the profile's subject, whose variables need not be given then. */
  readonly subject?: Name;
}

/**
 * Fills a profile with values: everything that goes into the certificate, validated.
 * @throws {InputError} `variable.unknown|missing|invalid|subject` from the variables; `profile.value` when a value cannot stand
 * where a template puts it; `duration.invalid`.
 */
export function compileProfile(
  profile: ParsedProfile & Partial<Pick<Profile, "source" | "sha256">>,
  given: Readonly<Record<string, unknown>>,
  options: CompileOptions = {},
): CompiledProfile {
  const { subject, ...others } = options;
  const { source, sha256 } = profile;
  const inputs: ProfileInputs = {
    variables: { ...given },
    ...(options.validity === undefined ? {} : { validity: options.validity }),
    ...(source === undefined ? {} : { source }),
    ...(sha256 === undefined ? {} : { sha256 }),
  };
  if (!subject) return { ...compileWith(profile, given, { ...others, subjectOf: compileSubject }), inputs };
  const kept = keepSubject(profile, given, subject);
  return { ...compileWith(kept.profile, kept.given, { ...others, subjectOf: () => subject }), inputs };
}

function compileWith(
  profile: ParsedProfile,
  given: Readonly<Record<string, unknown>>,
  options: Omit<CompileOptions, "subject"> & { subjectOf: typeof compileSubject },
): CompiledProfile {
  const validityVariable = onlyVariable(profile.validity);
  const all = options.validity !== undefined && validityVariable !== undefined
    ? { ...given, [validityVariable]: options.validity }
    : given;
  const values = resolveVariables(profile, all);
  try {
    const subject = options.subjectOf(profile, values);
    const { basicConstraints } = profile.extensions;
    const commonName = dnsCommonName(profile, subject);
    return {
      name: profile.name,
      mode: profile.mode,
      rows: rowsOfMode(profile.mode, profile.algorithms),
      ...(profile.signature ? { signature: profile.signature } : {}),
      subject,
      validitySeconds: validityVariable === undefined && options.validity !== undefined
        ? parseDuration(options.validity)
        : compileValidity(profile, values),
      extensions: compileExtensions(profile.extensions, values, {
        emptySubject: subject.length === 0,
        ...(commonName === undefined ? {} : { commonName }),
      }),
      isCa: basicConstraints?.ca ?? false,
      ...(basicConstraints?.pathLen === undefined ? {} : { pathLen: basicConstraints.pathLen }),
    };
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    throw new InputError(`Cannot use profile "${profile.name}": ${error.path}: ${error.message}`, {
      code: "profile.value",
      object: profile.name,
      hint: `List its variables with: qpki profile vars ${profile.name}`,
    });
  }
}

function compileSubject(profile: ParsedProfile, values: Values): Name {
  const out: NameAttribute[][] = [];
  for (const attribute of profile.subject) {
    for (const template of attribute.values) {
      const entries = expandTemplate(template, values);
      if (!entries.ok) throw new CompileError(`subject.${attribute.key}`, entries.reason);
      for (const entry of entries.value) out.push([compileAttribute(attribute, entry)]);
    }
  }
  return out;
}

function compileAttribute(attribute: SubjectAttribute, text: string): NameAttribute {
  try {
    return nameAttribute(attribute.type, text, attribute.encoding);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new CompileError(`subject.${attribute.key}`, error.message.replace(/^Cannot/, "cannot"));
  }
}

/**
 * The common name when it is a DNS name that belongs into subjectAltName. One label counts only when the variable behind
 * it allows single labels, so that a person called "Alice" does not become a host.
 */
function dnsCommonName(profile: ParsedProfile, subject: Name): string | undefined {
  const text = subject.flat().find((attribute) => attribute.type === OID_AT_COMMON_NAME)?.value;
  if (text === undefined) return undefined;
  const template = profile.subject.find((attribute) => attribute.type === OID_AT_COMMON_NAME)!.values[0]!;
  const variable = onlyVariable(template);
  const singleLabel = variable !== undefined && (profile.variables[variable]?.allowSingleLabel ?? false);
  const checked = checkDnsName(text, { wildcard: true, singleLabel });
  return checked.ok ? checked.value : undefined;
}

function compileValidity(profile: ParsedProfile, values: Values): number {
  const entries = expandTemplate(profile.validity, values);
  if (!entries.ok) throw new CompileError("validity", entries.reason);
  const text = entries.value[0];
  if (text === undefined) throw new CompileError("validity", "it has no value");
  const seconds = durationSeconds(text);
  if (typeof seconds === "string") throw new CompileError("validity", seconds);
  return seconds;
}
