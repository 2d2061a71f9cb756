import { EXIT } from "../../../errors.ts";
import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { readCsr, verifyCsr } from "../../../x509/csr.ts";
import { formatName } from "../../../x509/name.ts";
import type { Command } from "../../command.ts";
import { FILE_ARGUMENT } from "../../flags.ts";

const command: Command = {
  summary: "Verify the signature of a certificate request",
  details:
    "Prints VALID when the request is signed with the key it asks a certificate for, otherwise why it is not (exit 1).",
  args: [{ ...FILE_ARGUMENT, description: "request, PEM or DER" }],
  flags: [],
  examples: ["qpki csr verify server.csr"],
  async run(input, ctx) {
    const file = input.argument("file")!;
    const csr = readCsr(await readFileBytes(joinPath(ctx.cwd, file)), file);
    const { valid, reason } = await verifyCsr(csr);
    const subject = formatName(csr.subject);
    if (valid) return { data: { valid, subject }, text: "VALID" };
    return { data: { valid, subject, reason }, text: `INVALID: ${reason}`, exit: EXIT.FAILED };
  },
};

export default command;
