import type { KeyRow, SchemeRow } from "../alg/find.ts";
import { InputError, OperationError } from "../errors.ts";
import { makeFolder, readFileBytes, writeFileDurably } from "../files.ts";
import { spkiFingerprint } from "../keys/spki.ts";
import type { Key, KeyProvider, KeyRef, PassphraseSource, Pkcs11KeyRef } from "../keys/types.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { joinPath, keyFile, parentFolder } from "../store/layout.ts";
import type { KeyEntry, KeyStorage } from "../store/meta.ts";
import { checkInterrupted, type Deps } from "./deps.ts";
import { commonNameOf } from "./new_meta.ts";

/** The key of a new CA version: made in a file, taken from a file, made in a token, or found there. */
export type CaKeyRequest =
  | { readonly type: "software"; readonly existing?: string; readonly passphrase?: PassphraseSource }
  | { readonly type: "pkcs11"; readonly ref: Pkcs11KeyRef; readonly existing: boolean };

/** What the key is for and where it goes. */
export interface CaKeyPlan {
  readonly row: KeyRow;
  /** What it will sign with. */
  readonly scheme: SchemeRow;
  readonly profile: CompiledProfile;
  readonly versionId: string;
  /** Folder of the CA under construction, absolute. */
  readonly folder: string;
}

/** The key of a CA version. Disposing closes its provider. */
export interface CaKey extends AsyncDisposable {
  readonly key: Key;
  /** As metadata lists it. */
  readonly entry: KeyEntry;
  /** Destroys a key that was made in a token, or names it with the command that does; a file goes with its folder. */
  undo(): Promise<void>;
}

/**
 * Makes the key, or opens the existing one.
 * @throws {InputError} `key.algorithm_mismatch` when an existing key is not of the profile's algorithm; what the provider
 * throws: `key.exists`, `mechanism.absent`, `key.not_found`, `key.ambiguous`.
 */
export async function obtainCaKey(wanted: CaKeyRequest, plan: CaKeyPlan, deps: Deps): Promise<CaKey> {
  const ref = await targetRef(wanted, plan, deps);
  const provider = await deps.openProvider(
    ref.type === "pkcs11" ? { type: "pkcs11", config: ref.config } : {
      type: "software",
      ...(wanted.type === "software" && wanted.passphrase ? { passphrase: wanted.passphrase } : {}),
    },
  );
  try {
    const key = wanted.existing
      ? await openExisting(provider, ref, plan)
      : await makeNew(provider, ref, { plan, deps });
    return {
      key,
      entry: {
        id: "default",
        algorithm: plan.row.name,
        storage: storageOf(wanted, key, plan),
        spki_sha256: await spkiFingerprint(key.spki),
      },
      undo: () => wanted.existing ? Promise.resolve() : destroyKey(provider, key, { wanted, deps }),
      [Symbol.asyncDispose]: () => provider[Symbol.asyncDispose](),
    };
  } catch (error) {
    await provider[Symbol.asyncDispose]();
    throw error;
  }
}

async function openExisting(provider: KeyProvider, ref: KeyRef, { row, profile }: CaKeyPlan): Promise<Key> {
  const key = await provider.open(ref);
  if (key.algorithm.name === row.name) return key;
  throw new InputError(
    `Cannot use the existing key: it is ${key.algorithm.label}, and profile "${profile.name}" asks for ${row.label}`,
    { code: "key.algorithm_mismatch", hint: `Choose a profile for ${key.algorithm.label}, or another key` },
  );
}

async function makeNew(
  provider: KeyProvider,
  ref: KeyRef,
  { plan, deps }: { plan: CaKeyPlan; deps: Deps },
): Promise<Key> {
  await provider.prepare(plan.row, ref, plan.scheme);
  checkInterrupted(deps);
  deps.progress(`Generating a ${plan.row.label} key`);
  return await provider.generate(plan.row, ref);
}

/** Where the key goes or is; an existing key file is copied into the CA. */
async function targetRef(wanted: CaKeyRequest, plan: CaKeyPlan, deps: Deps): Promise<KeyRef> {
  if (wanted.type === "pkcs11") {
    const ref = { ...wanted.ref, config: joinPath(deps.cwd, wanted.ref.config) };
    if (wanted.existing || ref.label !== undefined) return ref;
    const label = commonNameOf(plan.profile.subject);
    return label === undefined ? ref : { ...ref, label };
  }
  const path = `${plan.folder}/${keyFile(plan.versionId, plan.row.name)}`;
  await makeFolder(parentFolder(parentFolder(path)));
  await makeFolder(parentFolder(path), 0o700);
  if (wanted.existing !== undefined) {
    await writeFileDurably(path, await readFileBytes(joinPath(deps.cwd, wanted.existing)), { mode: 0o600 });
  }
  return { type: "software", path };
}

function storageOf(wanted: CaKeyRequest, key: Key, plan: CaKeyPlan): KeyStorage {
  if (wanted.type === "software") return { type: "software", path: keyFile(plan.versionId, plan.row.name) };
  if (key.ref.type !== "pkcs11") throw new OperationError("Cannot use the key: it is not in the token");
  const { label, keyId } = key.ref;
  return {
    type: "pkcs11",
    // as the operator wrote it: later commands find it from there
    config: wanted.ref.config,
    ...(label === undefined ? {} : { label }),
    ...(keyId === undefined ? {} : { key_id: keyId }),
  };
}

async function destroyKey(
  provider: KeyProvider,
  key: Key,
  { wanted, deps }: { wanted: CaKeyRequest; deps: Deps },
): Promise<void> {
  if (key.ref.type !== "pkcs11" || wanted.type !== "pkcs11") return;
  try {
    await provider.delete(key.ref);
  } catch {
    const { label = "", keyId = "" } = key.ref;
    deps.warn(
      `The new key "${label}" could not be removed from the token; remove it with: ` +
        `qpki key delete --hsm-config ${wanted.ref.config} --key-label "${label}" --key-id ${keyId} --yes`,
    );
  }
}
