import { CONSTANTS, FLAG_NAMES } from "./constants.ts";

/** Kinds of constants: the prefix of their names. */
export type ConstantKind = keyof typeof CONSTANTS;

/** Structures whose flags have names. */
export type FlagGroup = keyof typeof FLAG_NAMES;

/** Spellings that the header keeps for old sources; the number is shown by its current name. */
const OLD_SPELLINGS: ReadonlySet<string> = new Set([
  "CKA_SUB_PRIME_BITS",
  "CKA_ECDSA_PARAMS",
  "CKK_ECDSA",
  "CKK_CAST5",
  "CKM_ECDSA_KEY_PAIR_GEN",
  "CKM_CAST5_KEY_GEN",
  "CKM_CAST5_ECB",
  "CKM_CAST5_CBC",
  "CKM_CAST5_MAC",
  "CKM_CAST5_MAC_GENERAL",
  "CKM_CAST5_CBC_PAD",
  "CKM_PBE_MD5_CAST5_CBC",
  "CKM_PBE_SHA1_CAST5_CBC",
]);

/**
 * The standard's name of a number, for example `CKM_AES_GCM` for `("CKM", 0x1087)`; undefined for one that PKCS#11 3.2
 * does not define. Not for CKF: see {@link flagNames}.
 */
export function constantName(kind: Exclude<ConstantKind, "CKF">, value: number): string | undefined {
  // searched when asked for: indexes over all constants would cost every command that has to do with a token
  const table: Readonly<Record<string, number>> = CONSTANTS[kind];
  return Object.keys(table).find((name) => table[name] === value && !OLD_SPELLINGS.has(name));
}

/** Name and number for people: `CKR_PIN_INCORRECT (0xa0)`, or `CKR 0x80000001` where the standard has no name. */
export function describeConstant(kind: Exclude<ConstantKind, "CKF">, value: number): string {
  const name = constantName(kind, value);
  return name === undefined ? `${kind} ${hexNumber(value)}` : `${name} (${hexNumber(value)})`;
}

/** The number of a constant by its full name, or undefined. */
export function constantValue(name: string): number | undefined {
  const kind = name.slice(0, name.indexOf("_"));
  if (!Object.hasOwn(CONSTANTS, kind)) return undefined;
  const table: Readonly<Record<string, number>> = CONSTANTS[kind as ConstantKind];
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** The number of a constant that must exist. @throws {RangeError} for a name PKCS#11 3.2 lacks: a mistake in our tables. */
export function mustConstant(name: string): number {
  const value = constantValue(name);
  if (value === undefined) throw new RangeError(`PKCS#11 3.2 defines no constant "${name}"`);
  return value;
}

/** Names of the flags set in `flags` of one structure, lowest bit first; bits without a name are given in hex. */
export function flagNames(group: FlagGroup, flags: number): string[] {
  const found: string[] = [];
  const table = new Map<number, string>();
  for (const name of FLAG_NAMES[group]) {
    const value = mustConstant(name);
    if (!table.has(value)) table.set(value, name);
  }
  for (let bit = 1; bit <= 0x80000000; bit *= 2) {
    if (Math.floor(flags / bit) % 2 === 1) found.push(table.get(bit) ?? hexNumber(bit));
  }
  return found;
}

/** Whether all bits of the flag called `name` are set. */
export function hasFlag(flags: number, name: typeof FLAG_NAMES[FlagGroup][number]): boolean {
  return Math.floor(flags / mustConstant(name)) % 2 === 1;
}

/** `0x` and lower-case hex digits. */
export function hexNumber(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

/** Number of a constant given by its name, as `0x…`, or as a number. @throws {RangeError} as {@link mustConstant}. */
export function constantNumber(ref: string | number): number {
  if (typeof ref === "number") return ref;
  return ref.startsWith("0x") ? Number(ref) : mustConstant(ref);
}

/** What tables call a mechanism: the standard's name, `0x…` where there is none. */
export function mechanismKey(type: number): string {
  return constantName("CKM", type) ?? hexNumber(type);
}

/** Name of a mechanism for people, with those of a driver for a vendor's own. */
export function mechanismName(type: number, vendorNames: Readonly<Record<string, string>> = {}): string {
  const key = mechanismKey(type);
  return vendorNames[key] ?? key;
}
