import { audited } from "../audit/trail.ts";
import { encodeHex, encodePem, randomBytes, wipe } from "../bytes.ts";
import { caFacts, keyFacts } from "../ca/audit_facts.ts";
import { sharedLabels } from "../ca/current_places.ts";
import { changeOptions, checkInterrupted, type Deps, formatInstant, wholeSecond } from "../ca/deps.ts";
import { checkRequest, recordCertificates } from "../ca/issue.ts";
import type { Issuers } from "../ca/issuers.ts";
import { keyParts, keysName } from "../ca/key_parts.ts";
import { checkTokenKeys, type KeyPlaces } from "../ca/obtain_keys.ts";
import { type KeyNames, plannedStorage, wantedKeys } from "../ca/profile_keys.ts";
import { schemeFor } from "../ca/signer.ts";
import { makeFolder, pathExists, readFileBytes } from "../files.ts";
import type { PassphraseSource } from "../keys/types.ts";
import {
  credentialCertificateFile,
  credentialChainFile,
  credentialKeyFile,
  type CredentialStore,
} from "../store/credential.ts";
import type { CredentialChange } from "../store/credential_change.ts";
import { FileNames } from "../store/file_names.ts";
import { type KeyGroup, keyGroups } from "../store/key_groups.ts";
import { CREDENTIAL_META_FILE, joinPath, STAGING_FOLDER } from "../store/layout.ts";
import type { CredentialMeta, CredentialVersion, KeyEntry, KeyStorage } from "../store/meta.ts";
import { isUnfinished } from "../store/transaction.ts";
import { formatName } from "../x509/name.ts";
import type { Certificate } from "../x509/types.ts";
import { certifyParts } from "./certify.ts";
import { chainOf, checkPlans, type ObtainedParts, obtainParts, type PartPlan, versionFiles } from "./make_version.ts";
import { newVersion, withActive } from "./new_meta.ts";
import { nextVersionId, versionChanged } from "./versions.ts";

/** A further version of a credential. */
export interface RotateRequest extends KeyPlaces {
  /** Its certificates, in their order. */
  readonly plans: readonly PartPlan[];
  /** Of key files that are kept. */
  readonly passphrase?: PassphraseSource;
  /** Makes it the active version at once; it is pending otherwise. */
  readonly activate?: boolean;
}

/** A version that was made. */
export interface RotateResult {
  readonly versionId: string;
  readonly version: CredentialVersion;
  /** In the order of the profiles. */
  readonly certificates: readonly Certificate[];
}

/** A key of a version to be made. */
export interface PlannedKey extends Pick<KeyEntry, "id" | "algorithm"> {
  /** Whether it is made anew. */
  readonly is_new: boolean;
  readonly storage: KeyStorage;
}

/** A certificate of a version to be made. */
export interface PlannedCertificate {
  readonly profile: string;
  readonly subject: string;
  readonly issuer: string;
  readonly algorithms: readonly string[];
  /** Label of the scheme it is going to be signed with. */
  readonly signed_with: string;
  readonly not_after: string;
  /** Below the credential's folder. */
  readonly path: string;
  readonly keys: readonly PlannedKey[];
}

/** Everything that a rotation will do. */
export interface RotatePlan {
  readonly version: string;
  readonly active: string;
  readonly certificates: readonly PlannedCertificate[];
  /** Files below the credential's folder that will be written, sorted. */
  readonly files: readonly string[];
}

/**
 * What {@link rotateCredential} would do, after the same checks; nothing is written, locked or made, in files or in a token.
 * Throws as {@link rotateCredential}.
 */
