import { defaultScheme, type KeyRow, type SchemeRow } from "../alg/find.ts";
import { InputError, UsageError } from "../errors.ts";
import { decodeHex } from "../bytes.ts";
import type { Encapsulation } from "../keys/kem.ts";
import type { GenerateOptions, Key, KeyInfo, KeyProvider, KeyRef, NoteStore, Pkcs11KeyRef } from "../keys/types.ts";
import type { SignCodec } from "./codec.ts";
import type { TokenContext } from "./context.ts";
import { dialectOfKey } from "./dialect.ts";
import type { CompleteDriver, Driver } from "./driver.ts";
import type { Ffi } from "./ffi.ts";
import { generateKey, prepareKey } from "./generate.ts";
import { encapsulateInToken } from "./kem.ts";
import { TokenKey } from "./key.ts";
import { Login, type PinSource } from "./login.ts";
import { Module, type ModuleInfo } from "./module.ts";
import { constantNumber } from "./names.ts";
import { tokenNotes } from "./notes.ts";
import {
  destroyPair,
  findPrivateKeys,
  findPublicKeys,
  keyInfo,
  listObjects,
  type ObjectInfo,
  selectKey,
} from "./objects.ts";
import { SessionPool } from "./pool.ts";
import type { Session } from "./session.ts";
import type { Slot, TokenInfo } from "./slot.ts";
import { findToken, type TokenSelector } from "./token.ts";

/** What leads to a token; exactly one of `token`, `tokenSerial` and `slot` is given. */
export interface Pkcs11Options extends TokenSelector {
  /** Path of the hsm.yaml, which references to keys carry. */
  readonly configPath: string;
  /** Path of the PKCS#11 library. */
  readonly lib: string;
  /** A driver, its name or the path of a plug-in; without it the module itself decides. */
  readonly driver?: Driver | string | undefined;
  /** Text for pReserved of C_Initialize; without it the driver's. */
  readonly initString?: string | undefined;
  /** Name of another kind of user than the usual one, as the driver knows it. */
  readonly userType?: string | undefined;
  /** Most sessions at a time; 1 (the default) calls synchronously, more calls on other threads. */
  readonly sessions?: number | undefined;
  /** Logs out whenever no operation is under way. */
  readonly logoutAfterUse?: boolean | undefined;
  /** Tries the PIN although a wrong one would lock the token. */
  readonly allowFinalTry?: boolean | undefined;
  readonly pin: PinSource;
  /** One line for the operator. */
  notify(text: string): void;
  /** Checked between the steps of key generation. */
  readonly signal?: AbortSignal | undefined;
  /** In place of the library itself: something between us and it. */
  readonly ffi?: Ffi | undefined;
}

/**
 * Opens a token; it logs in when an operation first needs it. Dispose it on every exit path.
 * @throws {TokenError} `module.not_found`, `module.load_failed`, `module.not_pkcs11`, `token.not_found`,
 * `token.ambiguous`. @throws {InputError} `hsm.selector`, `driver.unknown`, `driver.invalid`.
 */
export async function pkcs11Provider(options: Pkcs11Options): Promise<Pkcs11Provider> {
  return await openToken(options, await loadModule(options));
}

/** A module and the driver for it. */
export interface LoadedModule {
  readonly module: Module;
  readonly driver: CompleteDriver;
}

/** The first half of {@link pkcs11Provider}: needs no token. */
export async function loadModule(
  options: Pick<Pkcs11Options, "lib" | "driver" | "initString" | "ffi">,
): Promise<LoadedModule> {
  const stated = options.driver === undefined ? undefined : await resolveDriver(options.driver);
  const module = Module.load(options.lib, {
    driver: stated,
    initString: options.initString,
    ffi: options.ffi,
  });
  try {
    const driver = stated ?? await driverFor(module.info());
    module.adopt(driver);
    return { module, driver };
  } catch (error) {
    module[Symbol.dispose]();
    throw error;
  }
}

/** The second half of {@link pkcs11Provider}: finds the token. The module belongs to the provider, or is disposed. */
export async function openToken(options: Pkcs11Options, { module, driver }: LoadedModule): Promise<Pkcs11Provider> {
  try {
    const { slot, info } = await findToken(module, options);
    return new Pkcs11Provider(options, { slot, info, driver });
  } catch (error) {
    module[Symbol.dispose]();
    throw error;
  }
}

async function resolveDriver(driver: Driver | string): Promise<CompleteDriver> {
  const { findDriver, withStandard } = await import("../../drivers/mod.ts");
  return typeof driver === "string" ? await findDriver(driver) : withStandard(driver);
}

/** The built-in driver that recognises a module, else `generic`. */
async function driverFor(info: ModuleInfo): Promise<CompleteDriver> {
  const { chooseDriver } = await import("../../drivers/mod.ts");
  return await chooseDriver(undefined, info);
}

/** Loops over C_Sign alone, for measuring. */
export interface RawSigner {
  /** One signature over the same bytes, synchronously. @throws {TokenError} */
  sync(): void;
  /** One signature on another thread. @throws {TokenError} */
  async(): Promise<void>;
}

interface Opened {
  readonly slot: Slot;
  readonly info: TokenInfo;
  readonly driver: CompleteDriver;
}

/** The keys of one token behind one login. */
export class Pkcs11Provider implements KeyProvider {
  readonly type = "pkcs11";
  readonly slot: Slot;
  /** Name of the driver in use. */
  readonly driverName: string;
  /** The token as it named itself when it was opened. */
  readonly name: { readonly label: string; readonly serial: string };
  readonly #ctx: TokenContext;
  #disposed = false;

