import { formatInstant } from "../../../ca/deps.ts";
import { type VersionState, versionStates } from "../../../credential/versions.ts";
import { InputError } from "../../../errors.ts";
import { CredentialStore } from "../../../store/credential.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { CRED_DIR } from "../../flags.ts";
import { table } from "../../table.ts";
import { ID_ARGUMENT, revocationLookup, REVOKING_CA } from "./_text.ts";

/** `qpki credential versions ID`. */
const command: Command = {
  summary: "List the versions of a credential with their status",
  details:
    "STATUS is what the version is to the credential: pending, active or archived. CERTIFICATES is how its certificates are " +
    "now, computed from them, the CA's index and the time.",
  args: [ID_ARGUMENT],
  flags: [CRED_DIR, REVOKING_CA],
  examples: ["qpki credential versions alice"],
  async run(input, ctx) {
    const store = await CredentialStore.open(joinPath(ctx.cwd, input.text(CRED_DIR.name)!), input.argument("id")!);
    const states = await versionStates(store, { now: ctx.now(), lookup: revocationLookup(input, ctx) });
    for (const { id, state } of states) {
      if (state instanceof InputError) ctx.warn(`Version ${id}: ${state.message}`);
    }
    const versions = states.map(versionJson);
    const rows = versions.map((one) => [
      one.id,
      one.status,
      "error" in one ? "damaged" : one.certificates_status,
      one.profiles.join(","),
      one.storage.map((type) => type === "pkcs11" ? "token" : "file").join(","),
      one.created,
      one.not_after,
    ]);
    const head = ["VERSION", "STATUS", "CERTIFICATES", "PROFILES", "KEYS", "CREATED", "VALID UNTIL"];
    return { data: { id: store.meta.id, active: store.meta.active, versions }, text: table(head, rows) };
  },
};

export default command;

function versionJson({ id, version, state }: VersionState) {
  const facts = {
    id,
    status: version.status,
    created: version.created,
    not_after: version.not_after,
    profiles: version.profiles,
    algorithms: version.algos,
    storage: [...new Set(version.keys.map((key) => key.storage.type))],
    keys: version.keys,
  };
  if (state instanceof InputError) return { ...facts, error: { code: state.code, message: state.message } };
  return {
    ...facts,
    certificates_status: state.status,
    revocation_checked: state.revocationChecked,
    certificates: state.certificates.map(({ certificate, entry, status }) => ({
      serial: certificate.serial,
      profile: entry.profile,
      status,
      not_before: formatInstant(certificate.notBefore),
      not_after: formatInstant(certificate.notAfter),
      fingerprint: entry.fingerprint,
    })),
  };
}
