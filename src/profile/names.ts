import { resourcePath } from "../resources.ts";

/** Deepest folder level and most files that are looked at below a profile folder. */
const MAX_DEPTH = 4;
const MAX_FILES = 5000;

/** Names of the built-in profiles and the paths of their files, sorted by name. */
export function builtinProfiles(): Promise<Map<string, string>> {
  return profilesBelow(resourcePath("profiles"));
}

/** Folder of a CA's own profiles. */
export function customFolder(caDir: string): string {
  return `${caDir.replace(/[\\/]+$/, "") || "/"}/profiles`;
}

/** Names and files of the profiles below a folder (`.yaml` and `.yml`), sorted by name; none when it does not exist. */
export async function profilesBelow(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  await walk(folder, "", found);
  return new Map([...found].sort(([a], [b]) => a < b ? -1 : 1));
}

/** Every profile name, built-in and of the CA, sorted: what completion offers. Reads no file. */
export async function profileNames(caDir?: string): Promise<string[]> {
  const names = new Set((await builtinProfiles()).keys());
  if (caDir !== undefined) { for (const name of (await profilesBelow(customFolder(caDir))).keys()) names.add(name); }
  return [...names].sort();
}

async function walk(folder: string, prefix: string, found: Map<string, string>): Promise<void> {
  const entries: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) entries.push(entry);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return;
    throw error;
  }
  for (const entry of entries) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory && prefix.split("/").length < MAX_DEPTH) await walk(path, `${prefix}${entry.name}/`, found);
    const match = /^([^.].*)\.ya?ml$/.exec(entry.name);
    if (!match || entry.isDirectory || found.size >= MAX_FILES) continue;
    // of NAME.yaml and NAME.yml the former counts
    const name = prefix + match[1];
    if (!found.has(name) || entry.name.endsWith(".yaml")) found.set(name, path);
  }
}
