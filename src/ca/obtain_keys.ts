import { isQuantumSafe } from "../alg/quantum.ts";
import { InputError, OperationError, TokenError } from "../errors.ts";
import { makeFolder, readFileBytes, writeFileDurably } from "../files.ts";
import { spkiFingerprint } from "../keys/spki.ts";
import type { Key, KeyProvider, KeyRef, PassphraseSource, Pkcs11KeyRef } from "../keys/types.ts";
import { joinPath, parentFolder } from "../store/layout.ts";
import type { KeyJournal } from "../store/key_journal.ts";
import type { KeyEntry, KeyStorage } from "../store/meta.ts";
import { checkInterrupted, type Deps } from "./deps.ts";
import type { KeyPart } from "./key_parts.ts";
import { type KeyWish, makeKey, prepareKey } from "./new_key.ts";

/** The keys of a new version of a CA or credential: made in files or taken from one, made in a token or found there. */

/** Where a key is to be. */
export type KeyPlace =
  | { readonly type: "software"; readonly existing?: string; readonly passphrase?: PassphraseSource }
  | TokenPlace;

/** A place in a token. Without a label one is made by whoever asks. */
export interface TokenPlace {
  readonly type: "pkcs11";
  readonly ref: Pkcs11KeyRef;
  readonly existing?: boolean;
  /** What metadata calls the configuration, where that is not the path in `ref`. */
  readonly storedConfig?: string;
  /** Labels of keys of earlier versions: a new key may have one of them too. */
  readonly earlierLabels?: ReadonlySet<string>;
}

/** Where the keys go: post-quantum ones apart where `pqc` says so. */
export interface KeyPlaces {
  readonly key: KeyPlace;
  readonly pqcKey?: KeyPlace;
}

/** One key with the place it goes to. */
export interface WantedKey {
  readonly part: KeyPart;
  readonly place: KeyPlace;
  /** Profile that asks for it, for messages. */
  readonly profileName: string;
  /** For a key file: where it is made, absolute, and what metadata calls it. */
  readonly file: { readonly path: string; readonly stored: string };
  /** For a key in a token. */
  readonly label?: string;
}

/** Keys that are open. Disposing closes their providers. */
export interface ObtainedKeys extends AsyncDisposable {
  /** In the order they were wanted. */
  readonly keys: readonly Key[];
  /** As metadata lists them. */
  readonly entries: readonly KeyEntry[];
  /** Destroys the keys that were made in a token, or names them with the command that does; files go as well. */
  undo(): Promise<void>;
}

/** The place for a part. */
export function placeOf({ row }: KeyPart, { key, pqcKey = key }: KeyPlaces): KeyPlace {
  return isQuantumSafe(row) ? pqcKey : key;
}

/**
 * Opens the existing keys and makes the others. Every key is prepared before the first one is made, so that a token which
 * cannot serve the second is told before it holds the first; when a later one fails, those before it are destroyed. A key in
 * a token is announced in `journal` before it is made, so that a killed command's is found.
 * @throws {InputError} `key.algorithm_mismatch` when an existing key is not of the wanted algorithm; what the providers
 * throw: `key.exists`, `mechanism.absent`, `key.not_found`, `key.ambiguous`; {InterruptedError}.
 */
export async function obtainKeys(
  wanted: readonly WantedKey[],
  deps: Deps,
  journal?: KeyJournal,
): Promise<ObtainedKeys> {
  await using providers = new OpenProviders(deps);
  await using undo = new AsyncDisposableStack();
  const targets: Target[] = [];
  for (const one of wanted) {
    const ref = await targetRef(one, deps);
    targets.push({ ...one, ref, provider: await providers.of(one.place) });
  }
  const keys: Key[] = [];
  for (const [i, target] of targets.entries()) {
    if (isExisting(target.place)) keys[i] = await openExisting(target);
    else await prepare(target);
  }
  // files first: one that cannot be written, or takes long, must not leave a key waiting in the token
  for (const target of targets.toSorted((a, b) => Number(a.ref.type === "pkcs11") - Number(b.ref.type === "pkcs11"))) {
    const { provider, part } = target;
    const i = targets.indexOf(target);
    const ref = withPartner(target.ref, keys);
    const wish = { provider, ref, row: part.row, ...schemeOf(part), ...announcing(target, journal) };
    keys[i] ??= (await makeKey(wish, deps, undo)).key;
  }
  checkInterrupted(deps);
  const entries = await Promise.all(targets.map((target, i) => entryOf(target, keys[i]!)));
  const [unmake, close] = [undo.move(), providers.move()];
  return {
    keys,
    entries,
    undo: () => unmake.disposeAsync(),
    [Symbol.asyncDispose]: () => close.disposeAsync(),
  };
}

/**
 * Throws what making the keys that go into a token would, and makes nothing: the login is done, and the token has the
 * mechanisms and room for the names.
 */
export async function checkTokenKeys(wanted: readonly WantedKey[], deps: Deps): Promise<void> {
  await using providers = new OpenProviders(deps);
  for (const one of wanted) {
    if (one.place.type !== "pkcs11" || isExisting(one.place)) continue;
    await prepare({ ...one, ref: await targetRef(one, deps), provider: await providers.of(one.place) });
  }
}

/** The name of the configuration as metadata has it, because the journal outlives the command. */
function announcing({ place, part }: Target, journal: KeyJournal | undefined): Pick<KeyWish, "announce"> {
  if (!journal || place.type !== "pkcs11") return {};
  const config = place.storedConfig ?? place.ref.config;
  return {
    announce: (ref) => {
      const { label, keyId } = ref as Pkcs11KeyRef;
      return journal.announce({
        config,
        ...(label === undefined ? {} : { label }),
        ...(keyId === undefined ? {} : { key_id: keyId }),
        algorithm: part.row.name,
      });
    },
  };
}

