import type { KeyUses } from "../audit/keys.ts";
import type { AuditTrail } from "../audit/trail.ts";
import type { GenerateOptions, Key, KeyInfo, KeyProvider, KeyRef, NoteStore, ProviderRequest } from "../keys/types.ts";
import type { KeyRow, SchemeRow } from "../alg/find.ts";
import type { Pkcs11Provider } from "../pkcs11/provider.ts";
import type { Prompter } from "./command.ts";

/** Longest time that closing one provider may take, in milliseconds. */
const CLOSE_MS = 5_000;

/** What opening a token needs from outside. */
export interface TokenWorld {
  env(name: string): string | undefined;
  readonly prompter: Prompter;
  readonly signal: AbortSignal;
  /** Log in although one more wrong PIN locks the token. */
  readonly allowFinalTry: boolean;
  /** A line the operator must see, for example to act at the device. */
  notify(text: string): void;
  /** Where logins and uses of keys are recorded. */
  readonly trail?: AuditTrail | undefined;
}

/** What opening any provider needs from outside. */
export interface ProviderWorld extends TokenWorld {
  readonly cwd: string;
  warn(text: string): void;
}

/**
 * Opens providers by type, each token once: every later request for the same hsm.yaml gets the same one, so there is one
 * login a command. Whoever disposes of a provider leaves it open; {@link close} ends them all.
 */
export class Providers {
  #world: ProviderWorld;
  #tokens = new Map<string, Promise<Pkcs11Provider>>();
  #others: KeyProvider[] = [];
  #uses: Promise<KeyUses> | undefined;

  constructor(world: ProviderWorld) {
    this.#world = world;
  }

  /** @throws {InputError} for a bad hsm.yaml, {TokenError} when the token cannot be opened. */
  async open(request: ProviderRequest): Promise<KeyProvider> {
    if (request.type === "software") {
      const { softwareProvider } = await import("../keys/software.ts");
      const { passphrase } = request;
      const provider = softwareProvider({ cwd: this.#world.cwd, ...(passphrase ? { passphrase } : {}) });
      this.#others.push(provider);
      return await this.#audited(new SharedProvider(provider));
    }
    const path = await absolutePath(request.config, this.#world.cwd);
    let token = this.#tokens.get(path);
    if (!token) {
      token = this.#openToken(path);
      this.#tokens.set(path, token);
      // a failed attempt may be tried again; never the PIN by itself
      token.catch(() => this.#tokens.delete(path));
    }
    const open = await token;
    return await this.#audited(new SharedProvider(open), open);
  }

  /** The one place where uses of private keys are recorded. */
  async #audited(provider: KeyProvider, token?: Pkcs11Provider): Promise<KeyProvider> {
    const { trail } = this.#world;
    if (!trail) return provider;
    const { auditedProvider, KeyUses } = await import("../audit/keys.ts");
    this.#uses ??= Promise.resolve(new KeyUses(trail));
    return auditedProvider(provider, await this.#uses, () => token?.name);
  }

  /** Closes every provider, each within a few seconds; what fails is warned about. */
  async close(): Promise<void> {
    const tokens = await Promise.allSettled(this.#tokens.values());
    const open = tokens.filter((token) => token.status === "fulfilled").map((token) => token.value);
    this.#tokens.clear();
    for (const provider of [...this.#others.splice(0), ...open]) {
      try {
        await withinTime(provider[Symbol.asyncDispose](), CLOSE_MS);
      } catch (error) {
        this.#world.warn(`The token was not closed cleanly: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  async #openToken(path: string): Promise<Pkcs11Provider> {
    const { openToken } = await import("./token.ts");
    return await openToken(path, this.#world);
  }
}

/** A provider that several users share: disposing of it does nothing. */
class SharedProvider implements KeyProvider {
  #provider: KeyProvider;

  constructor(provider: KeyProvider) {
    this.#provider = provider;
  }
  get type(): KeyRef["type"] {
    return this.#provider.type;
  }
  get notes(): NoteStore | undefined {
    return this.#provider.notes;
  }
  open(ref: KeyRef): Promise<Key> {
    return this.#provider.open(ref);
  }
  prepare(row: KeyRow, ref: KeyRef, scheme?: SchemeRow): Promise<void> {
    return this.#provider.prepare(row, ref, scheme);
  }
  generate(row: KeyRow, ref: KeyRef, options?: GenerateOptions): Promise<Key> {
    return this.#provider.generate(row, ref, options);
  }
  list(): Promise<KeyInfo[]> {
    return this.#provider.list();
  }
  delete(ref: KeyRef): Promise<KeyInfo> {
    return this.#provider.delete(ref);
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** `path` as one spelling a file: absolute, links resolved where it exists. */
export async function absolutePath(path: string, cwd: string): Promise<string> {
  const absolute = path.startsWith("/") || /^[A-Za-z]:[\\/]/.test(path) ? path : `${cwd}/${path}`;
  return await Deno.realPath(absolute).catch(() => absolute);
}

async function withinTime<T>(work: PromiseLike<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
