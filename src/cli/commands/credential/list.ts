import { formatInstant } from "../../../ca/deps.ts";
import { credentialState } from "../../../credential/status.ts";
import { pendingVersions } from "../../../credential/versions.ts";
import { QpkiError } from "../../../errors.ts";
import { credentialIds, CredentialStore } from "../../../store/credential.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { CRED_DIR } from "../../flags.ts";
import { requireFolder } from "../../folder_input.ts";
import { table } from "../../table.ts";
import { revocationLookup, REVOKING_CA } from "./_text.ts";

/** `qpki credential list`. */
const command: Command = {
  summary: "List the credentials with their status",
  flags: [CRED_DIR, REVOKING_CA],
  examples: ["qpki credential list", "qpki credential list --cred-dir ./credentials --ca-dir ./ca --json"],
  async run(input, ctx) {
    const shown = input.text(CRED_DIR.name)!;
    const credDir = joinPath(ctx.cwd, shown);
    // before the first one there is none
    if (shown !== CRED_DIR.default) await requireFolder(credDir, shown);
    const lookup = revocationLookup(input, ctx);
    const found = [];
    for (const id of await credentialIds(credDir)) {
      try {
        const store = await CredentialStore.open(credDir, id);
        const state = await credentialState(store, { now: ctx.now(), lookup });
        const { version } = store.version();
        found.push({
          id,
          status: state.status,
          revocation_checked: state.revocationChecked,
          subject: store.meta.subject,
          profiles: version.profiles,
          algorithms: version.algos,
          active: state.versionId,
          pending: pendingVersions(store.meta),
          versions: Object.keys(store.meta.versions).length,
          not_after: formatInstant(firstEnd(state.certificates.map(({ certificate }) => certificate.notAfter))),
          storage: [...new Set(version.keys.map((key) => key.storage.type))],
        });
      } catch (error) {
        if (!(error instanceof QpkiError)) throw error;
        ctx.warn(error.message);
        found.push({ id, error: { code: error.code, message: error.message } });
      }
    }
    const rows = found.map((one) =>
      "error" in one ? [one.id, "damaged"] : [
        one.id,
        one.status,
        one.subject.common_name ?? "",
        one.pending.length > 0 ? `${one.active} (${one.pending.join(", ")} pending)` : one.active,
        one.profiles.join(","),
        one.storage.map((type) => type === "pkcs11" ? "token" : "file").join(","),
        one.not_after,
      ]
    );
    const text = found.length === 0
      ? `No credential in ${shown}`
      : table(["ID", "STATUS", "COMMON NAME", "VERSION", "PROFILES", "KEYS", "VALID UNTIL"], rows);
    return { data: { credentials: found }, text };
  },
};

export default command;

function firstEnd(dates: readonly Date[]): Date {
  return new Date(Math.min(...dates.map(Number)));
}
