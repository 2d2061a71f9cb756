import { knownLibraries } from "../../drivers/mod.ts";

/** A PKCS#11 library found on this machine. */
export interface FoundModule {
  /** Path of the library. */
  readonly path: string;
  /** What names it: a file of p11-kit, or the driver that knows the path. */
  readonly source: string;
}

/** Where to look; tests replace it. */
export interface ModulePlaces {
  /** Folders of p11-kit's `*.module` files, a later one overriding an earlier one's file of the same name. */
  readonly folders: readonly string[];
  /** Folders for libraries that such a file names without a path. */
  readonly libraryFolders: readonly string[];
}

/** Name that `enable-in` and `disable-in` of p11-kit know this program by. */
const PROGRAM = "qpki";

/** p11-kit's usual folders, and the user's own below `home`. */
export function usualPlaces(home: string | undefined): ModulePlaces {
  return {
    folders: [
      "/usr/share/p11-kit/modules",
      "/usr/local/share/p11-kit/modules",
      "/opt/homebrew/share/p11-kit/modules",
      "/etc/pkcs11/modules",
      ...(home ? [`${home}/.config/pkcs11/modules`] : []),
    ],
    libraryFolders: [
      "/usr/lib/x86_64-linux-gnu/pkcs11",
      "/usr/lib/aarch64-linux-gnu/pkcs11",
      "/usr/lib64/pkcs11",
      "/usr/lib/pkcs11",
      "/usr/local/lib/pkcs11",
      "/opt/homebrew/lib/pkcs11",
    ],
  };
}

/** Every library that p11-kit's files or a driver's usual paths lead to, each file once, p11-kit's first. */
export async function findModules(places: ModulePlaces): Promise<FoundModule[]> {
  const found = new Map<string, FoundModule>();
  for (const candidate of [...await fromP11Kit(places), ...fromDrivers()]) {
    const real = await Deno.realPath(candidate.path).catch(() => undefined);
    if (real !== undefined && !found.has(real)) found.set(real, candidate);
  }
  return [...found.values()];
}

function fromDrivers(): FoundModule[] {
  const { os } = Deno.build;
  const libraries = knownLibraries(os === "darwin" || os === "windows" ? os : "linux");
  return libraries.map(({ path, driver }) => ({ path, source: `driver ${driver}` }));
}

async function fromP11Kit(places: ModulePlaces): Promise<FoundModule[]> {
  const settings = new Map<string, Map<string, string>>();
  const sources = new Map<string, string>();
  for (const folder of places.folders) {
    for (const name of await moduleFiles(folder)) {
      const text = await Deno.readTextFile(`${folder}/${name}`).catch(() => "");
      settings.set(name, new Map([...settings.get(name) ?? [], ...parseModuleFile(text)]));
      sources.set(name, `${folder}/${name}`);
    }
  }
  const found: FoundModule[] = [];
  for (const [name, file] of settings) {
    const path = file.get("module");
    if (path && isEnabled(file)) found.push({ path: locate(path, places), source: sources.get(name)! });
  }
  return found;
}

async function moduleFiles(folder: string): Promise<string[]> {
  try {
    const names = await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name);
    return names.filter((name) => name.endsWith(".module")).sort();
  } catch {
    return [];
  }
}

/** Settings of a `*.module` file: `key: value` lines, `#` comments. */
export function parseModuleFile(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^\s*([\w-]+)\s*:\s*(.*?)\s*$/.exec(line);
    if (match) settings.set(match[1]!, match[2]!);
  }
  return settings;
}

function isEnabled(settings: ReadonlyMap<string, string>): boolean {
  function lists(key: string): boolean | undefined {
    return settings.get(key)?.split(/[\s,]+/).includes(PROGRAM);
  }
  return (lists("enable-in") ?? true) && !(lists("disable-in") ?? false);
}

function locate(path: string, places: ModulePlaces): string {
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path)) return path;
  return places.libraryFolders.map((folder) => `${folder}/${path}`).find(isFile) ?? path;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
