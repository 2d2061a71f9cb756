import { keyOf } from "../../../audit/keys.ts";
import { audited } from "../../../audit/trail.ts";
import { type Bytes, equalBytes, type Secret, wipe } from "../../../bytes.ts";
import { InputError, UsageError } from "../../../errors.ts";
import { existsError, pathExists, readFileBytes, writeFileDurably } from "../../../files.ts";
import { describeSpki, spkiFingerprint } from "../../../keys/spki.ts";
import type { PassphraseSource } from "../../../keys/types.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command, CommandResult, Context, Flag, Input } from "../../command.ts";
import { FILE_ARGUMENT, FORCE, FORMAT, NEW_PASSPHRASE, OUT, PASSPHRASE, required } from "../../flags.ts";
import { isSameFile, refusePrivateKey } from "../../output_files.ts";
import { findPublicKey, type PublicKeyFile, publicKeyPem } from "../../public_key_input.ts";
import { fileAttributes, keyInfo, keyJson, keyLines } from "./_key.ts";

/** Without a default: giving it says that the file is to change. */
const KEY_FORMAT: Flag = {
  name: FORMAT.name,
  short: "f",
  value: "FORMAT",
  choices: ["pem", "der", "cose"],
  description: "encoding of the output: pem without it",
};

function formatOf(input: Input): string {
  return input.text(KEY_FORMAT.name) ?? "pem";
}

/** `qpki key convert`. */
const command: Command = {
  summary: "Write a key file anew: other format, other passphrase, COSE_Key",
  details:
    "Reads private keys as PKCS#8 (plain or encrypted), SEC1, PKCS#1 (PEM or DER) and COSE_Key, and writes PKCS#8 or, " +
    "with --format cose, a COSE_Key. An encrypted key stays encrypted, with the same passphrase when no new one is " +
    "given; --decrypt writes it plain. A public key stays one, and --public writes the public half of a private one.",
  args: [{ ...FILE_ARGUMENT, description: "key file" }],
  flags: [
    {
      ...required(OUT),
      description: "key file to write; with --force and what is to change it may be the same one",
      privateKey: true,
      mayReplaceInput: true,
    },
    KEY_FORMAT,
    PASSPHRASE,
    NEW_PASSPHRASE,
    { name: "decrypt", description: "write the key without encryption" },
    { name: "public", description: "write the public half" },
    FORCE,
  ],
  examples: [
    "qpki key convert openssl.key --out ca.key --new-passphrase env:CA_PASSPHRASE",
    "qpki key convert ca.key --passphrase env:CA_PASSPHRASE --format der --out ca.der",
    "qpki key convert server.key --public --format cose --out server.cosekey",
  ],
  async run(input, ctx) {
    const path = input.argument("file")!;
    const out = input.text("out")!;
    if (input.on("decrypt") && input.text("new-passphrase") !== undefined) {
      throw new UsageError("Cannot use --decrypt with --new-passphrase: one encrypts, the other does not", {
        code: "usage.passphrase",
      });
    }
    if (!input.on("force") && await pathExists(joinPath(ctx.cwd, out))) throw existsError(out);
    await checkReplacement(path, input, ctx);
    const { inFile } = await import("../../../keys/key_files.ts");
    const file = await readFileBytes(joinPath(ctx.cwd, path));
    try {
      const source = await sourceOf(file);
      return "spki" in source
        ? await convertPublic(source, input, ctx)
        : await recorded(() => convertPrivate(source, { path, input, ctx }), { path, input, ctx });
    } catch (error) {
      throw inFile(path, error);
    } finally {
      wipe(file);
    }
  },
};
export default command;

function saysWhatChanges(input: Input): boolean {
  return input.on("decrypt") || [KEY_FORMAT, NEW_PASSPHRASE].some(({ name }) => input.text(name) !== undefined);
}

/** A key file is not written anew by a slip. @throws {UsageError} `usage.same_file`. */
async function checkReplacement(path: string, input: Input, ctx: Context): Promise<void> {
  if (saysWhatChanges(input) || !await isSameFile(path, input.text("out")!, ctx.cwd)) return;
  throw new UsageError(`Cannot convert "${path}" in its place: nothing says what is to change`, {
    code: "usage.same_file",
    hint: "Add --format, --new-passphrase or --decrypt, or choose another name",
  });
}

type SoftwareKey = import("../../../keys/software.ts").SoftwareKey;

/** A private key file, or the PKCS#8 out of a COSE_Key with the public half that it states. */
interface PrivateSource {
  readonly file: Bytes;
  readonly stated?: PublicKeyFile;
}

/** What a file holds: a public key alone, or a private one. */
async function sourceOf(file: Bytes): Promise<PublicKeyFile | PrivateSource> {
  const { decodeCoseKey, looksLikeCoseKey } = await import("../../../cose/cose_key.ts");
  if (looksLikeCoseKey(file)) {
    const { pkcs8, ...stated } = decodeCoseKey(file);
    return pkcs8 ? { file: pkcs8, stated } : stated;
  }
  return await findPublicKey(file) ?? { file };
}

