import { formatInstant } from "../../../ca/deps.ts";
import { EXIT } from "../../../errors.ts";
import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { readCrl, verifyCrl } from "../../../x509/crl.ts";
import { formatName, sameName } from "../../../x509/name.ts";
import type { Certificate, Crl } from "../../../x509/types.ts";
import type { Command } from "../../command.ts";
import { FILE_ARGUMENT, required } from "../../flags.ts";
import { readTrust, TRUST } from "../../trust_input.ts";

/** `qpki crl verify FILE`. */
const command: Command = {
  summary: "Verify the signature of a certificate revocation list",
  details: "Prints VALID, or INVALID with the reason (exit 1).",
  args: [{ ...FILE_ARGUMENT, description: "CRL, PEM or DER" }],
  flags: [
    required({ ...TRUST, description: "certificate of the CA that issued it, or the folder of that CA" }),
    { name: "check-expiry", description: "not valid when nextUpdate is past" },
  ],
  examples: ["qpki crl verify ./ca/crl/ca.crl --ca ./ca", "qpki crl verify ca.crl --ca ca.crt --check-expiry"],
  async run(input, ctx) {
    const file = input.argument("file")!;
    const crl = readCrl(await readFileBytes(joinPath(ctx.cwd, file)), file);
    const trust = await readTrust(input.text(TRUST.name)!, ctx);
    const reason = await signatureProblem(crl, [...trust.intermediates, ...trust.anchors]) ??
      (input.on("check-expiry") ? timeProblem(crl, ctx.now()) : undefined);
    const data = {
      valid: reason === undefined,
      issuer: formatName(crl.issuer),
      number: crl.number,
      this_update: formatInstant(crl.thisUpdate),
      ...(crl.nextUpdate ? { next_update: formatInstant(crl.nextUpdate) } : {}),
      ...(reason === undefined ? {} : { reason }),
    };
    if (reason === undefined) return { data, text: "VALID" };
    return { data, text: `INVALID: ${reason}`, exit: EXIT.FAILED };
  },
};
export default command;

async function signatureProblem(crl: Crl, certificates: readonly Certificate[]): Promise<string | undefined> {
  const issuers = certificates.filter((one) => sameName(one.subject, crl.issuer));
  let reason = `none of the certificates has the CRL's issuer "${formatName(crl.issuer)}"`;
  for (const issuer of issuers) {
    const verdict = await verifyCrl(crl, issuer);
    if (verdict.valid) return undefined;
    reason = verdict.reason ?? "the signature does not verify";
  }
  return reason;
}

function timeProblem(crl: Crl, now: Date): string | undefined {
  if (crl.thisUpdate > now) return `it is not valid before ${formatInstant(crl.thisUpdate)}`;
  if (crl.nextUpdate && crl.nextUpdate < now) return `it expired on ${formatInstant(crl.nextUpdate)}`;
  return undefined;
}
