import type { ExtensionValues, GeneralName } from "../x509/types.ts";
import { type SanKind, sanName, type SubtreeKind, subtreeName } from "./general_names.ts";
import { expandTemplate, expandTemplates, onlyVariable } from "./templates.ts";
import { checkCountry, checkLanguage, checkNotice, checkOid, checkUriText } from "./text_checks.ts";
import type { Checked, ProfileExtensions, ProfileSubtrees, Template, Values } from "./types.ts";

/** A value that cannot stand where the profile puts it; `path` says where that is. */
export class CompileError extends Error {
  constructor(readonly path: string, reason: string) {
    super(reason);
  }
}

/** What of the subject matters to extensions. */
export interface SubjectFacts {
  readonly emptySubject: boolean;
  /** The common name when it is a DNS name. */
  readonly commonName?: string;
}

/**
 * Extensions with values filled in. An extension that ends up without content is left out: RFC 5280 has no empty ones.
 * @throws {CompileError}
 */
export function compileExtensions(wish: ProfileExtensions, values: Values, facts: SubjectFacts): ExtensionValues {
  const filled = {
    basicConstraints: wish.basicConstraints,
    keyUsage: wish.keyUsage,
    extKeyUsage: wish.extKeyUsage,
    subjectAltName: compileAltName(wish, values, facts),
    certificatePolicies: compilePolicies(wish, values),
    crlDistributionPoints: compileDistributionPoints(wish, values),
    authorityInfoAccess: compileInfoAccess(wish, values),
    nameConstraints: compileNameConstraints(wish, values),
    ocspNoCheck: wish.ocspNoCheck,
    qcStatements: compileQcStatements(wish, values),
    custom: wish.custom,
  };
  return Object.fromEntries(Object.entries(filled).filter(([, value]) => value !== undefined));
}

function compileAltName(
  { subjectAltName }: ProfileExtensions,
  values: Values,
  facts: SubjectFacts,
): ExtensionValues["subjectAltName"] {
  if (!subjectAltName) return undefined;
  const names: GeneralName[] = [];
  const read = (kind: SanKind) => {
    const texts = filledWith(subjectAltName[kind], values, `subjectAltName.${kind}`);
    return texts.map((text) => checked(sanName(kind, text), `subjectAltName.${kind}`));
  };
  if (subjectAltName.dnsIncludeCn && facts.commonName !== undefined) {
    names.push({ type: "dns", value: facts.commonName });
  }
  names.push(...read("dns"), ...read("ip"), ...read("email"), ...read("uri"));
  const once = withoutRepeats(names);
  return once.length === 0 ? undefined : { critical: subjectAltName.critical ?? facts.emptySubject, names: once };
}

function compilePolicies({ certificatePolicies }: ProfileExtensions, values: Values) {
  if (!certificatePolicies) return undefined;
  const policies: { oid: string; cps?: string; userNotice?: string }[] = [];
  for (const policy of certificatePolicies.policies) {
    const path = "certificatePolicies";
    const cps = policy.cps && one(policy.cps, values, { path: `${path}.cps`, check: checkUriText });
    const userNotice = policy.userNotice &&
      one(policy.userNotice, values, { path: `${path}.userNotice`, check: checkNotice });
    const oid = one(policy.oid, values, { path: `${path}.oid`, check: checkOid });
    if (oid === undefined) {
      if (cps === undefined && userNotice === undefined) continue;
      throw new CompileError(
        path,
        `a CPS or notice is given without its policy OID (variable "${policy.oid.variables[0]}")`,
      );
    }
    if (policies.some((other) => other.oid === oid)) throw new CompileError(path, `policy ${oid} comes twice`);
    policies.push({ oid, ...(cps === undefined ? {} : { cps }), ...(userNotice === undefined ? {} : { userNotice }) });
  }
  return policies.length === 0 ? undefined : { critical: certificatePolicies.critical, policies };
}

function compileDistributionPoints({ crlDistributionPoints }: ProfileExtensions, values: Values) {
  if (!crlDistributionPoints) return undefined;
  const urls = uris(crlDistributionPoints.urls, values, "crlDistributionPoints.urls");
  return urls.length === 0 ? undefined : { critical: crlDistributionPoints.critical, urls };
}

