import { buildInfo, VERSION } from "../resources.ts";

export { VERSION };

/** What `qpki --version` prints: version, how it was built, Deno's version, platform. */
export function versionText(): string {
  const { built, commit } = buildInfo();
  const revision = commit === undefined ? "" : `, commit ${commit}`;
  return `qpki ${VERSION} (${built}${revision}, Deno ${Deno.version.deno}, ${Deno.build.target})\n`;
}

/** The same as data. */
export function versionData(): Record<string, unknown> {
  const { built, commit } = buildInfo();
  return { version: VERSION, built, commit, deno: Deno.version.deno, target: Deno.build.target };
}
