import { EXIT } from "../../../errors.ts";
import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { readCsr, verifyCsr } from "../../../x509/csr.ts";
import { formatName } from "../../../x509/name.ts";
import { ATTEST_CERT, attestCertificates } from "../../attest_input.ts";
import type { Command, Context, Input } from "../../command.ts";
import { FILE_ARGUMENT } from "../../flags.ts";
import { signaturesText } from "../../signature_text.ts";
import { readTrust, TRUST } from "../../trust_input.ts";

const command: Command = {
  summary: "Verify the signatures of a certificate request",
  details:
    "Prints VALID when the request is signed with the key it asks a certificate for, and with its alternative key if it " +
    "has one, otherwise why it is not (exit 1). A request for a key that cannot sign is signed by the holder of another " +
    "certificate (RFC 9883); --ca says whom to believe.",
  args: [{ ...FILE_ARGUMENT, description: "request, PEM or DER" }],
  flags: [ATTEST_CERT, {
    ...TRUST,
    description: "trusted certificates for the one that attests, or the folder of a CA",
  }],
  examples: ["qpki csr verify server.csr", "qpki csr verify alice-kem.csr --attest-cert alice.crt --ca ./ca"],
  async run(input, ctx) {
    const file = input.argument("file")!;
    const csr = readCsr(await readFileBytes(joinPath(ctx.cwd, file)), file);
    const verdict = await verifyCsr(csr, {
      attestCertificates: await attestCertificates(input, ctx),
      attestTrust: await attestTrust(input, ctx),
    });
    for (const warning of verdict.warnings) ctx.warn(warning);
    const { valid, reason, attestation, signatures, possession } = verdict;
    if (attestation && !attestation.trusted) {
      ctx.warn("The certificate of the one who attests was not validated: add --ca");
    }
    const data = {
      valid,
      subject: formatName(csr.subject),
      signatures,
      possession,
      ...(attestation ? { attestation: attestation.statement, attestation_trusted: attestation.trusted } : {}),
    };
    if (!valid) return { data: { ...data, reason }, text: `INVALID: ${reason}`, exit: EXIT.FAILED };
    const lines = ["VALID", ...signaturesText(signatures), ...(attestation ? [`  ${attestation.statement}`] : [])];
    return { data, text: lines.join("\n") };
  },
};

export default command;

async function attestTrust(input: Input, ctx: Context) {
  const path = input.text(TRUST.name);
  if (path === undefined) return "caller" as const;
  const { anchors, intermediates } = await readTrust(path, ctx);
  return { anchors, intermediates, at: ctx.now() };
}
