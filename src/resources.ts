/**
 * Absolute path of a file or folder that comes with the program, for example `resourcePath("profiles/ec/root-ca.yaml")`.
 *
 * One rule holds wherever the program runs from: this module lies one folder below the root of the resources. That is
 * `src/` in the source tree and `app/`, where the bundle's chunks lie, in a built file.
 */
export function resourcePath(relative: string): string {
  const root = import.meta.dirname!.replace(/[\\/][^\\/]+[\\/]?$/, "");
  return `${root}/${relative}`;
}

/** Version of this program; the same as in `deno.json`. */
export const VERSION = "0.1.0";

/** How this program was made: the content of `build_info.json`, which a build leaves at the root of the resources. */
export interface BuildInfo {
  /** `source`, `self-extracting` or `deno compile`. */
  readonly built: string;
  /** Version in `deno.json` at the time of the build. */
  readonly version?: string;
  /** Version of Deno inside. */
  readonly deno?: string;
  /** Source revision, when it was known; `+` after it means uncommitted changes. */
  readonly commit?: string;
}

/** What the build noted about itself; `{ built: "source" }` when the program runs from source. */
export function buildInfo(): BuildInfo {
  try {
    return JSON.parse(Deno.readTextFileSync(resourcePath("build_info.json"))) as BuildInfo;
  } catch {
    return { built: "source" };
  }
}