export async function planRotation(
  issuers: Issuers,
  store: CredentialStore,
  { request, deps }: { request: RotateRequest; deps: Deps },
): Promise<RotatePlan> {
  const now = wholeSecond(deps);
  await checkPlans(issuers, request.plans, now);
  const version = await nextVersionId(store.meta, store.folder);
  const fresh = request.plans.filter((plan) => !plan.kept);
  const wanted = wantedKeys(fresh, request, keyNames(store.meta, version, { plans: fresh, folder: store.folder }));
  await checkTokenKeys(wanted, deps);
  const names = new FileNames();
  const certificates = request.plans.map((plan): PlannedCertificate => {
    const { profile, kept } = plan;
    const issuer = issuers.for(profile);
    const { notAfter } = checkRequest(issuer, { profile, notBefore: now });
    const count = kept ? 0 : keyParts(profile).length;
    const keys = kept
      ? kept.entries.map(({ id, algorithm, storage }) => ({ id, algorithm, is_new: false, storage }))
      : wanted.splice(0, count).map((one) => ({
        id: one.part.id,
        algorithm: one.part.row.name,
        is_new: true,
        storage: plannedStorage(one),
      }));
    return {
      profile: profile.name,
      subject: formatName(profile.subject),
      issuer: formatName(issuer.certificate.subject),
      algorithms: profile.rows.map(({ name }) => name),
      signed_with: schemeFor(issuer, profile.signature).label,
      not_after: formatInstant(notAfter),
      path: credentialCertificateFile(version, names.next(keysName(profile))),
      keys,
    };
  });
  const made = certificates.flatMap(({ keys }) => keys).filter((key) => key.is_new).flatMap(({ storage }) =>
    storage.type === "software" ? [storage.path] : []
  );
  const files = [CREDENTIAL_META_FILE, credentialChainFile(version), ...certificates.map(({ path }) => path), ...made];
  return { version, active: store.meta.active, certificates, files: files.sort() };
}

/**
 * Makes a further version of a credential, all or nothing: everything is checked and linted before the first key is made, and
 * keys that were made are destroyed when a later step fails or Ctrl-C is pressed, or named with the command that does it. The
 * CA records the certificates just before the version takes effect.
 * @throws {OperationError} `lint.refused`, `ca.expired`, `ca.locked`, `key.pin_mismatch`; {InputError} as `checkPlans`;
 * {InterruptedError}; what the key providers throw.
 */
export async function rotateCredential(
  issuers: Issuers,
  store: CredentialStore,
  { request, deps }: { request: RotateRequest; deps: Deps },
): Promise<RotateResult> {
  const event = {
    event: "credential.rotate",
    ...caFacts(issuers.store),
    credential: store.folder,
    profile: request.plans.map(({ profile }) => profile.name).join(", "),
  };
  return await audited(deps.audit, event, {
    work: () => makeVersion(issuers, store, { request, deps }),
    facts: ({ versionId, version, certificates }) => ({
      details: {
        version: versionId,
        status: version.status,
        keys: keyFacts(version.keys),
        serials: certificates.map(({ serial }) => serial),
      },
    }),
  });
}

async function makeVersion(
  issuers: Issuers,
  store: CredentialStore,
  { request, deps }: { request: RotateRequest; deps: Deps },
): Promise<RotateResult> {
  const now = wholeSecond(deps);
  await checkPlans(issuers, request.plans, now);
  await using stack = new AsyncDisposableStack();
  let made: ObtainedParts | undefined;
  try {
    return await store.change("rotate", async (change) => {
      if (change.meta.active !== store.meta.active) throw versionChanged("rotate", store);
      const id = await nextVersionId(change.meta, store.folder);
      const work = stack.use(new WorkFiles(store.folder));
      await makeFolder(joinPath(store.folder, STAGING_FOLDER), 0o700);
      const fresh = request.plans.filter((plan) => !plan.kept);
      const names = keyNames(change.meta, id, { plans: fresh, folder: store.folder, work });
      const present = { folder: store.folder, ...(request.passphrase ? { passphrase: request.passphrase } : {}) };
      made = stack.use(await obtainParts(request.plans, { places: request, names, present, journal: change }, deps));
      const parts = await certifyParts(issuers, made.parts, deps);
      const facts = { version: id, created: now, caFolder: issuers.store.folder, folder: store.folder };
      const version = await newVersion(parts, facts);
      await work.addTo(change);
      for (const [path, text] of versionFiles(id, parts, await chainOf(issuers, request.plans))) {
        await change.writeFile(path, text);
      }
      const meta = await withOlderFiles(change, store);
      const together = { ...meta, versions: { ...meta.versions, [id]: version } };
      await change.writeMeta(request.activate ? withActive(together, id) : together);
      checkInterrupted(deps);
      const certificates = parts.map(({ certificate }) => certificate);
      const issuer = joinPath(deps.cwd, issuers.store.folder);
      const record = () => recordCertificates(issuers, certificates, deps);
      change.recordAbove({ issuer, serials: certificates.map(({ serial }) => serial), record });
      return { versionId: id, version, certificates };
    }, changeOptions(deps));
  } catch (error) {
    // what is decided will be carried out, and needs its keys
    if (!isUnfinished(error)) {
      await made?.undo();
    }
    throw error;
  }
}

