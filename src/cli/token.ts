import { type Pkcs11Options, type Pkcs11Provider, pkcs11Provider } from "../pkcs11/provider.ts";
import { type HsmConfig, loadHsmConfig } from "./hsm_config.ts";
import { readPin } from "./pin.ts";
import type { TokenWorld } from "./providers.ts";

export type { TokenWorld } from "./providers.ts";

/** Opens the token behind the hsm.yaml at `path`, with its driver and its source of the PIN. */
export async function openToken(path: string, world: TokenWorld): Promise<Pkcs11Provider> {
  const config = await loadHsmConfig(path);
  return await pkcs11Provider({ ...tokenOptions(config, world), configPath: path });
}

/** What the provider needs to open the token of `config`. */
export function tokenOptions(config: HsmConfig, world: TokenWorld): Pkcs11Options {
  return {
    configPath: config.path,
    lib: config.lib,
    token: config.token,
    tokenSerial: config.tokenSerial,
    slot: config.slot,
    driver: config.driver,
    initString: config.initString,
    userType: config.userType,
    sessions: config.sessions,
    logoutAfterUse: config.logoutAfterUse,
    allowFinalTry: world.allowFinalTry,
    async pin() {
      const pin = await readPin(config.pin, tokenName(config), world);
      const details = { config: config.path, lib: config.lib };
      // with the PIN at hand the next thing is to log in; whether it was the right one shows in what follows
      if (pin) await world.trail?.record({ event: "token.login", result: "intent", details });
      return pin;
    },
    notify: world.notify,
    signal: world.signal,
  };
}

/** The token that a configuration selects, in words. */
export function tokenName(config: HsmConfig): string {
  if (config.token !== undefined) return `token "${config.token}"`;
  return config.tokenSerial !== undefined ? `the token with serial "${config.tokenSerial}"` : `slot ${config.slot}`;
}
