import { audited } from "../../../audit/trail.ts";
import { pathExists } from "../../../files.ts";
import { loadProfile } from "../../../profile/load.ts";
import { builtinProfiles, customFolder } from "../../../profile/names.ts";
import type { Command } from "../../command.ts";
import { caDir, DIR, OVERWRITE, type ProfileFile, writeProfiles } from "./_profile.ts";

/** `qpki profile install`. */
const command: Command = {
  summary: "Copy the built-in profiles into a CA, where they can be changed",
  details: "The copies in <ca>/profiles then count instead of the built-in ones. Files that are there are kept.",
  flags: [DIR, OVERWRITE],
  examples: ["qpki profile install --dir ./ca", "qpki profile install --dir ./ca --overwrite"],
  async run(input, ctx) {
    const folder = customFolder(input.text(DIR.name)!);
    const base = customFolder(caDir(input, ctx));
    const overwrite = input.on(OVERWRITE.name);
    const files: (ProfileFile & { name: string })[] = [];
    const kept: string[] = [];
    for (const name of (await builtinProfiles()).keys()) {
      const path = `${base}/${name}.yaml`;
      if (!overwrite && await pathExists(path)) kept.push(name);
      else files.push({ name, path, text: (await loadProfile(name)).text });
    }
    // they decide what the CA's certificates say
    const details = { folder: base, overwrite, installed: files.length };
    await audited(ctx.audit, { event: "profile.install", details }, { work: () => writeProfiles(files, overwrite) });
    const also = kept.length === 0 ? "" : `; kept ${kept.length} that were there (--overwrite replaces them)`;
    return {
      data: { folder, installed: files.map(({ name }) => name), kept },
      text: `Installed ${files.length} profiles in ${folder}${also}`,
    };
  },
};
export default command;
