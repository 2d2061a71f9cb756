import type { CaStore } from "../store/ca.ts";
import { type CaCertificate, caCertificates, issuingCertificate } from "./certificates.ts";
import type { Deps } from "./deps.ts";
import type { KeyWishes } from "./key_parts.ts";
import { caSigner, type OpenCa, type SignerChoice } from "./signer.ts";

/** A CA open for signing, as each of the certificates that some profiles need. */
export interface Issuers {
  readonly store: CaStore;
  /** The one that issues for a profile. */
  for(profile: KeyWishes): OpenCa;
}

/**
 * Opens a CA once for each of its certificates that one of `profiles` needs; see `issuingCertificate`.
 * @throws as `caSigner`.
 */
export async function openIssuers(
  store: CaStore,
  profiles: readonly KeyWishes[],
  options: { deps: Deps } & Pick<SignerChoice, "passphrase">,
): Promise<Issuers & AsyncDisposable> {
  const all = await caCertificates(store);
  await using stack = new AsyncDisposableStack();
  const open = new Map<number, OpenCa>();
  for (const profile of profiles) {
    const { index } = issuingCertificate(all, profile);
    if (open.has(index)) continue;
    open.set(index, stack.use(await caSigner(store, options.deps, { passphrase: options.passphrase, index })));
  }
  const kept = stack.move();
  return {
    store,
    for(profile) {
      const ca = open.get(issuingCertificate(all, profile).index);
      if (!ca) throw new Error("The CA was not opened for this profile");
      return ca;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** An open CA that issues for every profile. */
export function soleIssuer(ca: OpenCa): Issuers {
  return { store: ca.store, for: () => ca };
}

/** A CA open for signing as several of its certificates. */
export interface OpenCas extends AsyncDisposable {
  readonly open: readonly OpenCa[];
}

/**
 * Opens a version of a CA, the active one unless told, as each of its certificates or each of those that `only` picks.
 * @throws as `caSigner`; what `only` throws.
 */
export async function openAll(
  store: CaStore,
  options: { deps: Deps } & Omit<SignerChoice, "index"> & {
    only?: (all: readonly CaCertificate[]) => readonly CaCertificate[];
  },
): Promise<OpenCas> {
  const { deps, only = (all) => all, ...choice } = options;
  await using stack = new AsyncDisposableStack();
  const open: OpenCa[] = [];
  for (const { index } of only(await caCertificates(store, choice.versionId))) {
    open.push(stack.use(await caSigner(store, deps, { ...choice, index })));
  }
  const kept = stack.move();
  return { open, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** How a CA with several certificates is named in messages; undefined for one with a single certificate. */
export function issuerName(ca: OpenCa): string | undefined {
  return ca.version.keys.length > ca.identity.keys.length ? ca.identity.name : undefined;
}
