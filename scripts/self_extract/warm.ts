import { DatabaseSync } from "node:sqlite";

/**
 * Lets Deno compile every part of the program once, so that its cache in `deno_dir` is full from the first command on.
 * Then moves what is in the cache's write-ahead logs into the databases themselves: Deno ends without doing so, and
 * would read the logs through at each start. A failure costs some milliseconds a start and nothing else.
 */
export async function warmCache(folder: string, flags: readonly string[]): Promise<void> {
  const app = `${folder}/files/app`;
  const script = `${folder}/warm.js`;
  const chunks = [...Deno.readDirSync(app)].map(({ name }) => name).filter((name) => name !== "main.js");
  const imports = chunks.map((name) => `await import("./files/app/${name}").catch(() => {});\n`);
  await Deno.writeTextFile(script, imports.join(""));
  try {
    await start(folder, [...flags, `${app}/main.js`, "--version"]);
    await start(folder, [...flags, script]);
  } finally {
    await Deno.remove(script);
  }
  for (const name of ["v8_code_cache_v2", "dep_analysis_cache_v2", "node_analysis_cache_v2"]) {
    using database = new DatabaseSync(`${folder}/deno_dir/${name}`);
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }
}

async function start(folder: string, args: readonly string[]): Promise<void> {
  await new Deno.Command(`${folder}/files/deno`, {
    args: ["run", ...args],
    env: { HOME: folder, DENO_DIR: `${folder}/deno_dir`, DENO_NO_UPDATE_CHECK: "1", DENO_DISABLE_NODE_SHIM: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
}
