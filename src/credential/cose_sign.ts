import { type Deps, formatInstant } from "../ca/deps.ts";
import { openOfAlgorithm } from "../ca/obtain_keys.ts";
import { openKeyEntries } from "../ca/signer.ts";
import { type AlgorithmWish, type CoseScheme, coseSchemeOf } from "../cose/algorithm.ts";
import type { MessageKind } from "../cose/message.ts";
import { type CoseSigner, prepareSigner } from "../cose/sign.ts";
import { findSchemeRow, type KeyRow } from "../alg/find.ts";
import { isQuantumSafe } from "../alg/quantum.ts";
import { type Bytes, equalBytes } from "../bytes.ts";
import { InputError, OperationError, UsageError } from "../errors.ts";
import { describeSpki } from "../keys/spki.ts";
import type { Key, KeyProvider, KeyRef, PassphraseSource, Pkcs11KeyRef, ProviderRequest } from "../keys/types.ts";
import { checkedSigner } from "../keys/verify.ts";
import type { CredentialStore } from "../store/credential.ts";
import { keyGroups } from "../store/key_groups.ts";
import { alternativeSpki, isSelfIssued, keyUsage, subjectKeyId } from "../x509/certificate.ts";
import { keyIdentifier } from "../x509/key_id.ts";
import type { Certificate } from "../x509/types.ts";
import { nameOf } from "../x509/verdict.ts";

/** Who signs a message: certificates and the keys that belong to them, from files, a token or credentials. */

/** A place in which a key may be. */
export interface KeySource {
  readonly provider: ProviderRequest;
  readonly ref: KeyRef;
  /** As the operator wrote it. */
  readonly written: string;
}

/** A signer's certificate and those above it. */
export interface SignerCertificate {
  readonly certificate: Certificate;
  readonly chain: readonly Certificate[];
}

/** Where signers come from: credentials, or keys with or without certificates. */
export interface SignerSources {
  readonly credentials: readonly { readonly store: CredentialStore; readonly passphrase: PassphraseSource }[];
  readonly certificates: readonly SignerCertificate[];
  readonly keys: readonly KeySource[];
}

/** What the signers are to say and do. */
export interface SignerWishes {
  /** One signer only for `sign1`; `any` takes as many as there are. */
  readonly kind: MessageKind | "any";
  /** Names of COSE algorithms, for the signers whose keys do them. */
  readonly algorithms: readonly string[];
  readonly privateUse: boolean;
  /** Brings the certificates along. */
  readonly includeCertificates: boolean;
  /** In place of the key identifier. */
  readonly kid?: Bytes;
}

/** Signers whose keys are open. */
export interface OpenSigners extends AsyncDisposable {
  readonly signers: readonly CoseSigner[];
  /** Subject of the certificate of each, or where its key is. */
  readonly names: readonly string[];
}

/** A key that is to sign, before it is looked for. */
interface Identity {
  readonly spki: Bytes;
  readonly holder: SignerCertificate;
}

/** A key that signs. */
interface Opened {
  readonly key: Key;
  readonly holder?: SignerCertificate;
  readonly name: string;
}

/**
 * Opens what signs. A Catalyst certificate stands for two signers, its own key and the alternative one.
 * @throws {InputError} `cose.unregistered`, `cose.key_mismatch`; {OperationError} `cose.certificate_expired`; {UsageError}
 * for wishes that nothing fits; whatever a provider throws when a key cannot be opened.
 */
export async function openSigners(sources: SignerSources, wishes: SignerWishes, deps: Deps): Promise<OpenSigners> {
  await using stack = new AsyncDisposableStack();
  const names = new AlgorithmNames(wishes);
  const opened = sources.credentials.length > 0
    ? await openCredentials(sources, { wishes, names, deps, stack })
    : await openKeys(sources, { wishes, names, deps, stack });
  const signers: CoseSigner[] = [];
  for (const { key, holder } of opened) {
    if (holder) checkHolder(holder.certificate, deps);
    signers.push(await coseSigner(key, holder, { ...names.choose(key.algorithm), wishes }));
  }
  names.mustBeUsed();
  const open = stack.move();
  return { signers, names: opened.map(({ name }) => name), [Symbol.asyncDispose]: () => open.disposeAsync() };
}

