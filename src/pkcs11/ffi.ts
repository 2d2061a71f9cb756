import koffi from "koffi";
import { TokenError } from "../errors.ts";
import { type CKR, FUNCTIONS } from "./constants.ts";
import { allocate, CK_INTERFACE, functionOffset, LP64, type Platform, type Version, WINDOWS } from "./layout.ts";

/** A function of the standard. */
export type FunctionName = typeof FUNCTIONS[number];

/** One argument: a CK_ULONG or CK_BBOOL, memory, or NULL. */
export type Arg = number | bigint | Uint8Array | null;

/**
 * The one place every PKCS#11 call passes: something that replaces it can record, replay, time, redirect or fail calls.
 * Arguments are those of the C function in order; structures are bytes in the layout of `platform`.
 */
export interface Ffi {
  /** Path that was loaded. */
  readonly path: string;
  readonly platform: Platform;
  /** Version of the function list in use: 2.x, 3.0, 3.1 or 3.2. */
  readonly version: Version;
  /** Whether the module has the function; asking costs nothing. */
  has(name: FunctionName): boolean;
  /** Uses exported symbols for functions that the list lacks; what the module does not export stays absent. */
  substitute(symbols: Readonly<Partial<Record<FunctionName, string>>>): void;
  /** Address of memory, for pointers inside structures; valid while `bytes` is referenced. */
  address(bytes: Uint8Array): bigint;
  /** Calls a function and waits. Returns CK_RV. @throws {TokenError} `function.absent` */
  call(name: FunctionName, ...args: readonly Arg[]): number;
  /** Calls a function on another thread; the arguments' memory must not be touched meanwhile. */
  callAsync(name: FunctionName, ...args: readonly Arg[]): Promise<number>;
}

/** Parameters of the functions in use: `n` CK_ULONG, `p` pointer, `b` CK_BBOOL. */
const SIGNATURES: Readonly<Partial<Record<FunctionName, string>>> = {
  C_Initialize: "p",
  C_Finalize: "p",
  C_GetInfo: "p",
  C_GetSlotList: "bpp",
  C_GetSlotInfo: "np",
  C_GetTokenInfo: "np",
  C_GetMechanismList: "npp",
  C_GetMechanismInfo: "nnp",
  C_OpenSession: "nnppp",
  C_CloseSession: "n",
  C_CloseAllSessions: "n",
  C_GetSessionInfo: "np",
  C_Login: "nnpn",
  C_Logout: "n",
  C_CreateObject: "npnp",
  C_DestroyObject: "nn",
  C_GetAttributeValue: "nnpn",
  C_SetAttributeValue: "nnpn",
  C_FindObjectsInit: "npn",
  C_FindObjects: "npnp",
  C_FindObjectsFinal: "n",
  C_SignInit: "npn",
  C_Sign: "npnpp",
  C_SignUpdate: "npn",
  C_SignFinal: "npp",
  C_VerifyInit: "npn",
  C_Verify: "npnpn",
  C_EncryptInit: "npn",
  C_Encrypt: "npnpp",
  C_GenerateKeyPair: "nppnpnpp",
  C_DeriveKey: "npnpnp",
  C_GenerateRandom: "npn",
  C_SessionCancel: "nn",
  C_EncapsulateKey: "npnpnppp",
  C_DecapsulateKey: "npnpnpnp",
};

type NativeCall = ((...args: readonly Arg[]) => number) & {
  async(...args: readonly (Arg | AsyncDone)[]): void;
};
type AsyncDone = (error: unknown, rv: number) => void;

const C_TYPES: Readonly<Record<string, string>> = { n: "ulong", p: "void *", b: "uint8_t" };
const CKR_OK: typeof CKR.CKR_OK = 0;
const INDEX: ReadonlyMap<string, number> = new Map(FUNCTIONS.map((name, index) => [name, index]));
/** C code of a module, and the OpenSSL below it, needs more than koffi's default of 128 KiB on its threads. */
const ASYNC_STACK_BYTES = 2 * 1024 * 1024;
const MAX_ASYNC_CALLS = 256;

/** A module loaded through koffi. */
class NativeFfi implements Ffi {
  readonly path: string;
  readonly platform: Platform;
  readonly version: Version;
  readonly #list: bigint;
  readonly #count: number;
  /** Held so that the library is not unloaded while calls are possible. */
  readonly #library: Library;
  #symbols: Readonly<Partial<Record<FunctionName, string>>> = {};
  readonly #calls = new Map<FunctionName, NativeCall>();

  constructor(path: string, library: Library, found: FunctionList) {
    this.path = path;
    this.platform = hostPlatform();
    this.version = found.version;
    this.#list = found.list;
    this.#count = functionCount(found);
    this.#library = library;
  }

  has(name: FunctionName): boolean {
    return this.#pointer(name) !== 0n || this.#exported(name) !== undefined;
  }

