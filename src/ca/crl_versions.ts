import { QpkiError } from "../errors.ts";
import type { PassphraseSource } from "../keys/types.ts";
import type { CaStore } from "../store/ca.ts";
import type { CaCertificate } from "./certificates.ts";
import { type CrlOptions, generateCrl, type GeneratedCrl } from "./crl.ts";
import type { Deps } from "./deps.ts";
import { openAll } from "./issuers.ts";
import type { IssuingVersions } from "./issuing_version.ts";
import type { OpenCa } from "./signer.ts";

/** Which CRLs are wanted. */
export interface CrlWish {
  readonly versions: IssuingVersions;
  /** Ids of the versions, in the order in which they are made. */
  readonly ids: readonly string[];
  readonly end: CrlOptions;
  /** Of keys in files. */
  readonly passphrase?: PassphraseSource;
  /** Which of a version's certificates. */
  readonly only?: (all: readonly CaCertificate[]) => readonly CaCertificate[];
}

/** A CRL that was made, and by whom. */
export interface VersionCrl extends GeneratedCrl {
  readonly ca: Pick<OpenCa, "versionId" | "identity">;
}

/** A version whose CRL could not be made. */
export interface FailedCrl {
  readonly versionId: string;
  readonly error: QpkiError;
}

/** What became of the versions. */
export interface VersionCrls {
  readonly made: readonly VersionCrl[];
  readonly failed: readonly FailedCrl[];
}

/**
 * Makes the CRLs of several versions, each signed by the key that issued what it lists. A version that cannot sign, because
 * its key is gone for example, does not keep the others from theirs.
 * @throws what `generateCrl` and `openAll` throw when no version could sign.
 */
export async function generateCrls(store: CaStore, wish: CrlWish, deps: Deps): Promise<VersionCrls> {
  const { versions, ids, end, passphrase, only } = wish;
  const made: VersionCrl[] = [];
  const failed: FailedCrl[] = [];
  for (const versionId of ids) {
    try {
      await using cas = await openAll(store, { deps, passphrase, versionId, ...(only ? { only } : {}) });
      for (const ca of cas.open) made.push({ ca, ...await generateCrl(ca, { ...end, versions }, deps) });
    } catch (error) {
      if (!(error instanceof QpkiError) || deps.signal.aborted || ids.length === 1) throw error;
      failed.push({ versionId, error });
    }
  }
  if (made.length === 0 && failed[0]) throw failed[0].error;
  return { made, failed };
}
