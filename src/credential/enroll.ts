import { audited } from "../audit/trail.ts";
import { encodeHex, randomBytes } from "../bytes.ts";
import { caFacts, keyFacts } from "../ca/audit_facts.ts";
import { checkInterrupted, type Deps, wholeSecond } from "../ca/deps.ts";
import { recordCertificates } from "../ca/issue.ts";
import type { Issuers } from "../ca/issuers.ts";
import { subjectFields } from "../ca/new_meta.ts";
import type { KeyPlaces } from "../ca/obtain_keys.ts";
import { writeFileDurably } from "../files.ts";
import type { CompiledProfile } from "../profile/types.ts";
import {
  checkCredentialFree,
  CREDENTIAL_META_FILE,
  credentialKeyFile,
  CredentialStaging,
} from "../store/credential.ts";
import { joinPath } from "../store/layout.ts";
import type { CredentialMeta } from "../store/meta.ts";
import { formatMeta } from "../store/meta_check.ts";
import { isUnfinished } from "../store/transaction.ts";
import type { Certificate } from "../x509/types.ts";
import { certifyParts } from "./certify.ts";
import { chainOf, checkPlans, obtainParts, versionFiles, warnOfIssued } from "./make_version.ts";
import { newMeta } from "./new_meta.ts";

/**
 * A credential to be made: one certificate a profile, with one key or two. Keys in a token get the label with `-0`, `-1`, …
 * behind it when there are several profiles; without a label one is made from the id. The two keys of a hybrid share it.
 */
export interface EnrollRequest extends KeyPlaces {
  /** Folder of the credentials. */
  readonly credDir: string;
  /** Made from the common name and the date without one. */
  readonly id?: string;
  readonly profiles: readonly CompiledProfile[];
}

/** A credential that was made. */
export interface EnrollResult {
  readonly folder: string;
  readonly meta: CredentialMeta;
  /** In the order of the profiles. */
  readonly certificates: readonly Certificate[];
}

const VERSION = "v1";

/**
 * Makes a credential, all or nothing: everything is checked and linted before the first key is made, the folder is built
 * beside its place and moved there at the end, and keys made in a token are destroyed when a later step fails or Ctrl-C is
 * pressed. The certificates are entered in the CA's index together, just before the folder becomes visible.
 * @throws {OperationError} `file.exists`, `lint.refused`, `ca.expired`; {InputError} `profile.is_ca`,
 * `validity.beyond_issuer`, `ca.no_alternative_key`; {InterruptedError}; what the key providers throw.
 */
export async function enroll(issuers: Issuers, request: EnrollRequest, deps: Deps): Promise<EnrollResult> {
  const id = request.id ?? defaultId(request.profiles, wholeSecond(deps));
  const event = {
    event: "credential.enroll",
    ...caFacts(issuers.store),
    credential: joinPath(joinPath(deps.cwd, request.credDir), id),
    profile: request.profiles.map(({ name }) => name).join(", "),
  };
  return await audited(deps.audit, event, {
    work: () => makeCredential(issuers, { ...request, id }, deps),
    facts: ({ meta, certificates }) => ({
      details: {
        keys: keyFacts(meta.versions[VERSION]?.keys ?? []),
        serials: certificates.map(({ serial }) => serial),
      },
    }),
  });
}

async function makeCredential(
  issuers: Issuers,
  request: EnrollRequest & { readonly id: string },
  deps: Deps,
): Promise<EnrollResult> {
  const now = wholeSecond(deps);
  const { id } = request;
  await checkCredentialFree(request.credDir, id);
  const plans = request.profiles.map((profile) => ({ profile }));
  await checkPlans(issuers, plans, now);
  await using staging = await CredentialStaging.create(request.credDir, id, {
    version: VERSION,
    warn: (text) => deps.warn(text),
  });
  const file = (name: string) => ({ path: staging.path(keyPath(name)), stored: keyPath(name) });
  const names = { file, label: id, isNumbered: true };
  await using made = await obtainParts(plans, { places: request, names, journal: staging.staged }, deps);
  try {
    const parts = await certifyParts(issuers, made.parts, deps);
    const facts = { id, version: VERSION, created: now, caFolder: issuers.store.folder, folder: staging.folder };
    const meta = await newMeta(parts, facts);
    for (const [path, text] of versionFiles(VERSION, parts, await chainOf(issuers, plans))) {
      await writeFileDurably(staging.path(path), text);
    }
    await writeFileDurably(staging.path(CREDENTIAL_META_FILE), formatMeta(meta));
    checkInterrupted(deps);
    const certificates = parts.map((part) => part.certificate);
    const folder = await commit(staging, certificates, { issuers, deps });
    return { folder, meta, certificates };
  } catch (error) {
    // what is decided needs its keys
    if (!isUnfinished(error)) await made.undo();
    throw error;
  }
}

/** Id from the common name, the date and three random bytes: `server-example-com-20250102-a1b2c3`. */
export function defaultId(profiles: readonly CompiledProfile[], now: Date): string {
  const commonName = profiles.map((profile) => subjectFields(profile.subject).common_name).find((cn) =>
    cn !== undefined
  );
  const slug = (commonName ?? "").normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "").replace(/[^a-z0-9]+/g, "-");
  const name = slug.slice(0, 48).replace(/^-+|-+$/g, "") || "credential";
  return `${name}-${now.toISOString().slice(0, 10).replaceAll("-", "")}-${encodeHex(randomBytes(3))}`;
}

function keyPath(name: string): string {
  return credentialKeyFile(VERSION, name);
}

async function commit(
  staging: CredentialStaging,
  certificates: readonly Certificate[],
  { issuers, deps }: { issuers: Issuers; deps: Deps },
): Promise<string> {
  const caFolder = issuers.store.folder;
  let isRecorded = false;
  try {
    return await staging.commit({
      issuer: joinPath(deps.cwd, caFolder),
      serials: certificates.map(({ serial }) => serial),
      async record() {
        await recordCertificates(issuers, certificates, deps);
        isRecorded = true;
      },
    });
  } catch (error) {
    if (isRecorded && !isUnfinished(error)) warnOfIssued(certificates, { caFolder, deps });
    throw error;
  }
}
