import { upgradeCa } from "../../../ca/upgrade.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { CA_DIR } from "../../flags.ts";

const DRY_RUN = { name: "dry-run", description: "say what would change; write nothing" };

/** `qpki ca upgrade`. */
const command: Command = {
  summary: "Bring the metadata of an older CA up to date",
  details:
    "Older forms of the metadata, and those of the Go QPKI, are used as they are. This command writes them in the form of " +
    "today: versions, SHA-256 of each public key, signature schemes, paths of the certificates. Fields that it does not " +
    "know stay as they are; no key is touched.",
  flags: [CA_DIR, DRY_RUN],
  examples: ["qpki ca upgrade --ca-dir ./ca", "qpki ca upgrade --ca-dir ./ca --dry-run"],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const dryRun = input.on(DRY_RUN.name);
    const { changes } = await upgradeCa(await CaStore.open(joinPath(ctx.cwd, folder)), { dryRun }, ctx);
    const head = changes.length === 0
      ? `The metadata of ${folder} is up to date`
      : `The metadata of ${folder} ${dryRun ? "would be" : "was"} upgraded:`;
    return {
      data: { path: folder, dry_run: dryRun, upgraded: changes.length > 0 && !dryRun, changes },
      text: [head, ...changes.map((change) => `  ${change}`)].join("\n"),
    };
  },
};
export default command;
