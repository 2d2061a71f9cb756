import { chooseScheme, defaultScheme, findSchemeRow, lookUpKeyRow, type SchemeRow } from "../alg/find.ts";
import { equalBytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { spkiFingerprint } from "../keys/spki.ts";
import type { Key, KeyProvider, KeyRef, PassphraseSource, ProviderRequest, Signer } from "../keys/types.ts";
import type { CaStore } from "../store/ca.ts";
import { joinPath } from "../store/layout.ts";
import type { CaVersion, KeyEntry } from "../store/meta.ts";
import type { Certificate } from "../x509/types.ts";
import type { Deps } from "./deps.ts";
import { resolveHsmConfig } from "./hsm_path.ts";

/** A CA that can sign: its store, its key, its certificate. Closed by `await using`. */
export interface OpenCa extends AsyncDisposable {
  readonly store: CaStore;
  readonly versionId: string;
  readonly version: CaVersion;
  readonly certificate: Certificate;
  readonly key: Key;
  /** Signs with the scheme that the metadata of this version states. */
  readonly signer: Signer;
}

/** A key that metadata names, opened; disposing closes its provider. */
export interface OpenKey extends AsyncDisposable {
  readonly key: Key;
}

/**
 * Opens the active version of a CA for signing, from its metadata alone. The key that is found is compared with the pinned
 * fingerprint and with the certificate.
 * @throws {OperationError} `key.pin_mismatch`; whatever the provider throws when the key cannot be opened.
 * @throws {InputError} `ca.pending`, `ca.certificate_missing`, `hsm.config_not_found`.
 */
export async function caSigner(store: CaStore, deps: Deps, passphrase?: PassphraseSource): Promise<OpenCa> {
  const { id, version } = store.version();
  const [certificate] = await store.certificates();
  const entry = signingKey(version, store.folder);
  const opened = await openKeyEntry(entry, { folder: store.folder, deps, ...(passphrase ? { passphrase } : {}) });
  try {
    const { key } = opened;
    if (!equalBytes(key.spki, certificate.spki)) {
      throw mismatch(entry, `its public key is not the one in the certificate of "${store.folder}"`);
    }
    return {
      store,
      versionId: id,
      version,
      certificate,
      key,
      signer: key.signer(versionScheme(version, key)),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Opens the key of a metadata entry; `folder` is where the metadata lies.
 * @throws {OperationError} `key.pin_mismatch` when another key is found; `key.algorithm_mismatch` as InputError when the
 * entry names an algorithm that the key is not of.
 */
export async function openKeyEntry(
  entry: KeyEntry,
  where: { folder: string; deps: Deps; passphrase?: PassphraseSource },
): Promise<OpenKey> {
  const { request, ref } = await locateKey(entry, where);
  const provider: KeyProvider = await where.deps.openProvider(request);
  try {
    const key = await provider.open(ref);
    await checkEntry(entry, key);
    return { key, [Symbol.asyncDispose]: () => provider[Symbol.asyncDispose]() };
  } catch (error) {
    await provider[Symbol.asyncDispose]();
    throw error;
  }
}

/** Where the key of an entry is, in the terms of the providers. */
export async function locateKey(
  entry: KeyEntry,
  where: { folder: string; deps: Pick<Deps, "cwd">; passphrase?: PassphraseSource },
): Promise<{ request: ProviderRequest; ref: KeyRef }> {
  const { storage } = entry;
  if (storage.type === "software") {
    const path = joinFolder(where, storage.path);
    return {
      request: { type: "software", ...(where.passphrase ? { passphrase: where.passphrase } : {}) },
      ref: { type: "software", path },
    };
  }
  const config = await resolveHsmConfig(storage.config, { cwd: where.deps.cwd, folder: where.folder });
  return {
    request: { type: "pkcs11", config },
    ref: {
      type: "pkcs11",
      config,
      ...(storage.label === undefined ? {} : { label: storage.label }),
      ...(storage.key_id === undefined ? {} : { keyId: storage.key_id }),
      ...(entry.spki_sha256 === undefined ? {} : { spkiSha256: entry.spki_sha256 }),
    },
  };
}

/**
 * The scheme for a certificate that this CA signs: the one its profile asks for, else the CA's own.
 * @throws {InputError} `scheme.mismatch` when the CA's key cannot sign as the profile asks.
 */
export function schemeFor(ca: OpenCa, wish: Parameters<typeof chooseScheme>[1]): SchemeRow {
  return wish === undefined ? ca.signer.scheme : chooseScheme(ca.key.algorithm, wish);
}

function signingKey(version: CaVersion, folder: string): KeyEntry {
  const entry = version.keys.find((key) => key.id === "default") ?? version.keys[0];
  if (entry && version.keys.length === 1) return entry;
  throw new InputError(
    `Cannot open the key of the CA "${folder}": ` +
      (entry
        ? `it has ${version.keys.length} keys, and this version of qpki signs with one`
        : "its metadata lists no key"),
    { code: "ca.keys", object: folder },
  );
}

/** Metadata of the older tool states no scheme: then the key's default holds. */
function versionScheme(version: CaVersion, key: Key): SchemeRow {
  const name = version.schemes?.[0];
  if (name === undefined) return defaultScheme(key.algorithm);
  try {
    return findSchemeRow(name);
  } catch (cause) {
    throw new InputError(`Cannot sign with the CA: its metadata names the unknown signature scheme "${name}"`, {
      code: "meta.invalid",
      hint: "A newer qpki may have written it: use that version or a later one",
      cause,
    });
  }
}

async function checkEntry(entry: KeyEntry, key: Key): Promise<void> {
  const pin = entry.spki_sha256?.toLowerCase();
  const found = await spkiFingerprint(key.spki);
  if (pin !== undefined && pin !== found) {
    throw mismatch(entry, `its public key has SHA-256 ${found}, and ${pin} is pinned in the metadata`);
  }
  const row = lookUpKeyRow(entry.algorithm);
  if (row && row.name !== key.algorithm.name) {
    throw new InputError(
      `Cannot use the key ${describeEntry(entry)}: it is ${key.algorithm.label}, and the metadata says ${row.label}`,
      { code: "key.algorithm_mismatch" },
    );
  }
}

function mismatch(entry: KeyEntry, reason: string): OperationError {
  return new OperationError(`Cannot use the key ${describeEntry(entry)}: ${reason}`, {
    code: "key.pin_mismatch",
    hint: "Another key took its place: restore the right one, nothing was signed",
  });
}

function describeEntry({ storage }: KeyEntry): string {
  if (storage.type === "software") return `"${storage.path}"`;
  return `"${storage.label ?? storage.key_id}" in the token of ${storage.config}`;
}

function joinFolder(where: { folder: string; deps: Pick<Deps, "cwd"> }, path: string): string {
  return joinPath(joinPath(where.deps.cwd, where.folder), path);
}
