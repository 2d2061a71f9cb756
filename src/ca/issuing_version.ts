import { encodeHex } from "../bytes.ts";
import { InputError } from "../errors.ts";
import type { CaStore } from "../store/ca.ts";
import type { IndexEntry } from "../store/index_txt.ts";
import { isAwaited } from "../store/meta.ts";
import { checkIssued } from "../x509/alternative.ts";
import { authorityKeyId, subjectKeyId } from "../x509/certificate.ts";
import { preTbsCertificate } from "../x509/pre_tbs.ts";
import type { Certificate } from "../x509/types.ts";
import { type CaCertificate, caCertificates } from "./certificates.ts";

/** A certificate of a version of a CA. */
export interface VersionCertificate {
  readonly versionId: string;
  readonly identity: CaCertificate;
}

/**
 * Which version of a CA issued what. The index has no column for it: a certificate says it by the key identifier of its
 * issuer, or by the signature where it has none. Made once for a command, it remembers its answers.
 */
export class IssuingVersions {
  readonly #store: CaStore;
  readonly #all: readonly VersionCertificate[];
  readonly #byKeyId = new Map<string, string>();
  readonly #bySerial = new Map<string, string | undefined>();

  private constructor(store: CaStore, all: readonly VersionCertificate[]) {
    this.#store = store;
    this.#all = all;
    for (const { versionId, identity } of all) {
      const keyId = subjectKeyId(identity.certificate);
      // two versions of one key: the one in use, which stands first
      if (keyId && !this.#byKeyId.has(encodeHex(keyId))) this.#byKeyId.set(encodeHex(keyId), versionId);
    }
  }

  /** Reads the certificates of every version that has some. @throws {InputError} `ca.certificate_missing`, `ca.keys`. */
  static async open(store: CaStore): Promise<IssuingVersions> {
    const { active, versions } = store.meta;
    const ids = Object.keys(versions).sort((a, b) => Number(b === active) - Number(a === active));
    const all: VersionCertificate[] = [];
    for (const versionId of ids) {
      if (isAwaited(versions[versionId]!)) continue;
      for (const identity of await caCertificates(store, versionId)) all.push({ versionId, identity });
    }
    return new IssuingVersions(store, all);
  }

  /** Certificates of every version, those of the active one first. */
  get certificates(): readonly VersionCertificate[] {
    return this.#all;
  }

  /** Ids of the versions that can have issued something. */
  get ids(): readonly string[] {
    return [...new Set(this.#all.map(({ versionId }) => versionId))];
  }

  /** The version whose key signed a certificate; undefined when none of them did. */
  async of(issued: Certificate): Promise<string | undefined> {
    const keyId = authorityKeyId(issued)?.keyId;
    if (keyId) return this.#byKeyId.get(encodeHex(keyId));
    for (const { versionId, identity } of this.#all) {
      if ((await checkIssued(issued, identity.certificate, preTbsCertificate)).valid) return versionId;
    }
    return undefined;
  }

  /** The version that issued the certificate of a serial; undefined when its file is gone or no version has its key. */
  async ofSerial(serial: string): Promise<string | undefined> {
    if (this.ids.length < 2) return this.ids[0];
    if (!this.#bySerial.has(serial)) this.#bySerial.set(serial, await this.#look(serial));
    return this.#bySerial.get(serial);
  }

  /**
   * Entries that a version answers for: those it issued, and those nobody can tell of, for a revocation must not be lost.
   */
  async entriesOf(versionId: string, entries: readonly IndexEntry[]): Promise<IndexEntry[]> {
    if (this.ids.length < 2) return [...entries];
    const own: IndexEntry[] = [];
    for (const entry of entries) {
      const issuer = await this.ofSerial(entry.serial);
      if (issuer === undefined || issuer === versionId) own.push(entry);
    }
    return own;
  }

  /**
   * When the last certificate that a version issued ends, of those in force at `at`; undefined when none is. The index alone
   * does not tell whose they are: it is found once, when the version is archived.
   */
  async issuedUntil(versionId: string, entries: readonly IndexEntry[], at: Date): Promise<Date | undefined> {
    const inForce = entries.filter(({ notAfter }) => notAfter >= at);
    for (const { serial, notAfter } of inForce.sort((a, b) => b.notAfter.getTime() - a.notAfter.getTime())) {
      if (await this.ofSerial(serial) === versionId) return notAfter;
    }
    return undefined;
  }

  /** Archived versions with certificates that are valid or could be again: their CRLs are still asked for. */
  async archivedInUse(entries: readonly IndexEntry[], at: Date): Promise<string[]> {
    const found: string[] = [];
    for (const id of this.ids) {
      const { status, issued_until: until } = this.#store.meta.versions[id]!;
      if (status !== "archived") continue;
      const end = until === undefined ? await this.issuedUntil(id, entries, at) : new Date(until);
      if (end && end > at) found.push(id);
    }
    return found;
  }

  async #look(serial: string): Promise<string | undefined> {
    try {
      return await this.of((await this.#store.issued(serial)).certificate);
    } catch (error) {
      if (error instanceof InputError) return undefined;
      throw error;
    }
  }
}
