/** Version of this program; the same as in `deno.json`. */
export const VERSION = "0.1.0";

/** What the build leaves in `build_info.json` at the root of its resources. */
export interface BuildInfo {
  /** How the program was made: `deno compile` or `bundle`. */
  readonly how: string;
  /** Source revision, when known. */
  readonly commit?: string;
}

/** What `qpki --version` prints: version, how it was built, Deno's version, platform. */
export function versionText(): string {
  const { how, commit } = readBuildInfo();
  const revision = commit === undefined ? "" : `, commit ${commit}`;
  return `qpki ${VERSION} (${how}${revision}, Deno ${Deno.version.deno}, ${Deno.build.target})\n`;
}

/** The same as data. */
export function versionData(): Record<string, unknown> {
  const { how, commit } = readBuildInfo();
  return { version: VERSION, built: how, commit, deno: Deno.version.deno, target: Deno.build.target };
}

function readBuildInfo(): BuildInfo {
  try {
    const text = Deno.readTextFileSync(new URL("../../build_info.json", import.meta.url));
    const { how, commit } = JSON.parse(text) as Record<string, unknown>;
    return { how: typeof how === "string" ? how : "unknown", ...(typeof commit === "string" ? { commit } : {}) };
  } catch {
    return { how: "source" };
  }
}
