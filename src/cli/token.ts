import type { KeyProvider } from "../keys/types.ts";
import { pkcs11Provider } from "../pkcs11/provider.ts";
import { type HsmConfig, loadHsmConfig } from "./hsm_config.ts";
import { readPin } from "./pin.ts";
import type { ProviderWorld } from "./providers.ts";

/** Opens the token behind the hsm.yaml at `path`, with its driver and its source of the PIN. */
export async function openToken(path: string, world: ProviderWorld): Promise<KeyProvider> {
  const config = await loadHsmConfig(path);
  return await pkcs11Provider({
    configPath: path,
    lib: config.lib,
    ...(config.token === undefined ? {} : { token: config.token }),
    ...(config.tokenSerial === undefined ? {} : { tokenSerial: config.tokenSerial }),
    ...(config.slot === undefined ? {} : { slot: config.slot }),
    ...(config.sessions === undefined ? {} : { sessions: config.sessions }),
    logoutAfterUse: config.logoutAfterUse,
    allowFinalTry: world.allowFinalTry,
    pin: () => readPin(config.pin, tokenName(config), world),
    notify: world.notify,
  });
}

/** The token that a configuration selects, in words. */
export function tokenName(config: HsmConfig): string {
  if (config.token !== undefined) return `token "${config.token}"`;
  return config.tokenSerial !== undefined ? `the token with serial "${config.tokenSerial}"` : `slot ${config.slot}`;
}
