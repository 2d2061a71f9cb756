import { isCrlOf } from "../../../ca/crl_files.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { IssuingVersions, type VersionCertificate } from "../../../ca/issuing_version.ts";
import { readFileBytes } from "../../../files.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import { describeAlgorithm } from "../../../keys/scheme.ts";
import { alternativeParts } from "../../../x509/alternative.ts";
import { subjectKeyId } from "../../../x509/certificate.ts";
import { readCrl } from "../../../x509/crl.ts";
import type { Crl } from "../../../x509/types.ts";
import type { Command } from "../../command.ts";
import { CA_DIR } from "../../flags.ts";
import { table } from "../../table.ts";

/** `qpki crl list`. */
const command: Command = {
  summary: "List the revocation lists in a CA's folder",
  flags: [CA_DIR],
  examples: ["qpki crl list --ca-dir ./ca"],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const store = await CaStore.open(joinPath(ctx.cwd, folder));
    const now = ctx.now();
    const { certificates: own } = await IssuingVersions.open(store);
    const crls = [];
    for (const path of await store.crlFiles()) {
      const crl = readCrl(await readFileBytes(path), path);
      crls.push({
        path: `${folder}/crl/${path.slice(path.lastIndexOf("/") + 1)}`,
        version: versionOf(crl, own) ?? "",
        algorithm: algorithmsOf(crl),
        number: crl.number ?? "",
        this_update: formatInstant(crl.thisUpdate),
        next_update: crl.nextUpdate ? formatInstant(crl.nextUpdate) : "",
        revoked: crl.revoked.length,
        expired: crl.nextUpdate !== undefined && crl.nextUpdate < now,
      });
    }
    const rows = crls.map((one) => [
      one.path,
      one.version,
      one.algorithm,
      one.number,
      one.this_update,
      one.next_update + (one.expired ? " (expired)" : ""),
      String(one.revoked),
    ]);
    const text = rows.length === 0
      ? "No CRL; make one with: qpki crl gen"
      : table(["PATH", "VERSION", "ALGORITHM", "NUMBER", "THIS UPDATE", "NEXT UPDATE", "REVOKED"], rows);
    return { data: { crls }, text };
  },
};
export default command;

/** What a CRL is signed with: two for a Catalyst one. */
function algorithmsOf(crl: Crl): string {
  const { algorithm } = alternativeParts(crl);
  return [crl.signatureAlgorithm, ...(algorithm ? [algorithm] : [])].map(describeAlgorithm).join(" + ");
}

/** The version whose key signed a CRL, as the key identifier says. */
function versionOf(crl: Crl, own: readonly VersionCertificate[]): string | undefined {
  return own.find(({ identity }) => isCrlOf(crl.der, subjectKeyId(identity.certificate)))?.versionId;
}
