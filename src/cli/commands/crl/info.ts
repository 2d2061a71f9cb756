import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { describeCrl, readCrl } from "../../../x509/crl.ts";
import type { Command } from "../../command.ts";
import { FILE_ARGUMENT } from "../../flags.ts";

/** `qpki crl info FILE`. */
const command: Command = {
  summary: "Show a certificate revocation list",
  args: [{ ...FILE_ARGUMENT, description: "CRL, PEM or DER" }],
  flags: [],
  examples: ["qpki crl info ./ca/crl/ca.crl", "qpki crl info ca.crl.der --json"],
  async run(input, ctx) {
    const file = input.argument("file")!;
    const { json, text } = await describeCrl(readCrl(await readFileBytes(joinPath(ctx.cwd, file)), file));
    return { data: json, text };
  },
};
export default command;
