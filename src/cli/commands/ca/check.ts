import { audited } from "../../../audit/trail.ts";
import { checkCa, recoverCa } from "../../../ca/check.ts";
import { repairedReport, reportOf } from "../../../ca/repair.ts";
import { joinPath } from "../../../store/layout.ts";
import { checkResult, NO_TOKEN, REPAIR, WARNINGS_FAIL } from "../../check_output.ts";
import type { Command } from "../../command.ts";
import { CA_DIR, CA_PASSPHRASE } from "../../flags.ts";

/** `qpki ca check`. */
const command: Command = {
  summary: "Check that metadata, index, certificates, chain, CRLs and keys of a CA agree",
  details:
    "One line for each finding, error or warning with its code, and a last line that sums up. The exit status is 0 " +
    "when there is no error and 1 otherwise, as monitoring wants it. Encrypted key files are opened only with " +
    "--ca-passphrase; tokens are logged into and looked at, and nothing is signed. --repair finishes or undoes what an " +
    "interrupted command left and sets right what needs no decision; it never deletes a key in a token, but names the " +
    "command that does.",
  flags: [CA_DIR, REPAIR, NO_TOKEN, CA_PASSPHRASE, WARNINGS_FAIL],
  examples: [
    "qpki ca check --ca-dir ./ca",
    "qpki ca check --ca-dir ./ca --no-token --json",
    "qpki ca check --ca-dir ./ca --repair",
  ],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const path = joinPath(ctx.cwd, folder);
    const options = {
      token: !input.on(NO_TOKEN.name),
      passphrase: ctx.passphrase(input.text(CA_PASSPHRASE.name), undefined, { flag: CA_PASSPHRASE.name }),
    };
    const check = () => checkCa(path, options, ctx);
    const report = input.on(REPAIR.name)
      ? await audited(ctx.audit, { event: "ca.repair", ca: { folder: path } }, {
        work: () => repairedReport(check, (tell) => recoverCa(path, ctx, tell)),
        facts: ({ repaired }) => ({ details: { repaired } }),
      })
      : await reportOf(check);
    return checkResult(folder, report, input);
  },
};
export default command;
