import type { KeyRow, SchemeRow } from "../alg/find.ts";
import type { Family } from "../alg/registry.ts";
import { TokenError } from "../errors.ts";
import { mechanismName, schemeMechanism } from "./codec.ts";
import type { TokenContext } from "./context.ts";
import { hasFlag } from "./names.ts";
import type { MechanismInfo, Slot } from "./slot.ts";
import { generationMechanism, keyType } from "./templates.ts";

/** One mechanism of a token, for listings. */
export interface ListedMechanism extends Partial<MechanismInfo> {
  readonly type: number;
  /** The standard's name, or the number as hex. */
  readonly name: string;
}

/** Every mechanism that the token lists, with what it says about each. @throws {TokenError} */
export function listMechanisms(slot: Slot): ListedMechanism[] {
  return slot.mechanisms().map((type) => ({ type, name: mechanismName(type), ...slot.mechanismInfo(type) }));
}

/** Numbers of the mechanisms for making keys of a row. */
export interface RowMechanisms {
  readonly keyType: number;
  readonly generate: number;
}

/** Size of a row's keys in the unit that CK_MECHANISM_INFO has for its family; absent where units differ by token. */
const KEY_SIZES: Readonly<Partial<Record<Family, (row: KeyRow) => number>>> = {
  ecdsa: (row) => row.scalarBytes * 8,
  rsa: (row) => row.modulusBits,
};

/** Bits of the last byte that a field element may leave unused (P-521 has 521 bits in 66 bytes). */
const SLACK_BITS = 7;

/**
 * The mechanisms for making a key of `row` that signs with `scheme`.
 * @throws {TokenError} `mechanism.absent`, naming the mechanism and the token.
 */
export function requireMechanisms(ctx: TokenContext, row: KeyRow, scheme: SchemeRow): RowMechanisms {
  const type = keyType(ctx.driver, row);
  const generate = generationMechanism(ctx.driver, row);
  const templates = ctx.driver.templates[row.family];
  if (type === undefined || generate === undefined || templates === undefined || row.kind !== "signature") {
    throw absent(ctx, `generate a ${row.label} key`, "PKCS#11 has no mechanism for it");
  }
  requireMechanism(ctx, { type: generate, row, use: "CKF_GENERATE_KEY_PAIR", action: `generate a ${row.label} key` });
  requireScheme(ctx, row, scheme);
  return { keyType: type, generate };
}

/** Throws unless the token does the mechanism of `scheme`. @throws {TokenError} `mechanism.absent`. */
export function requireScheme(ctx: TokenContext, row: KeyRow, scheme: SchemeRow): void {
  const action = `sign with ${scheme.label}`;
  const type = schemeMechanism(ctx.driver, scheme);
  if (type === undefined || ctx.driver.mechanisms[mechanismName(type)] === undefined) {
    throw absent(ctx, action, "PKCS#11 has no mechanism for it");
  }
  requireMechanism(ctx, { type, row, use: "CKF_SIGN", action });
}

interface Requirement {
  readonly type: number;
  readonly row: KeyRow;
  readonly use: "CKF_GENERATE_KEY_PAIR" | "CKF_SIGN";
  readonly action: string;
}

function requireMechanism(ctx: TokenContext, { type, row, use, action }: Requirement): void {
  const name = mechanismName(type);
  if (ctx.driver.unlisted.includes(name)) return;
  if (!ctx.mechanisms().has(type)) throw absent(ctx, action, `the token lacks ${name}`);
  const info = ctx.slot.mechanismInfo(type);
  if (info === undefined) return;
  // a token that states no flags at all says nothing
  if (info.flags > 1 && !hasFlag(info.flags, use)) throw absent(ctx, action, `the token has ${name}, but not ${use}`);
  const size = KEY_SIZES[row.family]?.(row);
  if (size === undefined || info.maxKeySize <= 0) return;
  if (size < info.minKeySize || size - SLACK_BITS > info.maxKeySize) {
    throw absent(ctx, action, `the token does ${name} with ${info.minKeySize} to ${info.maxKeySize} bits only`);
  }
}

function absent(ctx: TokenContext, action: string, reason: string): TokenError {
  return new TokenError(`Cannot ${action} in token "${ctx.label}": ${reason}`, {
    code: "mechanism.absent",
    hint: "`qpki hsm mechanisms` lists what the token does; choose another algorithm or signature scheme",
  });
}
