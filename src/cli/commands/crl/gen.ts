import { certificatesFor } from "../../../ca/crl.ts";
import { generateCrls, type VersionCrl } from "../../../ca/crl_versions.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { IssuingVersions } from "../../../ca/issuing_version.ts";
import { EXIT, UsageError } from "../../../errors.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command } from "../../command.ts";
import { givenDays, parseInstant } from "../../crl_input.ts";
import { CA_DIR, CA_PASSPHRASE, VERSION } from "../../flags.ts";

/** `qpki crl gen`. */
const command: Command = {
  summary: "Make a certificate revocation list",
  details:
    "Writes crl/ca.crl (PEM) and crl/ca.crl.der in the CA's folder, with the next CRL number. A CA with several " +
    "certificates has a CRL for each, crl/ca.ALGORITHM.crl, and all of them list all that is revoked; --algo makes " +
    "only some. After a rotation the archived versions whose certificates are in use have theirs, crl/ca.VERSION.crl: " +
    "each is signed by the key that issued what it lists. One that cannot be made is told, and the exit status is 1.",
  flags: [
    CA_DIR,
    { name: "days", value: "N", default: "7", description: "days until nextUpdate" },
    { name: "next-update", value: "TIME", description: "nextUpdate itself, for example 2026-01-09T10:00:00Z" },
    CA_PASSPHRASE,
    {
      name: "algo",
      value: "FAMILY",
      suggestions: ["ec", "rsa", "ml", "slh", "catalyst", "composite"],
      description: "only the CRLs of this algorithm, family (ec, rsa, ml, slh) or mode (catalyst, composite)",
    },
    { name: "all", description: "the CRLs of all algorithms; this is the default" },
    { ...VERSION, description: "only the CRLs of this version: 2, v2 or its full id" },
  ],
  examples: [
    "qpki crl gen --ca-dir ./ca",
    "qpki crl gen --ca-dir ./ca --days 30",
    "qpki crl gen --ca-dir ./ca --algo ec",
    "qpki crl gen --ca-dir ./rotated-ca --version v1",
  ],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const stated = input.text("next-update");
    const end = stated === undefined
      ? { days: givenDays(input, "days") }
      : { nextUpdate: parseInstant(stated, "next-update") };
    const algo = input.text("algo");
    if (algo !== undefined && input.on("all")) throw new UsageError("Cannot use --algo together with --all");
    const store = await CaStore.open(joinPath(ctx.cwd, folder));
    const version = input.text(VERSION.name);
    const versions = await IssuingVersions.open(store);
    const ids = version === undefined ? await usedVersions(store, versions, ctx.now()) : [store.version(version).id];
    const { made, failed } = await generateCrls(store, {
      versions,
      ids: versionsWith(versions, ids, algo),
      end,
      passphrase: ctx.passphrase(input.text(CA_PASSPHRASE.name), "Passphrase of the CA key", {
        flag: CA_PASSPHRASE.name,
      }),
      only: (all) => certificatesFor(all, algo),
    }, ctx);
    for (const { versionId, error } of failed) {
      ctx.warn(`The CRL of version ${versionId} was not made: ${error.message}`);
      if (error.hint !== undefined) ctx.warn(error.hint);
    }
    const crls = made.map((one) => crlData(folder, one));
    const text = crls.flatMap((one) => [
      `CRL written to ${one.path}`,
      ...(ids.length > 1 ? [`  Version:     ${one.version}`] : []),
      `  Number:      ${one.number}`,
      `  Revoked:     ${one.revoked}`,
      `  Next update: ${one.next_update}`,
    ]).join("\n");
    const missing = failed.map(({ versionId, error }) => ({
      version: versionId,
      code: error.code,
      message: error.message,
    }));
    return {
      data: { ...crls[0]!, crls, ...(missing.length > 0 ? { missing } : {}) },
      text,
      ...(missing.length > 0 ? { exit: EXIT.FAILED } : {}),
    };
  },
};
export default command;

/** The active version, and archived ones whose certificates are still in use. */
async function usedVersions(store: CaStore, versions: IssuingVersions, at: Date): Promise<string[]> {
  const { id } = store.version();
  return versions.ids.length < 2 ? [id] : [id, ...await versions.archivedInUse(await store.entries(), at)];
}

/** Those of the versions with a certificate that --algo means. @throws {UsageError} `usage.algorithm` when none has one. */
function versionsWith({ certificates }: IssuingVersions, ids: readonly string[], algo: string | undefined): string[] {
  const own = (id: string) => certificates.filter(({ versionId }) => versionId === id).map(({ identity }) => identity);
  const found = ids.filter((id) => certificatesFor(own(id), algo).length > 0);
  if (found.length > 0) return found;
  throw new UsageError(`Cannot make a CRL for --algo ${algo}: no certificate of the CA has it`, {
    code: "usage.algorithm",
    hint: `The CA signs with: ${ids.flatMap(own).map(({ name }) => name).join(", ")}`,
  });
}

function crlData(folder: string, { ca, crl, path }: VersionCrl) {
  return {
    path: `${folder}/${path}`,
    der_path: `${folder}/${path}.der`,
    version: ca.versionId,
    algorithm: ca.identity.name,
    number: crl.number,
    this_update: formatInstant(crl.thisUpdate),
    next_update: formatInstant(crl.nextUpdate!),
    revoked: crl.revoked.length,
  };
}
