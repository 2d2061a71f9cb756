import type { Bytes } from "../bytes.ts";

/**
 * Byte layouts of the PKCS#11 structures: the only place that knows the width of CK_ULONG and how structures are padded.
 * Everything is little-endian with 8-byte pointers, as on every platform this program runs on.
 */
export interface Platform {
  /** Bytes of a CK_ULONG. */
  readonly ulong: 4 | 8;
  /** Windows modules pack structures to one byte; elsewhere fields are aligned to their size. */
  readonly packed: boolean;
}

/** Linux, macOS and the BSDs: `unsigned long` has 8 bytes. */
export const LP64: Platform = { ulong: 8, packed: false };

/** Windows x64 and arm64: `unsigned long` has 4 bytes, structures are packed. */
export const WINDOWS: Platform = { ulong: 4, packed: true };

/** A CK_ULONG: a number where it is safe as one, else a bigint (64-bit handles of some modules). */
export type Ulong = number | bigint;

/** What CK_UNAVAILABLE_INFORMATION, all bits set, is decoded to. */
export const UNAVAILABLE = -1;

const POINTER_BYTES = 8;

/** Kind of one field; a number is an array of that many bytes. */
export type FieldKind = "ulong" | "pointer" | "byte" | "version" | number;

/** Fields of a structure in order. */
export type StructFields = Readonly<Record<string, FieldKind>>;

interface Placed {
  readonly size: number;
  readonly offsets: ReadonlyMap<string, number>;
}

/** One structure: where its fields lie on a platform, and access to them. */
export class Struct<F extends StructFields> {
  readonly name: string;
  readonly #fields: F;
  readonly #placed = new Map<Platform, Placed>();

  constructor(name: string, fields: F) {
    this.name = name;
    this.#fields = fields;
  }

  /** Names and kinds of the fields, in order. */
  get fields(): F {
    return this.#fields;
  }

  /** Size in bytes, with final padding. */
  size(platform: Platform): number {
    return this.#place(platform).size;
  }

  /** Offset of `field` in bytes. */
  offset(platform: Platform, field: keyof F & string): number {
    return this.#place(platform).offsets.get(field)!;
  }

  /** A structure of zeros in memory that does not move. */
  allocate(platform: Platform): Bytes {
    return allocate(this.size(platform));
  }

  /** Reads a CK_ULONG, pointer or byte field of the structure at `base`. */
  get(platform: Platform, bytes: Uint8Array, field: keyof F & string, base = 0): Ulong {
    const at = base + this.offset(platform, field);
    switch (this.#fields[field]) {
      case "ulong":
        return readUlong(platform, bytes, at);
      case "pointer":
        return view(bytes).getBigUint64(at, true);
      default:
        return bytes[at]!;
    }
  }

  /** As {@link get}, for a field that is a plain count, size or set of flags. */
  number(platform: Platform, bytes: Uint8Array, field: keyof F & string, base = 0): number {
    return Number(this.get(platform, bytes, field, base));
  }

  /** Writes a CK_ULONG, pointer or byte field. */
  set(platform: Platform, bytes: Uint8Array, at: { field: keyof F & string; value: Ulong; base?: number }): void {
    const offset = (at.base ?? 0) + this.offset(platform, at.field);
    switch (this.#fields[at.field]) {
      case "ulong":
        writeUlong(platform, bytes, { offset, value: at.value });
        break;
      case "pointer":
        view(bytes).setBigUint64(offset, BigInt(at.value), true);
        break;
      default:
        bytes[offset] = Number(at.value);
    }
  }

