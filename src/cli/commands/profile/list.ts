import { listProfiles } from "../../../profile/load.ts";
import type { ProfileSummary } from "../../../profile/types.ts";
import type { Command } from "../../command.ts";
import { table } from "../../table.ts";
import { algorithmText, caDir, DIR } from "./_profile.ts";

/** `qpki profile list`. */
const command: Command = {
  summary: "List the profiles: built-in ones and those of a CA",
  flags: [DIR],
  examples: ["qpki profile list", "qpki profile list --dir ./ca --json"],
  async run(input, ctx) {
    const profiles = await listProfiles({ caDir: caDir(input, ctx) });
    for (const { name, error } of profiles) {
      if (error) ctx.warn(`Profile "${name}" cannot be used: ${error.message}`);
    }
    const rows = profiles.map((summary) => [
      summary.name,
      summary.profile ? algorithmText(summary.profile) : "-",
      summary.source,
      summary.profile?.description ?? "(cannot be used)",
    ]);
    return {
      data: { profiles: profiles.map(summaryJson) },
      text: table(["NAME", "ALGORITHM", "SOURCE", "DESCRIPTION"], rows),
    };
  },
};
export default command;

function summaryJson({ name, source, file, profile, error }: ProfileSummary): Record<string, unknown> {
  return {
    name,
    source,
    ...(source === "default" ? {} : { file }),
    ...(profile
      ? {
        description: profile.description,
        mode: profile.mode,
        algorithms: profile.algorithms,
        ca: profile.extensions.basicConstraints?.ca ?? false,
      }
      : {}),
    ...(error ? { error: error.message } : {}),
  };
}
