import { formatInstant } from "../../../ca/deps.ts";
import { statusOf } from "../../../ca/status.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { CA_DIR } from "../../flags.ts";
import { table } from "../../table.ts";

/** `qpki cert list`. */
const command: Command = {
  summary: "List the certificates that a CA issued",
  flags: [CA_DIR, {
    name: "status",
    value: "STATUS",
    choices: ["valid", "revoked", "expired", "all"],
    default: "all",
    description: "only certificates with this status",
  }],
  examples: ["qpki cert list --ca-dir ./ca", "qpki cert list --ca-dir ./ca --status revoked --json"],
  async run(input, ctx) {
    const wanted = input.text("status")!;
    const store = await CaStore.open(joinPath(ctx.cwd, input.text(CA_DIR.name)!));
    const now = ctx.now();
    const certificates = (await store.entries()).map((entry) => ({
      serial: entry.serial,
      status: statusOf(entry, now),
      subject: entry.subject,
      not_after: formatInstant(entry.notAfter),
      ...(entry.revocation
        ? { revoked_at: formatInstant(entry.revocation.date), reason: entry.revocation.reason ?? "unspecified" }
        : {}),
    })).filter((one) => wanted === "all" || one.status === wanted);
    const rows = certificates.map((one) => [
      one.serial,
      one.status,
      one.not_after,
      one.subject + ("reason" in one ? `  (revoked ${one.revoked_at}, ${one.reason})` : ""),
    ]);
    const text = rows.length === 0
      ? (wanted === "all" ? "No certificates" : `No ${wanted} certificates`)
      : table(["SERIAL", "STATUS", "VALID UNTIL", "SUBJECT"], rows);
    return { data: { certificates }, text };
  },
};
export default command;
