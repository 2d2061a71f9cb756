import type { KeyRow, SchemeRow } from "../alg/find.ts";
import { spkiFingerprint } from "../keys/spki.ts";
import type {
  GenerateOptions,
  Key,
  KeyInfo,
  KeyProvider,
  KeyRef,
  NoteStore,
  Signer,
  SignerOptions,
} from "../keys/types.ts";
import type { AuditedKey, AuditEvent } from "./event.ts";
import { type AuditTrail, failure } from "./trail.ts";

/** The token that holds keys, as it names itself. */
export interface TokenName {
  readonly label: string;
  readonly serial: string;
}

interface Use {
  readonly key: AuditedKey;
  readonly intent: Promise<void>;
  count: number;
  failed: number;
}

/**
 * Uses of keys in one command: the intent of each is durable before its first signature, and how many there were is told at
 * the end, so that a batch does not wait for the disk at every signature.
 */
export class KeyUses {
  readonly trail: AuditTrail;
  readonly #uses = new Map<string, Use>();

  constructor(trail: AuditTrail) {
    this.trail = trail;
    trail.atEnd(() => [...this.#uses.values()].map(outcome));
  }

  /** Uses a key once. @throws {OperationError} `audit.write` before the first use. */
  async count<T>(key: AuditedKey, work: () => Promise<T>): Promise<T> {
    const id = `${key.config ?? ""} ${key.label ?? key.path} ${key.spki_sha256}`;
    let use = this.#uses.get(id);
    if (!use) {
      use = { key, intent: this.trail.record({ event: "key.use", result: "intent", key }), count: 0, failed: 0 };
      this.#uses.set(id, use);
    }
    await use.intent;
    try {
      const done = await work();
      use.count++;
      return done;
    } catch (error) {
      use.failed++;
      throw error;
    }
  }
}

function outcome({ key, count, failed }: Use): AuditEvent {
  const isBad = failed > 0;
  const details = isBad ? { details: { failed } } : {};
  return { event: "key.use", result: isBad && count === 0 ? "failed" : "ok", key, count, ...details };
}

/** A provider of which every opening, making, deleting and use of a private key is recorded. */
export function auditedProvider(
  provider: KeyProvider,
  uses: KeyUses,
  token?: () => TokenName | undefined,
): KeyProvider {
  return new AuditedProvider(provider, uses, token ?? (() => undefined));
}

class AuditedProvider implements KeyProvider {
  readonly #provider: KeyProvider;
  readonly #uses: KeyUses;
  readonly #token: () => TokenName | undefined;

  constructor(provider: KeyProvider, uses: KeyUses, token: () => TokenName | undefined) {
    this.#provider = provider;
    this.#uses = uses;
    this.#token = token;
  }

  get type(): KeyRef["type"] {
    return this.#provider.type;
  }

  async open(ref: KeyRef): Promise<Key> {
    const { trail } = this.#uses;
    const asked = keyOf(ref, {}, this.#token());
    await trail.record({ event: "key.open", result: "intent", key: asked });
    let key: Key;
    try {
      key = await this.#provider.open(ref);
    } catch (error) {
      await trail.record({ event: "key.open", key: asked, ...failure(error) });
      throw error;
    }
    const opened = await this.#describe(key);
    await trail.record({ event: "key.open", result: "ok", key: opened });
    return auditedKey(key, opened, this.#uses);
  }

  get notes(): NoteStore | undefined {
    return this.#provider.notes;
  }

  prepare(row: KeyRow, ref: KeyRef, scheme?: SchemeRow): Promise<void> {
    return this.#provider.prepare(row, ref, scheme);
  }

  async generate(row: KeyRow, ref: KeyRef, options?: GenerateOptions): Promise<Key> {
    const { trail } = this.#uses;
    let asked = keyOf(ref, { algorithm: row.name }, this.#token());
    const announce = () => trail.record({ event: "key.generate", result: "intent", key: asked });
    // a token tells the id of the key just before it makes it
    if (ref.type === "software") await announce();
    let key: Key;
    try {
      key = await this.#provider.generate(row, ref, {
        ...options,
        announce: async (named) => {
          asked = keyOf(named, { algorithm: row.name }, this.#token());
          await announce();
          await options?.announce?.(named);
        },
      });
    } catch (error) {
      await trail.record({ event: "key.generate", key: asked, ...failure(error) });
      throw error;
    }
    const made = await this.#describe(key);
    await trail.record({ event: "key.generate", result: "ok", key: made });
    return auditedKey(key, made, this.#uses);
  }

  list(): Promise<KeyInfo[]> {
    return this.#provider.list();
  }

  async delete(ref: KeyRef): Promise<KeyInfo> {
    const { trail } = this.#uses;
    const asked = keyOf(ref, {}, this.#token());
    await trail.record({ event: "key.delete", result: "intent", key: asked });
    let gone: KeyInfo;
    try {
      gone = await this.#provider.delete(ref);
    } catch (error) {
      await trail.record({ event: "key.delete", key: asked, ...failure(error) });
      throw error;
    }
    const facts = { algorithm: gone.algorithm?.name ?? gone.description, spki_sha256: gone.spkiSha256 };
    const key = keyOf(gone.ref, facts, this.#token());
    await trail.record({ event: "key.delete", result: "ok", key });
    return gone;
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#provider[Symbol.asyncDispose]();
  }

  async #describe(key: Key): Promise<AuditedKey> {
    const facts = { algorithm: key.algorithm.name, spki_sha256: await spkiFingerprint(key.spki) };
    return keyOf(key.ref, facts, this.#token());
  }
}

function auditedKey(key: Key, name: AuditedKey, uses: KeyUses): Key {
  const { decapsulate } = key;
  return {
    algorithm: key.algorithm,
    spki: key.spki,
    ref: key.ref,
    signer: (scheme, options?: SignerOptions) => auditedSigner(key.signer(scheme, options), name, uses),
    ...(decapsulate ? { decapsulate: (text) => uses.count(name, () => decapsulate.call(key, text)) } : {}),
  };
}

function auditedSigner(signer: Signer, name: AuditedKey, uses: KeyUses): Signer {
  const { algorithm, scheme, spki, signPieces } = signer;
  return {
    algorithm,
    scheme,
    spki,
    sign: (message) => uses.count(name, () => signer.sign(message)),
    ...(signPieces ? { signPieces: (pieces) => uses.count(name, () => signPieces(pieces)) } : {}),
  };
}

/** A key as the log names it. */
export function keyOf(
  ref: KeyRef,
  facts: { algorithm?: string | undefined; spki_sha256?: string | undefined } = {},
  token?: TokenName,
): AuditedKey {
  const pinned = ref.type === "pkcs11" ? ref.spkiSha256 : undefined;
  const spki = facts.spki_sha256 ?? pinned;
  const common = {
    ...(facts.algorithm === undefined ? {} : { algorithm: facts.algorithm }),
    ...(spki === undefined ? {} : { spki_sha256: spki }),
  };
  if (ref.type === "software") return { type: ref.type, path: ref.path, ...common };
  return {
    type: ref.type,
    config: ref.config,
    ...(ref.label === undefined ? {} : { label: ref.label }),
    ...(ref.keyId === undefined ? {} : { id: ref.keyId }),
    ...(token ? { token: token.label, token_serial: token.serial } : {}),
    ...common,
  };
}
