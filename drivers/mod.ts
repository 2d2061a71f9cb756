import { InputError, suggest } from "../src/errors.ts";
import {
  type CompleteDriver,
  completeDriver,
  type Driver,
  type ModuleFacts,
  validateDriver,
} from "../src/pkcs11/driver.ts";
import cloudhsm from "./cloudhsm.ts";
import generic from "./generic.ts";
import kryoptic from "./kryoptic.ts";
import luna from "./luna.ts";
import nshield from "./nshield.ts";
import nss from "./nss.ts";
import opencryptoki from "./opencryptoki.ts";
import securosys from "./securosys.ts";
import softhsm2 from "./softhsm2.ts";
import { standard } from "./standard.ts";
import utimaco, { quantumProtect } from "./utimaco.ts";
import yubihsm2 from "./yubihsm2.ts";

/** Built-in drivers; matching tries them in this order. Data of a few lines each: one file is faster than eleven. */
const BUILTIN: readonly Driver[] = [
  ...[softhsm2, kryoptic, nss, opencryptoki],
  ...[luna, nshield, securosys, utimaco, quantumProtect, cloudhsm, yubihsm2],
  generic,
];

/** Names of the drivers that this program brings. */
export function builtinDrivers(): readonly string[] {
  return BUILTIN.map(({ name }) => name);
}

/**
 * The driver called `name`, or the plug-in at a path (anything with a separator in it), completed by the standard.
 * @throws {InputError} `driver.unknown`, `driver.invalid`.
 */
export async function findDriver(nameOrPath: string): Promise<CompleteDriver> {
  if (/[/\\]/.test(nameOrPath)) return await loadPlugin(nameOrPath);
  const driver = BUILTIN.find(({ name }) => name === nameOrPath);
  if (driver === undefined) {
    const near = suggest(nameOrPath, builtinDrivers());
    throw new InputError(`Cannot use driver "${nameOrPath}": there is none of that name`, {
      code: "driver.unknown",
      hint: near
        ? `Did you mean "${near}"?`
        : `Built-in drivers: ${builtinDrivers().join(", ")}; a plug-in is given by its path, for example ./my-hsm.ts`,
    });
  }
  return completeDriver(standard, driver);
}

/**
 * The driver for a module: the one asked for, else the first that recognises the module, else `generic`.
 * @throws {InputError} `driver.unknown`, `driver.invalid`.
 */
export async function chooseDriver(nameOrPath: string | undefined, facts: ModuleFacts): Promise<CompleteDriver> {
  if (nameOrPath !== undefined) return await findDriver(nameOrPath);
  return completeDriver(standard, BUILTIN.find((driver) => driver.match?.(facts)) ?? generic);
}

/** Usual paths of every known module on `os`, with the driver's name, for `hsm list` without configuration. */
export function knownLibraries(
  os: "linux" | "darwin" | "windows",
): { readonly driver: string; readonly path: string }[] {
  return BUILTIN.flatMap(({ name, libraryPaths }) =>
    (libraryPaths?.[os] ?? []).map((path) => ({ driver: name, path }))
  );
}

/** A driver that is at hand, completed by the standard. */
export function withStandard(driver: Driver): CompleteDriver {
  return completeDriver(standard, driver);
}

async function loadPlugin(path: string): Promise<CompleteDriver> {
  let plugin: { default?: unknown };
  try {
    plugin = await import(fileUrl(await Deno.realPath(path)));
  } catch (cause) {
    throw new InputError(`Cannot use driver "${path}": ${cause instanceof Error ? cause.message : String(cause)}`, {
      code: "driver.invalid",
      file: path,
      cause,
    });
  }
  return completeDriver(standard, validateDriver(plugin.default, path));
}

function fileUrl(path: string): string {
  const url = new URL("file:///");
  url.pathname = path.replaceAll("\\", "/").replaceAll("%", "%25");
  return url.href;
}
