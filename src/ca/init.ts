import { audited } from "../audit/trail.ts";
import { encodeHex, randomBytes } from "../bytes.ts";
import { joinPath, keyFile, relativePath } from "../store/layout.ts";
import type { CaMeta, KeyEntry } from "../store/meta.ts";
import { writeNewCa } from "../store/new_ca.ts";
import { stageCaFolder, type Staging } from "../store/staging.ts";
import { isUnfinished } from "../store/transaction.ts";
import type { Certificate, Csr } from "../x509/types.ts";
import { caFacts, keyFacts, recordIssued } from "./audit_facts.ts";
import { checkInterrupted, type Deps, formatInstant, wholeSecond } from "./deps.ts";
import { recordCertificates } from "./issue.ts";
import { commonNameOf, newCaMeta } from "./new_meta.ts";
import { type KeyPlaces, obtainKeys } from "./obtain_keys.ts";
import { chainOf, makeOwnCertificates, type OwnRequest, planOwnCertificates } from "./own_certificates.ts";
import { keysOfProfiles, wantedKeys } from "./profile_keys.ts";

/** A CA to be made. */
export interface InitRequest extends OwnRequest, KeyPlaces {
  /** Folder as the operator wrote it. */
  readonly folder: string;
  /** Has the token remember the end of the journal, so that an older copy of the folder is noticed. */
  readonly anchor?: boolean;
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

/**
 * Makes a CA, all or nothing: everything is checked and every certificate linted first, the folder is built beside its place
 * and moved there at the end, and keys that were made in a token are destroyed when a later step fails.
 * @throws {OperationError} `ca.exists`, `ca.expired`, `lint.refused`, `file.write`.
 * @throws {InputError} `profile.not_ca`, `profile.subjects`, `scheme.mismatch`, `key.algorithm_mismatch`,
 * `validity.beyond_issuer`, `path_len.violated`, `ca.no_alternative_key`.
 */
export async function initCa(request: InitRequest, deps: Deps): Promise<InitResult> {
  const { profiles } = request;
  const folder = joinPath(deps.cwd, request.folder);
  const named = { folder, meta: { subject: { common_name: commonNameOf(profiles[0].subject) } } };
  const event = { event: "ca.init", ...caFacts(named), profile: profiles.map(({ name }) => name).join(", ") };
  return await audited(deps.audit, event, {
    async work() {
      const made = await makeCa(request, deps);
      // those below a parent were recorded as the parent's
      if (!request.parent) await recordIssued(deps, caFacts(named, made.versionId), made.certificates);
      return made;
    },
    facts: ({ versionId, keys, certificates }) => ({
      ...caFacts(named, versionId),
      details: { keys: keyFacts(keys), serials: certificates.map(({ serial }) => serial) },
    }),
  });
}

async function makeCa(request: InitRequest, deps: Deps): Promise<InitResult> {
  const { profiles, parent, csrOnly = false } = request;
  const notBefore = wholeSecond(deps);
  const plans = await planOwnCertificates(request, notBefore);
  if (!parent && !csrOnly) warnOfRoots(profiles, deps);
  // the folder first: a place that cannot be written must not cost a key in the token
  await using staging = await stageCaFolder(joinPath(deps.cwd, request.folder), (text) => deps.warn(text));
  checkInterrupted(deps);
  const wanted = wantedKeys(plans, request, {
    file: (name) => ({ path: `${staging.folder}/${keyFile(VERSION, name)}`, stored: keyFile(VERSION, name) }),
    label: commonNameOf(profiles[0].subject),
  });
  await using made = await obtainKeys(wanted, deps, staging.staged);
  try {
    const holders = keysOfProfiles(plans, made).map(({ key }) => key);
    checkInterrupted(deps);
    const written = await makeOwnCertificates(plans, holders, { request, deps, announcer: staging.staged });
    const meta = newCaMeta({
      versionId: VERSION,
      profiles,
      variables: request.variables,
      role: csrOnly || parent ? "subordinate" : "root",
      parent: parent && relativePath(joinPath(deps.cwd, request.folder), joinPath(deps.cwd, parent.store.folder)),
      keys: made.entries,
      schemes: plans.map(({ scheme }) => scheme),
      isRequest: csrOnly,
      created: formatInstant(notBefore),
      ...(request.anchor ? { anchor: `qpki-anchor-${encodeHex(randomBytes(8))}` } : {}),
    });
    const chain = await chainOf(request, written.certificates);
    await writeNewCa(staging.folder, { meta, versionId: VERSION, chain, ...written });
    checkInterrupted(deps);
    await publish(staging, request, { ...written, deps });
    return { meta, versionId: VERSION, keys: made.entries, ...written };
  } catch (error) {
    // what is decided needs its keys
    if (!isUnfinished(error)) await made.undo();
    throw error;
  }
}

/** A root that allows no CA below it is what becomes of an issuing CA when its parent was forgotten. */
function warnOfRoots(profiles: InitRequest["profiles"], deps: Deps): void {
  for (const { name } of profiles.filter(({ pathLen }) => pathLen === 0)) {
    deps.warn(
      `The CA signs its own certificate and allows no CA below it (pathLen 0 in profile "${name}"): ` +
        "for a CA below another one use --parent or --csr-only",
    );
  }
}

/** The parent must know the certificates before anybody can use them; then the folder becomes visible. */
async function publish(
  staging: Staging,
  { parent }: InitRequest,
  { certificates, deps }: { certificates: readonly Certificate[]; deps: Deps },
): Promise<void> {
  if (!parent || certificates.length === 0) return await staging.commit();
  let isRecorded = false;
  try {
    await staging.commit({
      issuer: joinPath(deps.cwd, parent.store.folder),
      serials: certificates.map(({ serial }) => serial),
      async record() {
        await recordCertificates(parent, certificates, deps);
        isRecorded = true;
      },
    });
  } catch (error) {
    for (const { serial } of isRecorded && !isUnfinished(error) ? certificates : []) {
      deps.warn(`The parent CA has recorded certificate ${serial}, which is now without a CA: revoke it`);
    }
    throw error;
  }
}
