import { capture } from "./process.ts";
import { copyFolder, filesBelow, ROOT } from "./tree.ts";

/** What of `deno.json` the build uses. */
interface Project {
  version: string;
  imports: Record<string, string>;
}

/** Version in `deno.json`. */
export function projectVersion(): string {
  return project().version;
}

/**
 * `deno bundle` of scripts into `folder`, with a chunk for each lazy import. For the platform "browser", since then
 * packages come as ES modules and no chunk asks for `node:module`, which would wake up Deno's node half at each start.
 * @throws {Error} with its output.
 */
export async function bundle(entries: readonly string[], folder: string): Promise<void> {
  const map = await Deno.makeTempFile({ suffix: ".json" });
  try {
    const imports = { ...project().imports, koffi: new URL("./koffi_native.ts", import.meta.url).href };
    await Deno.writeTextFile(map, JSON.stringify({ imports }));
    const command = [
      ...[Deno.execPath(), "bundle", "--quiet", "--platform=browser", "--code-splitting", "--import-map", map],
      ...["--outdir", folder, ...entries],
    ];
    const { code, output } = await capture(command, { cwd: ROOT });
    if (code !== 0) throw new Error(`${command.join(" ")} ended with status ${code}:\n${output}`);
    hideLazyImports(folder);
  } finally {
    await Deno.remove(map);
  }
}

/**
 * Deno reads, at start-up, every file that a literal `import("…")` names anywhere, used or not. A computed name is read
 * when it is needed.
 */
function hideLazyImports(folder: string): void {
  for (const file of filesBelow(folder)) {
    const text = Deno.readTextFileSync(`${folder}/${file}`);
    const lazy = text.replace(/\bimport\("(\.\/[\w.-]+\.js)"\)/g, 'import(new URL("$1", import.meta.url).href)');
    Deno.writeTextFileSync(`${folder}/${file}`, lazy);
  }
}

/**
 * Gives the chunk of `commander` the stand-in for Node's library.
 * @throws {Error} when another chunk loads Node's library at its start.
 */
function replaceNode(folder: string): void {
  for (const file of filesBelow(folder)) {
    const text = Deno.readTextFileSync(`${folder}/${file}`);
    if (!/\bfrom "node:/.test(text)) continue;
    if (!text.includes("node:events")) throw new Error(`${file} loads Deno's node half: 20 ms at each start`);
    Deno.writeTextFileSync(
      `${folder}/${file}`,
      text.replace(/\bfrom "node:\w+"/g, 'from "./scripts/support/commander_node.js"'),
    );
  }
}

/**
 * Makes the folder that a built program runs from: `app/` with the bundle, `profiles/`, koffi's native library for this
 * system, the licences of all that is inside, and `build_info.json`.
 */
export async function makeStage(stage: string, built: string): Promise<void> {
  await bundle([`${ROOT}/main.ts`, `${ROOT}/scripts/support/commander_node.ts`], `${stage}/app`);
  replaceNode(`${stage}/app`);
  copyFolder(`${ROOT}/profiles`, `${stage}/profiles`);
  Deno.mkdirSync(`${stage}/native`);
  Deno.copyFileSync(nativeLibrary(), `${stage}/native/koffi.node`);
  Deno.writeTextFileSync(`${stage}/LICENSES.txt`, licences());
  const info = { version: projectVersion(), built, deno: Deno.version.deno, commit: await sourceCommit() };
  Deno.writeTextFileSync(`${stage}/build_info.json`, `${JSON.stringify(info, null, 2)}\n`);
}

/** koffi ships one package per system and processor; on Linux it holds a library for glibc and one for musl. */
function nativeLibrary(): string {
  const os = Deno.build.os === "windows" ? "win32" : Deno.build.os;
  const name = `koffi-${os}-${Deno.build.arch === "x86_64" ? "x64" : "arm64"}`;
  const beside = Deno.realPathSync(`${ROOT}/node_modules/koffi`).replace(/[^\\/]+$/, "");
  for (const modules of [beside, `${ROOT}/node_modules/.deno/node_modules`, `${ROOT}/node_modules`]) {
    const folder = `${modules}/@koromix/${name}`;
    const libraries = filesBelow(folder).filter((file) => file.endsWith(".node"));
    const found = libraries.find((file) => file.startsWith("musl") === Deno.build.target.endsWith("musl"));
    if (found !== undefined) return `${folder}/${found}`;
  }
  throw new Error(`The package @koromix/${name} with koffi's native library is not in node_modules`);
}

/** Our licence, Deno's and those of the packages inside. */
function licences(): string {
  const texts = [`qpki\n\n${Deno.readTextFileSync(`${ROOT}/LICENSE`)}`];
  const packages = [...Deno.readDirSync(`${ROOT}/node_modules/.deno`)].map(({ name }) => name);
  const folders = packages.filter((name) => name.includes("@", 1)).sort().map((name) => {
    const path = name.replace("+", "/");
    return [path, `${ROOT}/node_modules/.deno/${name}/node_modules/${path.replace(/@[^@]*$/, "")}`];
  });
  folders.push([`Deno ${Deno.version.deno} (MIT)`, Deno.execPath().replace(/[\\/][^\\/]+$/, "")]);
  for (const [name, folder] of folders) {
    const files = [...Deno.readDirSync(folder!)].map((entry) => entry.name);
    const found = files.filter((file) => /^licen[cs]e(\.\w+)?$/i.test(file)).sort();
    texts.push([name, ...found.map((file) => Deno.readTextFileSync(`${folder}/${file}`))].join("\n\n"));
  }
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

async function sourceCommit(): Promise<string | undefined> {
  const head = await capture(["git", "-C", ROOT, "rev-parse", "--short=12", "HEAD"]);
  if (head.code !== 0) return undefined;
  const changes = await capture(["git", "-C", ROOT, "status", "--porcelain", "--untracked-files=no"]);
  return head.output.trim() + (changes.output.trim() === "" ? "" : "+");
}

function project(): Project {
  return JSON.parse(Deno.readTextFileSync(`${ROOT}/deno.json`)) as Project;
}
