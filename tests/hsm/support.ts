import { Secret } from "../../src/bytes.ts";
import { loadFfi } from "../../src/pkcs11/ffi.ts";
import type { Pkcs11KeyRef } from "../../src/keys/types.ts";
import { type Pkcs11Options, type Pkcs11Provider, pkcs11Provider } from "../../src/pkcs11/provider.ts";
import { run, type RunResult } from "../support/cli.ts";
import { type Hook, Shim } from "../support/fake_token.ts";
import type { FunctionName } from "../../src/pkcs11/ffi.ts";
import { type SoftHsmToken, softhsmToken, type TokenOptions } from "../support/softhsm.ts";

/** A token that this very process can use. */
export function ownToken(options: TokenOptions = {}): SoftHsmToken {
  const token = softhsmToken(options);
  token.useInProcess();
  return token;
}

/** Options that open `token`. */
export function optionsFor(token: SoftHsmToken, more: Partial<Pkcs11Options> = {}): Pkcs11Options {
  return {
    configPath: "/tmp/hsm.yaml",
    lib: token.lib,
    ...(more.slot === undefined && more.tokenSerial === undefined ? { token: token.label } : {}),
    pin: () => Promise.resolve(new Secret(token.pin)),
    notify: () => {},
    ...more,
  };
}

/** Opens `token`. */
export async function open(token: SoftHsmToken, more: Partial<Pkcs11Options> = {}): Promise<Pkcs11Provider> {
  return await pkcs11Provider(optionsFor(token, more));
}

/** The module of `token` behind a layer with hooks. */
export function shimFor(token: SoftHsmToken, hooks: Partial<Record<FunctionName, Hook>> = {}): Shim {
  return new Shim(loadFfi(token.lib), hooks);
}

/** A reference by what is given. */
export function refTo(names: Partial<Pkcs11KeyRef>): Pkcs11KeyRef {
  return { type: "pkcs11", config: "/tmp/hsm.yaml", ...names };
}

/** Runs pkcs11-tool, logged in to `token`. @throws {Error} when it fails. */
export async function pkcs11Tool(token: SoftHsmToken, ...args: string[]): Promise<RunResult> {
  const result = await run("pkcs11-tool", [
    ...["--module", token.lib, "--token-label", token.label, "--login", "--pin", token.pin],
    ...args,
  ], { env: token.env });
  if (result.code !== 0) throw new Error(`pkcs11-tool ${args.join(" ")}: ${result.stderr}${result.stdout}`);
  return result;
}
