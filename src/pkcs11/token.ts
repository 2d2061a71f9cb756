import { InputError, TokenError } from "../errors.ts";
import { isTransient, type Module } from "./module.ts";
import { hasFlag } from "./names.ts";
import type { Slot, TokenInfo } from "./slot.ts";

/** How a token is chosen: by exactly one of these. */
export interface TokenSelector {
  /** Token label, without padding. */
  readonly token?: string | undefined;
  /** Token serial number, without padding. */
  readonly tokenSerial?: string | undefined;
  /** Slot number. */
  readonly slot?: number | undefined;
}

/** A token that was found. */
export interface FoundToken {
  readonly slot: Slot;
  readonly info: TokenInfo;
}

/** Pauses between looks for a token: several processes on one software token see it appear late now and then. */
const PAUSES_MS = [10, 20, 40, 80, 120, 160];

/**
 * The one token that `selector` names.
 * @throws {InputError} `hsm.selector` unless exactly one selector is given.
 * @throws {TokenError} `token.not_found` (lists the tokens there are), `token.ambiguous`.
 */
export async function findToken(module: Module, selector: TokenSelector): Promise<FoundToken> {
  const wanted = describeSelector(selector);
  for (let i = 0;; i++) {
    const last = i === PAUSES_MS.length;
    let tokens: FoundToken[] = [];
    try {
      tokens = presentTokens(module);
    } catch (error) {
      if (last || !isTransient(error)) throw error;
    }
    const matching = tokens.filter((token) => matches(token, selector));
    const [only] = matching;
    if (only && matching.length === 1 && (last || isComplete(only))) {
      if (isBlank(only)) throw notInitialised(only, module);
      return only;
    }
    if (matching.length > 1) {
      throw new TokenError(`Cannot choose a token: ${matching.length} tokens have ${wanted}`, {
        code: "token.ambiguous",
        hint: `Select one by \`token_serial\`: ${matching.map(describeToken).join("; ")}`,
      });
    }
    if (last) {
      throw new TokenError(`Cannot find a token with ${wanted}: module "${module.ffi.path}" has none`, {
        code: "token.not_found",
        hint: tokens.length === 0
          ? "The module shows no token; check its configuration and the connection to the device"
          : `Tokens there are: ${tokens.map(describeToken).join("; ")}`,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSES_MS[i]));
    // a library may read its tokens at start only
    module.restart();
  }
}

/** Every token of a module with its slot. @throws {TokenError} */
export function presentTokens(module: Module): FoundToken[] {
  const found: FoundToken[] = [];
  for (const slot of module.slots()) {
    const info = slot.token();
    if (info !== undefined) found.push({ slot, info });
  }
  return found;
}

/** Whether a token shows all that a token has; half of it may be unreadable while another process writes. */
function isComplete({ info }: FoundToken): boolean {
  return info.serial !== "" && hasFlag(info.flags, "CKF_TOKEN_INITIALIZED");
}

function isBlank({ info }: FoundToken): boolean {
  return info.label === "" && info.serial === "" && !hasFlag(info.flags, "CKF_TOKEN_INITIALIZED");
}

function notInitialised({ slot }: FoundToken, module: Module): TokenError {
  return new TokenError(`Cannot use the token in slot ${slot.id}: it is not initialised`, {
    code: "token.not_initialised",
    hint: `Initialise it first, for example: pkcs11-tool --module ${module.ffi.path} --slot ${slot.id} --init-token ` +
      "--label NAME",
  });
}

function describeSelector({ token, tokenSerial, slot }: TokenSelector): string {
  const given = [
    ...(token === undefined ? [] : [`label "${token}"`]),
    ...(tokenSerial === undefined ? [] : [`serial "${tokenSerial}"`]),
    ...(slot === undefined ? [] : [`slot ${slot}`]),
  ];
  if (given.length === 1) return given[0]!;
  throw new InputError(`Cannot choose a token: ${given.length === 0 ? "no selector is given" : given.join(" and ")}`, {
    code: "hsm.selector",
    hint: "Give exactly one of `token`, `token_serial` and `slot`",
  });
}

function matches({ slot, info }: FoundToken, selector: TokenSelector): boolean {
  if (selector.token !== undefined) return info.label === selector.token.trimEnd();
  if (selector.tokenSerial !== undefined) return info.serial === selector.tokenSerial.trim();
  return slot.id === selector.slot;
}

function describeToken({ slot, info }: FoundToken): string {
  if (info.label === "" && info.serial === "") return `a token that is not initialised (slot ${slot.id})`;
  return `"${info.label}" (serial "${info.serial}", slot ${slot.id})`;
}
