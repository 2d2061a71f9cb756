import { defaultScheme, findCompositeRow, type KeyRow } from "../alg/find.ts";
import { checkInterrupted, type Deps } from "../ca/deps.ts";
import { type HolderKey, holderKey } from "../ca/holder_key.ts";
import { makeKey, type NewKey, prepareKey } from "../ca/new_key.ts";
import { withPartner } from "../ca/obtain_keys.ts";
import { InputError } from "../errors.ts";
import type { Key, KeyProvider, KeyRef, ProviderRequest, Signer } from "../keys/types.ts";
import type { KeyMode } from "../store/meta.ts";

/** Where a key of a request comes from. */
export interface RequestKey {
  /** One that exists; one that is made; or one in a token that is made when it is not there. */
  readonly kind: "existing" | "new" | "either";
  readonly provider: ProviderRequest;
  readonly ref: KeyRef;
  /** Algorithm the key must have; needed to make one. */
  readonly row?: KeyRow;
  /** A file at the path of a new key is replaced. */
  readonly overwrite?: boolean;
}

/** One key of a request, open. */
export interface RequestedKey {
  readonly key: Key;
  /** Where it is once published. */
  readonly ref: KeyRef;
  /** Whether it was made for the request. */
  readonly generated: boolean;
}

/** The keys of a request as one, and each by itself. */
export interface RequestKeys {
  readonly holder: HolderKey;
  readonly keys: readonly RequestedKey[];
  /** Puts replacing key files in their places. */
  publish(): Promise<void>;
}

/** How keys are opened. */
export interface RequestKeysOptions {
  readonly mode: KeyMode;
  readonly deps: Deps;
  /** Opens a provider that outlives the call. */
  open(request: ProviderRequest): Promise<KeyProvider>;
  /** Unmakes what was made. */
  readonly undo: AsyncDisposableStack;
}

interface Candidate {
  readonly wish: RequestKey;
  readonly provider: KeyProvider;
  readonly found?: Key;
}

/**
 * Opens the keys of a request, one or a classical and a post-quantum one, and makes those that are missing, after all of
 * them were prepared.
 * @throws {InputError} `key.algorithm_mismatch`, `key.half`, `composite.unregistered`; what providers throw.
 */
export async function requestKeys(wishes: readonly RequestKey[], options: RequestKeysOptions): Promise<RequestKeys> {
  const { mode, deps, undo } = options;
  const isPair = wishes.length > 1;
  const candidates: Candidate[] = [];
  for (const wish of wishes) {
    const provider = await options.open(wish.provider);
    const found = await findKey(provider, wish, isPair);
    candidates.push({ wish, provider, ...(found ? { found } : {}) });
  }
  if (mode === "composite" && isPair) refuseHalf(candidates);
  const missing = candidates.filter(({ found }) => !found);
  const present = candidates.flatMap(({ found }) => found ?? []);
  for (const candidate of missing) await prepareKey(keyWish(candidate, present));
  const made = new Map<Candidate, NewKey>();
  // files first: one that cannot be written must not leave a key in the token
  const inOrder = missing.toSorted((a, b) =>
    Number(a.wish.ref.type === "pkcs11") - Number(b.wish.ref.type === "pkcs11")
  );
  for (const candidate of inOrder) {
    const wish = keyWish(candidate, [...present, ...[...made.values()].map(({ key }) => key)]);
    made.set(candidate, await makeKey(wish, deps, undo));
  }
  checkInterrupted(deps);
  const keys = candidates.map((candidate): RequestedKey => {
    const fresh = made.get(candidate);
    if (fresh) return { key: fresh.key, ref: fresh.ref, generated: true };
    return { key: candidate.found!, ref: candidate.found!.ref, generated: false };
  });
  return {
    holder: joined(mode, keys.map(({ key }) => key)),
    keys,
    async publish() {
      for (const one of made.values()) await one.publish();
    },
  };
}

/** The signers of a holder: its own, and that of an alternative key. */
export function signersOf(holder: HolderKey): { signer: Signer; altSigner: Signer | undefined } {
  const { alternative } = holder;
  return {
    signer: holder.signer(defaultScheme(holder.algorithm)),
    altSigner: alternative?.signer(defaultScheme(alternative.algorithm)),
  };
}

function joined(mode: KeyMode, keys: readonly Key[]): HolderKey {
  const rows = keys.map((key) => key.algorithm);
  const [classical, pqc] = rows;
  if (mode !== "composite" || !pqc) return holderKey({ mode, rows }, keys);
  return holderKey({ mode, rows: [findCompositeRow(classical!.name, pqc.name)] }, keys);
}

function keyWish({ wish, provider }: Candidate, others: readonly Key[]) {
  const { row, ref, overwrite = false } = wish;
  if (!row) throw new Error("A key cannot be made without its algorithm");
  return { provider, row, ref: withPartner(ref, others), overwrite };
}

async function findKey(provider: KeyProvider, wish: RequestKey, isPair: boolean): Promise<Key | undefined> {
  if (wish.kind === "new") return undefined;
  const key = isPair && wish.row && wish.ref.type === "pkcs11"
    ? await openHalf(provider, wish, wish.row)
    : await provider.open(wish.ref).catch((error) => {
      if (wish.kind === "either" && isNotFound(error)) return undefined;
      throw error;
    });
  if (key && wish.row && wish.row.name !== key.algorithm.name) {
    throw new InputError(`Cannot use the key for this request: it is ${key.algorithm.label}, not ${wish.row.label}`, {
      code: "key.algorithm_mismatch",
      hint: "Name another key, or leave out --algorithm to take the key as it is",
    });
  }
  return key;
}

/** The two keys of a pair share a label in the token: the algorithm tells which is which. */
async function openHalf(provider: KeyProvider, { kind, ref }: RequestKey, row: KeyRow): Promise<Key | undefined> {
  if (ref.type !== "pkcs11") return undefined;
  const fitting = (await provider.list()).filter(({ ref: other, algorithm }) =>
    algorithm?.name === row.name && other.type === "pkcs11" &&
    (ref.label === undefined || ref.label === other.label) && (ref.keyId === undefined || ref.keyId === other.keyId)
  );
  const [only, ...others] = fitting;
  if (only?.ref.type === "pkcs11" && others.length === 0) {
    return await provider.open({ ...only.ref, config: ref.config });
  }
  // says in words what is there
  return kind === "either" && !only ? undefined : await provider.open(ref);
}

/** Keys of a composite one are made together, never joined later (draft-ietf-lamps-pq-composite-sigs-19, key reuse). */
function refuseHalf(candidates: readonly Candidate[]): void {
  const found = candidates.filter((one) => one.found);
  if (found.length === 0 || found.length === candidates.length) return;
  throw new InputError(
    `Cannot make a composite key of the existing ${
      found[0]!.found!.algorithm.label
    } key and a new one: its keys are made ` +
      "together and serve nothing else",
    { code: "key.half", hint: "Choose another label or file, so that both are made" },
  );
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "key.not_found";
}
