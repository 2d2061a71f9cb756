/** Root of the source tree, without a final slash. */
export const ROOT: string = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** Every file below a folder, as paths relative to it, sorted; symbolic links are left out. None if there is no folder. */
export function filesBelow(folder: string, skip: readonly string[] = ["node_modules"]): string[] {
  const found: string[] = [];
  function walk(path: string): void {
    for (const entry of [...Deno.readDirSync(`${folder}/${path}`)]) {
      const below = path === "" ? entry.name : `${path}/${entry.name}`;
      if (entry.isFile) found.push(below);
      else if (entry.isDirectory && !skip.includes(entry.name)) walk(below);
    }
  }
  try {
    walk("");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found.sort();
}

/** Copies a folder with everything in it, following symbolic links. */
export function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const entry of Deno.readDirSync(from)) {
    const [source, target] = [`${from}/${entry.name}`, `${to}/${entry.name}`];
    if (Deno.statSync(source).isDirectory) copyFolder(source, target);
    else Deno.copyFileSync(source, target);
  }
}

/** Removes a file or folder with all its content; nothing happens when there is none. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
