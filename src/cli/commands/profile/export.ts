import { UsageError } from "../../../errors.ts";
import { listProfiles, loadProfile } from "../../../profile/load.ts";
import type { Profile } from "../../../profile/types.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command, CommandResult, Context, Input } from "../../command.ts";
import { caDir, DIR, OVERWRITE, writeProfiles } from "./_profile.ts";

/** `qpki profile export NAME [FILE]`, `qpki profile export --all DIR`. */
const command: Command = {
  summary: "Write the YAML of a profile, or of all, as a start for your own",
  details: "Without FILE, or with -, the YAML goes to stdout. With --all every profile is written to DIR/NAME.yaml.",
  args: [
    { name: "name", description: "profile, or with --all the folder", required: true, complete: "profile" },
    { name: "file", description: "output file", required: false, complete: "file" },
  ],
  flags: [DIR, { name: "all", description: "export every profile" }, OVERWRITE],
  examples: ["qpki profile export ec/tls-server ./my-tls-server.yaml", "qpki profile export --all ./profiles"],
  run(input, ctx) {
    return input.on("all") ? exportAll(input, ctx) : exportOne(input, ctx);
  },
};
export default command;

async function exportOne(input: Input, ctx: Context): Promise<CommandResult> {
  const profile = await loadProfile(input.argument("name")!, { caDir: caDir(input, ctx), cwd: ctx.cwd });
  const file = input.argument("file");
  if (file === undefined || file === "-") {
    return { data: { ...facts(profile), yaml: profile.text }, text: profile.text };
  }
  await writeProfiles([{ path: joinPath(ctx.cwd, file), text: profile.text }], input.on(OVERWRITE.name));
  return { data: { ...facts(profile), file }, text: `Wrote ${profile.name} to ${file}` };
}

async function exportAll(input: Input, ctx: Context): Promise<CommandResult> {
  const folder = input.argument("name")!.replace(/(?<=.)\/+$/, "");
  if (input.argument("file") !== undefined) {
    throw new UsageError("Cannot export with --all to more than one folder", { code: "usage.argument_stray" });
  }
  const profiles: Profile[] = [];
  for (const { profile, error } of await listProfiles({ caDir: caDir(input, ctx) })) {
    if (error) throw error;
    profiles.push(profile!);
  }
  const files = profiles.map((profile) => ({ ...facts(profile), file: joinPath(folder, `${profile.name}.yaml`) }));
  await writeProfiles(
    profiles.map(({ text }, i) => ({ path: joinPath(ctx.cwd, files[i]!.file), text })),
    input.on(OVERWRITE.name),
  );
  return { data: { folder, profiles: files }, text: `Wrote ${files.length} profiles to ${folder}` };
}

function facts({ name, source, sha256 }: Profile): { name: string; source: string; sha256: string } {
  return { name, source, sha256 };
}