function compileInfoAccess({ authorityInfoAccess }: ProfileExtensions, values: Values) {
  if (!authorityInfoAccess) return undefined;
  const ocsp = uris(authorityInfoAccess.ocsp, values, "authorityInfoAccess.ocsp");
  const caIssuers = uris(authorityInfoAccess.caIssuers, values, "authorityInfoAccess.caIssuers");
  return ocsp.length + caIssuers.length === 0 ? undefined : { ocsp, caIssuers };
}

function compileNameConstraints({ nameConstraints }: ProfileExtensions, values: Values) {
  if (!nameConstraints) return undefined;
  const read = (side: "permitted" | "excluded") =>
    compileSubtrees(nameConstraints[side], values, `nameConstraints.${side}`);
  const [permitted, excluded] = [read("permitted"), read("excluded")];
  if (permitted.length + excluded.length === 0) return undefined;
  return { critical: nameConstraints.critical, permitted, excluded };
}

function compileSubtrees(subtrees: ProfileSubtrees, values: Values, path: string): GeneralName[] {
  const kinds: readonly SubtreeKind[] = ["dns", "ip", "email", "uri", "directory"];
  return withoutRepeats(
    kinds.flatMap((kind) =>
      filledWith(subtrees[kind], values, `${path}.${kind}`).map((text) =>
        checked(subtreeName(kind, text), `${path}.${kind}`)
      )
    ),
  );
}

function compileQcStatements({ qcStatements }: ProfileExtensions, values: Values): ExtensionValues["qcStatements"] {
  if (!qcStatements) return undefined;
  const qcCompliance = flag(qcStatements.qcCompliance, values);
  const qcSscd = flag(qcStatements.qcSscd, values);
  const qcPds: { url: string; language: string }[] = [];
  for (const location of qcStatements.qcPds) {
    const url = one(location.url, values, { path: "qcStatements.qcPds.url", check: checkUriText });
    if (url === undefined) continue;
    const language = one(location.language, values, { path: "qcStatements.qcPds.language", check: checkLanguage });
    if (language === undefined) throw new CompileError("qcStatements.qcPds.language", "it has no value");
    qcPds.push({ url, language });
  }
  const retention = qcStatements.qcRetentionPeriod;
  const years = typeof retention === "object" ? values.get(onlyVariable(retention)!) : retention;
  const qcLegislation = filledWith(qcStatements.qcLegislation, values, "qcStatements.qcLegislation")
    .map((text) => checked(checkCountry(text), "qcStatements.qcLegislation"));
  const empty = !qcCompliance && !qcSscd && qcStatements.qcTypes.length + qcPds.length + qcLegislation.length === 0 &&
    years === undefined;
  if (empty) return undefined;
  if (typeof years === "number" && years < 0) {
    throw new CompileError("qcStatements.qcRetentionPeriod", "it is negative");
  }
  return {
    critical: qcStatements.critical,
    qcCompliance,
    qcSscd,
    qcTypes: qcStatements.qcTypes,
    qcPds,
    ...(typeof years === "number" ? { qcRetentionYears: years } : {}),
    ...(qcLegislation.length === 0 ? {} : { qcLegislation }),
  };
}

function flag(wish: boolean | Template, values: Values): boolean {
  return typeof wish === "boolean" ? wish : values.get(onlyVariable(wish)!) === true;
}

function uris(templates: readonly Template[], values: Values, path: string): string[] {
  return [...new Set(filledWith(templates, values, path).map((text) => checked(checkUriText(text), path)))];
}

function filledWith(templates: readonly Template[], values: Values, path: string): string[] {
  return checked(expandTemplates(templates, values), path);
}

/** The single value of a template, or undefined when its variables are unset. */
function one(
  template: Template,
  values: Values,
  place: { path: string; check(text: string): Checked<string> },
): string | undefined {
  const [text] = checked(expandTemplate(template, values), place.path);
  return text === undefined ? undefined : checked(place.check(text), place.path);
}

function checked<T>(result: Checked<T>, path: string): T {
  if (!result.ok) throw new CompileError(path, result.reason);
  return result.value;
}

/** Names in order, each once; normal forms make equal names equal text. */
function withoutRepeats(names: readonly GeneralName[]): GeneralName[] {
  const byText = new Map<string, GeneralName>();
  for (const name of names) {
    const text = JSON.stringify(name);
    if (!byText.has(text)) byText.set(text, name);
  }
  return [...byText.values()];
}
