import { type ChangeSession, FolderChange } from "./folder_change.ts";
import type { Journal } from "./journal.ts";
import { CREDENTIAL_META_FILE } from "./layout.ts";
import type { CredentialMeta } from "./meta.ts";
import { formatMeta } from "./meta_check.ts";
import type { Settled } from "./open_intents.ts";

/**
 * Every write to a credential that exists, made while its lock is held; `CredentialStore.change` hands it out. All of it takes
 * effect together at the end.
 */
export class CredentialChange extends FolderChange {
  #meta: CredentialMeta;
  #hasMeta = false;

  constructor(session: ChangeSession, journal: Journal, meta: CredentialMeta) {
    super(session, journal);
    this.#meta = meta;
  }

  /** Metadata as read under the lock, or as written by this change. */
  get meta(): CredentialMeta {
    return this.#meta;
  }

  /** Replaces the metadata; it takes effect last. */
  async writeMeta(meta: CredentialMeta): Promise<void> {
    await this.writeFile(CREDENTIAL_META_FILE, formatMeta(meta), { overwrite: true });
    this.#hasMeta = true;
    this.#meta = meta;
  }

  protected override prepare(): Promise<Settled> {
    return Promise.resolve({ hasMeta: this.#hasMeta });
  }
}
