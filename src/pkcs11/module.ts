import { TokenError } from "../errors.ts";
import { CKF, CKR } from "./constants.ts";
import type { CompleteDriver, Driver, ModuleFacts, Quirk } from "./driver.ts";
import { type HintTable, tokenError } from "./errors.ts";
import { Arena } from "./arena.ts";
import { type Arg, cString, type Ffi, type FunctionName, loadFfi } from "./ffi.ts";
import { CK_C_INITIALIZE_ARGS, CK_INFO } from "./layout.ts";
import { readList, Slot, versionText } from "./slot.ts";

/** CK_INFO and what was loaded, decoded. */
export interface ModuleInfo extends ModuleFacts {
  /** Version of the function list in use, for example `3.2`. */
  readonly interfaceVersion: string;
}

/** Choices for loading a module. */
export interface ModuleOptions {
  /** A driver that is known before the module has said what it is. */
  readonly driver?: Driver | undefined;
  /** Text for pReserved of C_Initialize; without it the driver's. */
  readonly initString?: string | undefined;
  /** In place of the library itself: something between us and it. */
  readonly ffi?: Ffi | undefined;
}

/** Software tokens fail now and then without a reason while another process writes to them. */
const READ_TRIES = 3;
const READ_PAUSE_MS = 10;

/** A loaded and initialised PKCS#11 module. Dispose it: C_Finalize runs once, however often it is disposed. */
export class Module implements Disposable {
  readonly ffi: Ffi;
  #hints: HintTable;
  #quirks: readonly Quirk[];
  #lost: ReadonlySet<number>;
  readonly #initString: string | undefined;
  /** Whether this value initialised the library, which the process shares, and so has to finalise it. */
  #owner = false;
  #disposed = false;

  private constructor(ffi: Ffi, { driver, initString }: ModuleOptions) {
    this.ffi = ffi;
    this.#hints = driver?.hints ?? {};
    this.#quirks = driver?.quirks ?? [];
    this.#lost = new Set(driver?.lost?.map(Number));
    this.#initString = initString ?? driver?.initString;
    if (driver?.functions) ffi.substitute(driver.functions);
  }

  /**
   * Loads the library at `path` and initialises it.
   * @throws {TokenError} `module.not_found`, `module.load_failed`, `module.not_pkcs11`, or what C_Initialize returned.
   */
  static load(path: string, options: ModuleOptions = {}): Module {
    const module = new Module(options.ffi ?? loadFfi(path), options);
    module.#initialize();
    return module;
  }

  /** Hints of the driver in use. */
  get hints(): HintTable {
    return this.#hints;
  }

  /** Return values of the vendor's own after which session and login are gone. */
  get lost(): ReadonlySet<number> {
    return this.#lost;
  }

  /** Whether the driver in use knows this departure from the standard. */
  has(quirk: Quirk): boolean {
    return this.#quirks.includes(quirk);
  }

  /** Uses the hints, quirks and functions of a driver that was chosen after loading. */
  adopt(driver: CompleteDriver): void {
    this.#hints = driver.hints;
    this.#quirks = driver.quirks;
    this.#lost = new Set(driver.lost.map(Number));
    this.ffi.substitute(driver.functions ?? {});
  }

  /** C_GetInfo. @throws {TokenError} */
  info(): ModuleInfo {
    const { platform } = this.ffi;
    const bytes = CK_INFO.allocate(platform);
    this.check(this.read("C_GetInfo", bytes), "C_GetInfo", `read PKCS#11 module "${this.ffi.path}"`);
    return {
      path: this.ffi.path,
      manufacturer: CK_INFO.text(platform, bytes, "manufacturerID"),
      description: CK_INFO.text(platform, bytes, "libraryDescription"),
      libraryVersion: versionText(CK_INFO.version(platform, bytes, "libraryVersion")),
      cryptokiVersion: versionText(CK_INFO.version(platform, bytes, "cryptokiVersion")),
      interfaceVersion: versionText(this.ffi.version),
    };
  }

