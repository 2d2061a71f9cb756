import { type CaFacts, caFacts, type CertificateFacts, describeStorage } from "../../../ca/info.ts";
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

type Row = [name: string, value: string | undefined];

function linesOf(rows: readonly Row[]): string[] {
  return rows.flatMap(([name, value]) => value === undefined ? [] : [`${`${name}:`.padEnd(13)}${value}`]);
}

function certificateRows(facts: Partial<CertificateFacts>): Row[] {
  return [
    ["Issuer", facts.issuer],
    ["Serial", facts.serial],
    ["Valid from", facts.not_before],
    ["Valid until", facts.not_after],
    ["Path length", facts.path_len === undefined ? undefined : String(facts.path_len)],
  ];
}

/** What the CA signs with; a Catalyst certificate means two schemes. */
function schemesText({ schemes, ca_certificates: certificates }: CaFacts): string | undefined {
  const texts = schemes.map((scheme, i) => {
    const { mode, key_algorithms: [, second] = [] } = certificates[i] ?? {};
    return mode === "catalyst" && second ? `${scheme} and ${second}` : scheme;
  });
  return texts.join(", ") || undefined;
}

function factsText(facts: CaFacts, store: CaStore): string {
  const { id, version } = store.version(facts.active === "" ? facts.versions[0]!.id : undefined);
  const { certificates: counts } = facts;
  const rows: Row[] = [
    ["CA", facts.path],
    ["Subject", facts.subject],
    ["Role", facts.role],
    ...(facts.ca_certificates.length > 1 ? [] : certificateRows(facts)),
    ["Version", `${id} (${facts.status})`],
    ["Profiles", facts.profiles.join(", ") || undefined],
    ["Algorithm", facts.algorithms.join(", ") || undefined],
    ["Signs with", schemesText(facts)],
    ...version.keys.map((key): [string, string] => ["Key", describeStorage(key)]),
    [
      "Issued",
      `${counts.total} (${counts.valid} valid, ${counts.revoked} revoked, ${counts.expired} expired)`,
    ],
  ];
  const lines = linesOf(rows);
  if (facts.ca_certificates.length > 1) {
    for (const one of facts.ca_certificates) {
      lines.push(`Certificate ${one.profile ?? one.key_algorithms.join(" and ")}:`);
      const own: Row[] = [["Keys", one.key_algorithms.join(", ")], ...certificateRows(one)];
      lines.push(...linesOf(own).map((line) => `  ${line}`));
    }
  }
  if (facts.versions.length > 1) {
    lines.push("Versions:");
    for (const { id: name, status, profiles, algorithms } of facts.versions) {
      lines.push(`  ${name.padEnd(6)}${status.padEnd(10)}${profiles.join(", ")} (${algorithms.join(", ")})`);
    }
  }
  return lines.join("\n");
}