  substitute(symbols: Readonly<Partial<Record<FunctionName, string>>>): void {
    this.#symbols = symbols;
  }

  address(bytes: Uint8Array): bigint {
    return koffi.address(bytes);
  }

  call(name: FunctionName, ...args: readonly Arg[]): number {
    return (this.#calls.get(name) ?? this.#bind(name))(...args);
  }

  callAsync(name: FunctionName, ...args: readonly Arg[]): Promise<number> {
    const native = this.#calls.get(name) ?? this.#bind(name);
    return new Promise((resolve, reject) => {
      native.async(...args, (error, rv) => {
        // naming `args` here keeps their memory alive until the call is over
        if (error) reject(error instanceof Error && args ? error : new Error(String(error)));
        else resolve(rv);
      });
    });
  }

  #pointer(name: FunctionName): bigint {
    const index = INDEX.get(name)!;
    if (index >= this.#count) return 0n;
    return BigInt(koffi.decode.uint64(this.#list + BigInt(functionOffset(this.platform, index))));
  }

  #bind(name: FunctionName): NativeCall {
    const signature = SIGNATURES[name];
    if (signature === undefined) throw new RangeError(`No signature is written down for ${name}`);
    const pointer = this.#pointer(name);
    const native = pointer === 0n
      ? this.#exported(name)
      : koffi.decode(pointer, koffi.proto("ulong", cTypes(signature))) as NativeCall;
    if (native === undefined) {
      throw new TokenError(`Cannot call ${name}: the module "${this.path}" does not have it`, {
        code: "function.absent",
        functionName: name,
        hint: `The module offers PKCS#11 ${this.version.major}.${this.version.minor}`,
      });
    }
    this.#calls.set(name, native);
    return native;
  }

  #exported(name: FunctionName): NativeCall | undefined {
    const known = this.#symbols[name];
    return known === undefined ? undefined : symbol(this.#library, known, SIGNATURES[name]!);
  }
}

function cTypes(signature: string): string[] {
  return [...signature].map((letter) => C_TYPES[letter]!);
}

/** Layout of this computer's modules. */
export function hostPlatform(): Platform {
  return Deno.build.os === "windows" ? WINDOWS : LP64;
}

/**
 * Loads a PKCS#11 module and finds its newest function list.
 * @throws {TokenError} `module.not_found`, `module.load_failed` (a dependency is missing, or the file is for another
 * platform), `module.not_pkcs11` (it has no PKCS#11 entry point).
 */
export function loadFfi(path: string): Ffi {
  const library = loadLibrary(path);
  const entry = entryPoints(library);
  if (entry.getFunctionList === undefined && entry.getInterface === undefined) throw notPkcs11(path);
  const found = newestInterface(entry) ?? plainList(entry);
  if (found === undefined) throw notPkcs11(path);
  return new NativeFfi(path, library, found);
}

type Library = ReturnType<typeof koffi.load>;

function loadLibrary(path: string): Library {
  const named = path.includes("/") || path.includes("\\");
  if (named && !exists(path)) throw notFound(path);
  const config = koffi.config();
  if (config.async_stack_size !== ASYNC_STACK_BYTES) {
    try {
      koffi.config({ ...config, async_stack_size: ASYNC_STACK_BYTES, max_async_calls: MAX_ASYNC_CALLS });
    } catch {
      // another module was called before, when the sizes were already set
    }
  }
  try {
    return koffi.load(path);
  } catch (cause) {
    const reason = linkerMessage(path) ?? (cause instanceof Error ? cause.message : String(cause));
    if (!named && (reason.startsWith(`${path}:`) || !reason.includes(":"))) throw notFound(path);
    throw new TokenError(`Cannot load PKCS#11 module "${path}": ${reason}`, {
      code: "module.load_failed",
      object: path,
      cause,
      hint: /invalid ELF|wrong ELF|file too short|mach-o|not a valid Win32/i.test(reason)
        ? "The file is not a shared library of this platform"
        : "A library that the module depends on may be missing; `ldd` (Linux) or `otool -L` (macOS) shows which",
    });
  }
}

function exists(path: string): boolean {
  try {
    return !Deno.statSync(path).isDirectory;
  } catch (error) {
    // a file that cannot be seen for another reason is left to the linker to complain about
    return !(error instanceof Deno.errors.NotFound) && !(error instanceof Deno.errors.NotADirectory);
  }
}

function notFound(path: string): TokenError {
  return new TokenError(`Cannot load PKCS#11 module "${path}": no such library`, {
    code: "module.not_found",
    object: path,
    hint: "Check `lib` in the HSM configuration, or `--lib`; `qpki hsm list` shows the modules found on this computer",
  });
}

function notPkcs11(path: string): TokenError {
  return new TokenError(`Cannot load PKCS#11 module "${path}": the library is not a PKCS#11 module`, {
    code: "module.not_pkcs11",
    object: path,
    hint: "It has neither C_GetFunctionList nor C_GetInterface; look for the vendor's PKCS#11 (Cryptoki) library",
  });
}

/** The linker's own words, which name the library that is missing; undefined where they cannot be had. */
function linkerMessage(path: string): string | undefined {
  if (Deno.build.os === "windows") return undefined;
  const RTLD_NOW = 2;
  try {
    const self = koffi.load(null);
    // both are bound first: looking up a symbol resets the message
    const open = self.func("dlopen", "void *", ["str", "int"]);
    const lastError = self.func("dlerror", "str", []);
    if (open(path, RTLD_NOW) !== null) return undefined;
    return lastError() ?? undefined;
  } catch {
    return undefined;
  }
}

interface EntryPoints {
  getFunctionList?: NativeCall;
  getInterface?: NativeCall;
}

function entryPoints(library: Library): EntryPoints {
  const getFunctionList = symbol(library, "C_GetFunctionList", "p");
  const getInterface = symbol(library, "C_GetInterface", "pppn");
  return {
    ...(getFunctionList ? { getFunctionList } : {}),
    ...(getInterface && sameObject(library) ? { getInterface } : {}),
  };
}

function symbol(library: Library, name: string, signature: string): NativeCall | undefined {
  try {
    return library.func(name, "ulong", cTypes(signature)) as unknown as NativeCall;
  } catch {
    return undefined;
  }
}

/**
 * Whether both entry points lie in one library. A symbol that a 2.40 module lacks may be found in a library it depends
 * on (for example p11-kit below libcurl), and calls would land in another module.
 */
function sameObject(library: Library): boolean {
  if (Deno.build.os === "windows") return true;
  try {
    const dladdr = koffi.load(null).func("dladdr", "int", ["void *", "void *"]);
    const bases = ["C_GetFunctionList", "C_GetInterface"].map((name) => {
      const info = allocate(32); // Dl_info: dli_fname, dli_fbase, dli_sname, dli_saddr
      return dladdr(library.symbol(name), info) === 0 ? undefined : new DataView(info.buffer).getBigUint64(8, true);
    });
    return bases[0] !== undefined && bases[0] === bases[1];
  } catch {
    return true;
  }
}

interface FunctionList {
  readonly list: bigint;
  readonly version: Version;
  /** From C_GetFunctionList, which returns the 2.x list whatever version it states. */
  readonly plain: boolean;
}

const WANTED: readonly Version[] = [{ major: 3, minor: 2 }, { major: 3, minor: 0 }];

/** The newest list that C_GetInterface offers; undefined on any inconsistency, because C_GetFunctionList then serves. */
function newestInterface(entry: EntryPoints): FunctionList | undefined {
  if (entry.getInterface === undefined) return undefined;
  const platform = hostPlatform();
  const name = cString("PKCS 11");
  for (const wanted of WANTED) {
    const out = allocate(8);
    if (entry.getInterface(name, Uint8Array.of(wanted.major, wanted.minor), out, 0) !== CKR_OK) continue;
    const pointer = readPointer(out);
    if (pointer === 0n) continue;
    const bytes = nativeBytes(pointer, CK_INTERFACE.size(platform));
    const interfaceName = BigInt(CK_INTERFACE.get(platform, bytes, "pInterfaceName"));
    const list = BigInt(CK_INTERFACE.get(platform, bytes, "pFunctionList"));
    if (interfaceName === 0n || list === 0n || koffi.decode.string(interfaceName, 7) !== "PKCS 11") continue;
    const version = versionAt(list);
    if (version.major !== wanted.major || version.minor !== wanted.minor) continue;
    return { list, version, plain: false };
  }
  return undefined;
}

function plainList(entry: EntryPoints): FunctionList | undefined {
  const out = allocate(8);
  if (entry.getFunctionList === undefined || entry.getFunctionList(out) !== CKR_OK) return undefined;
  const list = readPointer(out);
  if (list === 0n) return undefined;
  const version = versionAt(list);
  return version.major === 2 || version.major === 3 ? { list, version, plain: true } : undefined;
}

/** Functions in a list: 68 in 2.x, 92 in 3.0 and 3.1, 104 in 3.2; what is beyond counts as absent. */
function functionCount(found: FunctionList): number {
  if (found.plain || found.version.major < 3) return 68;
  return found.version.minor < 2 ? 92 : 104;
}

function versionAt(list: bigint): Version {
  return { major: koffi.decode.uint8(list), minor: koffi.decode.uint8(list + 1n) };
}

function nativeBytes(address: bigint, length: number): Uint8Array {
  return koffi.decode(address, "uint8_t", length) as Uint8Array;
}

function readPointer(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}

/** NUL-terminated UTF-8 in memory of its own. */
export function cString(text: string): Uint8Array {
  const encoded = new TextEncoder().encode(text);
  const bytes = allocate(encoded.length + 1);
  bytes.set(encoded);
  return bytes;
}
