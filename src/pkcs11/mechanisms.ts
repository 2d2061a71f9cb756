import { defaultScheme, type KeyRow, keyRows, type SchemeRow } from "../alg/find.ts";
import type { Family } from "../alg/registry.ts";
import { TokenError, withArticle } from "../errors.ts";
import { chooseMechanism, type SignUse } from "./codec.ts";
import type { TokenContext } from "./context.ts";
import { dialectsOf, type RowDialect } from "./dialect.ts";
import type { CompleteDriver } from "./driver.ts";
import { constantNumber, hasFlag, mechanismKey, mechanismName } from "./names.ts";
import type { MechanismInfo, Slot } from "./slot.ts";

/** One mechanism of a token, for listings. */
export interface ListedMechanism extends Partial<MechanismInfo> {
  readonly type: number;
  /** The standard's name or the driver's, or the number as hex. */
  readonly name: string;
  /** False for one that the token does not list and the driver knows to work. */
  readonly listed: boolean;
}

/**
 * Every mechanism that the token lists, with what it says about each, then those that only the driver knows of.
 * @throws {TokenError}
 */
export function listMechanisms(
  slot: Slot,
  { names = {}, unlisted = [] }: Partial<Pick<CompleteDriver, "names" | "unlisted">> = {},
): ListedMechanism[] {
  const listed = slot.mechanisms().map((type) => ({
    type,
    name: mechanismName(type, names),
    listed: true,
    ...slot.mechanismInfo(type),
  }));
  const known = new Set(listed.map(({ type }) => type));
  const others = unlisted.map(constantNumber).filter((type) => !known.has(type));
  return [...listed, ...others.map((type) => ({ type, name: mechanismName(type, names), listed: false }))];
}

/** Numbers that a token may state for keys of a row, in the unit that CK_MECHANISM_INFO has for its family. */
interface KeySizes {
  readonly unit: string;
  size(row: KeyRow): number;
  /** How far beyond the token's range the number may be. */
  readonly slack: number;
  /** Whether some tokens count in another unit. */
  readonly doubtful: boolean;
}

const PUBLIC_KEY_BYTES: KeySizes = {
  unit: "bytes of public key",
  size: (row) => row.publicKeyBytes,
  slack: 0,
  doubtful: true,
};

/** Families whose unit is known; what is not in the range is not done. */
const KEY_SIZES: Readonly<Partial<Record<Family, KeySizes>>> = {
  // P-521 has 521 bits in 66 bytes
  ecdsa: { unit: "bits", size: (row) => row.scalarBytes * 8, slack: 7, doubtful: false },
  // some say 255 and 448, some 256 and 456
  eddsa: { unit: "bits", size: (row) => row.scalarBytes * 8, slack: 8, doubtful: true },
  rsa: { unit: "bits", size: (row) => row.modulusBits, slack: 0, doubtful: false },
  "ml-dsa": PUBLIC_KEY_BYTES,
  "slh-dsa": PUBLIC_KEY_BYTES,
  "ml-kem": PUBLIC_KEY_BYTES,
};

/**
 * The way in which the token makes a key of `row` that signs with `scheme` (its default, for a KEM none): the first whose
 * mechanisms it lists.
 * @throws {TokenError} `mechanism.absent`, naming the mechanism and the token.
 */
export function requireMechanisms(ctx: TokenContext, row: KeyRow, scheme?: SchemeRow): RowDialect {
  const action = `generate ${withArticle(row.label)} key`;
  if (ctx.driver.refuses.includes(row.name)) {
    throw absent(ctx, { row, action, reason: `tokens of its kind ("${ctx.driver.name}") do not take such keys` });
  }
  let reason: unknown;
  for (const dialect of dialectsOf(ctx.driver, row)) {
    try {
      if (!dialect.templates) continue;
      requireMechanism(ctx, { type: dialect.generate, row, use: "CKF_GENERATE_KEY_PAIR", action });
      if (row.kind === "kem") requireDecapsulation(ctx, row, dialect);
      else requireScheme(ctx, { row, dialect, scheme: scheme ?? defaultScheme(row) });
      return dialect;
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      reason ??= error;
    }
  }
  throw reason ?? absent(ctx, { row, action, reason: "PKCS#11 has no mechanism for it" });
}

