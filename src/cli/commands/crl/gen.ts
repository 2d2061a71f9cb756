import { certificatesFor, generateCrl, type GeneratedCrl } from "../../../ca/crl.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { openAll } from "../../../ca/issuers.ts";
import type { OpenCa } from "../../../ca/signer.ts";
import { UsageError } from "../../../errors.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { givenDays, parseInstant } from "../../crl_input.ts";
import { CA_DIR, CA_PASSPHRASE } from "../../flags.ts";

/** `qpki crl gen`. */
const command: Command = {
  summary: "Make a certificate revocation list",
  details:
    "Writes crl/ca.crl (PEM) and crl/ca.crl.der in the CA's folder, with the next CRL number. A CA with several " +
    "certificates has a CRL for each, crl/ca.ALGORITHM.crl, and all of them list all that is revoked; --algo makes " +
    "only some.",
  flags: [
    CA_DIR,
    { name: "days", value: "N", default: "7", description: "days until nextUpdate" },
    { name: "next-update", value: "TIME", description: "nextUpdate itself, for example 2026-01-09T10:00:00Z" },
    CA_PASSPHRASE,
    {
      name: "algo",
      value: "FAMILY",
      description: "only the CRLs of this algorithm, family (ec, rsa, ml-dsa, slh-dsa, composite) or mode (catalyst)",
    },
    { name: "all", description: "the CRLs of all algorithms; this is the default" },
  ],
  examples: [
    "qpki crl gen --ca-dir ./ca",
    "qpki crl gen --ca-dir ./ca --days 30",
    "qpki crl gen --ca-dir ./ca --algo ec",
  ],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const stated = input.text("next-update");
    const end = stated === undefined
      ? { days: givenDays(input, "days") }
      : { nextUpdate: parseInstant(stated, "next-update") };
    const algo = input.text("algo");
    if (algo !== undefined && input.on("all")) throw new UsageError("Cannot use --algo together with --all");
    const store = await CaStore.open(joinPath(ctx.cwd, folder));
    const passphrase = ctx.passphrase(input.text(CA_PASSPHRASE.name), "Passphrase of the CA key");
    await using cas = await openAll(store, { deps: ctx, passphrase, only: (all) => certificatesFor(all, algo) });
    const made = [];
    for (const ca of cas.open) made.push(crlData(folder, ca, await generateCrl(ca, end, ctx)));
    const text = made.flatMap((one) => [
      `CRL written to ${one.path}`,
      `  Number:      ${one.number}`,
      `  Revoked:     ${one.revoked}`,
      `  Next update: ${one.next_update}`,
    ]).join("\n");
    return { data: { ...made[0]!, crls: made }, text };
  },
};
export default command;

function crlData(folder: string, ca: OpenCa, { crl, path }: GeneratedCrl) {
  return {
    path: `${folder}/${path}`,
    der_path: `${folder}/${path}.der`,
    algorithm: ca.identity.name,
    number: crl.number,
    this_update: formatInstant(crl.thisUpdate),
    next_update: formatInstant(crl.nextUpdate!),
    revoked: crl.revoked.length,
  };
}
