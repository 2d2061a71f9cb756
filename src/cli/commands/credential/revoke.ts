import { generateCrl } from "../../../ca/crl.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { openAll } from "../../../ca/issuers.ts";
import { IssuingVersions } from "../../../ca/issuing_version.ts";
import { readReason } from "../../../ca/revoke.ts";
import type { OpenCa } from "../../../ca/signer.ts";
import { type RevokedOne, revokeVersion } from "../../../credential/revoke.ts";
import { OperationError, QpkiError, UsageError } from "../../../errors.ts";
import type { PassphraseSource } from "../../../keys/types.ts";
import { CaStore, isCaFolder } from "../../../store/ca.ts";
import { CredentialStore } from "../../../store/credential.ts";
import { joinPath } from "../../../store/layout.ts";
import { normalizeSerial } from "../../../x509/serial.ts";
import type { Command, Context, Input } from "../../command.ts";
import { givenDays } from "../../crl_input.ts";
import { CA_DIR, CA_PASSPHRASE, CRED_DIR, fromFlag } from "../../flags.ts";
import { CRL_DAYS, GEN_CRL, REASON } from "../../revoke_flags.ts";
import { CREDENTIAL_VERSION, ID_ARGUMENT, ISSUING_CA } from "./_text.ts";

/** `qpki credential revoke ID`. */
const command: Command = {
  summary: "Revoke the certificates of a credential",
  details:
    "All of the active version, of --version, or with --all of every version; what is revoked already stays as it is. " +
    "The revocation counts for others once a CRL says so: add --gen-crl, or run crl gen afterwards.",
  args: [ID_ARGUMENT],
  flags: [
    CRED_DIR,
    { ...ISSUING_CA, description: "CA that issued, where the credential does not know it" },
    { ...CREDENTIAL_VERSION, description: "version to revoke, for example v1 (the active one)" },
    { name: "all", description: "every version" },
    REASON,
    GEN_CRL,
    CRL_DAYS,
    CA_PASSPHRASE,
  ],
  examples: [
    "qpki credential revoke alice",
    "qpki credential revoke server --all --reason keyCompromise --gen-crl",
    "qpki credential revoke server --version v1 --reason superseded --gen-crl --crl-days 2",
  ],
  async run(input, ctx) {
    const wanted = input.text(CREDENTIAL_VERSION.name);
    const isAll = input.on("all");
    if (isAll && wanted !== undefined) throw new UsageError("Cannot use --all together with --version");
    const reason = fromFlag(() => readReason(input.text(REASON.name)!));
    const days = givenDays(input, CRL_DAYS.name);
    const store = await CredentialStore.open(joinPath(ctx.cwd, input.text(CRED_DIR.name)!), input.argument("id")!);
    const ids = isAll ? Object.keys(store.meta.versions) : [store.version(wanted).id];
    const cas = await issuingCas(ids, input, ctx, store);
    const passphrase = ctx.passphrase(input.text(CA_PASSPHRASE.name), "Passphrase of the CA key", {
      flag: CA_PASSPHRASE.name,
    });
    await using open = new AsyncDisposableStack();
    const signers: Signer[] = [];
    // the keys first: a wrong passphrase must not leave half of the work done
    if (input.on(GEN_CRL.name)) {
      for (const ca of new Set(cas.values())) {
        signers.push(...await openSigners(ca, { store, cas, ctx, passphrase, open }));
      }
    }
    const revoked: (RevokedOne & { ca: string })[] = [];
    for (const [versionId, ca] of cas) {
      const done = await revokeVersion(store, { versionId, reason, ca }, ctx);
      revoked.push(...done.map((one) => ({ ...one, ca: ca.folder })));
    }
    const crls = [];
    for (const { ca, versions } of signers) {
      const { crl, path } = await generateCrl(ca, { days, versions }, ctx).catch((cause) => {
        throw cause instanceof QpkiError ? afterRevocation(store.meta.id, ca.store.folder, cause) : cause;
      });
      crls.push({
        path: `${ca.store.folder}/${path}`,
        number: crl.number,
        next_update: formatInstant(crl.nextUpdate!),
      });
    }
    const data = {
      id: store.meta.id,
      certificates: revoked.map((one) => ({
        serial: one.serial,
        version: one.versionId,
        profile: one.profile,
        ca: one.ca,
        revoked_at: formatInstant(one.date),
        reason: one.reason ?? "unspecified",
        already_revoked: one.already,
      })),
      crls,
    };
    const lines = data.certificates.map((one) =>
      one.already_revoked
        ? `Certificate ${one.serial} of ${one.version} was revoked before, on ${one.revoked_at} (${one.reason})`
        : `Certificate ${one.serial} of ${one.version} revoked (${one.reason})`
    );
    return { data, text: [...lines, ...crls.map(({ number, path }) => `CRL ${number} written to ${path}`)].join("\n") };
  },
};

export default command;

interface Signer {
  readonly ca: OpenCa;
  readonly versions: IssuingVersions;
}

/** The CA of each version; a CA that issued several is opened once. */
async function issuingCas(
  ids: readonly string[],
  input: Input,
  ctx: Context,
  store: CredentialStore,
): Promise<Map<string, CaStore>> {
  const given = input.text(CA_DIR.name);
  const cas = new Map<string, CaStore>();
  const byFolder = new Map<string, CaStore>();
  for (const id of ids) {
    const known = store.caFolderOf(id);
    const usual = joinPath(ctx.cwd, CA_DIR.default!);
    const folder = given !== undefined
      ? joinPath(ctx.cwd, given)
      : known !== undefined && await isCaFolder(known)
      ? await Deno.realPath(known)
      : usual;
    let ca = byFolder.get(folder);
    if (!ca) byFolder.set(folder, ca = await CaStore.open(folder));
    cas.set(id, ca);
  }
  return cas;
}

interface OpenOptions {
  readonly store: CredentialStore;
  readonly cas: ReadonlyMap<string, CaStore>;
  readonly ctx: Context;
  readonly passphrase: PassphraseSource;
  readonly open: AsyncDisposableStack;
}

/** The versions of a CA that issued what is going to be revoked, open for their CRLs. */
async function openSigners(ca: CaStore, { store, cas, ctx, passphrase, open }: OpenOptions): Promise<Signer[]> {
  const versions = await IssuingVersions.open(ca);
  const ids = new Set<string>();
  for (const [id, issuer] of cas) {
    if (issuer !== ca) continue;
    for (const { serial } of store.version(id).version.certificates) {
      ids.add(await versions.ofSerial(normalizeSerial(serial)) ?? ca.version().id);
    }
  }
  const signers: Signer[] = [];
  for (const versionId of ids) {
    const opened = open.use(await openAll(ca, { deps: ctx, passphrase, versionId }));
    signers.push(...opened.open.map((one) => ({ ca: one, versions })));
  }
  return signers;
}

function afterRevocation(id: string, folder: string, cause: QpkiError): OperationError {
  return new OperationError(
    `Cannot make the CRL, although the certificates of "${id}" are revoked: ${cause.message}`,
    { code: cause.code, hint: `Make the CRL with: qpki crl gen --ca-dir ${folder}`, cause },
  );
}
