import { InputError } from "../errors.ts";
import { CaStore, isCaFolder } from "../store/ca.ts";
import type { CredentialStore } from "../store/credential.ts";
import { keyGroups } from "../store/key_groups.ts";
import type { IndexEntry } from "../store/index_txt.ts";
import type { CredentialCertificate, KeyEntry } from "../store/meta.ts";
import type { Certificate } from "../x509/types.ts";

/** State of a certificate, and of the credential that has it. */
export type CredentialStatus = "valid" | "revoked" | "expired" | "not_yet_valid";

/** One certificate of a credential with what is known about it now. */
export interface CertificateState {
  readonly certificate: Certificate;
  readonly entry: CredentialCertificate;
  /** Its keys, as far as metadata tells. */
  readonly keys: readonly KeyEntry[];
  readonly status: CredentialStatus;
  /** Whether the CA's index was there to look into. */
  readonly revocationChecked: boolean;
  readonly revocation?: NonNullable<IndexEntry["revocation"]>;
}

/** A version of a credential as it is now. */
export interface CredentialState {
  readonly versionId: string;
  /** The worst of its certificates. */
  readonly status: CredentialStatus;
  readonly revocationChecked: boolean;
  readonly certificates: readonly CertificateState[];
}

const WORST_FIRST: readonly CredentialStatus[] = ["revoked", "expired", "not_yet_valid", "valid"];

/** Looks serials up in the indexes of CAs; each index is read once. */
export class RevocationLookup {
  readonly #indexes = new Map<string, Promise<ReadonlyMap<string, IndexEntry> | undefined>>();
  readonly #caFolder: string | undefined;
  readonly #usual: string | undefined;

  /** `caFolder` goes before the CA that a credential's metadata names; `usual` is for metadata that names none. */
  constructor(places: { caFolder?: string; usual?: string } = {}) {
    this.#caFolder = places.caFolder;
    this.#usual = places.usual;
  }

  /**
   * Entry of a serial of a version, or undefined when there is no such CA or it does not know the serial.
   * @throws {InputError} `ca.not_found` for the CA given to the constructor; `index.damaged`.
   */
  async entry(credential: CredentialStore, versionId: string, serial: string): Promise<IndexEntry | undefined> {
    const folder = this.#caFolder ?? credential.caFolderOf(versionId) ?? this.#usual;
    if (folder === undefined) return undefined;
    let index = this.#indexes.get(folder);
    if (!index) this.#indexes.set(folder, index = this.#read(folder));
    return (await index)?.get(serial);
  }

  async #read(folder: string): Promise<ReadonlyMap<string, IndexEntry> | undefined> {
    if (this.#caFolder === undefined && !await isCaFolder(folder)) return undefined;
    const store = await CaStore.open(folder);
    return new Map((await store.entries()).map((entry) => [entry.serial, entry]));
  }
}

/**
 * State of a version (the active one without an id), computed from its certificates, the CA's index and the time.
 * @throws {InputError} as the readers of the files do; `credential.damaged` when certificates and metadata disagree.
 */
export async function credentialState(
  store: CredentialStore,
  at: { now: Date; lookup: RevocationLookup; versionId?: string },
): Promise<CredentialState> {
  const { id, version } = store.version(at.versionId);
  const found = await store.certificates(id);
  // nothing is no valid credential
  if (found.length === 0) throw damaged(store, `version ${id} has no certificate`);
  const groups = keyGroups(version.keys);
  const certificates: CertificateState[] = [];
  for (const [i, certificate] of found.entries()) {
    const index = version.certificates.findIndex((entry) => sameSerial(entry.serial, certificate.serial));
    const entry = version.certificates[index];
    if (!entry) {
      throw damaged(store, `its metadata does not know certificate 0x${certificate.serial}`);
    }
    const keys = groups[groups.length === found.length ? index : i] ?? [];
    const known = await at.lookup.entry(store, id, certificate.serial);
    certificates.push({
      certificate,
      entry,
      keys,
      status: certificateStatus(certificate, known, at.now),
      revocationChecked: known !== undefined,
      ...(known?.revocation ? { revocation: known.revocation } : {}),
    });
  }
  return {
    versionId: id,
    status: WORST_FIRST.find((status) => certificates.some((one) => one.status === status)) ?? "valid",
    revocationChecked: certificates.every((one) => one.revocationChecked),
    certificates,
  };
}

function damaged({ meta }: CredentialStore, reason: string): InputError {
  return new InputError(`Cannot use the credential "${meta.id}": ${reason}`, {
    code: "credential.damaged",
    object: meta.id,
  });
}

function certificateStatus(certificate: Certificate, known: IndexEntry | undefined, now: Date): CredentialStatus {
  if (known?.status === "R") return "revoked";
  if (now > certificate.notAfter) return "expired";
  return now < certificate.notBefore ? "not_yet_valid" : "valid";
}

function sameSerial(written: string, serial: string): boolean {
  return written.replace(/^0x/i, "").replace(/^0+/, "").toUpperCase() === serial.replace(/^0+/, "");
}
