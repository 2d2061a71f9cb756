import type { Secret } from "../../../bytes.ts";
import { wipe } from "../../../bytes.ts";
import { keyOf } from "../../../audit/keys.ts";
import { audited } from "../../../audit/trail.ts";
import { UsageError } from "../../../errors.ts";
import { existsError, pathExists, readFileBytes, writeFileDurably } from "../../../files.ts";
import type { PassphraseSource } from "../../../keys/types.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command, Context, Input } from "../../command.ts";
import { FILE_ARGUMENT, FORCE, FORMAT, NEW_PASSPHRASE, OUT, PASSPHRASE, required } from "../../flags.ts";
import { fileAttributes, keyInfo, keyJson, keyLines } from "./_key.ts";

/** `qpki key convert`. */
const command: Command = {
  summary: "Write a private key file anew: other format, other passphrase",
  details: "Reads PKCS#8 (plain or encrypted), SEC1 and PKCS#1, PEM or DER; writes PKCS#8. An encrypted key stays " +
    "encrypted, with the same passphrase when no new one is given; --decrypt writes it plain.",
  args: [{ ...FILE_ARGUMENT, description: "private key file" }],
  flags: [
    { ...required(OUT), description: "private key file to write; with --force it may be the same one" },
    FORMAT,
    PASSPHRASE,
    NEW_PASSPHRASE,
    { name: "decrypt", description: "write the key without encryption" },
    FORCE,
  ],
  examples: [
    "qpki key convert openssl.key --out ca.key --new-passphrase env:CA_PASSPHRASE",
    "qpki key convert ca.key --passphrase env:CA_PASSPHRASE --format der --out ca.der",
  ],
  async run(input, ctx) {
    const path = input.argument("file")!;
    const out = input.text("out")!;
    const target = joinPath(ctx.cwd, out);
    const overwrite = input.on("force");
    if (input.on("decrypt") && input.text("new-passphrase") !== undefined) {
      throw new UsageError("Cannot use --decrypt with --new-passphrase: one encrypts, the other does not", {
        code: "usage.passphrase",
      });
    }
    if (!overwrite && await pathExists(target)) throw existsError(out);
    const format = input.text("format") === "der" ? "der" : "pem";
    const event = { event: "key.convert", key: keyOf({ type: "software", path: joinPath(ctx.cwd, path) }) };
    const info = await audited(ctx.audit, event, {
      async work() {
        const { key, passphrase } = await open(path, input, ctx);
        using _closed = key;
        const content = await key.encode({ format, ...(passphrase ? { passphrase } : {}) });
        await writeFileDurably(target, content, { mode: 0o600, overwrite });
        const encoding = format === "der" ? "DER" : "PEM";
        return await keyInfo(key, fileAttributes(key, { encrypted: passphrase !== undefined, encoding }));
      },
      facts: ({ algorithm, spkiSha256, attributes }) => ({
        key: { ...event.key, algorithm: algorithm!.name, spki_sha256: spkiSha256! },
        details: { out: target, encrypted: attributes["encrypted"]! },
      }),
    });
    const written = { ...info, ref: { type: "software", path: out } as const };
    return { data: keyJson(written), text: ["Key converted", ...keyLines(written)].join("\n") };
  },
};
export default command;

type SoftwareKey = import("../../../keys/software.ts").SoftwareKey;

/** The key, and the passphrase to encrypt it with. */
async function open(path: string, input: Input, ctx: Context): Promise<{ key: SoftwareKey; passphrase?: Secret }> {
  const { openSoftwareKey } = await import("../../../keys/software.ts");
  const { inFile } = await import("../../../keys/key_files.ts");
  const ask = ctx.passphrase(input.text("passphrase"), `Passphrase of ${path}`);
  let old: Secret | undefined;
  const remember: PassphraseSource = async () => old = await ask();
  const file = await readFileBytes(joinPath(ctx.cwd, path));
  try {
    const key = await openSoftwareKey(file, remember, path);
    if (input.on("decrypt")) return { key };
    const given = input.text("new-passphrase");
    const next = given === undefined ? old : await ctx.passphrase(given, "New passphrase", { twice: true })();
    if (given !== undefined && !next) {
      throw new UsageError("Cannot use the new passphrase: it is empty", {
        code: "passphrase.empty",
        hint: "To write the key without encryption say --decrypt",
      });
    }
    return next ? { key, passphrase: next } : { key };
  } catch (error) {
    throw inFile(path, error);
  } finally {
    wipe(file);
  }
}
