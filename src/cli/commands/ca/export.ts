import { concatBytes, encodePem, equalBytes } from "../../../bytes.ts";
import { InputError, UsageError } from "../../../errors.ts";
import { writeFileDurably } from "../../../files.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import { isSelfIssued } from "../../../x509/certificate.ts";
import { formatName } from "../../../x509/name.ts";
import type { Certificate } from "../../../x509/types.ts";
import type { Command } from "../../command.ts";
import { CA_DIR, FORCE, FORMAT, OUT } from "../../flags.ts";

/** `qpki ca export`. */
const command: Command = {
  summary: "Write out the certificate of a CA, its chain, or its root",
  flags: [
    CA_DIR,
    {
      name: "bundle",
      short: "b",
      value: "BUNDLE",
      choices: ["ca", "chain", "root"],
      default: "ca",
      description: "ca: the CA's certificate; chain: with its issuers, the root last; root: the root alone",
    },
    FORMAT,
    OUT,
    {
      name: "version",
      short: "v",
      value: "VERSION",
      description: "version of the CA, for example v1 (the active one)",
    },
    { name: "all", description: "the certificates of all versions" },
    FORCE,
  ],
  examples: [
    "qpki ca export --ca-dir ./ca",
    "qpki ca export --ca-dir ./ca --bundle chain --out chain.pem",
    "qpki ca export --ca-dir ./ca --format der --out ca.der",
  ],
  async run(input, ctx) {
    const bundle = input.text("bundle")!;
    const format = input.text(FORMAT.name)!;
    const out = input.text(OUT.name);
    const version = input.text("version");
    const all = input.on("all");
    if (all && version !== undefined) throw new UsageError("Cannot use --all together with --version");
    if ((all || version !== undefined) && bundle !== "ca") {
      throw new UsageError(
        `Cannot use --bundle ${bundle} with ${all ? "--all" : "--version"}: it is of the active version`,
      );
    }
    const store = await CaStore.open(joinPath(ctx.cwd, input.text(CA_DIR.name)!));
    const certificates = all ? await allVersions(store) : await bundled(store, bundle, version);
    if (format === "der") {
      if (out === undefined) throw new UsageError("Cannot print DER: name a file with --out");
      if (certificates.length > 1) {
        throw new UsageError(
          `Cannot write ${certificates.length} certificates as DER: a file holds one, use --format pem`,
        );
      }
    }
    const pem = certificates.map((one) => encodePem("CERTIFICATE", one.der)).join("");
    if (out !== undefined) {
      const content = format === "der" ? concatBytes(...certificates.map((one) => one.der)) : pem;
      await writeFileDurably(joinPath(ctx.cwd, out), content, { overwrite: input.on(FORCE.name) });
    }
    const data = {
      bundle: all ? "all" : bundle,
      format,
      certificates: certificates.map((one) => ({ subject: formatName(one.subject), serial: one.serial })),
      ...(out === undefined ? { pem } : { path: out }),
    };
    const count = certificates.length === 1 ? "1 certificate" : `${certificates.length} certificates`;
    return { data, text: out === undefined ? pem : `${count} written to ${out}` };
  },
};
export default command;

async function bundled(store: CaStore, bundle: string, version: string | undefined): Promise<Certificate[]> {
  if (bundle === "ca") return await store.certificates(version);
  const chains = await Promise.all((await store.certificates()).map((one) => store.chain(one)));
  if (bundle === "chain") return withoutRepetition(chains.flat());
  const roots = withoutRepetition(chains.map((chain) => chain.at(-1)!));
  if (roots.every(isSelfIssued)) return roots;
  throw new InputError(`Cannot export the root of "${store.folder}": its certificate is not in chain.pem`, {
    code: "ca.root_missing",
    object: store.folder,
    hint: "It was not given to ca accept; ask the issuing CA for it",
  });
}

function withoutRepetition(certificates: readonly Certificate[]): Certificate[] {
  return certificates.filter((one, i) => i === certificates.findIndex((other) => equalBytes(other.der, one.der)));
}

async function allVersions(store: CaStore): Promise<Certificate[]> {
  const found: Certificate[] = [];
  for (const [id, version] of Object.entries(store.meta.versions)) {
    if (version.status === "pending" && version.certificates === undefined) continue;
    found.push(...await store.certificates(id));
  }
  return found;
}
