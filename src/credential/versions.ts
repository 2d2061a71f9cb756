import { InputError, OperationError } from "../errors.ts";
import { pathExists } from "../files.ts";
import type { CredentialStore } from "../store/credential.ts";
import { versionFolder } from "../store/layout.ts";
import type { CredentialMeta, CredentialVersion } from "../store/meta.ts";
import { type CredentialState, credentialState, type RevocationLookup } from "./status.ts";

/** A version of a credential: what metadata says of it, and how its certificates are now. */
export interface VersionState {
  readonly id: string;
  readonly version: CredentialVersion;
  /** Or why that cannot be told: a file is missing or damaged. */
  readonly state: CredentialState | InputError;
}

/** Every version in the order they were made; one that is damaged does not keep the others from being told. */
export async function versionStates(
  store: CredentialStore,
  at: { now: Date; lookup: RevocationLookup },
): Promise<VersionState[]> {
  const states: VersionState[] = [];
  for (const [id, version] of Object.entries(store.meta.versions)) {
    const state = await credentialState(store, { ...at, versionId: id }).catch((error) => {
      if (error instanceof InputError) return error;
      throw error;
    });
    states.push({ id, version, state });
  }
  return states;
}

/** Ids of the versions that were made and are not active yet. */
export function pendingVersions(meta: CredentialMeta): string[] {
  return Object.entries(meta.versions).filter(([, { status }]) => status === "pending").map(([id]) => id);
}

/** The id of the next version: one more than any there is, and nothing lies in its folder. */
export async function nextVersionId(meta: CredentialMeta, folder: string): Promise<string> {
  const numbers = Object.keys(meta.versions).map((id) => Number(/^v(\d+)$/.exec(id)?.[1] ?? 0));
  for (let next = Math.max(0, ...numbers) + 1;; next++) {
    if (!await pathExists(`${folder}/${versionFolder(`v${next}`)}`)) return `v${next}`;
  }
}

/** The error for a version that another command touched meanwhile. */
export function versionChanged(action: string, { meta }: CredentialStore): OperationError {
  return new OperationError(
    `Cannot ${action} the credential "${meta.id}": another command changed its versions meanwhile`,
    { code: "version.changed", object: meta.id, hint: `Look at them with: qpki credential versions ${meta.id}` },
  );
}