interface World {
  readonly wishes: SignerWishes;
  readonly names: AlgorithmNames;
  readonly deps: Deps;
  readonly stack: AsyncDisposableStack;
}

/** The COSE algorithms that were asked for by name, each for the keys that do it. */
class AlgorithmNames {
  readonly #wishes: SignerWishes;
  readonly #used = new Set<string>();

  constructor(wishes: SignerWishes) {
    this.#wishes = wishes;
  }

  choose(row: KeyRow): CoseScheme {
    const { algorithms, privateUse } = this.#wishes;
    for (const name of algorithms) {
      for (const scheme of row.schemes.map(findSchemeRow)) {
        const algorithm = (scheme.cose ?? []).find((one) => sameName(one.name, name) && fits(one, row));
        if (!algorithm) continue;
        this.#used.add(name);
        if (algorithm.use === "private" && !privateUse) break;
        return { scheme, algorithm };
      }
    }
    const wish: AlgorithmWish = { privateUse };
    return coseSchemeOf(row, wish);
  }

  mustBeUsed(): void {
    const left = this.#wishes.algorithms.find((name) => !this.#used.has(name));
    if (left === undefined) return;
    throw new UsageError(`Cannot use --alg ${left}: none of the keys signs so`, {
      code: "usage.alg",
      hint: "For example ES256, ESP256, EdDSA, Ed25519, PS256, PS384, ML-DSA-65",
    });
  }
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function fits({ use, key }: CoseScheme["algorithm"], row: KeyRow): boolean {
  return use !== "read" && (key === undefined || key === row.name);
}

/** Keys to look for: one a certificate, two a Catalyst one, unless only one signature is to be made. */
function identitiesOf(holders: readonly SignerCertificate[], { kind }: SignerWishes): Identity[] {
  const all = holders.flatMap((holder): Identity[] => {
    const alternative = alternativeSpki(holder.certificate);
    const own = { spki: holder.certificate.spki, holder };
    return alternative ? [own, { spki: alternative, holder }] : [own];
  });
  return kind === "sign1" ? all.slice(0, 1) : all;
}

/** Says no before a PIN is asked for. */
function mustBeRegistered(identities: readonly Identity[], names: AlgorithmNames): void {
  for (const { spki } of identities) {
    const { row, description } = describeSpki(spki);
    if (row) names.choose(row);
    else {throw new InputError(`Cannot sign with a key of type ${description}: not supported`, {
        code: "cose.unregistered",
      });}
  }
}

async function openCredentials({ credentials }: SignerSources, world: World): Promise<Opened[]> {
  const { wishes, names, deps, stack } = world;
  const opened: Opened[] = [];
  for (const { store, passphrase } of credentials) {
    const { version } = store.version();
    const [certificates, chain, groups] = [await store.certificates(), await store.chain(), keyGroups(version.keys)];
    for (const [i, certificate] of certificates.entries()) {
      if (version.certificates[i]?.role === "encryption") continue;
      const holder = { certificate, chain };
      const identities = identitiesOf([holder], wishes);
      mustBeRegistered(identities, names);
      const { keys } = stack.use(await openKeyEntries(groups[i] ?? [], { folder: store.folder, deps, passphrase }));
      for (const { spki } of identities) {
        const key = keys.find((one) => equalBytes(one.spki, spki));
        if (!key) throw mismatch(certificate, `credential "${store.meta.id}"`);
        opened.push({ key, holder, name: nameOf(certificate) });
      }
    }
  }
  const used = wishes.kind === "sign1" ? opened.slice(0, 1) : opened;
  if (used.length > 0) return used;
  throw new InputError("Cannot sign: the credential has no certificate for signatures", {
    code: "cose.no_certificate",
  });
}

async function openKeys({ certificates, keys }: SignerSources, world: World): Promise<Opened[]> {
  const { wishes, names, stack, deps } = world;
  const identities = identitiesOf(certificates, wishes);
  mustBeRegistered(identities, names);
  const places: { source: KeySource; provider: KeyProvider }[] = [];
  for (const source of keys) places.push({ source, provider: stack.use(await deps.openProvider(source.provider)) });
  if (identities.length > 0) return await keysOf(identities, places);
  const opened: Opened[] = [];
  for (const { source, provider } of places) {
    for (const key of await openEach(provider, source.ref, wishes)) opened.push({ key, name: source.written });
  }
  return opened;
}

/** The key of each identity, wherever it is. Files are opened once. */
async function keysOf(
  identities: readonly Identity[],
  places: readonly { source: KeySource; provider: KeyProvider }[],
): Promise<Opened[]> {
  const files = new Map<KeySource, Key>();
  for (const { source, provider } of places) {
    if (source.ref.type === "software") files.set(source, await provider.open(source.ref));
  }
  const opened: Opened[] = [];
  for (const { spki, holder } of identities) {
    let found: Key | undefined;
    for (const { source, provider } of places) {
      const key = files.get(source) ?? await openOfAlgorithm(provider, source.ref, describeSpki(spki).row!.name);
      if (equalBytes(key.spki, spki)) found ??= key;
    }
    const { certificate } = holder;
    if (!found) throw mismatch(certificate, places.map(({ source }) => `"${source.written}"`).join(" or "), spki);
    opened.push({ key: found, holder, name: nameOf(certificate) });
  }
  return opened;
}

/** The key that a reference selects, or both keys of a hybrid, which share a label. */
async function openEach(provider: KeyProvider, ref: KeyRef, { kind }: SignerWishes): Promise<Key[]> {
  if (ref.type === "software" || kind === "sign1") return [await provider.open(ref)];
  const pair = (await provider.list()).filter(({ ref: other }) => other.type === "pkcs11" && selects(ref, other))
    .filter(({ algorithm }) => algorithm?.kind === "signature");
  const [one, two] = [
    pair.find((info) => !isQuantumSafe(info.algorithm!)),
    pair.find((info) => isQuantumSafe(info.algorithm!)),
  ];
  if (pair.length !== 2 || !one || !two) return [await provider.open(ref)];
  return [
    await provider.open({ ...one.ref, ...sameConfig(ref) }),
    await provider.open({ ...two.ref, ...sameConfig(ref) }),
  ];
}

function sameConfig({ config }: Pkcs11KeyRef): { config: string } {
  return { config };
}

function selects(wanted: Pkcs11KeyRef, found: Pkcs11KeyRef): boolean {
  return (wanted.label === undefined || wanted.label === found.label) &&
    (wanted.keyId === undefined || wanted.keyId === found.keyId);
}

function mismatch(certificate: Certificate, where: string, spki = certificate.spki): InputError {
  const which = equalBytes(spki, certificate.spki) ? "the key" : "the alternative key";
  return new InputError(`Cannot sign as "${nameOf(certificate)}": ${where} is not ${which} of its certificate`, {
    code: "cose.key_mismatch",
    hint: `The certificate's is ${
      describeSpki(spki).description
    }; --type sign1 signs with the certificate's own key alone`,
  });
}

function checkHolder(certificate: Certificate, deps: Deps): void {
  const now = deps.now();
  if (now > certificate.notAfter || now < certificate.notBefore) {
    const [what, when] = now > certificate.notAfter
      ? ["expired", certificate.notAfter]
      : ["is not valid before", certificate.notBefore];
    throw new OperationError(
      `Cannot sign as "${nameOf(certificate)}": its certificate ${what} ${formatInstant(when)}`,
      {
        code: "cose.certificate_expired",
      },
    );
  }
  const usage = keyUsage(certificate);
  if (!usage || usage.includes("digitalSignature") || usage.includes("nonRepudiation")) return;
  deps.warn(
    `The key usage of "${nameOf(certificate)}" does not allow signatures of data: only who trusts this very ` +
      "certificate as an anchor accepts them",
  );
}

async function coseSigner(
  key: Key,
  holder: SignerCertificate | undefined,
  { scheme, algorithm, wishes }: CoseScheme & { readonly wishes: SignerWishes },
): Promise<CoseSigner> {
  const signer = await checkedSigner(key.signer(scheme));
  const isOwn = holder && equalBytes(holder.certificate.spki, key.spki);
  const kid = wishes.kid ?? (isOwn ? subjectKeyId(holder.certificate) : undefined) ?? await keyIdentifier(key.spki);
  const chain = holder && wishes.includeCertificates
    ? [holder.certificate, ...holder.chain.filter((one) => !isSelfIssued(one))].map(({ der }) => der)
    : [];
  const certificate = holder ? { certificate: holder.certificate.der } : {};
  return await prepareSigner({ signer, algorithm, kid, chain, ...certificate });
}
