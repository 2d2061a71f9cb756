import { TokenError } from "../errors.ts";
import { CKR } from "./constants.ts";
import { tokenError } from "./errors.ts";
import type { FunctionName } from "./ffi.ts";
import {
  allocate,
  CK_MECHANISM_INFO,
  CK_SLOT_INFO,
  CK_TOKEN_INFO,
  readUlong,
  type Ulong,
  ulongBytes,
  UNAVAILABLE,
  writeUlong,
} from "./layout.ts";
import type { Module } from "./module.ts";
import { flagNames } from "./names.ts";

/** CK_SLOT_INFO, decoded. */
export interface SlotInfo {
  readonly description: string;
  readonly manufacturer: string;
  readonly flags: number;
  /** Names of the flags that are set. */
  readonly flagNames: readonly string[];
  readonly hardwareVersion: string;
  readonly firmwareVersion: string;
}

/** CK_TOKEN_INFO, decoded. Counts are undefined where the token does not tell, Infinity where there is no limit. */
export interface TokenInfo {
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly flags: number;
  /** Names of the flags that are set. */
  readonly flagNames: readonly string[];
  readonly maxSessions?: number | undefined;
  readonly sessions?: number | undefined;
  readonly maxWriteSessions?: number | undefined;
  readonly writeSessions?: number | undefined;
  readonly minPinLength: number;
  readonly maxPinLength: number;
  readonly hardwareVersion: string;
  readonly firmwareVersion: string;
}

/** CK_MECHANISM_INFO, decoded. The unit of the key sizes depends on the mechanism: bits for most. */
export interface MechanismInfo {
  readonly minKeySize: number;
  readonly maxKeySize: number;
  readonly flags: number;
  /** Names of the flags that are set. */
  readonly flagNames: readonly string[];
}

/** A slot of a module. Nothing is kept open, so there is nothing to close. */
export class Slot {
  readonly module: Module;
  #id: number;

  constructor(module: Module, id: number) {
    this.module = module;
    this.#id = id;
  }

  /** CK_SLOT_ID. */
  get id(): number {
    return this.#id;
  }

  /**
   * After the module was started anew: looks for the slot that this token is in now. Returns whether it is there.
   * @throws {TokenError}
   */
  follow(token: Pick<TokenInfo, "label" | "serial">): boolean {
    for (const slot of this.module.slots()) {
      const info = slot.token();
      if (info?.label !== token.label || info.serial !== token.serial) continue;
      this.#id = slot.id;
      return true;
    }
    return false;
  }

  /** C_GetSlotInfo. @throws {TokenError} */
  info(): SlotInfo {
    const { platform } = this.module.ffi;
    const bytes = CK_SLOT_INFO.allocate(platform);
    this.#call(`read slot ${this.id}`, "C_GetSlotInfo", bytes);
    const flags = CK_SLOT_INFO.number(platform, bytes, "flags");
    return {
      description: CK_SLOT_INFO.text(platform, bytes, "slotDescription"),
      manufacturer: CK_SLOT_INFO.text(platform, bytes, "manufacturerID"),
      flags,
      flagNames: flagNames("slot", flags),
      hardwareVersion: versionText(CK_SLOT_INFO.version(platform, bytes, "hardwareVersion")),
      firmwareVersion: versionText(CK_SLOT_INFO.version(platform, bytes, "firmwareVersion")),
    };
  }

  /** C_GetTokenInfo; undefined when no token is in the slot. @throws {TokenError} */
  token(): TokenInfo | undefined {
    try {
      return this.presentToken();
    } catch (error) {
      if (error instanceof TokenError && error.rv !== undefined && ABSENT.has(error.rv)) return undefined;
      throw error;
    }
  }

