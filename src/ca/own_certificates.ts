import { chooseScheme, defaultScheme, type SchemeRow } from "../alg/find.ts";
import { equalBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { buildCsr } from "../x509/csr.ts";
import { lintTbs } from "../x509/lint.ts";
import { encodeName } from "../x509/name.ts";
import { generateSerial } from "../x509/serial.ts";
import { signCertificate } from "../x509/sign.ts";
import { buildTbsCertificate, type TbsSpec } from "../x509/tbs.ts";
import type { Certificate, Csr } from "../x509/types.ts";
import { type Deps, wholeSecond } from "./deps.ts";
import type { HolderKey } from "./holder_key.ts";
import { announceCertificates, type Announcer, certificateIntent } from "./intents.ts";
import { checkRequest, lintRequest, signRequest } from "./issue.ts";
import type { Issuers } from "./issuers.ts";
import { keysName } from "./key_parts.ts";
import { standInKeys } from "./stand_in.ts";

/** The certificates of a CA's own keys, one a profile: self-signed, from the CA above, or a request to another CA. */

/** What a version of a CA shall be. */
export interface OwnRequest {
  /** One certificate each, all for the same name. */
  readonly profiles: readonly [CompiledProfile, ...CompiledProfile[]];
  /** The CA above, open for signing; without it the CA is a root. */
  readonly parent?: Issuers;
  /** Makes the keys and a request, and leaves the certificate to another CA; with one profile only. */
  readonly csrOnly?: boolean;
  /** Instead of the profile's. */
  readonly validitySeconds?: number;
  /** Values of profile variables as the operator gave them: metadata keeps them for the next version. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** One profile with what its CA will sign with. */
export interface OwnPlan {
  readonly profile: CompiledProfile;
  readonly scheme: SchemeRow;
}

/** What was made for the keys. */
export interface OwnCertificates {
  /** One a profile; none when a request was asked for. */
  readonly certificates: readonly Certificate[];
  readonly csr?: Csr;
}

/**
 * What is going to be made, checked as far as can be without the keys: the profiles, what the CA above allows, and the
 * certificates with stand-ins for their keys, because a refusal must not cost a key in a token.
 * @throws {InputError} `profile.not_ca`, `profile.subjects`, `profile.same_keys`, `scheme.mismatch`, `validity.beyond_issuer`,
 * `path_len.violated`, `ca.no_alternative_key`. @throws {OperationError} `ca.expired`, `lint.refused`.
 */
export async function planOwnCertificates(request: OwnRequest, notBefore: Date): Promise<OwnPlan[]> {
  const { profiles, parent, csrOnly = false } = request;
  checkProfiles(profiles);
  const plans = profiles.map((profile): OwnPlan => ({ profile, scheme: ownScheme(request, profile) }));
  if (parent) { for (const profile of profiles) checkRequest(parent.for(profile), { ...request, profile, notBefore }); }
  if (!csrOnly) { for (const plan of plans) await lintPlan(plan, request, notBefore); }
  return plans;
}

/**
 * Makes the certificates, or the request; `holders` are the keys in the order of the plans. What the keys sign for themselves
 * is journalled by `announcer` first.
 */
export async function makeOwnCertificates(
  plans: readonly OwnPlan[],
  holders: readonly HolderKey[],
  { request, deps, announcer }: { request: OwnRequest; deps: Deps; announcer?: Announcer },
): Promise<OwnCertificates> {
  if (request.csrOnly) return { csr: await makeRequest(plans[0]!, holders[0]!), certificates: [] };
  return { certificates: await certify(plans, holders, { request, deps, ...(announcer ? { announcer } : {}) }) };
}

/** Every certificate with those above it, each once; none of a root. */
export async function chainOf(
  { parent, profiles }: OwnRequest,
  certificates: readonly Certificate[],
): Promise<Certificate[]> {
  if (!parent) return [];
  const chain: Certificate[] = [];
  for (const [i, certificate] of certificates.entries()) {
    chain.push(certificate, ...await parent.store.chain(parent.for(profiles[i]!).certificate));
  }
  return chain.filter((one, i) => i === chain.findIndex((other) => equalBytes(other.der, one.der)));
}

function checkProfiles(profiles: readonly [CompiledProfile, ...CompiledProfile[]]): void {
  const [first] = profiles;
  for (const [i, profile] of profiles.entries()) {
    if (!profile.isCa) {
      throw new InputError(`Cannot make a CA with profile "${profile.name}": it is not the profile of a CA`, {
        code: "profile.not_ca",
        hint: "Use a profile with basicConstraints ca: true, for example ec/root-ca or ec/issuing-ca",
      });
    }
    if (!equalBytes(encodeName(profile.subject), encodeName(first.subject))) {
      throw new InputError(
        `Cannot make a CA with profiles "${first.name}" and "${profile.name}": their subjects differ`,
        { code: "profile.subjects", hint: "A CA has one name: use profiles with the same subject" },
      );
    }
    const twin = profiles.slice(0, i).find((other) => kindOf(other) === kindOf(profile));
    if (twin) throw sameKind(twin, profile);
  }
}

function kindOf({ mode, rows }: CompiledProfile): string {
  return `${mode} ${keysName({ rows })}`;
}

/** Of two certificates for keys of the same kind the second would never be used. */
function sameKind(one: CompiledProfile, other: CompiledProfile): InputError {
  const labels = other.rows.map(({ label }) => label).join(" and ");
  return new InputError(
    one.name === other.name
      ? `Cannot make a CA with profile "${one.name}" twice`
      : `Cannot make a CA with profiles "${one.name}" and "${other.name}": both are for ${labels}`,
    { code: "profile.same_keys", hint: "A CA has one certificate for each kind of key: leave one of the profiles out" },
  );
}

/**
 * What the CA will sign with. The profile's wish is about the signature on the CA's own certificate: a root makes that one
 * itself and must fit; below a parent it holds for the CA only as far as its key can.
 */
function ownScheme(request: OwnRequest, { rows, signature }: CompiledProfile): SchemeRow {
  const row = rows[0]!;
  if (!request.parent && !request.csrOnly) return chooseScheme(row, signature);
  try {
    return chooseScheme(row, signature);
  } catch {
    return defaultScheme(row);
  }
}

/** Lints the certificate that will come out, with stand-ins for its keys: a refusal must not cost a key in a token. */
async function lintPlan(plan: OwnPlan, request: OwnRequest, notBefore: Date): Promise<void> {
  const { profile } = plan;
  const issuer = request.parent?.for(profile);
  if (issuer) return await lintRequest(issuer, { ...request, profile, notBefore });
  lintTbs(await buildTbsCertificate(rootSpec(plan, { ...request, notBefore, ...await standInKeys(profile) })));
}

/** What a self-signed certificate says. */
function rootSpec(
  { profile, scheme }: OwnPlan,
  facts: Pick<TbsSpec, "spki" | "notBefore"> & { alternativeSpki?: TbsSpec["spki"]; validitySeconds?: number },
): TbsSpec {
  const { notBefore, spki, alternativeSpki, validitySeconds = profile.validitySeconds } = facts;
  const name = encodeName(profile.subject);
  return {
    serial: generateSerial(),
    issuer: name,
    subject: name,
    notBefore,
    notAfter: new Date(notBefore.getTime() + validitySeconds * 1000),
    spki,
    scheme,
    extensions: profile.extensions,
    ...(alternativeSpki ? { alternative: { spki: alternativeSpki, scheme: defaultScheme(profile.rows[1]!) } } : {}),
  };
}

async function makeRequest({ profile, scheme }: OwnPlan, key: HolderKey): Promise<Csr> {
  const spec = { subject: profile.subject, spki: key.spki, extensions: profile.extensions };
  return await buildCsr(spec, key.signer(scheme), alternativeSigner(key));
}

async function certify(
  plans: readonly OwnPlan[],
  holders: readonly HolderKey[],
  { request, deps, announcer }: { request: OwnRequest; deps: Deps; announcer?: Announcer },
): Promise<Certificate[]> {
  const certificates: Certificate[] = [];
  for (const [i, plan] of plans.entries()) {
    const key = holders[i]!;
    const keys = { spki: key.spki, ...(key.alternative ? { alternativeSpki: key.alternative.spki } : {}) };
    const issuer = request.parent?.for(plan.profile);
    certificates.push(
      issuer
        ? await signRequest(issuer, { ...request, profile: plan.profile, ...keys }, deps)
        : await selfSign(rootSpec(plan, { ...request, notBefore: wholeSecond(deps), ...keys }), plan, {
          key,
          announcer,
        }),
    );
  }
  return certificates;
}

async function selfSign(
  spec: TbsSpec,
  { profile, scheme }: OwnPlan,
  { key, announcer }: { key: HolderKey; announcer?: Announcer | undefined },
): Promise<Certificate> {
  const linted = lintTbs(await buildTbsCertificate(spec));
  if (announcer) await announceCertificates(announcer, "self-sign", [await certificateIntent(linted.tbs, { profile })]);
  return await signCertificate(linted, key.signer(scheme), alternativeSigner(key));
}

/** Signs with the alternative key of a Catalyst certificate, where it has one. */
export function alternativeSigner({ alternative }: HolderKey) {
  return alternative?.signer(defaultScheme(alternative.algorithm));
}