async function convertPublic(key: PublicKeyFile, input: Input, ctx: Context): Promise<CommandResult> {
  const stray = ["passphrase", "new-passphrase"].find((flag) => input.text(flag) !== undefined);
  if (stray !== undefined) throw new UsageError(`Cannot use --${stray}: a public key has no passphrase`);
  const out = input.text("out")!;
  await refusePrivateKey(out, ctx.cwd);
  await writeFileDurably(joinPath(ctx.cwd, out), await publicContent(key, input), { overwrite: input.on("force") });
  const { row, description } = describeSpki(key.spki);
  const info = {
    ref: { type: "software", path: out } as const,
    description,
    spkiSha256: await spkiFingerprint(key.spki),
    attributes: { format: formatOf(input) === "cose" ? "COSE_Key" : "SubjectPublicKeyInfo", private: false },
    ...(row ? { algorithm: row } : {}),
  };
  return { data: keyJson(info), text: ["Public key written", ...keyLines(info)].join("\n") };
}

async function publicContent({ spki, kid }: PublicKeyFile, input: Input): Promise<Bytes | string> {
  const format = formatOf(input);
  if (format !== "cose") return format === "der" ? spki : publicKeyPem(spki);
  const { encodeCoseKey } = await import("../../../cose/cose_key.ts");
  return encodeCoseKey({ spki, ...(kid ? { kid } : {}) });
}

interface Conversion {
  readonly path: string;
  readonly input: Input;
  readonly ctx: Context;
}

/** A private key is opened, and its content gets another place. */
async function recorded(
  work: () => Promise<CommandResult>,
  { path, input, ctx }: Conversion,
): Promise<CommandResult> {
  const key = keyOf({ type: "software", path: joinPath(ctx.cwd, path) });
  const details = { out: joinPath(ctx.cwd, input.text("out")!), public: input.on("public") };
  return await audited(ctx.audit, { event: "key.convert", key, details }, {
    work,
    facts({ data }) {
      const { algorithm, spki_sha256, attributes } = data as {
        algorithm: string;
        spki_sha256: string;
        attributes: Record<string, string | boolean>;
      };
      return { key: { ...key, algorithm, spki_sha256 }, details: { ...details, encrypted: attributes["encrypted"] } };
    },
  });
}

async function convertPrivate(source: PrivateSource, { path, input, ctx }: Conversion): Promise<CommandResult> {
  const out = input.text("out")!;
  const { key, passphrase } = await open(source, { path, input, ctx });
  using _closed = key;
  if (input.on("public")) {
    const { spki } = key;
    return await convertPublic({ spki, ...source.stated }, withoutPassphrases(input), ctx);
  }
  const format = formatOf(input);
  const isCose = format === "cose";
  const encoding = format === "pem" ? "PEM" : "DER";
  const content = isCose
    ? await coseContent(key, source.stated, passphrase)
    : await key.encode({ format: format === "der" ? "der" : "pem", ...(passphrase ? { passphrase } : {}) });
  try {
    await writeFileDurably(joinPath(ctx.cwd, out), content, { mode: 0o600, overwrite: input.on("force") });
  } finally {
    wipe(content);
  }
  const encrypted = passphrase !== undefined;
  const attributes = isCose ? { format: "COSE_Key", encrypted } : fileAttributes(key, { encrypted, encoding });
  const written = { ...await keyInfo(key, attributes), ref: { type: "software", path: out } as const };
  return { data: keyJson(written), text: ["Key converted", ...keyLines(written)].join("\n") };
}

/** The passphrase has opened the key, and the public half needs none. */
function withoutPassphrases(input: Input): Input {
  return {
    argument: (name) => input.argument(name),
    rest: (name) => input.rest(name),
    list: (flag) => input.list(flag),
    on: (flag) => input.on(flag),
    integer: (flag, range) => input.integer(flag, range),
    text: (flag) => flag.endsWith("passphrase") ? undefined : input.text(flag),
  };
}

async function coseContent(
  key: SoftwareKey,
  stated: PublicKeyFile | undefined,
  passphrase: Secret | undefined,
): Promise<Bytes> {
  if (passphrase) {
    throw new UsageError("Cannot write an encrypted COSE_Key: the format has no encryption", {
      code: "usage.passphrase",
      hint: "--decrypt writes it plain, --public the public half alone",
    });
  }
  const { encodeCoseKey } = await import("../../../cose/cose_key.ts");
  const pkcs8 = await key.encode({ format: "der" });
  try {
    return encodeCoseKey({ spki: key.spki, pkcs8, ...(stated?.kid ? { kid: stated.kid } : {}) });
  } finally {
    wipe(pkcs8);
  }
}

/** The key, and the passphrase to encrypt it with. */
async function open(
  { file, stated }: PrivateSource,
  { path, input, ctx }: Conversion,
): Promise<{ key: SoftwareKey; passphrase?: Secret }> {
  const { openSoftwareKey } = await import("../../../keys/software.ts");
  const ask = ctx.passphrase(input.text("passphrase"), `Passphrase of ${path}`);
  let old: Secret | undefined;
  const remember: PassphraseSource = async () => old = await ask();
  const key = await openSoftwareKey(file, remember, path);
  if (stated) {
    wipe(file);
    if (!equalBytes(stated.spki, key.spki)) {
      key[Symbol.dispose]();
      throw new InputError("Cannot read the COSE_Key: its public half belongs to another key", {
        code: "key.mismatch",
      });
    }
  }
  if (input.on("decrypt") || input.on("public")) return { key };
  const given = input.text("new-passphrase");
  const next = given === undefined ? old : await ctx.passphrase(given, "New passphrase", { twice: true })();
  if (given !== undefined && !next) {
    throw new UsageError("Cannot use the new passphrase: it is empty", {
      code: "passphrase.empty",
      hint: "To write the key without encryption say --decrypt",
    });
  }
  return next ? { key, passphrase: next } : { key };
}
