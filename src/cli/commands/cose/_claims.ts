import { decodeHex, randomBytes } from "../../../bytes.ts";
import type { CborValue } from "../../../cose/cbor.ts";
import { CLAIM, claimName, parseClaim } from "../../../cose/cwt.ts";
import { UsageError } from "../../../errors.ts";
import { parseDuration } from "../../../profile/duration.ts";
import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Context, Flag, Input } from "../../command.ts";
import { parseInstant } from "../../crl_input.ts";
import { readPublicKey } from "../../public_key_input.ts";

/** Flags that state claims; {@link givenClaims} reads them. */
export const CLAIM_FLAGS: readonly Flag[] = [
  { name: "iss", value: "TEXT", description: "claim: who issues the token" },
  { name: "sub", value: "TEXT", description: "claim: whom it is about" },
  { name: "aud", value: "TEXT", repeat: true, description: "claim: whom it is for" },
  { name: "exp", value: "TIME", description: "claim: end of its validity, from now (24h, 30d) or as a time" },
  { name: "nbf", value: "TIME", description: "claim: begin of its validity, from now (10m) or as a time" },
  { name: "cti", value: "HEX|random", description: "claim: identifier of the token; random makes 16 bytes" },
  {
    name: "cnf",
    value: "FILE",
    description: "claim: public key whose holder may use the token (PEM, DER or COSE_Key)",
    complete: "file",
  },
  {
    name: "claim",
    value: "NAME=VALUE",
    repeat: true,
    description: "any claim: a=text, b:int=5, c:bool=true, d:bytes=0a",
  },
  { name: "no-iat", description: "leave out the time of issue" },
];

/** Claims by label, as given. */
export type GivenClaims = Map<CborValue, CborValue>;

/**
 * The claims that the flags state, without the time of issue.
 * @throws {UsageError} for a claim that is no claim, or is there twice; {InputError} for a file that holds no public key.
 */
export async function givenClaims(input: Input, ctx: Context): Promise<GivenClaims> {
  const now = ctx.now();
  const claims: GivenClaims = new Map();
  function set(label: CborValue, value: CborValue): void {
    if (claims.has(label)) {
      throw new UsageError(`Cannot use the claim ${claimName(label)} twice`, { code: "usage.claim" });
    }
    claims.set(label, value);
  }
  for (const [name, label] of [["iss", CLAIM.ISS], ["sub", CLAIM.SUB]] as const) {
    const text = input.text(name);
    if (text !== undefined) set(label, text);
  }
  const audience = input.list("aud");
  if (audience.length > 0) set(CLAIM.AUD, audience.length === 1 ? audience[0]! : audience);
  for (const [name, label] of [["exp", CLAIM.EXP], ["nbf", CLAIM.NBF]] as const) {
    const text = input.text(name);
    if (text !== undefined) set(label, seconds(text, { flag: name, now }));
  }
  const cti = input.text("cti");
  if (cti !== undefined) set(CLAIM.CTI, tokenId(cti));
  const cnf = input.text("cnf");
  if (cnf !== undefined) set(CLAIM.CNF, await confirmation(cnf, ctx));
  for (const text of input.list("claim")) set(...parseClaim(text));
  return claims;
}

/** A time in whole seconds since 1970, as a duration from now or as a moment. @throws {UsageError} `usage.time`. */
export function seconds(text: string, { flag, now }: { flag: string; now: Date }): number {
  const base = Math.floor(now.getTime() / 1000);
  if (/^\d{4}-/.test(text)) return Math.floor(parseInstant(text, flag).getTime() / 1000);
  try {
    return base + parseDuration(text);
  } catch (cause) {
    throw new UsageError(`Cannot use --${flag} "${text.slice(0, 60)}": it is neither a duration nor a time`, {
      code: "usage.time",
      hint: "For example 24h, 1h30m, 30d, or 2030-01-01T12:00:00Z",
      cause,
    });
  }
}

/** The confirmation claim (RFC 8747 section 3.2): the public half alone, whatever the file has. */
async function confirmation(file: string, ctx: Context): Promise<CborValue> {
  const COSE_KEY = 1;
  const { coseKeyMap } = await import("../../../cose/cose_key.ts");
  return new Map([[COSE_KEY, coseKeyMap(await readPublicKey(await readFileBytes(joinPath(ctx.cwd, file))))]]);
}

function tokenId(text: string): Uint8Array<ArrayBuffer> {
  if (text === "random") return randomBytes(16);
  try {
    return decodeHex(text);
  } catch {
    throw new UsageError(`Cannot use --cti "${text.slice(0, 60)}": it is neither hex nor "random"`, {
      code: "usage.cti",
    });
  }
}

/** `claims` with the time of issue, unless it is there or not wanted. */
export function withIssueTime(claims: GivenClaims, { now, wanted }: { now: Date; wanted: boolean }): GivenClaims {
  if (wanted && !claims.has(CLAIM.IAT)) claims.set(CLAIM.IAT, Math.floor(now.getTime() / 1000));
  return claims;
}
