import { discardVersion } from "../../../ca/discard.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { CA_DIR, required, VERSION, YES } from "../../flags.ts";

/** `qpki ca discard`. */
const command: Command = {
  summary: "Remove a pending version of a CA",
  details:
    "Its key files and certificates are deleted. Keys in a token are deleted with --yes; otherwise they are named, with " +
    "the command that deletes them. Link certificates of --cross-sign are revoked.",
  flags: [
    CA_DIR,
    required({ ...VERSION, description: "version to remove: 2, v2 or its full id" }),
    { ...YES, description: "delete the keys in the token as well" },
  ],
  examples: ["qpki ca discard --ca-dir ./rotated-ca --version v2"],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const store = await CaStore.open(joinPath(ctx.cwd, folder));
    const wanted = input.text(VERSION.name)!;
    const { version } = store.version(wanted);
    const inToken = version.keys.some(({ storage }) => storage.type === "pkcs11");
    const tokenKeys = input.on(YES.name) ||
      (inToken && ctx.prompter.interactive &&
        await ctx.prompter.confirm(`Delete the keys of version ${wanted} in the token too?`));
    const result = await discardVersion(store, wanted, { deps: ctx, tokenKeys });
    const data = {
      path: folder,
      version: result.versionId,
      kept_keys: result.keptKeys.map(({ entry, command }) => ({ ...entry.storage, delete_with: command })),
      revoked: result.revoked,
      ...(result.issuedAbove.length > 0 ? { issued_by_parent: result.issuedAbove } : {}),
    };
    const text = [
      `Version ${data.version} of ${folder} is removed`,
      ...data.revoked.map((serial) =>
        `  Revoked:     ${serial} (link certificate); then: qpki crl gen --ca-dir ${folder}`
      ),
      ...data.kept_keys.map((key) => `  Still there: a key in the token; delete it with: ${key.delete_with}`),
      ...result.issuedAbove.map((serial) => `  Still valid: certificate ${serial}; revoke it at the CA above`),
    ].join("\n");
    return { data, text };
  },
};
export default command;