/** A reference to a key in a token, with the one of `keys` that has its label: the other key of a hybrid. */
export function withPartner(ref: KeyRef, keys: readonly (Key | undefined)[]): KeyRef {
  if (ref.type !== "pkcs11" || ref.label === undefined) return ref;
  for (const key of keys) {
    if (key?.ref.type !== "pkcs11" || key.ref.label !== ref.label || key.ref.keyId === undefined) continue;
    return { ...ref, partnerId: key.ref.keyId };
  }
  return ref;
}

interface Target extends WantedKey {
  readonly provider: KeyProvider;
  readonly ref: KeyRef;
}

/** One provider a place: the two keys of a hybrid share a login. */
class OpenProviders implements AsyncDisposable {
  readonly #deps: Deps;
  readonly #open = new Map<KeyPlace | string, KeyProvider>();
  readonly #stack = new AsyncDisposableStack();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async of(place: KeyPlace): Promise<KeyProvider> {
    const name = place.type === "pkcs11" ? place.ref.config : place;
    const known = this.#open.get(name);
    if (known) return known;
    const provider = this.#stack.use(
      await this.#deps.openProvider(
        place.type === "pkcs11"
          ? { type: "pkcs11", config: joinPath(this.#deps.cwd, place.ref.config) }
          : { type: "software", ...(place.passphrase ? { passphrase: place.passphrase } : {}) },
      ),
    );
    this.#open.set(name, provider);
    return provider;
  }

  move(): AsyncDisposableStack {
    return this.#stack.move();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function isExisting(place: KeyPlace): boolean {
  return place.type === "pkcs11" ? place.existing === true : place.existing !== undefined;
}

function schemeOf({ scheme }: KeyPart) {
  return scheme ? { scheme } : {};
}

/** Where the key goes or is; an existing key file is copied first. */
async function targetRef({ place, file, label }: WantedKey, deps: Deps): Promise<KeyRef> {
  if (place.type === "pkcs11") {
    const ref = { ...place.ref, config: joinPath(deps.cwd, place.ref.config) };
    if (place.existing || label === undefined) return ref;
    return { ...ref, label, ...(place.earlierLabels?.has(label) ? { sharesLabel: true } : {}) };
  }
  await makeFolder(parentFolder(parentFolder(file.path)));
  await makeFolder(parentFolder(file.path), 0o700);
  if (place.existing !== undefined) {
    await writeFileDurably(file.path, await readFileBytes(joinPath(deps.cwd, place.existing)), { mode: 0o600 });
  }
  return { type: "software", path: file.path };
}

async function prepare({ provider, ref, part }: Target): Promise<void> {
  try {
    await prepareKey({ provider, ref, row: part.row, ...schemeOf(part) });
  } catch (error) {
    if (!(error instanceof TokenError) || error.code !== "mechanism.absent" || part.id !== "pqc") throw error;
    throw new TokenError(error.message, {
      code: error.code,
      hint: `Keep the post-quantum key in a file with --pqc-in software. ${error.hint ?? ""}`.trimEnd(),
      cause: error,
    });
  }
}

async function openExisting(target: Target): Promise<Key> {
  const { provider, ref, part, profileName } = target;
  const key = await openOfAlgorithm(provider, ref, part.row.name);
  if (key.algorithm.name === part.row.name) return key;
  throw new InputError(
    `Cannot use the existing key: it is ${key.algorithm.label}, and profile "${profileName}" asks for ${part.row.label}`,
    { code: "key.algorithm_mismatch", hint: `Choose a profile for ${key.algorithm.label}, or another key` },
  );
}

/**
 * Opens a key; where label and id fit several, as they do for the two keys of a hybrid, the one of the algorithm is meant.
 * @throws what `open` of the provider throws.
 */
export async function openOfAlgorithm(provider: KeyProvider, ref: KeyRef, algorithm: string | undefined): Promise<Key> {
  try {
    return await provider.open(ref);
  } catch (error) {
    if (!(error instanceof TokenError) || error.code !== "key.ambiguous" || ref.type !== "pkcs11") throw error;
    const fitting = (await provider.list()).filter(({ ref: other, algorithm: row }) =>
      row !== undefined && row.name === algorithm && other.type === "pkcs11" &&
      (ref.label === undefined || ref.label === other.label) && (ref.keyId === undefined || ref.keyId === other.keyId)
    );
    const [only, ...others] = fitting;
    if (!only || only.ref.type !== "pkcs11" || others.length > 0) throw error;
    return await provider.open({ ...only.ref, config: ref.config });
  }
}

async function entryOf(target: Target, key: Key): Promise<KeyEntry> {
  const { part } = target;
  const spki_sha256 = await spkiFingerprint(key.spki);
  return { id: part.id, algorithm: part.row.name, storage: storageOf(target, key), spki_sha256 };
}

function storageOf({ place, file }: Target, key: Key): KeyStorage {
  if (place.type === "software") return { type: "software", path: file.stored };
  if (key.ref.type !== "pkcs11") throw new OperationError("Cannot use the key: it is not in the token");
  const { label, keyId } = key.ref;
  return {
    type: "pkcs11",
    // as the operator wrote it: later commands find it from there
    config: place.storedConfig ?? place.ref.config,
    ...(label === undefined ? {} : { label }),
    ...(keyId === undefined ? {} : { key_id: keyId }),
  };
}
