import { activateVersion } from "../../../credential/activate.ts";
import { CredentialStore } from "../../../store/credential.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { CRED_DIR } from "../../flags.ts";
import { CREDENTIAL_VERSION, ID_ARGUMENT, revocationLookup, REVOKING_CA } from "./_text.ts";

/** `qpki credential activate ID`. */
const command: Command = {
  summary: "Put a version of a credential into use, or go back to one",
  details:
    "The version that was in use is archived: its certificates stay valid, and it can be activated again. A version whose " +
    "certificates are revoked or expired is refused.",
  args: [ID_ARGUMENT],
  flags: [
    CRED_DIR,
    REVOKING_CA,
    { ...CREDENTIAL_VERSION, description: "version, for example v2 or 2; the pending one without it" },
  ],
  examples: ["qpki credential activate alice --version v1", "qpki credential activate server"],
  async run(input, ctx) {
    const store = await CredentialStore.open(joinPath(ctx.cwd, input.text(CRED_DIR.name)!), input.argument("id")!);
    const lookup = revocationLookup(input, ctx);
    const { versionId, former, was } = await activateVersion(store, input.text(CREDENTIAL_VERSION.name), {
      deps: ctx,
      lookup,
    });
    const isChanged = versionId !== former;
    const data = { id: store.meta.id, active: versionId, was, ...(isChanged ? { archived: former } : {}) };
    const text = isChanged
      ? `Credential ${store.meta.id}: version ${versionId} is active, ${former} is archived`
      : `Credential ${store.meta.id}: version ${versionId} is active already`;
    return { data, text };
  },
};

export default command;
