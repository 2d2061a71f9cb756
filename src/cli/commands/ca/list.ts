import { caFacts, findCaFolders } from "../../../ca/info.ts";
import { QpkiError } from "../../../errors.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { requireFolder } from "../../folder_input.ts";
import { table } from "../../table.ts";

/** `qpki ca list`. */
const command: Command = {
  summary: "Find the CAs below a folder",
  flags: [{
    name: "dir",
    short: "d",
    value: "DIR",
    default: ".",
    description: "folder to look in",
    complete: "directory",
  }],
  examples: ["qpki ca list", "qpki ca list --dir ./pki --json"],
  async run(input, ctx) {
    const top = input.text("dir")!;
    const absolute = joinPath(ctx.cwd, top);
    await requireFolder(absolute, top);
    const found = [];
    for (const folder of await findCaFolders(absolute)) {
      const path = top + folder.slice(absolute.length);
      try {
        const { subject, role, status, algorithms, not_after } = await caFacts(await CaStore.open(folder), ctx.now());
        found.push({ path, subject, role, status, algorithms, ...(not_after === undefined ? {} : { not_after }) });
      } catch (error) {
        if (!(error instanceof QpkiError)) throw error;
        ctx.warn(error.message);
        found.push({ path, error: { code: error.code, message: error.message } });
      }
    }
    const rows = found.map((one) =>
      "error" in one
        ? [one.path, "", "", "damaged", "", ""]
        : [one.path, one.subject, one.role, one.status, one.algorithms.join(","), one.not_after ?? ""]
    );
    const text = found.length === 0
      ? `No CA below ${top}`
      : table(["PATH", "SUBJECT", "ROLE", "STATUS", "ALGORITHM", "VALID UNTIL"], rows);
    return { data: { cas: found }, text };
  },
};
export default command;
