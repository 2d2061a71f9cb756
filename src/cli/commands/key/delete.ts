import { EXIT, TokenError, UsageError } from "../../../errors.ts";
import type { Command } from "../../command.ts";
import { HSM_FLAGS, keyRef, YES } from "../../flags.ts";
import { candidate, findTokenKeys, keyJson, selection } from "./_key.ts";

/** `qpki key delete`. */
const command: Command = {
  summary: "Delete a key pair in a token",
  details:
    "Destroys both halves, for good. The one key must be told by its label, its id, or both. Asks on a terminal; " +
    "elsewhere --yes is needed. Key files are deleted with the system's own commands.",
  flags: [...HSM_FLAGS, YES],
  examples: [
    "qpki key delete --hsm-config hsm.yaml --key-label old-key",
    "qpki key delete --hsm-config hsm.yaml --key-id 0102030405 --yes",
  ],
  async run(input, ctx) {
    if (input.text("hsm-config") === undefined) {
      throw new UsageError("Cannot delete a key: --hsm-config is missing", {
        code: "usage.hsm",
        hint: "A key file is deleted with the system's own commands",
      });
    }
    const ref = keyRef(undefined, input, ctx);
    if (ref.type !== "pkcs11") throw new UsageError("Cannot delete a key file", { code: "usage.hsm" });
    if (!input.on("yes") && !ctx.prompter.interactive) {
      throw new UsageError(`Cannot delete the key with ${selection(ref)}: nobody can be asked`, {
        code: "usage.confirmation",
        hint: "Add --yes to delete it without being asked",
      });
    }
    const [key, ...more] = await findTokenKeys(ref, ctx);
    if (more.length > 0) {
      throw new TokenError(`Cannot delete the key with ${selection(ref)}: ${more.length + 1} keys match`, {
        code: "key.ambiguous",
        object: selection(ref),
        hint: `Add --key-id or --key-label to choose one of: ${[key, ...more].map(candidate).join("; ")}`,
      });
    }
    const question = `Delete the key with ${candidate(key)}? This cannot be undone.`;
    if (!input.on("yes") && !await ctx.prompter.confirm(question)) {
      return { data: { deleted: false, key: keyJson(key) }, text: "Nothing deleted", exit: EXIT.FAILED };
    }
    await using provider = await ctx.openProvider({ type: "pkcs11", config: ref.config });
    // pinned to what was shown, whatever happens to the token meanwhile
    const pinned = key.spkiSha256 === undefined ? key.ref : { ...key.ref, spkiSha256: key.spkiSha256 };
    const deleted = await provider.delete(pinned);
    return { data: { deleted: true, key: keyJson(deleted) }, text: `Deleted the key with ${candidate(deleted)}` };
  },
};
export default command;
