import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { describeCsr, readCsr, verifyCsr } from "../../../x509/csr.ts";
import type { Command } from "../../command.ts";
import { FILE_ARGUMENT } from "../../flags.ts";

const command: Command = {
  summary: "Show a certificate request",
  args: [{ ...FILE_ARGUMENT, description: "request, PEM or DER" }],
  flags: [],
  examples: ["qpki csr info server.csr"],
  async run(input, ctx) {
    const file = input.argument("file")!;
    const csr = readCsr(await readFileBytes(joinPath(ctx.cwd, file)), file);
    const { json, text } = await describeCsr(csr);
    const verdict = await verifyCsr(csr).catch((error) => ({ valid: false, reason: (error as Error).message }));
    const state = verdict.valid ? "valid" : `INVALID (${verdict.reason})`;
    return {
      data: { ...json, signature_valid: verdict.valid, ...(verdict.valid ? {} : { reason: verdict.reason }) },
      text: `${text.trimEnd()}\nSignature: ${state}`,
    };
  },
};

export default command;
