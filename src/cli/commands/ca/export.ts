import { concatBytes, encodePem, equalBytes } from "../../../bytes.ts";
import { InputError, UsageError } from "../../../errors.ts";
import { readFileBytes, writeFileDurably } from "../../../files.ts";
import { CaStore } from "../../../store/ca.ts";
import { issuersOf } from "../../../store/chain.ts";
import { joinPath } from "../../../store/layout.ts";
import { isAwaited } from "../../../store/meta.ts";
import { isSelfSigned, readCertificates } from "../../../x509/certificate.ts";
import { formatName } from "../../../x509/name.ts";
import type { Certificate } from "../../../x509/types.ts";
import type { Command } from "../../command.ts";
import { CA_DIR, FORCE, FORMAT, OUT, VERSION } from "../../flags.ts";

/** `qpki ca export`. */
const command: Command = {
  summary: "Write out the certificate of a CA, its chain, or its root",
  details:
    "Of the active version, or of --version, pending ones too; --all means every version that has a certificate. --bundle " +
    "cross is what ca rotate --cross-sign made for the version: the key of each side certified by the other, with the " +
    "certificates above.",
  flags: [
    CA_DIR,
    {
      name: "bundle",
      short: "b",
      value: "BUNDLE",
      choices: ["ca", "chain", "root", "cross"],
      default: "ca",
      description:
        "ca: the CA's certificate; chain: with its issuers, the root last; root: the root alone; cross: link " +
        "certificates with other versions",
    },
    FORMAT,
    OUT,
    VERSION,
    { name: "all", description: "the certificates of all versions" },
    FORCE,
  ],
  examples: [
    "qpki ca export --ca-dir ./ca",
    "qpki ca export --ca-dir ./ca --bundle chain --out chain.pem",
    "qpki ca export --ca-dir ./ca --format der --out ca.der",
    "qpki ca export --ca-dir ./rotated-ca --version v2 --bundle cross",
  ],
  async run(input, ctx) {
    const bundle = input.text("bundle")!;
    const format = input.text(FORMAT.name)!;
    const out = input.text(OUT.name);
    const version = input.text("version");
    const all = input.on("all");
    if (all && version !== undefined) throw new UsageError("Cannot use --all together with --version");
    const store = await CaStore.open(joinPath(ctx.cwd, input.text(CA_DIR.name)!));
    const ids = all ? exportable(store) : [store.version(version).id];
    const found: Certificate[] = bundle === "cross" ? await linkChains(store, ids) : [];
    if (bundle !== "cross") { for (const id of ids) found.push(...await bundled(store, bundle, id)); }
    const certificates = withoutRepetition(found);
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
      bundle: all && bundle === "ca" ? "all" : bundle,
      versions: ids,
      format,
      certificates: certificates.map((one) => ({ subject: formatName(one.subject), serial: one.serial })),
      ...(out === undefined ? { pem } : { path: out }),
    };
    const count = certificates.length === 1 ? "1 certificate" : `${certificates.length} certificates`;
    return { data, text: out === undefined ? pem : `${count} written to ${out}` };
  },
};
export default command;

/** Versions that have a certificate. */
function exportable({ meta }: CaStore): string[] {
  return Object.keys(meta.versions).filter((id) => !isAwaited(meta.versions[id]!));
}

async function bundled(store: CaStore, bundle: string, id: string): Promise<Certificate[]> {
  if (bundle === "ca") return await store.certificates(id);
  const own = await store.certificates(id);
  const chains = await Promise.all(own.map((one) => store.chain(one, id)));
  if (bundle === "chain") return chains.flat();
  const roots = chains.map((chain) => chain.at(-1)!);
  if (roots.every(isSelfSigned)) return roots;
  throw new InputError(`Cannot export the root of "${store.folder}": its certificate is not in chain.pem`, {
    code: "ca.root_missing",
    object: store.folder,
    hint: "It was not given to ca accept: get it from the issuing CA, then run qpki ca accept FILE --parent-cert ROOT",
  });
}

/** The link certificates that versions are part of, each with those above it. */
async function linkChains(store: CaStore, ids: readonly string[]): Promise<Certificate[]> {
  const links = Object.values(store.meta.versions).flatMap(({ cross_certificates: all = [] }) => all)
    .filter(({ subject, issuer }) => ids.includes(subject) || ids.includes(issuer));
  if (links.length === 0) {
    throw new InputError(`Cannot export link certificates of "${store.folder}": version ${ids.join(", ")} has none`, {
      code: "cross.none",
      object: store.folder,
      hint: "They are made with a version: qpki ca rotate --cross-sign",
    });
  }
  const chains: Certificate[] = [];
  for (const { path, issuer } of links) {
    const [link] = readCertificates(await readFileBytes(store.path(path)), path);
    const own = await store.certificates(issuer);
    const above = issuersOf(link!, own);
    chains.push(link!, ...above, ...(await store.chain(above[0], issuer)).slice(1));
  }
  return chains;
}

function withoutRepetition(certificates: readonly Certificate[]): Certificate[] {
  return certificates.filter((one, i) => i === certificates.findIndex((other) => equalBytes(other.der, one.der)));
}