/** Where the new keys of a version go, and what they are called in a token: as those of the active version are. */
function keyNames(
  meta: CredentialMeta,
  version: string,
  { plans, folder, work }: { plans: readonly PartPlan[]; folder: string; work?: WorkFiles },
): KeyNames {
  return {
    file: (name) => {
      const stored = credentialKeyFile(version, name);
      return { path: work?.take(stored) ?? joinPath(folder, stored), stored };
    },
    labels: newLabels(meta, version, plans),
    label: meta.id,
    isNumbered: true,
  };
}

/**
 * Labels of new keys in a token: that of the same profile's present keys, else one that is left over, else the next number.
 * An older key that nothing but its label leads to keeps it for itself.
 */
function newLabels(meta: CredentialMeta, version: string, plans: readonly PartPlan[]): (string | undefined)[] {
  const entries = Object.values(meta.versions).flatMap(({ keys }) => keys);
  const shared = sharedLabels(entries);
  const { profiles, keys } = meta.versions[meta.active]!;
  const present = keyGroups(keys).map((group, i) => ({ profile: profiles[i], label: labelOf(group) }));
  if (present.every(({ label }) => label === undefined)) return [];
  const take = (fits: (one: { profile: string | undefined }) => boolean) => {
    const at = present.findIndex((one) => one.label !== undefined && fits(one));
    return at < 0 ? undefined : present.splice(at, 1)[0]!.label;
  };
  const [first] = present.flatMap(({ label }) => label === undefined ? [] : [label]);
  const names = new Set(entries.flatMap(({ storage }) => storage.type === "pkcs11" ? [storage.label] : []));
  const own = plans.map(({ profile }) => take((one) => one.profile === profile.name));
  return own.map((label) => {
    const found = label ?? take(() => true);
    if (found !== undefined) return shared.has(found) ? found : `${found}-${version}`;
    const base = first!.replace(/-\d+$/, "");
    for (let i = 1;; i++) {
      const next = `${base}-${i}`;
      if (names.has(next)) continue;
      names.add(next);
      return next;
    }
  });
}

function labelOf(group: KeyGroup): string | undefined {
  return group.map(({ storage }) => storage.type === "pkcs11" ? storage.label : undefined).find((label) =>
    label !== undefined
  );
}

/** Certificates of the older form lie in one file of the active version: each gets its own before there are several versions. */
async function withOlderFiles(change: CredentialChange, store: CredentialStore): Promise<CredentialMeta> {
  const { meta } = change;
  const { active } = meta;
  const version = meta.versions[active]!;
  if (version.certificates.every((entry) => typeof entry["path"] === "string")) return meta;
  const names = new FileNames();
  const found = await store.certificates(active);
  const certificates = [];
  for (const [i, entry] of version.certificates.entries()) {
    const path = typeof entry["path"] === "string"
      ? entry["path"]
      : credentialCertificateFile(active, names.next(entry.profile.replace(/[^A-Za-z0-9]+/g, "-") || "certificate"));
    const certificate = found[i];
    if (certificate && !await pathExists(store.path(path))) {
      await change.writeFile(path, encodePem("CERTIFICATE", certificate.der));
    }
    certificates.push({ ...entry, path });
  }
  return { ...meta, versions: { ...meta.versions, [active]: { ...version, certificates } } };
}

/** Key files on their way into the credential; what is left of them goes with the scope. */
class WorkFiles implements AsyncDisposable {
  readonly #folder: string;
  readonly #name = encodeHex(randomBytes(6));
  readonly #files = new Map<string, string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Where the key file is made that is going to be `stored`. */
  take(stored: string): string {
    const path = joinPath(this.#folder, `${STAGING_FOLDER}/${this.#name}-key-${this.#files.size}`);
    this.#files.set(stored, path);
    return path;
  }

  /** Puts those that were made into the change. */
  async addTo(change: CredentialChange): Promise<void> {
    for (const [stored, path] of this.#files) {
      if (!await pathExists(path)) continue;
      const content = await readFileBytes(path);
      try {
        await change.writeFile(stored, content, { mode: 0o600 });
      } finally {
        wipe(content);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of this.#files.values()) await Deno.remove(path).catch(() => {});
  }
}
