import { chooseScheme, defaultScheme, findSchemeRow, lookUpKeyRow, type SchemeRow } from "../alg/find.ts";
import { equalBytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { spkiFingerprint } from "../keys/spki.ts";
import type { Key, KeyProvider, KeyRef, NoteStore, PassphraseSource, ProviderRequest, Signer } from "../keys/types.ts";
import { checkedSigner } from "../keys/verify.ts";
import type { CaStore } from "../store/ca.ts";
import { issuersOf } from "../store/chain.ts";
import { joinPath } from "../store/layout.ts";
import type { CaVersion, KeyEntry } from "../store/meta.ts";
import { alternativeSpki } from "../x509/certificate.ts";
import { IssuingPath } from "../x509/issuing_path.ts";
import type { Certificate } from "../x509/types.ts";
import { Anchor } from "./anchor.ts";
import { type CaCertificate, caCertificates, pinnedKeys } from "./certificates.ts";
import type { Deps } from "./deps.ts";
import { type HolderKey, holderKey } from "./holder_key.ts";
import { resolveHsmConfig } from "./hsm_path.ts";
import { openOfAlgorithm } from "./obtain_keys.ts";

/** A CA that can sign: its store, its keys, one of its certificates. Closed by `await using`. */
export interface OpenCa extends AsyncDisposable {
  readonly store: CaStore;
  readonly versionId: string;
  readonly version: CaVersion;
  /** Which of the certificates of the version it is. */
  readonly identity: CaCertificate;
  readonly certificate: Certificate;
  /** The private side of the certificate: one key, or two. */
  readonly key: HolderKey;
  /** Signs with the scheme that the metadata of this version states. */
  readonly signer: Signer;
  /** Signs with the alternative key of a Catalyst CA. */
  readonly altSigner?: Signer;
  /** Where the end of the journal is remembered, for a CA that asks for it. */
  readonly anchor?: Anchor;
  /** The path from the highest known CA down to this one; read once, when something is first issued. */
  readonly path: () => Promise<IssuingPath>;
}

/** How {@link caSigner} opens a CA. */
export interface SignerChoice {
  /** Of keys in files. */
  readonly passphrase?: PassphraseSource | undefined;
  /** Position of the certificate in a CA with several; the first without it. */
  readonly index?: number;
  /** The active version without it. */
  readonly versionId?: string | undefined;
}

/** Keys that metadata names, opened; disposing closes their providers. */
export interface OpenKeys extends AsyncDisposable {
  readonly keys: readonly Key[];
  /** Of the first token that has a place for texts. */
  readonly notes?: NoteStore;
}

/**
 * Opens a version of a CA for signing, from its metadata alone. The keys that are found are compared with the pinned
 * fingerprints and with the certificate.
 * @throws {OperationError} `key.pin_mismatch`; whatever the provider throws when a key cannot be opened.
 * @throws {InputError} `ca.pending`, `ca.certificate_missing`, `ca.keys`, `hsm.config_not_found`.
 */
export async function caSigner(store: CaStore, deps: Deps, choice: SignerChoice = {}): Promise<OpenCa> {
  const { id, version } = store.version(choice.versionId);
  const identity = (await caCertificates(store, id))[choice.index ?? 0]!;
  const { passphrase } = choice;
  const opened = await openKeyEntries(await pinnedKeys(identity), {
    folder: store.folder,
    deps,
    ...passphrase ? { passphrase } : {},
  });
  try {
    const anchor = await Anchor.open(store, opened.notes, deps);
    const key = certifiedKey(identity, opened.keys, store);
    const { certificate } = identity;
    return {
      store,
      versionId: id,
      version,
      identity,
      certificate,
      key,
      signer: await checkedSigner(key.signer(ownScheme(identity, key))),
      ...(key.alternative ? { altSigner: key.alternative.signer(defaultScheme(key.alternative.algorithm)) } : {}),
      ...(anchor ? { anchor } : {}),
      path: once(async () => {
        const [, ...above] = await store.chain(certificate, id);
        return new IssuingPath([certificate, ...issuersOf(certificate, above)]);
      }),
      async [Symbol.asyncDispose]() {
        // when this fails the next command does it
        await store.undoIntents("issue", { warn: (text) => deps.warn(text) }).catch(() => {});
        await opened[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => result ??= read();
}

/**
 * Opens the keys of metadata entries; `folder` is where the metadata lies. Keys in one token share a login.
 * @throws {OperationError} `key.pin_mismatch` when another key is found; `key.algorithm_mismatch` as InputError when an
 * entry names an algorithm that the key is not of.
 */
export async function openKeyEntries(
  entries: readonly KeyEntry[],
  where: { folder: string; deps: Deps; passphrase?: PassphraseSource },
): Promise<OpenKeys> {
  await using stack = new AsyncDisposableStack();
  const providers = new Map<string, KeyProvider>();
  const keys: Key[] = [];
  for (const entry of entries) {
    const { request, ref } = await locateKey(entry, where);
    const name = request.type === "pkcs11" ? request.config : "";
    let provider = providers.get(name);
    if (!provider) providers.set(name, provider = stack.use(await where.deps.openProvider(request)));
    const key = await openOfAlgorithm(provider, ref, lookUpKeyRow(entry.algorithm)?.name);
    await checkEntry(entry, key);
    keys.push(key);
  }
  const notes = [...providers.values()].find((provider) => provider.notes)?.notes;
  const open = stack.move();
  return { keys, ...(notes ? { notes } : {}), [Symbol.asyncDispose]: () => open.disposeAsync() };
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

/** The keys of a certificate as one, compared with it. */
function certifiedKey(identity: CaCertificate, keys: readonly Key[], { folder }: CaStore): HolderKey {
  const { certificate, mode, row, alternativeRow, keys: entries } = identity;
  const isPair = keys.length > 1;
  if (isPair !== (mode !== "simple") || !row) {
    throw new InputError(
      `Cannot open the key of the CA "${folder}": a certificate of mode ${mode} has ${
        isPair ? "one key" : "two keys"
      }` +
        `, and its metadata lists ${keys.length}`,
      { code: "ca.keys", object: folder },
    );
  }
  const key = holderKey({ mode, rows: alternativeRow ? [row, alternativeRow] : [row] }, keys);
  const alternative = alternativeSpki(certificate);
  if (!equalBytes(key.spki, certificate.spki)) {
    throw mismatch(entries[0], `its public key is not the one in the certificate of "${folder}"`);
  }
  if (alternative ? !(key.alternative && equalBytes(key.alternative.spki, alternative)) : key.alternative) {
    throw mismatch(entries.at(-1)!, `its public key is not the alternative one in the certificate of "${folder}"`);
  }
  return key;
}

/** Metadata of the older tool states no scheme: then the key's default holds. */
function ownScheme({ scheme: name }: CaCertificate, key: HolderKey): SchemeRow {
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
