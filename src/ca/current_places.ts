import { lookUpKeyRow } from "../alg/find.ts";
import { isQuantumSafe } from "../alg/quantum.ts";
import { wipe } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { pathExists, readFileBytes } from "../files.ts";
import { findPrivateKey } from "../keys/container.ts";
import { joinPath } from "../store/layout.ts";
import type { KeyEntry } from "../store/meta.ts";
import type { Deps } from "./deps.ts";
import { resolveHsmConfig } from "./hsm_path.ts";
import type { TokenPlace } from "./obtain_keys.ts";

/** Where the keys of a version are, by kind: those of the next one go there too unless the operator says otherwise. */
export interface CurrentPlaces {
  /** Of classical keys; undefined when the version has none. */
  readonly classical?: TokenPlace | "software";
  /** Of post-quantum keys. */
  readonly pqc?: TokenPlace | "software";
  /** Whether a key file of the version is encrypted. */
  readonly encrypted: boolean;
  /** Labels in tokens that a new key may have again. */
  readonly labels?: ReadonlySet<string>;
}

/**
 * The places of the keys in `current`, entries of metadata in `folder`; `all` are those of every version, whose labels the
 * new keys may have again. A label that alone leads to an earlier key is not given to another one.
 * @throws {InputError} `hsm.config_not_found`, and `file.read`.
 */
export async function currentPlaces(
  current: readonly KeyEntry[],
  all: readonly KeyEntry[],
  where: { folder: string; deps: Pick<Deps, "cwd"> },
): Promise<CurrentPlaces> {
  const [classical, pqc] = await Promise.all([false, true].map(async (safe) => {
    const entry = current.find((one) => isSafe(one) === safe);
    if (!entry) return undefined;
    return entry.storage.type === "software" ? "software" : await tokenPlace(entry.storage.config, all, where);
  }));
  return {
    ...(classical ? { classical } : {}),
    ...(pqc ? { pqc } : {}),
    encrypted: await isEncrypted(current, where),
    labels: sharedLabels(all),
  };
}

async function tokenPlace(
  config: string,
  all: readonly KeyEntry[],
  { folder, deps }: { folder: string; deps: Pick<Deps, "cwd"> },
): Promise<TokenPlace> {
  const path = await resolveHsmConfig(config, { cwd: deps.cwd, folder });
  const isShown = joinPath(deps.cwd, config) === path;
  return {
    type: "pkcs11",
    ref: { type: "pkcs11", config: isShown ? config : path },
    ...(isShown ? {} : { storedConfig: config }),
    earlierLabels: sharedLabels(all),
  };
}

/** Labels of keys that do not depend on their label alone: an id or a pinned public key finds them as well. */
export function sharedLabels(all: readonly KeyEntry[]): ReadonlySet<string> {
  const labels = new Map<string, boolean>();
  for (const { storage, spki_sha256 } of all) {
    if (storage.type !== "pkcs11" || storage.label === undefined) continue;
    const isPinned = storage.key_id !== undefined || spki_sha256 !== undefined;
    labels.set(storage.label, isPinned && labels.get(storage.label) !== false);
  }
  return new Set([...labels].filter(([, isPinned]) => isPinned).map(([label]) => label));
}

/** Metadata of the older tool may name no algorithm for the one key of a version: that is a classical one. */
function isSafe({ id, algorithm }: KeyEntry): boolean {
  const row = lookUpKeyRow(algorithm);
  return row ? isQuantumSafe(row) : id === "pqc";
}

async function isEncrypted(
  entries: readonly KeyEntry[],
  { folder, deps }: { folder: string; deps: Pick<Deps, "cwd"> },
): Promise<boolean> {
  for (const { storage } of entries) {
    if (storage.type !== "software") continue;
    const path = joinPath(joinPath(deps.cwd, folder), storage.path);
    // a key that is lost, or no key at all, is a reason for a new one
    if (await pathExists(path) && await isEncryptedFile(path)) return true;
  }
  return false;
}

async function isEncryptedFile(path: string): Promise<boolean> {
  const file = await readFileBytes(path);
  try {
    return findPrivateKey(file).format === "encrypted PKCS#8";
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  } finally {
    wipe(file);
  }
}