  /** Slots with a token, or all of them, in the module's order. @throws {TokenError} */
  slots({ empty = false }: { empty?: boolean } = {}): Slot[] {
    const ids = readList(this, `list the slots of "${this.ffi.path}"`, (list, length) => [
      "C_GetSlotList",
      empty ? 0 : 1,
      list,
      length,
    ]);
    return ids.map((id) => new Slot(this, Number(id)));
  }

  /** Throws for a return value other than CKR_OK; `action` follows "Cannot ". @throws {TokenError} */
  check(rv: number, functionName: string, action: string): void {
    if (rv !== CKR.CKR_OK) throw tokenError({ functionName, rv, action, hints: this.#hints });
  }

  /**
   * Shuts the library down and starts it again, so that it reads its tokens anew. Does nothing when another part of the
   * process initialised it. All sessions are lost.
   */
  restart(): void {
    if (!this.#owner || this.has("no-finalize")) return;
    this.ffi.call("C_Finalize", null);
    this.#owner = false;
    this.#initialize();
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    // a module that cannot shut down must not hide the result of the work before
    if (this.#owner && !this.has("no-finalize")) this.ffi.call("C_Finalize", null);
  }

  /**
   * Calls a function that reads and changes nothing, again after an error without a reason, a bounded number of times.
   * Returns CK_RV.
   */
  read(name: FunctionName, ...args: readonly Arg[]): number {
    return patiently(() => this.ffi.call(name, ...args));
  }

  #initialize(): void {
    const rv = patiently(() => this.#callInitialize());
    if (rv === CKR.CKR_CRYPTOKI_ALREADY_INITIALIZED) return;
    this.check(rv, "C_Initialize", `initialise PKCS#11 module "${this.ffi.path}"`);
    this.#owner = true;
  }

  #callInitialize(): number {
    if (this.has("no-init-args")) return this.ffi.call("C_Initialize", null);
    const rv = this.ffi.call("C_Initialize", this.#initializeArgs());
    // some modules take no arguments at all, or cannot lock (PKCS#11 3.2 section 5.4)
    const refused = rv === CKR.CKR_ARGUMENTS_BAD || rv === CKR.CKR_CANT_LOCK;
    return refused && this.#initString === undefined ? this.ffi.call("C_Initialize", null) : rv;
  }

  #initializeArgs(): Uint8Array {
    const { platform } = this.ffi;
    const arena = new Arena();
    const args = CK_C_INITIALIZE_ARGS.allocate(platform);
    CK_C_INITIALIZE_ARGS.set(platform, args, { field: "flags", value: CKF.CKF_OS_LOCKING_OK });
    const base = arena.add(args);
    // a known module declares one more pointer behind the structure of the standard
    arena.reserve(8);
    if (this.#initString !== undefined) {
      arena.point(base + CK_C_INITIALIZE_ARGS.offset(platform, "pReserved"), arena.add(cString(this.#initString)));
    }
    return arena.build(this.ffi);
  }
}

/** Code of an error that says that a token contradicts what it said a moment before. */
export const INCONSISTENT = "token.inconsistent";

/** Whether an error is one that a moment's patience may cure. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof TokenError)) return false;
  return error.code === INCONSISTENT || (error.rv !== undefined && isTransientRv(error.rv));
}

/** As {@link isTransient}, for a CK_RV. */
export function isTransientRv(rv: number): boolean {
  return rv === CKR.CKR_GENERAL_ERROR || rv === CKR.CKR_FUNCTION_FAILED;
}

function patiently(call: () => number): number {
  for (let tries = 1;; tries++) {
    const rv = call();
    if (!isTransientRv(rv) || tries === READ_TRIES) return rv;
    pause(READ_PAUSE_MS * tries);
  }
}

/** Waits without giving way: loading a module is synchronous. */
function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
