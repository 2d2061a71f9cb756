import { type CaFacts, caFacts, describeStorage } from "../../../ca/info.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { CA_DIR } from "../../flags.ts";

/** `qpki ca info`. */
const command: Command = {
  summary: "Show a CA: subject, key, validity, versions, certificates",
  flags: [CA_DIR],
  examples: ["qpki ca info --ca-dir ./ca", "qpki ca info --ca-dir ./ca --json"],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const store = await CaStore.open(joinPath(ctx.cwd, folder));
    const facts = { ...await caFacts(store, ctx.now()), path: folder };
    return { data: facts, text: factsText(facts, store) };
  },
};
export default command;

function factsText(facts: CaFacts, store: CaStore): string {
  const { id, version } = store.version(facts.active === "" ? facts.versions[0]!.id : undefined);
  const { certificates: counts } = facts;
  const rows: [string, string | undefined][] = [
    ["CA", facts.path],
    ["Subject", facts.subject],
    ["Role", facts.role],
    ["Issuer", facts.issuer],
    ["Serial", facts.serial],
    ["Valid from", facts.not_before],
    ["Valid until", facts.not_after],
    ["Path length", facts.path_len === undefined ? undefined : String(facts.path_len)],
    ["Version", `${id} (${facts.status})`],
    ["Profiles", facts.profiles.join(", ") || undefined],
    ["Algorithm", facts.algorithms.join(", ") || undefined],
    ["Signs with", facts.scheme],
    ...version.keys.map((key): [string, string] => ["Key", describeStorage(key)]),
    [
      "Issued",
      `${counts.total} (${counts.valid} valid, ${counts.revoked} revoked, ${counts.expired} expired)`,
    ],
  ];
  const lines = rows.flatMap(([name, value]) => value === undefined ? [] : [`${`${name}:`.padEnd(13)}${value}`]);
  if (facts.versions.length > 1) {
    lines.push("Versions:");
    for (const each of facts.versions) lines.push(`  ${each.id.padEnd(6)}${each.status}  ${each.profiles.join(", ")}`);
  }
  return lines.join("\n");
}
