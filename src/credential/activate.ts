import { audited } from "../audit/trail.ts";
import { changeOptions, type Deps } from "../ca/deps.ts";
import { InputError, OperationError } from "../errors.ts";
import { pathExists } from "../files.ts";
import type { CredentialStore } from "../store/credential.ts";
import type { VersionStatus } from "../store/meta.ts";
import { withActive } from "./new_meta.ts";
import { credentialState, type RevocationLookup } from "./status.ts";
import { pendingVersions, versionChanged } from "./versions.ts";

/** What became of a credential's versions. */
export interface Activation {
  readonly versionId: string;
  /** The version that was active before; the same one when nothing changed. */
  readonly former: string;
  /** Status that the version had. */
  readonly was: VersionStatus;
}

/**
 * Makes a version (its id; the one that is pending without) the active one and archives the one before; an archived version
 * comes back the same way. Activating the active version changes nothing.
 * @throws {InputError} `version.unknown`, `version.not_named`.
 * @throws {OperationError} `version.revoked`, `version.expired`, `version.no_key`, `ca.locked`.
 */
export async function activateVersion(
  store: CredentialStore,
  wanted: string | undefined,
  { deps, lookup }: { deps: Deps; lookup: RevocationLookup },
): Promise<Activation> {
  const { id } = store.version(wanted ?? onlyPending(store));
  const event = { event: "credential.activate", credential: store.folder, details: { version: id } };
  return await audited(deps.audit, event, {
    work: () => activate(store, id, { deps, lookup }),
    facts: ({ former, was }) => ({ details: { version: id, former, was } }),
  });
}

async function activate(
  store: CredentialStore,
  id: string,
  { deps, lookup }: { deps: Deps; lookup: RevocationLookup },
): Promise<Activation> {
  return await store.change("activate", async (change) => {
    const { meta } = change;
    const version = meta.versions[id];
    if (!version) throw versionChanged("activate a version of", store);
    const done = { versionId: id, former: meta.active, was: version.status };
    if (meta.active === id) return done;
    await checkUsable(store, id, { now: deps.now(), lookup });
    await change.writeMeta(withActive(meta, id));
    return done;
  }, changeOptions(deps));
}

function onlyPending({ meta }: CredentialStore): string {
  const [only, ...others] = pendingVersions(meta);
  if (only !== undefined && others.length === 0) return only;
  const reason = only === undefined ? "none is pending" : `${[only, ...others].join(", ")} are pending`;
  throw new InputError(`Cannot tell which version of the credential "${meta.id}" is meant: ${reason}`, {
    code: "version.not_named",
    object: meta.id,
    hint: `Name it with --version: ${Object.keys(meta.versions).join(", ")}`,
  });
}

/** A version that nobody would accept, or whose key is gone, does not come into use. */
async function checkUsable(
  store: CredentialStore,
  id: string,
  at: { now: Date; lookup: RevocationLookup },
): Promise<void> {
  const { status, certificates } = await credentialState(store, { ...at, versionId: id });
  const what = `Cannot activate version ${id} of the credential "${store.meta.id}"`;
  if (status === "revoked" || status === "expired") {
    const bad = certificates.find((one) => one.status === status)!;
    throw new OperationError(`${what}: its certificate 0x${bad.certificate.serial} is ${status}`, {
      code: `version.${status}`,
      object: id,
      hint: `Make a new version with: qpki credential rotate ${store.meta.id}`,
    });
  }
  for (const { storage } of certificates.flatMap(({ keys }) => keys)) {
    if (storage.type !== "software" || await pathExists(store.path(storage.path))) continue;
    throw new OperationError(`${what}: its key is missing`, {
      code: "version.no_key",
      object: id,
      hint: `Restore ${store.path(storage.path)}`,
    });
  }
}
