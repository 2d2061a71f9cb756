import { describeStorage } from "../../../ca/info.ts";
import { versionFacts } from "../../../ca/versions.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { CA_DIR } from "../../flags.ts";
import { table } from "../../table.ts";

/** `qpki ca versions`. */
const command: Command = {
  summary: "List the versions of a CA, with their keys",
  flags: [CA_DIR],
  examples: ["qpki ca versions --ca-dir ./ca", "qpki ca versions --ca-dir ./rotated-ca --json"],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const store = await CaStore.open(joinPath(ctx.cwd, folder));
    const versions = await versionFacts(store);
    const rows = versions.map(({ id, status, profiles, algorithms, ca_certificates: own }) => [
      id,
      status,
      profiles.join(","),
      algorithms.join(","),
      own.map(({ not_after }) => not_after).join(",") || "(no certificate)",
      store.meta.versions[id]!.keys.map(describeStorage).join("; "),
    ]);
    const text = table(["VERSION", "STATUS", "PROFILES", "ALGORITHMS", "VALID UNTIL", "KEYS"], rows);
    return { data: { path: folder, active: store.meta.active, versions }, text };
  },
};
export default command;
