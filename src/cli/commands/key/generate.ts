import { findKeyRow, type KeyRow } from "../../../alg/find.ts";
import { keyOf } from "../../../audit/keys.ts";
import { audited } from "../../../audit/trail.ts";
import { UsageError } from "../../../errors.ts";
import { existsError, pathExists, writeFileDurably } from "../../../files.ts";
import type { KeyInfo, Pkcs11KeyRef } from "../../../keys/types.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command, Context, Input } from "../../command.ts";
import { ALGORITHM } from "../../algorithm_flag.ts";
import { FORCE, HSM_FLAGS, hsmRef, OUT, PASSPHRASE, required } from "../../flags.ts";
import { fileAttributes, keyInfo, keyJson, keyLines } from "./_key.ts";

/** `qpki key generate`. */
const command: Command = {
  summary: "Generate a private key in a file or in a token",
  details:
    "In a file the key is PKCS#8 (PEM), readable by its owner only, and encrypted when a passphrase is given. In " +
    "a token it never leaves it; its id is random unless --key-id states one. Either way the new key has signed " +
    "something, and the signature has been verified, before this command reports it.",
  flags: [
    required(ALGORITHM),
    { ...OUT, description: "private key file to write", privateKey: true },
    PASSPHRASE,
    FORCE,
    ...HSM_FLAGS,
  ],
  examples: [
    "qpki key generate --algorithm ecdsa-p384 --out ca.key",
    "qpki key generate --algorithm rsa-4096 --out ca.key --passphrase env:CA_PASSPHRASE",
    "qpki key generate --algorithm ecdsa-p384 --hsm-config hsm.yaml --key-label root-ca-key",
  ],
  async run(input, ctx) {
    const row = findKeyRow(input.text("algorithm")!);
    const token = hsmRef(input, ctx);
    const info = token ? await inToken(row, token, { input, ctx }) : await inFile(row, { input, ctx });
    return { data: keyJson(info), text: ["Key generated", ...keyLines(info)].join("\n") };
  },
};
export default command;

interface Call {
  readonly input: Input;
  readonly ctx: Context;
}

async function inToken(row: KeyRow, ref: Pkcs11KeyRef, { input, ctx }: Call): Promise<KeyInfo> {
  for (const flag of ["out", "passphrase"]) {
    if (input.text(flag) === undefined) continue;
    throw new UsageError(`Cannot use --${flag} with --hsm-config: the key stays in the token`, {
      code: "usage.hsm",
      ...(flag === "out"
        ? { hint: "Write its public half afterwards with: qpki key pub --hsm-config FILE --out FILE" }
        : {}),
    });
  }
  if (ref.label === undefined) {
    throw new UsageError("Cannot generate a key in a token: --key-label is missing", {
      code: "usage.hsm",
      hint: "Add --key-label TEXT; later commands find the key by it",
    });
  }
  await using provider = await ctx.openProvider({ type: "pkcs11", config: ref.config });
  await provider.prepare(row, ref);
  ctx.progress(`Generating ${row.label} key in the token`);
  return await keyInfo(await provider.generate(row, ref));
}

async function inFile(row: KeyRow, { input, ctx }: Call): Promise<KeyInfo> {
  const out = input.text("out");
  if (!out) {
    throw new UsageError("Cannot generate a key: neither --out nor --hsm-config says where to", {
      code: "usage.key",
      hint: "Add --out FILE for a key file, or --hsm-config FILE with --key-label TEXT for a token",
    });
  }
  const path = joinPath(ctx.cwd, out);
  const overwrite = input.on("force");
  // before the passphrase is asked for and time is spent
  if (!overwrite && await pathExists(path)) throw existsError(out);
  const source = input.text("passphrase");
  const passphrase = await ctx.passphrase(source, undefined, { twice: true })();
  if (source !== undefined && !passphrase) {
    throw new UsageError("Cannot use the passphrase: it is empty", {
      code: "passphrase.empty",
      hint: "Leave --passphrase out to store the key without encryption",
    });
  }
  const event = { event: "key.generate", key: keyOf({ type: "software", path }, { algorithm: row.name }) };
  return await audited(ctx.audit, event, {
    async work() {
      ctx.progress(`Generating ${row.label} key`);
      const { generateSoftwareKey } = await import("../../../keys/software.ts");
      using key = await generateSoftwareKey(row, out);
      ctx.signal.throwIfAborted();
      await writeFileDurably(path, await key.encode(passphrase ? { passphrase } : {}), { mode: 0o600, overwrite });
      return await keyInfo(key, fileAttributes(key, { encrypted: passphrase !== undefined, encoding: "PEM" }));
    },
    facts: ({ spkiSha256 }) => ({ key: { ...event.key, spki_sha256: spkiSha256! } }),
  });
}