  /** Use {@link pkcs11Provider}. */
  constructor(options: Pkcs11Options, { slot, info, driver }: Opened) {
    const login = new Login(slot, { ...options, userType: userType(driver, options.userType) });
    this.slot = slot;
    this.driverName = driver.name;
    this.name = { label: info.label, serial: info.serial };
    let mechanisms: ReadonlySet<number> | undefined;
    this.#ctx = {
      slot,
      label: info.label,
      configPath: options.configPath,
      driver,
      login,
      pool: new SessionPool(slot, {
        token: info,
        size: options.sessions ?? 1,
        login,
        logoutAfterUse: options.logoutAfterUse ?? false,
      }),
      mechanisms: () => mechanisms ??= new Set([...slot.mechanisms(), ...driver.unlisted.map(constantNumber)]),
      signal: options.signal,
    };
  }

  /** What the module says of itself. @throws {TokenError} */
  moduleInfo(): ModuleInfo {
    return this.slot.module.info();
  }

  /** What the token says of itself, read anew. @throws {TokenError} */
  tokenInfo(): TokenInfo {
    return this.slot.presentToken();
  }

  get notes(): NoteStore {
    return tokenNotes(this.#ctx);
  }

  async open(ref: KeyRef): Promise<TokenKey> {
    return await this.#withSession(async (session) =>
      new TokenKey(this.#ctx, await selectKey(this.#ctx, session, pkcs11Ref(ref)))
    );
  }

  async prepare(row: KeyRow, ref: KeyRef, scheme?: SchemeRow): Promise<void> {
    await prepareKey(this.#ctx, row, { ref: pkcs11Ref(ref), scheme });
  }

  async generate(row: KeyRow, ref: KeyRef, options: GenerateOptions = {}): Promise<Key> {
    return await generateKey(this.#ctx, row, { ...options, ref: pkcs11Ref(ref) });
  }

  async list(): Promise<KeyInfo[]> {
    const keys = await this.#withSession((session) => findPrivateKeys(this.#ctx, session));
    return keys.map((key) => keyInfo(this.#ctx, key));
  }

  /** The one key that `ref` selects, also one that cannot be used here. Throws as {@link open}. */
  async info(ref: KeyRef): Promise<KeyInfo> {
    const key = await this.#withSession((session) => selectKey(this.#ctx, session, pkcs11Ref(ref)));
    return keyInfo(this.#ctx, key);
  }

  async delete(ref: KeyRef): Promise<KeyInfo> {
    return await this.#ctx.pool.withSession(async (session) => {
      const key = await selectKey(this.#ctx, session, pkcs11Ref(ref));
      await destroyPair(this.#ctx, session, key);
      return keyInfo(this.#ctx, key);
    }, { write: true });
  }

  /**
   * Lets the token encapsulate to the public half that it has of a KEM key: what a peer does, for tests of tokens.
   * @throws {TokenError}
   */
  async encapsulate(ref: KeyRef): Promise<Encapsulation> {
    return await this.#withSession(async (session) => {
      const key = await selectKey(this.#ctx, session, pkcs11Ref(ref));
      const [half] = (await findPublicKeys(this.#ctx, session, decodeHex(key.id)))
        .filter(({ spkiSha256 }) => spkiSha256 === key.spkiSha256);
      const dialect = key.row && dialectOfKey(this.#ctx.driver, key.row, key.keyType);
      if (!half || !dialect?.kem) {
        throw new UsageError(`Cannot encapsulate to key "${key.label}": it is no KEM key pair`);
      }
      const action = `encapsulate to key "${key.label || key.id}" in token "${this.#ctx.label}"`;
      return await encapsulateInToken(this.#ctx, session, {
        row: key.row!,
        kem: dialect.kem,
        key: half.handle,
        action,
      });
    });
  }

  /** Every object that the login can see. @throws {TokenError} */
  async objects(): Promise<ObjectInfo[]> {
    return await this.#withSession((session) => listObjects(this.#ctx, session));
  }

  /**
   * Runs `work` with a signer that calls C_SignInit and C_Sign and nothing else, in a session of its own: what the
   * fastest program could reach with this key. With several `sessions`, several may run at once.
   */
  async withRawSigner<T>(ref: KeyRef, work: (raw: RawSigner) => Promise<T>): Promise<T> {
    const key = await this.open(ref);
    const codec: SignCodec = key.codec(defaultScheme(key.algorithm));
    const data = await codec.input(new Uint8Array(48));
    return await this.#ctx.pool.withSession(async (session) => {
      return await work(session.rawSigner(await key.job(session, codec, data)));
    });
  }

  /** The token as operations see it, for the diagnostics of this room. */
  get context(): TokenContext {
    return this.#ctx;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#ctx.pool.dispose();
    this.slot.module[Symbol.dispose]();
  }

  async #withSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return await this.#ctx.pool.withSession(work, { idempotent: true });
  }
}

/** CKU_ number of a user by the driver's name. @throws {InputError} `hsm.user_type`. */
function userType(driver: CompleteDriver, name: string | undefined): number | undefined {
  if (name === undefined) return undefined;
  const known = Object.hasOwn(driver.userTypes, name) ? driver.userTypes[name] : undefined;
  if (known !== undefined) return constantNumber(known);
  const names = Object.keys(driver.userTypes);
  throw new InputError(`Cannot log in as user type "${name}": driver "${driver.name}" does not know it`, {
    code: "hsm.user_type",
    hint: names.length === 0 ? "Leave `user_type` out" : `It knows: ${names.join(", ")}`,
  });
}

function pkcs11Ref(ref: KeyRef): Pkcs11KeyRef {
  if (ref.type === "pkcs11") return ref;
  throw new UsageError(`Cannot find "${ref.path}" in a token: it is a file`, { code: "key.wrong_provider" });
}
