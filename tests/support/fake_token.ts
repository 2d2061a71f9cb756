import { CKR } from "../../src/pkcs11/constants.ts";
import type { Arg, Ffi, FunctionName } from "../../src/pkcs11/ffi.ts";
import { CK_ATTRIBUTE, CK_SESSION_INFO, CK_TOKEN_INFO, LP64, readUlong, writeUlong } from "../../src/pkcs11/layout.ts";
import { constantName, mustConstant } from "../../src/pkcs11/names.ts";

/** What a hook does with a call: `next` makes the real one. */
export type Hook = (args: readonly Arg[], next: (...args: readonly Arg[]) => number) => number;

/**
 * A layer between the program and a real module, for failures that no healthy token shows: it changes arguments or
 * answers of the functions that have a hook, and counts all calls. A fake, because no real token can be made to do this.
 */
export class Shim implements Ffi {
  readonly #real: Ffi;
  readonly hooks: Partial<Record<FunctionName, Hook>>;
  readonly calls = new Map<FunctionName, number>();

  constructor(real: Ffi, hooks: Partial<Record<FunctionName, Hook>> = {}) {
    this.#real = real;
    this.hooks = hooks;
  }

  get path(): string {
    return this.#real.path;
  }
  get platform(): Ffi["platform"] {
    return this.#real.platform;
  }
  get version(): Ffi["version"] {
    return this.#real.version;
  }

  has(name: FunctionName): boolean {
    return this.#real.has(name);
  }

  substitute(symbols: Readonly<Partial<Record<FunctionName, string>>>): void {
    this.#real.substitute(symbols);
  }

  address(bytes: Uint8Array): bigint {
    return this.#real.address(bytes);
  }

  call(name: FunctionName, ...args: readonly Arg[]): number {
    this.calls.set(name, this.count(name) + 1);
    const next = (...changed: readonly Arg[]) => this.#real.call(name, ...changed);
    return this.hooks[name]?.(args, next) ?? next(...args);
  }

  callAsync(name: FunctionName, ...args: readonly Arg[]): Promise<number> {
    if (this.hooks[name]) return Promise.resolve(this.call(name, ...args));
    this.calls.set(name, this.count(name) + 1);
    return this.#real.callAsync(name, ...args);
  }

  /** How often a function was called. */
  count(name: FunctionName): number {
    return this.calls.get(name) ?? 0;
  }
}

/** A hook that answers with `answers`, one a call, and then lets calls through. */
export function answerOnce(...answers: number[]): Hook {
  return (args, next) => answers.shift() ?? next(...args);
}

/** A hook for C_GetTokenInfo that sets and clears flags in the answer. */
export function tokenFlags(set: readonly string[], clear: readonly string[] = []): Hook {
  return (args, next) => {
    const rv = next(...args);
    const bytes = args[1] as Uint8Array;
    let flags = BigInt(CK_TOKEN_INFO.number(LP64, bytes, "flags"));
    for (const name of set) flags |= BigInt(mustConstant(name));
    for (const name of clear) flags &= ~BigInt(mustConstant(name));
    CK_TOKEN_INFO.set(LP64, bytes, { field: "flags", value: flags });
    return rv;
  };
}

/** Names and values of a template as C functions get it, for hooks; changing a value changes the call. */
export function templateValues(ffi: Ffi, bytes: Uint8Array, count: number): Map<string, Uint8Array> {
  const values = new Map<string, Uint8Array>();
  const start = ffi.address(bytes);
  for (let i = 0; i < count; i++) {
    const base = i * CK_ATTRIBUTE.size(LP64);
    const at = Number(BigInt(CK_ATTRIBUTE.get(LP64, bytes, "pValue", base)) - start);
    const length = CK_ATTRIBUTE.number(LP64, bytes, "ulValueLen", base);
    const type = CK_ATTRIBUTE.number(LP64, bytes, "type", base);
    values.set(constantName("CKA", type) ?? String(type), bytes.subarray(at, at + length));
  }
  return values;
}

/** What a {@link FakeToken} is like. */
export interface FakeTokenOptions {
  pin?: string;
  /** Names of CKF_ flags. */
  flags?: readonly string[];
  /** Most sessions that may be open. */
  maxSessions?: number;
  /** Answers of functions before they do what they should, one a call. */
  answers?: Partial<Record<FunctionName, number[]>>;
}

