import { chooseScheme, defaultScheme, type KeyRow, type SchemeRow, schemeRows, type SchemeWish } from "../alg/find.ts";
import { OID_KP_SERVER_AUTH } from "../asn1/oid.ts";
import { InputError } from "../errors.ts";
import { authorityKeyIdentifier, subjectKeyIdentifier } from "../x509/extensions/key_identifiers.ts";
import { encodeExtensions } from "../x509/extensions/mod.ts";
import { type Finding, lintFindings } from "../x509/lint.ts";
import { encodeName, parseNameText } from "../x509/name.ts";
import { generateSerial } from "../x509/serial.ts";
import type { TbsFacts } from "../x509/tbs.ts";
import { compileProfile } from "./compile.ts";
import { PROFILE_RULES } from "./lint_rules.ts";
import { placeOf, placeOfRule } from "./lint_places.ts";
import { sampleValues } from "./samples.ts";
import type { CompiledProfile, ParsedProfile, ProfileFinding, Value } from "./types.ts";

/** Settings of the linter. */
export interface ProfileLintOptions {
  /** Date that limits by date are taken from; now unless told. */
  readonly now?: Date;
}

/** Dates from which the CA/Browser Forum allows less (BR 6.3.2). */
const STRICTER_FROM = ["2027-03-15", "2029-03-15"].map((date) => ({ date, at: new Date(`${date}T00:00:00Z`) }));

/** Rules about what qpki itself adds, which no profile can change. */
const NOT_THE_PROFILES: ReadonlySet<string> = new Set(["cabf.ski", "serial.shape"]);

/**
 * What standards have against the certificates that a profile leads to. The profile is tried out twice, with its required
 * variables alone and with all of them set to samples, and what comes out goes through the rules for certificates. Rules
 * of the CA/Browser Forum (for TLS servers) are warnings, as a private CA need not follow them, and count only when no
 * choice of values avoids them.
 */
export function lintProfile(profile: ParsedProfile, options: ProfileLintOptions = {}): ProfileFinding[] {
  const now = options.now ?? new Date();
  const samples = sampleValues(profile);
  const out: ProfileFinding[] = samples.missing.map((name) => ({
    severity: "warning",
    rule: "variable.no_sample",
    reference: "qpki",
    message: `no sample value was found for variable "${name}": what depends on it was not checked`,
    ...placeOf(profile, `variables.${name}`),
  }));
  const trials = [tryOut(profile, samples.required, now), tryOut(profile, samples.all, now)];
  out.push(...merge(profile, trials));
  const compiled = { least: trials[0]!.compiled, most: trials[1]!.compiled };
  for (const rule of PROFILE_RULES) {
    const { id, severity, reference } = rule;
    for (const { message, path } of rule.check({ profile, ...compiled })) {
      out.push({ severity, rule: id, reference, message, ...placeOf(profile, path) });
    }
  }
  return out.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}

/** One trial: what came out, and what the rules for certificates say of it. */
interface Trial {
  readonly compiled?: CompiledProfile;
  readonly findings: readonly Finding[];
}

function tryOut(profile: ParsedProfile, values: Readonly<Record<string, Value>>, now: Date): Trial {
  try {
    const compiled = compileProfile(profile, values);
    const serverAuth = !compiled.isCa &&
      (compiled.extensions.extKeyUsage?.values.includes(OID_KP_SERVER_AUTH) ?? false);
    const findings = lintFindings(factsOf(compiled, now), { cabf: serverAuth });
    return { compiled, findings: serverAuth ? withLaterLimits(compiled, findings, now) : findings };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // samples may contradict each other, and a required variable may have none: told as a missing sample already
    if (error.code === "variable.missing") return { findings: [] };
    const message = `with sample values: ${error.message}`;
    return { findings: [{ severity: "warning", rule: "profile.sample", reference: "qpki", message }] };
  }
}

/** Adds to the validity limit of today those that are known to come. */
function withLaterLimits(compiled: CompiledProfile, findings: readonly Finding[], now: Date): Finding[] {
  const isLimit = (finding: Finding) => finding.rule === "cabf.validity";
  const texts = findings.filter(isLimit).map((finding) => finding.message);
  let found = findings.find(isLimit);
  for (const { date, at } of STRICTER_FROM) {
    if (at <= now) continue;
    const later = lintFindings(factsOf(compiled, at), { cabf: true }).find(isLimit);
    if (later) texts.push(`from ${date}: ${later.message.replace(/^the certificate is valid for /, "")}`);
    found ??= later;
  }
  const others = findings.filter((finding) => !isLimit(finding));
  return found ? [...others, { ...found, message: texts.join("; ") }] : others;
}

/** The certificate that would be built, with stand-ins for keys, issuer and serial. */
function factsOf(compiled: CompiledProfile, notBefore: Date): TbsFacts {
  const row = compiled.rows[0]!;
  const keyId = new Uint8Array(20);
  return {
    serial: generateSerial(),
    issuer: encodeName(parseNameText("CN=Issuer")),
    subject: encodeName(compiled.subject),
    notBefore,
    notAfter: new Date(notBefore.getTime() + compiled.validitySeconds * 1000),
    row,
    keyDescription: row.label,
    ...(row.modulusBits > 0 ? { rsa: { modulusBits: row.modulusBits, exponent: 65537n } } : {}),
    scheme: schemeOf(row, compiled.signature),
    extensions: [
      { oid: subjectKeyIdentifier.oid, critical: false, value: subjectKeyIdentifier.encode(keyId) },
      { oid: authorityKeyIdentifier.oid, critical: false, value: authorityKeyIdentifier.encode(keyId) },
      ...encodeExtensions(compiled.extensions),
    ],
  };
}

/** The stated scheme; when the profile's own key cannot use it the issuer's may, so any scheme of that description. */
function schemeOf(row: KeyRow, wish: SchemeWish | undefined): SchemeRow {
  try {
    return chooseScheme(row, wish);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return schemeRows().find((scheme) =>
      (wish?.scheme === undefined || wish.scheme === scheme.profileScheme) &&
      (wish?.hash === undefined || wish.hash === scheme.hash)
    ) ?? defaultScheme(row);
  }
}

function merge(profile: ParsedProfile, trials: readonly Trial[]): ProfileFinding[] {
  const out = new Map<string, ProfileFinding>();
  for (const finding of trials.flatMap((trial) => trial.findings)) {
    const cabf = finding.rule.startsWith("cabf.");
    const everywhere = trials.every((trial) => trial.findings.some((other) => other.rule === finding.rule));
    if (NOT_THE_PROFILES.has(finding.rule) || (cabf && !everywhere)) continue;
    const severity = cabf ? "warning" : finding.severity;
    const reference = finding.reference.replace(/^BR /, "CA/Browser Forum BR ");
    const key = cabf ? finding.rule : `${finding.rule} ${finding.message}`;
    if (!out.has(key)) out.set(key, { ...finding, severity, reference, ...placeOfRule(profile, finding.rule) });
  }
  return [...out.values()];
}
