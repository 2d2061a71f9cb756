import { chooseScheme, defaultScheme, type SchemeRow } from "../alg/find.ts";
import { equalBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { joinPath, keyFile } from "../store/layout.ts";
import type { CaMeta, KeyEntry } from "../store/meta.ts";
import { writeNewCa } from "../store/new_ca.ts";
import { stageCaFolder, type Staging } from "../store/staging.ts";
import { buildCsr } from "../x509/csr.ts";
import { lintTbs } from "../x509/lint.ts";
import { encodeName } from "../x509/name.ts";
import { generateSerial } from "../x509/serial.ts";
import { signCertificate } from "../x509/sign.ts";
import { buildTbsCertificate, type TbsSpec } from "../x509/tbs.ts";
import type { Certificate, Csr } from "../x509/types.ts";
import { checkInterrupted, type Deps, formatInstant, wholeSecond } from "./deps.ts";
import type { HolderKey } from "./holder_key.ts";
import { checkRequest, lintRequest, recordCertificates, signRequest } from "./issue.ts";
import type { Issuers } from "./issuers.ts";
import { commonNameOf, newCaMeta } from "./new_meta.ts";
import { type KeyPlaces, obtainKeys } from "./obtain_keys.ts";
import { keysOfProfiles, wantedKeys } from "./profile_keys.ts";
import { standInKeys } from "./stand_in.ts";

/** A CA to be made. */
export interface InitRequest extends KeyPlaces {
  /** Folder as the operator wrote it. */
  readonly folder: string;
  /** One certificate each, all for the same name. */
  readonly profiles: readonly [CompiledProfile, ...CompiledProfile[]];
  /** The CA above, open for signing; without it the CA is a root. */
  readonly parent?: Issuers;
  /** Makes the keys and a request, and leaves the certificate to another CA; with one profile only. */
  readonly csrOnly?: boolean;
  /** Instead of the profile's. */
  readonly validitySeconds?: number;
}

/** A CA that was made. */
export interface InitResult {
  readonly meta: CaMeta;
  readonly versionId: string;
  /** In the order of the profiles. */
  readonly keys: readonly KeyEntry[];
  /** One a profile; none when only a request was asked for. */
  readonly certificates: readonly Certificate[];
  readonly csr?: Csr;
}

const VERSION = "v1";

/** One profile with what its CA will sign with. */
interface Plan {
  readonly profile: CompiledProfile;
  readonly scheme: SchemeRow;
}

/**
 * Makes a CA, all or nothing: everything is checked and every certificate linted first, the folder is built beside its place
 * and moved there at the end, and keys that were made in a token are destroyed when a later step fails.
 * @throws {OperationError} `ca.exists`, `ca.expired`, `lint.refused`, `file.write`.
 * @throws {InputError} `profile.not_ca`, `profile.subjects`, `scheme.mismatch`, `key.algorithm_mismatch`,
 * `validity.beyond_issuer`, `path_len.violated`, `ca.no_alternative_key`.
 */
export async function initCa(request: InitRequest, deps: Deps): Promise<InitResult> {
  const { profiles, parent, csrOnly = false } = request;
  checkProfiles(profiles);
  const plans = profiles.map((profile): Plan => ({ profile, scheme: ownScheme(request, profile) }));
  const notBefore = wholeSecond(deps);
  if (parent) { for (const profile of profiles) checkRequest(parent.for(profile), { ...request, profile, notBefore }); }
  // the folder first: a place that cannot be written must not cost a key in the token
  await using staging = await stageCaFolder(joinPath(deps.cwd, request.folder));
  if (!csrOnly) { for (const plan of plans) await lintPlan(plan, request, notBefore); }
  checkInterrupted(deps);
  const wanted = wantedKeys(plans, request, {
    file: (name) => ({ path: `${staging.folder}/${keyFile(VERSION, name)}`, stored: keyFile(VERSION, name) }),
    label: commonNameOf(profiles[0].subject),
  });
  await using made = await obtainKeys(wanted, deps);
  try {
    const holders = keysOfProfiles(plans, made).map(({ key }) => key);
    checkInterrupted(deps);
    const written = csrOnly
      ? { csr: await makeRequest(plans[0]!, holders[0]!), certificates: [] }
      : { certificates: await certify(plans, holders, { request, deps }) };
    const meta = newCaMeta({
      versionId: VERSION,
      profiles,
      role: csrOnly || parent ? "subordinate" : "root",
      keys: made.entries,
      schemes: plans.map(({ scheme }) => scheme),
      pending: csrOnly,
      created: formatInstant(notBefore),
    });
    const chain = await chainOf(request, written.certificates);
    await writeNewCa(staging.folder, { meta, versionId: VERSION, chain, ...written });
    checkInterrupted(deps);
    await publish(staging, request, { ...written, deps });
    return { meta, versionId: VERSION, keys: made.entries, ...written };
  } catch (error) {
    await made.undo();
    throw error;
  }
}

function checkProfiles(profiles: readonly [CompiledProfile, ...CompiledProfile[]]): void {
  const [first] = profiles;
  for (const profile of profiles) {
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
  }
}

/**
 * What the CA will sign with. The profile's wish is about the signature on the CA's own certificate: a root makes that one
 * itself and must fit; below a parent it holds for the CA only as far as its key can.
 */
function ownScheme(request: InitRequest, { rows, signature }: CompiledProfile): SchemeRow {
  const row = rows[0]!;
  if (!request.parent && !request.csrOnly) return chooseScheme(row, signature);
  try {
    return chooseScheme(row, signature);
  } catch {
    return defaultScheme(row);
  }
}

/** Lints the certificate that will come out, with stand-ins for its keys: a refusal must not cost a key in a token. */
async function lintPlan(plan: Plan, request: InitRequest, notBefore: Date): Promise<void> {
  const { profile } = plan;
  const issuer = request.parent?.for(profile);
  if (issuer) return await lintRequest(issuer, { ...request, profile, notBefore });
  lintTbs(await buildTbsCertificate(rootSpec(plan, { ...request, notBefore, ...await standInKeys(profile) })));
}

/** What a self-signed certificate says. */
function rootSpec(
  { profile, scheme }: Plan,
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

async function makeRequest({ profile, scheme }: Plan, key: HolderKey): Promise<Csr> {
  const spec = { subject: profile.subject, spki: key.spki, extensions: profile.extensions };
  return await buildCsr(spec, key.signer(scheme), alternativeSigner(key));
}

async function certify(
  plans: readonly Plan[],
  holders: readonly HolderKey[],
  { request, deps }: { request: InitRequest; deps: Deps },
): Promise<Certificate[]> {
  const certificates: Certificate[] = [];
  for (const [i, plan] of plans.entries()) {
    const key = holders[i]!;
    const keys = { spki: key.spki, ...(key.alternative ? { alternativeSpki: key.alternative.spki } : {}) };
    const issuer = request.parent?.for(plan.profile);
    certificates.push(
      issuer
        ? await signRequest(issuer, { ...request, profile: plan.profile, ...keys }, deps)
        : await selfSign(rootSpec(plan, { ...request, notBefore: wholeSecond(deps), ...keys }), plan, key),
    );
  }
  return certificates;
}

async function selfSign(spec: TbsSpec, { scheme }: Plan, key: HolderKey): Promise<Certificate> {
  return await signCertificate(lintTbs(await buildTbsCertificate(spec)), key.signer(scheme), alternativeSigner(key));
}

function alternativeSigner({ alternative }: HolderKey) {
  return alternative?.signer(defaultScheme(alternative.algorithm));
}

/** Each certificate with those above it; none twice. */
async function chainOf(
  { parent, profiles }: InitRequest,
  certificates: readonly Certificate[],
): Promise<Certificate[]> {
  if (!parent) return [];
  const chain: Certificate[] = [];
  for (const [i, certificate] of certificates.entries()) {
    chain.push(certificate, ...await parent.store.chain(parent.for(profiles[i]!).certificate));
  }
  return chain.filter((one, i) => i === chain.findIndex((other) => equalBytes(other.der, one.der)));
}

/** The parent must know the certificates before anybody can use them; then the folder becomes visible. */
async function publish(
  staging: Staging,
  { parent }: InitRequest,
  { certificates, deps }: { certificates: readonly Certificate[]; deps: Deps },
): Promise<void> {
  if (!parent || certificates.length === 0) return await staging.commit();
  await recordCertificates(parent, certificates, deps);
  try {
    await staging.commit();
  } catch (error) {
    for (const { serial } of certificates) {
      deps.warn(`The parent CA has recorded certificate ${serial}, which is now without a CA: revoke it`);
    }
    throw error;
  }
}
