/** A temporary folder that removes itself: `using tmp = tempFolder();`. */
export interface TempFolder extends Disposable {
  readonly path: string;
  /** A path below the folder. */
  join(...parts: string[]): string;
  /** Writes a file below the folder, with its parents, and returns its path. */
  write(name: string, content: string | Uint8Array, mode?: number): string;
  /** Text of a file below the folder. */
  read(name: string): string;
}

/** Makes an owner-only temporary folder. */
export function tempFolder(prefix = "qpki-test-"): TempFolder {
  const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix }));
  return {
    path,
    join: (...parts) => [path, ...parts].join("/"),
    write(name, content, mode) {
      const file = `${path}/${name}`;
      Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      Deno.writeFileSync(file, bytes, mode === undefined ? {} : { mode });
      return file;
    },
    read: (name) => Deno.readTextFileSync(`${path}/${name}`),
    [Symbol.dispose]() {
      removeTree(path);
    },
  };
}

/** Removes a folder although a test may have taken the write permission from something in it. */
function removeTree(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch {
    for (const folder of foldersBelow(path)) Deno.chmodSync(folder, 0o700);
    Deno.removeSync(path, { recursive: true });
  }
}

function* foldersBelow(path: string): Generator<string> {
  Deno.chmodSync(path, 0o700);
  yield path;
  for (const entry of Deno.readDirSync(path)) {
    if (entry.isDirectory) yield* foldersBelow(`${path}/${entry.name}`);
  }
}
