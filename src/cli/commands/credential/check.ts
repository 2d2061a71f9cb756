import { audited } from "../../../audit/trail.ts";
import { repairedReport, reportOf } from "../../../ca/repair.ts";
import { checkCredentials, recoverCredentials } from "../../../credential/check.ts";
import { joinPath } from "../../../store/layout.ts";
import { checkResult, NO_TOKEN, REPAIR, WARNINGS_FAIL } from "../../check_output.ts";
import type { Command } from "../../command.ts";
import { CA_DIR, CRED_DIR, PASSPHRASE } from "../../flags.ts";
import { ID_ARGUMENT, REVOKING_CA } from "./_text.ts";

/** `qpki credential check [ID]`. */
const command: Command = {
  summary: "Check that metadata, certificates and keys of credentials agree, and what their CA knows of them",
  details:
    "Checks one credential, or all of a folder. One line for each finding, error or warning with its code, and a last " +
    "line that sums up; the exit status is 1 when there is an error. An expired or revoked certificate is a warning: " +
    "--warnings-fail makes it count. Encrypted key files are opened only with --passphrase.",
  args: [{ ...ID_ARGUMENT, required: false, description: "id of the credential; all of them without it" }],
  flags: [CRED_DIR, REVOKING_CA, REPAIR, NO_TOKEN, PASSPHRASE, WARNINGS_FAIL],
  examples: ["qpki credential check", "qpki credential check alice --no-token --json"],
  async run(input, ctx) {
    const shown = input.text(CRED_DIR.name)!;
    const credDir = joinPath(ctx.cwd, shown);
    const id = input.argument("id");
    const ca = input.text(REVOKING_CA.name);
    const options = {
      deps: ctx,
      token: !input.on(NO_TOKEN.name),
      passphrase: ctx.passphrase(input.text(PASSPHRASE.name)),
      ...(ca === undefined ? { usual: joinPath(ctx.cwd, CA_DIR.default!) } : { caFolder: joinPath(ctx.cwd, ca) }),
    };
    const check = () => checkCredentials(credDir, id, options);
    const report = input.on(REPAIR.name)
      ? await audited(ctx.audit, { event: "credential.repair", credential: joinPath(credDir, id ?? "") }, {
        work: () => repairedReport(check, (tell) => recoverCredentials(credDir, id, { deps: ctx, tell })),
        facts: ({ repaired }) => ({ details: { repaired } }),
      })
      : await reportOf(check);
    return checkResult(id === undefined ? shown : `${shown}/${id}`, report, input);
  },
};
export default command;
