import { chooseDriver, findDriver } from "../../drivers/mod.ts";
import { TokenError, UsageError } from "../errors.ts";
import type { CompleteDriver } from "../pkcs11/driver.ts";
import { Module } from "../pkcs11/module.ts";
import { hasFlag } from "../pkcs11/names.ts";
import type { TokenInfo } from "../pkcs11/slot.ts";
import { findToken, type FoundToken, presentTokens } from "../pkcs11/token.ts";
import type { Context, Flag, Input } from "./command.ts";
import { HSM_CONFIG, hsmConfigPath, LIB } from "./flags.ts";
import type { HsmConfig } from "./hsm_config.ts";

/** The flags that say which library an hsm command is about. */
export const TARGET_FLAGS: readonly Flag[] = [
  { ...HSM_CONFIG, description: "hsm.yaml of the token; HSM_CONFIG in the environment stands in for it" },
  LIB,
];

/** What an hsm command is about: a library, and the configuration that names it, if one does. */
export interface HsmTarget {
  readonly lib: string;
  readonly config?: HsmConfig;
}

/**
 * The library that --lib, --hsm-config or HSM_CONFIG name (the environment last), or undefined when none does.
 * @throws {UsageError} when both flags are given, {InputError} for a bad hsm.yaml.
 */
export async function hsmTarget(input: Input, ctx: Context): Promise<HsmTarget | undefined> {
  const lib = input.text(LIB.name);
  const path = hsmConfigPath(input, ctx, { env: lib === undefined });
  if (lib !== undefined && path !== undefined) {
    throw new UsageError("Cannot use --lib together with --hsm-config: each names a library", { code: "usage.hsm" });
  }
  if (lib === "") throw new UsageError("Cannot use --lib: the path is empty", { code: "usage.hsm" });
  if (lib !== undefined) return { lib };
  if (path === undefined) return undefined;
  const { loadHsmConfig } = await import("./hsm_config.ts");
  const config = await loadHsmConfig(path);
  return { lib: config.lib, config };
}

/** As {@link hsmTarget}, for a command that needs one. @throws {UsageError} when nothing names a library. */
export async function requiredTarget(input: Input, ctx: Context): Promise<HsmTarget> {
  const target = await hsmTarget(input, ctx);
  if (target) return target;
  throw new UsageError("Cannot tell which token is meant: neither --hsm-config nor --lib is given", {
    code: "usage.hsm",
    hint: "See what there is with: qpki hsm list",
  });
}

/** A loaded library with its driver; dispose of it. */
export interface OpenTarget extends Disposable {
  readonly module: Module;
  readonly driver: CompleteDriver;
}

/** Loads the library. @throws {TokenError} when it cannot be loaded, {InputError} for an unknown driver. */
export async function openTarget({ lib, config }: HsmTarget): Promise<OpenTarget> {
  // a driver stated by name may know what C_Initialize must be given
  const stated = config?.driver === undefined ? undefined : await findDriver(config.driver);
  const module = Module.load(lib, { driver: stated, initString: config?.initString });
  try {
    const driver = stated ?? await chooseDriver(undefined, module.info());
    module.adopt(driver);
    return { module, driver, [Symbol.dispose]: () => module[Symbol.dispose]() };
  } catch (error) {
    module[Symbol.dispose]();
    throw error;
  }
}

/**
 * The token that the configuration selects, or without one every initialised token.
 * @throws {TokenError} `token.not_found`.
 */
export async function targetTokens(module: Module, { lib, config }: HsmTarget): Promise<FoundToken[]> {
  if (config) return [await findToken(module, config)];
  const tokens = presentTokens(module).filter(({ info }) => hasFlag(info.flags, "CKF_TOKEN_INITIALIZED"));
  if (tokens.length > 0) return tokens;
  throw new TokenError(`Cannot find a token: module "${lib}" has none that is initialised`, {
    code: "token.not_found",
    hint: `See its slots with: qpki hsm list --lib ${lib}`,
  });
}

/** What the flags of a token mean for its use, in words. */
export function tokenState({ flags }: TokenInfo): string[] {
  if (!hasFlag(flags, "CKF_TOKEN_INITIALIZED")) return ["not initialised"];
  return [
    hasFlag(flags, "CKF_USER_PIN_LOCKED") ? "PIN locked" : "",
    hasFlag(flags, "CKF_USER_PIN_FINAL_TRY") ? "last PIN try" : "",
    hasFlag(flags, "CKF_USER_PIN_COUNT_LOW") ? "wrong PIN given before" : "",
    hasFlag(flags, "CKF_USER_PIN_INITIALIZED") ? "" : "no user PIN",
    hasFlag(flags, "CKF_PROTECTED_AUTHENTICATION_PATH") ? "PIN typed at the device" : "",
    hasFlag(flags, "CKF_LOGIN_REQUIRED") ? "" : "no login needed",
    hasFlag(flags, "CKF_WRITE_PROTECTED") ? "read-only" : "",
    hasFlag(flags, "CKF_ERROR_STATE") ? "in error state" : "",
  ].filter((word) => word !== "");
}