/**
 * Throws unless the token does the mechanism of a scheme.
 * @throws {TokenError} `mechanism.absent`; also where it cannot be given a context and there is one.
 */
export function requireScheme(ctx: TokenContext, use: SignUse): void {
  const { row, scheme } = use;
  const chosen = chooseMechanism(ctx.driver, use);
  const action = `sign with ${scheme.label}`;
  if (chosen?.how === undefined) throw absent(ctx, { row, action, reason: "PKCS#11 has no mechanism for it" });
  if (use.context?.length && !chosen.how.context) {
    const name = mechanismName(chosen.type, ctx.driver.names);
    throw absent(ctx, { row, action: `${action} and a context`, reason: `its mechanism ${name} takes none` });
  }
  requireMechanism(ctx, { type: chosen.type, row, use: "CKF_SIGN", action });
}

/** Throws unless the token decapsulates with keys of a row. @throws {TokenError} `mechanism.absent`. */
export function requireDecapsulation(ctx: TokenContext, row: KeyRow, { kem }: RowDialect): void {
  const action = `decapsulate with ${row.label}`;
  if (!kem) throw absent(ctx, { row, action, reason: "PKCS#11 has no mechanism for it" });
  const derives = kem.call === "derive";
  requireMechanism(ctx, { type: kem.mechanism, row, use: derives ? "CKF_DERIVE" : "CKF_DECAPSULATE", action });
  const name = derives ? "C_DeriveKey" : "C_DecapsulateKey";
  if (!ctx.slot.module.ffi.has(name)) throw absent(ctx, { row, action, reason: `the module has no ${name}` });
}

interface Requirement {
  readonly type: number;
  readonly row: KeyRow;
  readonly use: "CKF_GENERATE_KEY_PAIR" | "CKF_SIGN" | "CKF_DECAPSULATE" | "CKF_DERIVE";
  readonly action: string;
}

function requireMechanism(ctx: TokenContext, { type, row, use, action }: Requirement): void {
  const name = mechanismName(type, ctx.driver.names);
  if (ctx.driver.unlisted.includes(mechanismKey(type))) return;
  if (!ctx.mechanisms().has(type)) throw absent(ctx, { row, action, reason: `the token lacks ${name}` });
  const info = ctx.slot.mechanismInfo(type);
  if (info === undefined) return;
  // a token that states no flags at all says nothing
  if (info.flags > 1 && !hasUse(ctx, info, use)) {
    throw absent(ctx, { row, action, reason: `the token has ${name}, but not ${use}` });
  }
  const range = outOfRange(row, info);
  if (range) throw absent(ctx, { row, action, reason: `the token does ${name} with ${range} only` });
}

function hasUse(ctx: TokenContext, { flags }: MechanismInfo, use: Requirement["use"]): boolean {
  if (hasFlag(flags, use)) return true;
  return use === "CKF_GENERATE_KEY_PAIR" && ctx.driver.quirks.includes("generate-flag") &&
    hasFlag(flags, "CKF_GENERATE");
}

/** The range of a mechanism in words, when keys of the row are outside of it. */
function outOfRange(row: KeyRow, { minKeySize: min, maxKeySize: max }: MechanismInfo): string | undefined {
  const sizes = KEY_SIZES[row.family];
  if (!sizes || max <= 0) return undefined;
  const smallest = Math.min(...keyRows().filter(({ family }) => family === row.family).map((one) => sizes.size(one)));
  // a token whose largest key is smaller than the smallest there is counts in another unit
  if (sizes.doubtful && max + sizes.slack < smallest) return undefined;
  const size = sizes.size(row);
  if (size >= min && size - sizes.slack <= max) return undefined;
  return `${min} to ${max} ${sizes.unit}`;
}

interface Absence {
  readonly row: KeyRow;
  readonly action: string;
  readonly reason: string;
}

function absent(ctx: TokenContext, { row, action, reason }: Absence): TokenError {
  return new TokenError(`Cannot ${action} in token "${ctx.label}": ${reason}`, {
    code: "mechanism.absent",
    hint: ctx.driver.absent[row.family] ??
      "`qpki hsm mechanisms` lists what the token does; choose another algorithm or signature scheme",
  });
}