/**
 * A module with one empty token, played back in memory: sessions and login follow the standard, everything else answers
 * as told. A fake, because no real token has these flags and limits on demand.
 */
export class FakeToken implements Ffi {
  readonly path = "fake";
  readonly platform = LP64;
  readonly version = { major: 2, minor: 40 };
  readonly log: string[] = [];
  readonly #options: FakeTokenOptions;
  readonly #sessions = new Set<number>();
  #nextSession = 1;
  flags: number;
  loggedIn = false;
  /** PINs given to C_Login, null for a null pointer. */
  readonly pins: (string | null)[] = [];

  constructor(options: FakeTokenOptions = {}) {
    this.#options = options;
    const names = options.flags ?? ["CKF_LOGIN_REQUIRED", "CKF_USER_PIN_INITIALIZED", "CKF_TOKEN_INITIALIZED"];
    this.flags = names.reduce((flags, name) => flags + mustConstant(name), 0);
  }

  get openSessions(): number {
    return this.#sessions.size;
  }

  has(): boolean {
    return true;
  }

  substitute(): void {}

  address(): bigint {
    return 0x1000n;
  }

  callAsync(name: FunctionName, ...args: readonly Arg[]): Promise<number> {
    return new Promise((resolve) => setTimeout(() => resolve(this.call(name, ...args)), 1));
  }

  call(name: FunctionName, ...args: readonly Arg[]): number {
    this.log.push(name);
    const told = this.#options.answers?.[name]?.shift();
    if (told !== undefined) return told;
    const session = Number(args[0]);
    switch (name) {
      case "C_GetSlotList":
        if (args[1]) writeUlong(LP64, args[1] as Uint8Array, { value: 7 });
        writeUlong(LP64, args[2] as Uint8Array, { value: 1 });
        return CKR.CKR_OK;
      case "C_GetTokenInfo": {
        const bytes = args[1] as Uint8Array;
        bytes.fill(0x20, 0, 96);
        bytes.set(new TextEncoder().encode("Fake"));
        CK_TOKEN_INFO.set(LP64, bytes, { field: "flags", value: this.flags });
        return CKR.CKR_OK;
      }
      case "C_OpenSession":
        if (this.#sessions.size >= (this.#options.maxSessions ?? Infinity)) return CKR.CKR_SESSION_COUNT;
        writeUlong(LP64, args[4] as Uint8Array, { value: this.#nextSession });
        this.#sessions.add(this.#nextSession++);
        return CKR.CKR_OK;
      case "C_CloseSession":
        if (!this.#sessions.delete(session)) return CKR.CKR_SESSION_HANDLE_INVALID;
        if (this.#sessions.size === 0) this.loggedIn = false;
        return CKR.CKR_OK;
      case "C_GetSessionInfo":
        if (!this.#sessions.has(session)) return CKR.CKR_SESSION_HANDLE_INVALID;
        CK_SESSION_INFO.set(LP64, args[1] as Uint8Array, { field: "state", value: this.loggedIn ? 1 : 0 });
        return CKR.CKR_OK;
      case "C_Login": {
        const pin = args[2] === null ? null : new TextDecoder().decode(args[2] as Uint8Array);
        this.pins.push(pin);
        if (pin !== null && pin !== (this.#options.pin ?? "1234")) return CKR.CKR_PIN_INCORRECT;
        this.loggedIn = true;
        return CKR.CKR_OK;
      }
      case "C_Logout":
        this.loggedIn = false;
        return CKR.CKR_OK;
      case "C_FindObjects":
        writeUlong(LP64, args[3] as Uint8Array, { value: 0 });
        return this.#sessions.has(session) ? CKR.CKR_OK : CKR.CKR_SESSION_HANDLE_INVALID;
      case "C_FindObjectsInit":
      case "C_FindObjectsFinal":
      case "C_Initialize":
      case "C_Finalize":
        return CKR.CKR_OK;
      default:
        return CKR.CKR_FUNCTION_NOT_SUPPORTED;
    }
  }
}

/** The CK_ULONG that a call was given by reference. */
export function ulongArgument(arg: Arg | undefined): number {
  return Number(readUlong(LP64, arg as Uint8Array));
}
