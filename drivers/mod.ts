import { InputError, suggest } from "../src/errors.ts";
import {
  type CompleteDriver,
  completeDriver,
  type Driver,
  type ModuleFacts,
  validateDriver,
} from "../src/pkcs11/driver.ts";
import { standard } from "./standard.ts";

/** Built-in drivers by name, each loaded when asked for; matching tries them in this order. */
const BUILTIN: Readonly<Record<string, () => Promise<{ default: Driver }>>> = {
  softhsm2: () => import("./softhsm2.ts"),
  kryoptic: () => import("./kryoptic.ts"),
  nss: () => import("./nss.ts"),
  opencryptoki: () => import("./opencryptoki.ts"),
  luna: () => import("./luna.ts"),
  nshield: () => import("./nshield.ts"),
  securosys: () => import("./securosys.ts"),
  utimaco: () => import("./utimaco.ts"),
  "utimaco-qp": async () => ({ default: (await import("./utimaco.ts")).quantumProtect }),
  cloudhsm: () => import("./cloudhsm.ts"),
  yubihsm2: () => import("./yubihsm2.ts"),
  generic: () => import("./generic.ts"),
};

/** Names of the drivers that this program brings. */
export function builtinDrivers(): readonly string[] {
  return Object.keys(BUILTIN);
}

/**
 * The driver called `name`, or the plug-in at a path (anything with a separator in it), completed by the standard.
 * @throws {InputError} `driver.unknown`, `driver.invalid`.
 */
export async function findDriver(nameOrPath: string): Promise<CompleteDriver> {
  if (/[/\\]/.test(nameOrPath)) return await loadPlugin(nameOrPath);
  const load = Object.hasOwn(BUILTIN, nameOrPath) ? BUILTIN[nameOrPath] : undefined;
  if (load === undefined) {
    const near = suggest(nameOrPath, builtinDrivers());
    throw new InputError(`Cannot use driver "${nameOrPath}": there is none of that name`, {
      code: "driver.unknown",
      hint: near
        ? `Did you mean "${near}"?`
        : `Built-in drivers: ${builtinDrivers().join(", ")}; a plug-in is given by its path, for example ./my-hsm.ts`,
    });
  }
  return completeDriver(standard, (await load()).default);
}

/**
 * The driver for a module: the one asked for, else the first that recognises the module, else `generic`.
 * @throws {InputError} `driver.unknown`, `driver.invalid`.
 */
export async function chooseDriver(nameOrPath: string | undefined, facts: ModuleFacts): Promise<CompleteDriver> {
  if (nameOrPath !== undefined) return await findDriver(nameOrPath);
  for (const load of Object.values(BUILTIN)) {
    const { default: driver } = await load();
    if (driver.match?.(facts)) return completeDriver(standard, driver);
  }
  return await findDriver("generic");
}

/** Usual paths of every known module on `os`, with the driver's name, for `hsm list` without configuration. */
export async function knownLibraries(
  os: "linux" | "darwin" | "windows",
): Promise<{ readonly driver: string; readonly path: string }[]> {
  const found: { driver: string; path: string }[] = [];
  for (const load of Object.values(BUILTIN)) {
    const { default: driver } = await load();
    for (const path of driver.libraryPaths?.[os] ?? []) found.push({ driver: driver.name, path });
  }
  return found;
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
