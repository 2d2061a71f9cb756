import { type Bundle, certificatesPem, exportCertificates } from "../../../credential/export.ts";
import { UsageError } from "../../../errors.ts";
import { writeFileDurably } from "../../../files.ts";
import { CredentialStore } from "../../../store/credential.ts";
import { joinPath } from "../../../store/layout.ts";
import { formatName } from "../../../x509/name.ts";
import type { Command, Flag } from "../../command.ts";
import { CRED_DIR, FORCE, FORMAT, OUT } from "../../flags.ts";
import { ID_ARGUMENT } from "./_text.ts";

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
  FORMAT,
  OUT,
  { name: "version", short: "v", value: "VERSION", description: "version of the credential (the active one)" },
  { name: "all", description: "the certificates of all versions" },
  FORCE,
];

/** `qpki credential export ID`. */
const command: Command = {
  summary: "Write out the certificates of a credential",
  details: "Private keys are never exported; credential info says where they are.",
  args: [ID_ARGUMENT],
  flags: FLAGS,
  examples: [
    "qpki credential export alice",
    "qpki credential export server --bundle chain --out server-chain.pem",
    "qpki credential export server --format der --out server.der",
  ],
  async run(input, ctx) {
    const bundle = input.text("bundle") as Bundle;
    const format = input.text(FORMAT.name)!;
    const out = input.text(OUT.name);
    const version = input.text("version");
    const allVersions = input.on("all");
    if (allVersions && version !== undefined) throw new UsageError("Cannot use --all together with --version");
    if (format === "der" && out === undefined) throw new UsageError("Cannot print DER: name a file with --out");
    const store = await CredentialStore.open(joinPath(ctx.cwd, input.text(CRED_DIR.name)!), input.argument("id")!);
    const request = { bundle, allVersions, ...(version === undefined ? {} : { version }) };
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
    const count = certificates.length === 1 ? "1 certificate" : `${certificates.length} certificates`;
    return { data, text: out === undefined ? pem : `${count} written to ${out}` };
  },
};

export default command;
