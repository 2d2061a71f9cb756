/**
 * `deno task build`: makes `dist/qpki`, one file that needs neither Deno nor node nor network where it runs.
 *
 * With `deno compile` where its runtime base can be had (`DENORT_BIN`, Deno's cache, or download), else a file that
 * unpacks itself. What was made is tried before it is accepted. `--self-extracting` leaves out the first way.
 */
import { makeSelfExtracting } from "./self_extract/make.ts";
import { capture } from "./support/process.ts";
import { bundle, makeStage, projectVersion } from "./support/stage.ts";
import { removeIfThere, ROOT } from "./support/tree.ts";

const DIST = `${ROOT}/dist`;
const STAGE = `${DIST}/stage`;
const OUT = `${DIST}/qpki${Deno.build.os === "windows" ? ".exe" : ""}`;

/** Longest wait for `deno compile`, which may download its runtime base, in milliseconds. */
const COMPILE_TIMEOUT = 180_000;

async function compile(): Promise<string | undefined> {
  await freshStage("deno compile");
  const parts = ["app", "profiles", "native", "LICENSES.txt", "build_info.json"].flatMap((
    name,
  ) => ["--include", `${STAGE}/${name}`]);
  const { code, output } = await capture([
    ...[Deno.execPath(), "compile", "-A", "--quiet", "--no-check", "--no-config", "--no-lock", "--cached-only"],
    ...["--no-remote", "--no-npm", ...parts, "--output", OUT, `${STAGE}/app/main.js`],
  ], { timeout: COMPILE_TIMEOUT, env: { NO_COLOR: "1" } });
  if (code !== 0) return reason(output);
  return await failureOf(OUT);
}

async function selfExtracting(): Promise<string | undefined> {
  if (Deno.build.os === "windows") return "a self-extracting file is made for Linux and macOS only";
  await freshStage("self-extracting");
  await prependText(`${STAGE}/app/main.js`, await Deno.readTextFile(`${ROOT}/scripts/self_extract/prelude.js`));
  await bundle([`${ROOT}/scripts/self_extract/unpack.ts`], `${DIST}/unpack`);
  await makeSelfExtracting({
    stage: STAGE,
    deno: Deno.execPath(),
    unpackScript: await Deno.readTextFile(`${DIST}/unpack/unpack.js`),
    version: projectVersion(),
    target: Deno.build.target,
  }, OUT);
  return await failureOf(OUT);
}

async function prependText(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text + await Deno.readTextFile(path));
}

async function freshStage(built: string): Promise<void> {
  for (const path of [STAGE, `${DIST}/unpack`, OUT]) removeIfThere(path);
  await makeStage(STAGE, built);
}

/** Tries the file: it must tell its version, and koffi must load (a library that does not exist is exit status 3). */
async function failureOf(file: string): Promise<string | undefined> {
  const cache = await Deno.makeTempDir();
  try {
    const env = { XDG_CACHE_HOME: cache, NO_COLOR: "1" };
    const version = await capture([file, "--version"], { env, timeout: 60_000 });
    if (version.code !== 0 || !version.output.startsWith(`qpki ${projectVersion()} `)) {
      return `its --version ends with status ${version.code}: ${reason(version.output)}`;
    }
    const library = await capture([file, "hsm", "list", "--lib", "/nonexistent.so"], { env, timeout: 60_000 });
    if (library.code !== 3) return `it cannot load libraries (status ${library.code}): ${reason(library.output)}`;
    console.log(version.output.trim());
    return undefined;
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
}

function reason(output: string): string {
  const lines = output.trim().split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return lines.filter((line) => !/^(\d+: <|Stack backtrace)/.test(line)).slice(0, 4).join("; ");
}

async function build(): Promise<string | undefined> {
  if (!Deno.args.includes("--self-extracting")) {
    const failure = await compile();
    if (failure === undefined) return undefined;
    console.log(`deno compile is not possible here (${failure})`);
    console.log("Making a self-extracting file instead");
  }
  return await selfExtracting();
}

const failure = await build().catch((error) => error instanceof Error ? error.message : String(error));
for (const path of [STAGE, `${DIST}/unpack`]) removeIfThere(path);
if (failure !== undefined) {
  removeIfThere(OUT);
  console.error(`error: Cannot build qpki: ${failure}`);
  Deno.exit(1);
}
console.log(`${OUT.slice(ROOT.length + 1)}: ${(Deno.statSync(OUT).size / 1e6).toFixed(1)} MB`);