  /** C_GetTokenInfo of a token that must be there. @throws {TokenError} */
  presentToken(): TokenInfo {
    const { platform } = this.module.ffi;
    const bytes = CK_TOKEN_INFO.allocate(platform);
    this.#call(`read the token in slot ${this.id}`, "C_GetTokenInfo", bytes);
    const number = (field: Parameters<typeof CK_TOKEN_INFO.number>[2]) => CK_TOKEN_INFO.number(platform, bytes, field);
    const flags = number("flags");
    return {
      label: CK_TOKEN_INFO.text(platform, bytes, "label"),
      manufacturer: CK_TOKEN_INFO.text(platform, bytes, "manufacturerID"),
      model: CK_TOKEN_INFO.text(platform, bytes, "model"),
      serial: CK_TOKEN_INFO.text(platform, bytes, "serialNumber"),
      flags,
      flagNames: flagNames("token", flags),
      maxSessions: limit(number("ulMaxSessionCount")),
      sessions: count(number("ulSessionCount")),
      maxWriteSessions: limit(number("ulMaxRwSessionCount")),
      writeSessions: count(number("ulRwSessionCount")),
      minPinLength: number("ulMinPinLen"),
      maxPinLength: number("ulMaxPinLen"),
      hardwareVersion: versionText(CK_TOKEN_INFO.version(platform, bytes, "hardwareVersion")),
      firmwareVersion: versionText(CK_TOKEN_INFO.version(platform, bytes, "firmwareVersion")),
    };
  }

  /** Numbers of the mechanisms that the token lists, ascending. @throws {TokenError} */
  mechanisms(): number[] {
    const ids = readList(this.module, `list the mechanisms of slot ${this.id}`, (list, length) => [
      "C_GetMechanismList",
      this.id,
      list,
      length,
    ]);
    return ids.map(Number).sort((a, b) => a - b);
  }

  /** C_GetMechanismInfo; undefined when the token does not know the mechanism. @throws {TokenError} */
  mechanismInfo(type: number): MechanismInfo | undefined {
    const { ffi } = this.module;
    const bytes = CK_MECHANISM_INFO.allocate(ffi.platform);
    const rv = this.module.read("C_GetMechanismInfo", this.id, type, bytes);
    if (rv === CKR.CKR_MECHANISM_INVALID) return undefined;
    this.module.check(rv, "C_GetMechanismInfo", `read a mechanism of slot ${this.id}`);
    const flags = CK_MECHANISM_INFO.number(ffi.platform, bytes, "flags");
    return {
      minKeySize: CK_MECHANISM_INFO.number(ffi.platform, bytes, "ulMinKeySize"),
      maxKeySize: CK_MECHANISM_INFO.number(ffi.platform, bytes, "ulMaxKeySize"),
      flags,
      flagNames: flagNames("mechanism", flags),
    };
  }

  #call(action: string, name: FunctionName, bytes: Uint8Array): void {
    this.module.check(this.module.read(name, this.id, bytes), name, action);
  }
}

const ABSENT: ReadonlySet<number> = new Set<number>([CKR.CKR_TOKEN_NOT_PRESENT, CKR.CKR_TOKEN_NOT_RECOGNIZED]);

function count(value: number): number | undefined {
  return value === UNAVAILABLE ? undefined : value;
}

/** CK_EFFECTIVELY_INFINITE is 0. */
function limit(value: number): number | undefined {
  return value === 0 ? Infinity : count(value);
}

/** A CK_VERSION for people. */
export function versionText(version: { readonly major: number; readonly minor: number }): string {
  return `${version.major}.${version.minor}`;
}

type ListCall = (list: Uint8Array | null, length: Uint8Array) => [FunctionName, ...(number | Uint8Array | null)[]];

const LIST_TRIES = 5;

/** Reads a list of CK_ULONGs whose length is asked for first; the list may grow between the two calls. */
export function readList(module: Module, action: string, call: ListCall): Ulong[] {
  const { platform } = module.ffi;
  const length = ulongBytes(platform, 0);
  for (let i = 0; i < LIST_TRIES; i++) {
    const [askName, ...ask] = call(null, length);
    module.check(module.read(askName, ...ask), askName, action);
    const room = Number(readUlong(platform, length));
    if (room === 0) return [];
    const list = allocate(room * platform.ulong);
    writeUlong(platform, length, { value: room });
    const [name, ...args] = call(list, length);
    const rv = module.read(name, ...args);
    if (rv === CKR.CKR_BUFFER_TOO_SMALL) continue;
    module.check(rv, name, action);
    const found = Math.min(room, Number(readUlong(platform, length)));
    return Array.from({ length: found }, (_, n) => readUlong(platform, list, n * platform.ulong));
  }
  throw tokenError({ functionName: call(null, length)[0], rv: CKR.CKR_BUFFER_TOO_SMALL, action });
}
