import { audited } from "../audit/trail.ts";
import { caFacts } from "../ca/audit_facts.ts";
import type { Deps } from "../ca/deps.ts";
import { revokeCertificate } from "../ca/revoke.ts";
import { OperationError } from "../errors.ts";
import type { CaStore } from "../store/ca.ts";
import type { CredentialStore } from "../store/credential.ts";
import type { RevocationReason } from "../x509/types.ts";

/** A certificate of a credential that is revoked now. */
export interface RevokedOne {
  readonly versionId: string;
  readonly serial: string;
  readonly profile: string;
  readonly date: Date;
  readonly reason?: RevocationReason;
  /** It was revoked before. */
  readonly already: boolean;
}

/** What is revoked, where. */
export interface RevokeRequest {
  readonly versionId: string;
  readonly reason: RevocationReason;
  /** The CA that issued the version. */
  readonly ca: CaStore;
}

/**
 * Revokes every certificate of a version; durable when this returns. Those that are revoked already stay as they are, so that
 * a call that was cut short is simply repeated.
 * @throws {InputError} `version.unknown`, `serial.unknown`, `index.damaged`; {OperationError} `ca.locked`.
 */
export async function revokeVersion(store: CredentialStore, request: RevokeRequest, deps: Deps): Promise<RevokedOne[]> {
  const { id } = store.version(request.versionId);
  const { ca, reason } = request;
  const event = {
    event: "credential.revoke",
    ...caFacts(ca),
    credential: store.folder,
    details: { version: id, reason },
  };
  return await audited(deps.audit, event, { work: () => revokeAll(store, request, deps) });
}

async function revokeAll(store: CredentialStore, request: RevokeRequest, deps: Deps): Promise<RevokedOne[]> {
  const { id, version } = store.version(request.versionId);
  const revoked: RevokedOne[] = [];
  for (const { serial, profile } of version.certificates) {
    const one = { versionId: id, serial: serial.replace(/^0x/i, ""), profile };
    revoked.push({ ...one, ...await revokeOrFind(one.serial, request, deps) });
  }
  return revoked;
}

async function revokeOrFind(
  serial: string,
  { ca, reason }: RevokeRequest,
  deps: Deps,
): Promise<Pick<RevokedOne, "date" | "reason" | "already">> {
  try {
    const { date, reason: written } = await revokeCertificate(ca, { serial, reason }, deps);
    return { date, ...(written === undefined ? {} : { reason: written }), already: false };
  } catch (error) {
    if (!(error instanceof OperationError) || error.code !== "cert.already_revoked") throw error;
    const { revocation } = await ca.entry(serial);
    return { ...revocation!, already: true };
  }
}
