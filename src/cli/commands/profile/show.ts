import type { Command } from "../../command.ts";
import { DIR, NAME, namedProfile } from "./_profile.ts";

/** `qpki profile show NAME`. */
const command: Command = {
  summary: "Print the YAML of a profile",
  args: [NAME],
  flags: [DIR],
  examples: ["qpki profile show ec/tls-server", "qpki profile show rsa/root-ca > root-ca.yaml"],
  async run(input, ctx) {
    const { name, source, sha256, text } = await namedProfile(input, ctx);
    return { data: { name, source, sha256, yaml: text }, text };
  },
};
export default command;
