import type { Module, ModuleInfo } from "../pkcs11/module.ts";
import type { Slot, SlotInfo, TokenInfo } from "../pkcs11/slot.ts";

/** JSON form of a module. */
export function moduleData(info: ModuleInfo, driver: string): Record<string, unknown> {
  return {
    path: info.path,
    driver,
    manufacturer: info.manufacturer,
    description: info.description,
    library_version: info.libraryVersion,
    cryptoki_version: info.cryptokiVersion,
    interface_version: info.interfaceVersion,
  };
}

/** Lines about a module for people, as name and value. */
export function moduleLines(info: ModuleInfo, driver: string): [string, string][] {
  return [
    ["Library", info.path],
    ["Made by", info.manufacturer],
    ["Description", `${info.description} ${info.libraryVersion}`.trim()],
    ["PKCS#11", `${info.cryptokiVersion}, function list ${info.interfaceVersion}`],
    ["Driver", driver],
  ];
}

/** A slot with its token, as the module tells them now. */
export interface SlotView {
  readonly slot: Slot;
  readonly info: SlotInfo;
  readonly token: TokenInfo | undefined;
}

/** Every slot of a module, with or without a token. @throws {TokenError} */
export function slotViews(module: Module): SlotView[] {
  return module.slots({ empty: true }).map((slot) => ({ slot, info: slot.info(), token: slot.token() }));
}

/** JSON form of a slot with its token, or `"token": null`. */
export function slotData({ slot, info, token }: SlotView): Record<string, unknown> {
  return {
    id: slot.id,
    description: info.description,
    manufacturer: info.manufacturer,
    hardware_version: info.hardwareVersion,
    firmware_version: info.firmwareVersion,
    flags: info.flagNames,
    token: token ? tokenData(token) : null,
  };
}

function tokenData(token: TokenInfo): Record<string, unknown> {
  return {
    label: token.label,
    serial: token.serial,
    manufacturer: token.manufacturer,
    model: token.model,
    hardware_version: token.hardwareVersion,
    firmware_version: token.firmwareVersion,
    flags: token.flagNames,
    sessions: token.sessions ?? null,
    max_sessions: limitData(token.maxSessions),
    write_sessions: token.writeSessions ?? null,
    max_write_sessions: limitData(token.maxWriteSessions),
    min_pin_length: token.minPinLength,
    max_pin_length: token.maxPinLength,
  };
}

/** A limit in JSON: a number, `"unlimited"`, or null where the token does not tell. */
function limitData(value: number | undefined): number | string | null {
  return value === undefined ? null : value === Infinity ? "unlimited" : value;
}

/** A count of sessions for people: `2 of 16`. */
export function sessionsText(open: number | undefined, most: number | undefined): string {
  const limit = most === undefined ? "unknown limit" : most === Infinity ? "no limit" : `limit ${most}`;
  return `${open ?? "unknown"} open, ${limit}`;
}
