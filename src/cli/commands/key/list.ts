import { UsageError } from "../../../errors.ts";
import type { KeyInfo } from "../../../keys/types.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command, Context, Input } from "../../command.ts";
import { HSM_CONFIG, hsmConfigPath } from "../../flags.ts";
import { requireFolder } from "../../folder_input.ts";
import { table } from "../../table.ts";
import { keyJson, shown } from "./_key.ts";

/** `qpki key list`. */
const command: Command = {
  summary: "List the private keys below a folder or in a token",
  details: "Files are recognised by their content. Encrypted ones are listed without being opened.",
  flags: [
    { name: "dir", value: "DIR", description: "folder to search (default: .)", complete: "directory" },
    HSM_CONFIG,
  ],
  examples: ["qpki key list --dir .", "qpki key list --hsm-config hsm.yaml"],
  async run(input, ctx) {
    const config = hsmConfigPath(input, ctx);
    const keys = config === undefined ? await inFolder(input, ctx) : await inToken(config, input, ctx);
    return { data: { keys: keys.map(keyJson) }, text: keys.length === 0 ? "No keys found" : tableOf(keys) };
  },
};
export default command;

async function inFolder(input: Input, ctx: Context): Promise<KeyInfo[]> {
  const { listKeyFiles } = await import("../../../keys/key_files.ts");
  const folder = input.text("dir") ?? ".";
  const absolute = joinPath(ctx.cwd, folder);
  await requireFolder(absolute, folder);
  const keys = await listKeyFiles(absolute);
  // shown as the operator wrote the folder
  return keys.map((info) =>
    info.ref.type === "software" ? { ...info, ref: { ...info.ref, path: written(info.ref.path) } } : info
  );

  function written(path: string): string {
    const below = path.slice(absolute.replace(/\/+$/, "").length + 1);
    return folder === "." ? below : joinPath(folder.replace(/(?<=.)\/+$/, ""), below);
  }
}

async function inToken(config: string, input: Input, ctx: Context): Promise<KeyInfo[]> {
  if (input.text("dir") !== undefined) {
    throw new UsageError("Cannot list a folder and a token at once: --dir and --hsm-config are both given", {
      code: "usage.hsm",
    });
  }
  await using provider = await ctx.openProvider({ type: "pkcs11", config });
  return await provider.list();
}

function tableOf(keys: readonly KeyInfo[]): string {
  if (keys[0]!.ref.type === "software") {
    return table(
      ["FILE", "ALGORITHM", "FORMAT", "ENCRYPTED", "SPKI SHA-256"],
      keys.map((info) => [
        info.ref.type === "software" ? info.ref.path : "",
        info.description,
        shown(info.attributes.format ?? "-"),
        shown(info.attributes.encrypted ?? "-"),
        info.spkiSha256 ?? "-",
      ]),
    );
  }
  return table(
    ["LABEL", "ID", "ALGORITHM", "SPKI SHA-256"],
    keys.map((info) => [
      info.ref.type === "pkcs11" ? info.ref.label ?? "-" : "-",
      info.ref.type === "pkcs11" ? info.ref.keyId ?? "-" : "-",
      info.description,
      info.spkiSha256 ?? "-",
    ]),
  );
}
