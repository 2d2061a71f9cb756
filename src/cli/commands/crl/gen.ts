import { generateCrl } from "../../../ca/crl.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { caSigner, type OpenCa } from "../../../ca/signer.ts";
import { UsageError } from "../../../errors.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { givenDays, parseInstant } from "../../crl_input.ts";
import { CA_DIR, CA_PASSPHRASE } from "../../flags.ts";

/** `qpki crl gen`. */
const command: Command = {
  summary: "Make a certificate revocation list",
  details: "Writes crl/ca.crl (PEM) and crl/ca.crl.der in the CA's folder, with the next CRL number.",
  flags: [
    CA_DIR,
    { name: "days", value: "N", default: "7", description: "days until nextUpdate" },
    { name: "next-update", value: "TIME", description: "nextUpdate itself, for example 2026-01-09T10:00:00Z" },
    CA_PASSPHRASE,
    { name: "algo", value: "FAMILY", description: "only the CRL of this algorithm or family, in a CA with several" },
    { name: "all", description: "the CRLs of all algorithms, in a CA with several" },
  ],
  examples: ["qpki crl gen --ca-dir ./ca", "qpki crl gen --ca-dir ./ca --days 30"],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const stated = input.text("next-update");
    const end = stated === undefined
      ? { days: givenDays(input, "days") }
      : { nextUpdate: parseInstant(stated, "next-update") };
    const store = await CaStore.open(joinPath(ctx.cwd, folder));
    await using ca = await caSigner(
      store,
      ctx,
      ctx.passphrase(input.text(CA_PASSPHRASE.name), "Passphrase of the CA key"),
    );
    checkAlgorithm(ca, input.text("algo"));
    const { crl } = await generateCrl(ca, end, ctx);
    const data = {
      path: `${folder}/crl/ca.crl`,
      der_path: `${folder}/crl/ca.crl.der`,
      number: crl.number,
      this_update: formatInstant(crl.thisUpdate),
      next_update: formatInstant(crl.nextUpdate!),
      revoked: crl.revoked.length,
    };
    const text = [
      `CRL written to ${data.path}`,
      `  Number:      ${data.number}`,
      `  Revoked:     ${data.revoked}`,
      `  Next update: ${data.next_update}`,
    ].join("\n");
    return { data, text };
  },
};
export default command;

function checkAlgorithm(ca: OpenCa, wanted: string | undefined): void {
  if (wanted === undefined) return;
  const { family, name } = ca.key.algorithm;
  const own = [family, name, family === "ecdsa" ? "ec" : family];
  if (own.includes(wanted.toLowerCase())) return;
  throw new UsageError(`Cannot make a CRL for --algo ${wanted}: the CA signs with ${name}`, {
    code: "usage.algorithm",
  });
}
