import { audited } from "../../../audit/trail.ts";
import { type Bundle, certificatesPem, exportCertificates, type ExportRequest } from "../../../credential/export.ts";
import { UsageError } from "../../../errors.ts";
import { existsError, pathExists, writeFileDurably } from "../../../files.ts";
import { CredentialStore } from "../../../store/credential.ts";
import { joinPath } from "../../../store/layout.ts";
import { formatName } from "../../../x509/name.ts";
import type { Command, CommandResult, Context, Flag, Input } from "../../command.ts";
import { CRED_DIR, FORCE, FORMAT, OUT, PASSPHRASE } from "../../flags.ts";
import { CREDENTIAL_VERSION, ID_ARGUMENT } from "./_text.ts";

const FLAGS: readonly Flag[] = [
  CRED_DIR,
  {
    name: "bundle",
    short: "b",
    value: "BUNDLE",
    choices: ["cert", "chain", "all"],
    default: "cert",
    description: "cert: its certificates; chain: and the issuing CA with those above; all: and the root",
  },
  {
    ...FORMAT,
    choices: ["pem", "der", "p12"],
    description: "pem, der (one certificate), or p12: PKCS#12, private keys and certificates together",
  },
  OUT,
  { ...CREDENTIAL_VERSION, description: "version of the credential (the active one)" },
  { name: "all", description: "the certificates of all versions" },
  PASSPHRASE,
  {
    name: "export-passphrase",
    value: "SOURCE",
    description: "with --format p12: passphrase of the new file: env:NAME, file:PATH, fd:N, or - to be asked",
  },
  FORCE,
];

/** `qpki credential export ID`. */
const command: Command = {
  summary: "Write out the certificates of a credential, as PKCS#12 with its keys",
  details:
    "Private keys go along only as PKCS#12, encrypted with a passphrase of its own (PBES2 with AES-256, HMAC-SHA-256): " +
    "keys in files; one in a token never leaves it. The alternative key of a Catalyst certificate follows under a name of " +
    "its own.",
  args: [ID_ARGUMENT],
  flags: FLAGS,
  examples: [
    "qpki credential export alice",
    "qpki credential export server --bundle chain --out server-chain.pem",
    "qpki credential export server --format der --out server.der",
    "qpki credential export server --bundle chain --format p12 --out server.p12 --export-passphrase env:P12_PASSPHRASE",
  ],
  async run(input, ctx) {
    const bundle = input.text("bundle") as Bundle;
    const format = input.text(FORMAT.name)!;
    const out = input.text(OUT.name);
    const version = input.text(CREDENTIAL_VERSION.name);
    const allVersions = input.on("all");
    if (allVersions && version !== undefined) throw new UsageError("Cannot use --all together with --version");
    if (format === "der" && out === undefined) throw new UsageError("Cannot print DER: name a file with --out");
    if (format !== "p12" && input.text("export-passphrase") !== undefined) {
      throw new UsageError("Cannot use --export-passphrase without --format p12");
    }
    const store = await CredentialStore.open(joinPath(ctx.cwd, input.text(CRED_DIR.name)!), input.argument("id")!);
    const request = { bundle, allVersions, ...(version === undefined ? {} : { version }) };
    if (format === "p12") return await writePkcs12(store, request, { input, ctx, out });
    const certificates = await exportCertificates(store, request);
    if (format === "der" && certificates.length > 1) {
      throw new UsageError(
        `Cannot write ${certificates.length} certificates as DER: a file holds one, use --format pem`,
      );
    }
    const pem = certificatesPem(certificates);
    if (out !== undefined) {
      const content = format === "der" ? certificates[0]!.der : pem;
      await writeFileDurably(joinPath(ctx.cwd, out), content, { overwrite: input.on(FORCE.name) });
    }
    const data = {
      id: store.meta.id,
      bundle,
      format,
      certificates: certificates.map((one) => ({ subject: formatName(one.subject), serial: one.serial })),
      ...(out === undefined ? { pem } : { path: out }),
    };
    return { data, text: out === undefined ? pem : `${counted(certificates.length, "certificate")} written to ${out}` };
  },
};

export default command;

async function writePkcs12(
  store: CredentialStore,
  request: ExportRequest,
  { input, ctx, out }: { input: Input; ctx: Context; out: string | undefined },
): Promise<CommandResult> {
  if (out === undefined) throw new UsageError("Cannot print PKCS#12: name a file with --out");
  const path = joinPath(ctx.cwd, out);
  const overwrite = input.on(FORCE.name);
  // told before anybody is asked for a passphrase
  if (!overwrite && await pathExists(path)) throw existsError(out);
  const { exportPkcs12 } = await import("../../../credential/pkcs12.ts");
  const source = ctx.passphrase(input.text("export-passphrase"), "Passphrase of the PKCS#12 file", { twice: true });
  const exportPassphrase = await source();
  if (!exportPassphrase) {
    throw new UsageError("Cannot make a PKCS#12 file without a passphrase: --export-passphrase is missing", {
      code: "passphrase.missing",
      hint: "Give one with --export-passphrase env:NAME, file:PATH, fd:N, or - to be asked",
    });
  }
  const passphrase = ctx.passphrase(input.text(PASSPHRASE.name), "Passphrase of the credential's keys");
  // deno-lint-ignore no-control-regex
  if (!/^[\x00-\x7f]*$/.test(exportPassphrase.reveal())) {
    ctx.warn("The passphrase has characters beyond ASCII: Java will not open the file");
  }
  // private keys leave their place
  const event = { event: "credential.export", credential: store.folder };
  const { certificates, keys } = await audited(ctx.audit, event, {
    async work() {
      const made = await exportPkcs12(store, { ...request, passphrase, exportPassphrase });
      await writeFileDurably(path, made.der, { overwrite, mode: 0o600 });
      return made;
    },
    facts: (made) => ({
      details: { out: path, keys: made.keys, serials: made.certificates.map(({ serial }) => serial) },
    }),
  });
  const data = {
    id: store.meta.id,
    bundle: request.bundle,
    format: "p12",
    certificates: certificates.map((one) => ({ subject: formatName(one.subject), serial: one.serial })),
    keys,
    path: out,
  };
  const text = `${counted(keys, "private key")} and ${counted(certificates.length, "certificate")} written to ${out}`;
  return { data, text };
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
