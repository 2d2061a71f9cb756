import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { describeCsr, readCsr, verifyCsr } from "../../../x509/csr.ts";
import { ATTEST_CERT, attestCertificates } from "../../attest_input.ts";
import type { Command } from "../../command.ts";
import { FILE_ARGUMENT } from "../../flags.ts";
import { signaturesText } from "../../signature_text.ts";

const command: Command = {
  summary: "Show a certificate request",
  args: [{ ...FILE_ARGUMENT, description: "request, PEM or DER" }],
  flags: [ATTEST_CERT],
  examples: ["qpki csr info server.csr"],
  async run(input, ctx) {
    const file = input.argument("file")!;
    const csr = readCsr(await readFileBytes(joinPath(ctx.cwd, file)), file);
    const { json, text } = await describeCsr(csr);
    const { valid, code, reason, signatures, possession, attestation } = await verifyCsr(csr, {
      attestCertificates: await attestCertificates(input, ctx),
      attestTrust: "caller",
    });
    const unknown = code === "possession.no_certificate";
    const state = valid ? "valid" : unknown ? `not checked (${reason})` : `INVALID (${reason})`;
    const lines = [
      text.trimEnd(),
      `Signature: ${state}`,
      ...signaturesText(signatures),
      ...(attestation ? [attestation.statement] : []),
    ];
    const data = {
      ...json,
      signature_valid: unknown ? null : valid,
      signatures,
      possession,
      ...(attestation ? { attestation: attestation.statement } : {}),
      ...(valid ? {} : { reason }),
    };
    return { data, text: lines.join("\n") };
  },
};

export default command;
