import { keyOf } from "../../../audit/keys.ts";
import { audited } from "../../../audit/trail.ts";
import { wipe } from "../../../bytes.ts";
import { readFileBytes } from "../../../files.ts";
import type { KeyInfo } from "../../../keys/types.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command, Context, Input } from "../../command.ts";
import { FILE_ARGUMENT, HSM_FLAGS, keyRef, PASSPHRASE } from "../../flags.ts";
import { findTokenKeys, keyJson, keyLines } from "./_key.ts";

/** `qpki key info`. */
const command: Command = {
  summary: "Show a private key: algorithm, fingerprint, format or token attributes",
  details:
    "Several keys in a token may share a label: all of them are shown. Of an encrypted file only the format is " +
    "shown as long as no passphrase is given.",
  args: [{ ...FILE_ARGUMENT, description: "private key file", required: false }],
  flags: [PASSPHRASE, ...HSM_FLAGS],
  examples: [
    "qpki key info ca.key",
    "qpki key info ca.key --passphrase env:CA_PASSPHRASE --json",
    "qpki key info --hsm-config hsm.yaml --key-label root-ca-key",
  ],
  async run(input, ctx) {
    const ref = keyRef(input.argument("file"), input, ctx);
    const keys = ref.type === "pkcs11" ? await findTokenKeys(ref, ctx) : [await fromFile(ref.path, input, ctx)];
    const blocks = keys.map((info) => keyLines(info, "  ").join("\n"));
    return {
      data: { keys_found: keys.length, keys: keys.map(keyJson) },
      text: [`Keys found: ${keys.length}`, ...blocks].join("\n\n"),
    };
  },
};
export default command;

async function fromFile(path: string, input: Input, ctx: Context): Promise<KeyInfo> {
  const { describeKeyFile } = await import("../../../keys/key_files.ts");
  const absolute = joinPath(ctx.cwd, path);
  const file = await readFileBytes(absolute);
  try {
    const info = await describeKeyFile(path, file);
    await warnIfOpen(absolute, path, ctx);
    if (info.attributes.encrypted !== true) return info;
    const secret = await ctx.passphrase(input.text("passphrase"), `Passphrase of ${path}`)();
    if (!secret) return info;
    const key = keyOf({ type: "software", path: absolute });
    return await audited(ctx.audit, { event: "key.open", key }, {
      work: () => describeKeyFile(path, file, secret),
      facts: ({ algorithm, spkiSha256 }) => ({
        key: keyOf({ type: "software", path: absolute }, { algorithm: algorithm?.name, spki_sha256: spkiSha256 }),
      }),
    });
  } finally {
    wipe(file);
  }
}

async function warnIfOpen(absolute: string, path: string, ctx: Context): Promise<void> {
  if (Deno.build.os === "windows") return;
  const { mode } = await Deno.stat(absolute);
  if (((mode ?? 0) & 0o077) !== 0) {
    ctx.warn(`The private key file "${path}" is open to others than its owner; restrict it: chmod 600 ${path}`);
  }
}
