import { activateVersion } from "../../../ca/activate.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { keyAlgorithms } from "../../../ca/info.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { CA_DIR, required, VERSION } from "../../flags.ts";

/** `qpki ca activate`. */
const command: Command = {
  summary: "Switch a CA to another version",
  details:
    "From then on the version issues; the one before is archived, and its certificates stay valid and revocable. " +
    "Activating an archived version rolls back. ca.crt and chain.pem follow. Make the CRL of the version afterwards " +
    "with crl gen.",
  flags: [CA_DIR, required({ ...VERSION, description: "version to activate: 2, v2 or its full id" })],
  examples: [
    "qpki ca activate --ca-dir ./rotated-ca --version 2",
    "qpki ca activate --ca-dir ./rotated-ca --version v2",
  ],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const store = await CaStore.open(joinPath(ctx.cwd, folder));
    const { versionId, former, was, certificates } = await activateVersion(store, input.text(VERSION.name)!, ctx);
    const data = {
      path: folder,
      version: versionId,
      was,
      ...(former === undefined ? {} : { archived: former }),
      certificates: certificates.map((one) => ({
        serial: one.serial,
        not_before: formatInstant(one.notBefore),
        not_after: formatInstant(one.notAfter),
        key_algorithms: keyAlgorithms(one),
      })),
    };
    if (was === "active") return { data, text: `Version ${versionId} of ${folder} is active already` };
    const text = [
      `Version ${versionId} of ${folder} is active${former === undefined ? "" : `, ${former} is archived`}`,
      ...data.certificates.map((one) => `  Valid until: ${one.not_after}, ${one.key_algorithms.join(" and ")}`),
      `  Then:        qpki crl gen --ca-dir ${folder}`,
    ].join("\n");
    return { data, text };
  },
};
export default command;