  /** Text of a blank-padded UTF-8 array; NUL padding of careless modules is dropped too. */
  text(platform: Platform, bytes: Uint8Array, field: keyof F & string): string {
    const at = this.offset(platform, field);
    return decodeText(bytes.subarray(at, at + (this.#fields[field] as number)));
  }

  /** A CK_VERSION as people write it, for example `2.40` (a minor number has two digits by convention when above 9). */
  version(platform: Platform, bytes: Uint8Array, field: keyof F & string): Version {
    const at = this.offset(platform, field);
    return { major: bytes[at]!, minor: bytes[at + 1]! };
  }

  #place(platform: Platform): Placed {
    const known = this.#placed.get(platform);
    if (known) return known;
    const offsets = new Map<string, number>();
    let at = 0;
    let widest = 1;
    for (const [field, kind] of Object.entries(this.#fields)) {
      const [size, alignment] = measure(kind, platform);
      if (!platform.packed) {
        at = roundUp(at, alignment);
        widest = Math.max(widest, alignment);
      }
      offsets.set(field, at);
      at += size;
    }
    const placed = { size: platform.packed ? at : roundUp(at, widest), offsets };
    this.#placed.set(platform, placed);
    return placed;
  }
}

/** CK_VERSION. */
export interface Version {
  readonly major: number;
  readonly minor: number;
}

function measure(kind: FieldKind, platform: Platform): [size: number, alignment: number] {
  switch (kind) {
    case "ulong":
      return [platform.ulong, platform.ulong];
    case "pointer":
      return [POINTER_BYTES, POINTER_BYTES];
    case "byte":
      return [1, 1];
    case "version":
      return [2, 1];
    default:
      return [kind, 1];
  }
}

function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Zeroed bytes with a buffer of their own, which the engine never moves while it is referenced. */
export function allocate(length: number): Bytes {
  return new Uint8Array(new ArrayBuffer(length));
}

/** `bytes` copied to memory of their own. */
export function allocateCopy(bytes: Uint8Array): Bytes {
  const copy = allocate(bytes.length);
  copy.set(bytes);
  return copy;
}

/** The CK_ULONG at `offset`. All bits set is {@link UNAVAILABLE} on either width. */
export function readUlong(platform: Platform, bytes: Uint8Array, offset = 0): Ulong {
  if (platform.ulong === 4) {
    const value = view(bytes).getUint32(offset, true);
    return value === 0xffffffff ? UNAVAILABLE : value;
  }
  const value = view(bytes).getBigUint64(offset, true);
  if (value === 0xffffffffffffffffn) return UNAVAILABLE;
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** Writes a CK_ULONG; {@link UNAVAILABLE} sets all bits. */
export function writeUlong(platform: Platform, bytes: Uint8Array, at: { offset?: number; value: Ulong }): void {
  const { offset = 0, value } = at;
  if (platform.ulong === 4) view(bytes).setUint32(offset, Number(value) >>> 0, true);
  else view(bytes).setBigUint64(offset, BigInt.asUintN(64, BigInt(value)), true);
}

/** A CK_ULONG in memory of its own. */
export function ulongBytes(platform: Platform, value: Ulong): Bytes {
  const bytes = allocate(platform.ulong);
  writeUlong(platform, bytes, { value });
  return bytes;
}

/** Blank- or NUL-padded UTF-8 as text. */
export function decodeText(bytes: Uint8Array): string {
  // deno-lint-ignore no-control-regex
  return new TextDecoder().decode(bytes).replace(/[\u0000 ]+$/u, "");
}

/** CK_INFO (PKCS#11 3.2 section 3.1). */
export const CK_INFO = new Struct("CK_INFO", {
  cryptokiVersion: "version",
  manufacturerID: 32,
  flags: "ulong",
  libraryDescription: 32,
  libraryVersion: "version",
});

/** CK_INTERFACE (section 3.1). */
export const CK_INTERFACE = new Struct("CK_INTERFACE", {
  pInterfaceName: "pointer",
  pFunctionList: "pointer",
  flags: "ulong",
});

/** CK_SLOT_INFO (section 3.2). */
export const CK_SLOT_INFO = new Struct("CK_SLOT_INFO", {
  slotDescription: 64,
  manufacturerID: 32,
  flags: "ulong",
  hardwareVersion: "version",
  firmwareVersion: "version",
});

/** CK_TOKEN_INFO (section 3.2). */
export const CK_TOKEN_INFO = new Struct("CK_TOKEN_INFO", {
  label: 32,
  manufacturerID: 32,
  model: 16,
  serialNumber: 16,
  flags: "ulong",
  ulMaxSessionCount: "ulong",
  ulSessionCount: "ulong",
  ulMaxRwSessionCount: "ulong",
  ulRwSessionCount: "ulong",
  ulMaxPinLen: "ulong",
  ulMinPinLen: "ulong",
  ulTotalPublicMemory: "ulong",
  ulFreePublicMemory: "ulong",
  ulTotalPrivateMemory: "ulong",
  ulFreePrivateMemory: "ulong",
  hardwareVersion: "version",
  firmwareVersion: "version",
  utcTime: 16,
});

/** CK_SESSION_INFO (section 3.3). */
export const CK_SESSION_INFO = new Struct("CK_SESSION_INFO", {
  slotID: "ulong",
  state: "ulong",
  flags: "ulong",
  ulDeviceError: "ulong",
});

/** CK_ATTRIBUTE (section 3.4). */
export const CK_ATTRIBUTE = new Struct("CK_ATTRIBUTE", { type: "ulong", pValue: "pointer", ulValueLen: "ulong" });

/** CK_MECHANISM (section 3.5). */
export const CK_MECHANISM = new Struct("CK_MECHANISM", {
  mechanism: "ulong",
  pParameter: "pointer",
  ulParameterLen: "ulong",
});

/** CK_MECHANISM_INFO (section 3.5). */
export const CK_MECHANISM_INFO = new Struct("CK_MECHANISM_INFO", {
  ulMinKeySize: "ulong",
  ulMaxKeySize: "ulong",
  flags: "ulong",
});

/** CK_C_INITIALIZE_ARGS (section 3.7). */
export const CK_C_INITIALIZE_ARGS = new Struct("CK_C_INITIALIZE_ARGS", {
  CreateMutex: "pointer",
  DestroyMutex: "pointer",
  LockMutex: "pointer",
  UnlockMutex: "pointer",
  flags: "ulong",
  pReserved: "pointer",
});

/** CK_RSA_PKCS_PSS_PARAMS (section 6.1.10). */
export const CK_RSA_PKCS_PSS_PARAMS = new Struct("CK_RSA_PKCS_PSS_PARAMS", {
  hashAlg: "ulong",
  mgf: "ulong",
  sLen: "ulong",
});

/** CK_EDDSA_PARAMS (section 6.3.15). */
export const CK_EDDSA_PARAMS = new Struct("CK_EDDSA_PARAMS", {
  phFlag: "byte",
  ulContextDataLen: "ulong",
  pContextData: "pointer",
});

/** CK_SIGN_ADDITIONAL_CONTEXT (section 6.67.5), the optional parameter of ML-DSA and SLH-DSA. */
export const CK_SIGN_ADDITIONAL_CONTEXT = new Struct("CK_SIGN_ADDITIONAL_CONTEXT", {
  hedgeVariant: "ulong",
  pContext: "pointer",
  ulContextLen: "ulong",
});

/** Structures that mechanism parameters use, by their C names; a driver refers to them so. */
export const PARAMETER_STRUCTS = {
  CK_RSA_PKCS_PSS_PARAMS,
  CK_EDDSA_PARAMS,
  CK_SIGN_ADDITIONAL_CONTEXT,
} as const;

/**
 * Offset in bytes of entry `index` in a CK_FUNCTION_LIST, which begins with a CK_VERSION.
 */
export function functionOffset(platform: Platform, index: number): number {
  return (platform.packed ? 2 : POINTER_BYTES) + index * POINTER_BYTES;
}
