import { currentPlaces } from "../../../ca/current_places.ts";
import { openIssuers } from "../../../ca/issuers.ts";
import type { KeyPlaces } from "../../../ca/obtain_keys.ts";
import type { PartPlan } from "../../../credential/make_version.ts";
import { planRotation, rotateCredential, type RotatePlan, type RotateResult } from "../../../credential/rotate.ts";
import { pendingVersions } from "../../../credential/versions.ts";
import { UsageError } from "../../../errors.ts";
import type { PassphraseSource } from "../../../keys/types.ts";
import { CaStore } from "../../../store/ca.ts";
import { CredentialStore } from "../../../store/credential.ts";
import { joinPath } from "../../../store/layout.ts";
import type { Command, CommandResult, Context, Flag, Input } from "../../command.ts";
import { CA_PASSPHRASE, CRED_DIR, HSM_FLAGS, PASSPHRASE, PROFILES, VAR_FLAGS } from "../../flags.ts";
import { CLASSICAL_IN, keyPlaces, PQC_IN, SOFTWARE } from "../../key_places.ts";
import { DAYS, VALIDITY } from "../../profile_input.ts";
import { credentialPath, issuedFacts, issuedLines } from "./_issued.ts";
import { ADD_PROFILE, KEEP_KEYS, REMOVE_PROFILE, rotationPlans } from "./_rotation.ts";
import { ID_ARGUMENT, ISSUING_CA, issuingCa, nextCommand, storageText } from "./_text.ts";

const PLACE_FLAGS: readonly Flag[] = [...HSM_FLAGS, PQC_IN, CLASSICAL_IN, SOFTWARE];

const FLAGS: readonly Flag[] = [
  ISSUING_CA,
  CRED_DIR,
  PROFILES,
  ADD_PROFILE,
  REMOVE_PROFILE,
  KEEP_KEYS,
  ...VAR_FLAGS,
  PASSPHRASE,
  CA_PASSPHRASE,
  ...PLACE_FLAGS,
  VALIDITY,
  DAYS,
  { name: "activate", description: "put the new version into use at once" },
  { name: "dry-run", description: "check everything and print what would be done, and do nothing" },
];

/** `qpki credential rotate ID`. */
const command: Command = {
  summary: "Make the next version of a credential: new keys, new certificates",
  details:
    "The new version has the profiles of the active one, or those that are named, with the values that were given at " +
    "enrolment where none are given now. Its keys go where the present ones are: into the token, under the same label " +
    "with an id of their own, or into files. It is pending until credential activate puts it into use; certificates of " +
    "earlier versions stay valid until they are revoked.",
  args: [ID_ARGUMENT],
  flags: FLAGS,
  examples: [
    "qpki credential rotate alice",
    "qpki credential rotate server --profile ml/tls-server --activate",
    "qpki credential rotate alice --add-profile rsa/tls-client --keep-keys --days 30",
    "qpki credential rotate server --dry-run",
  ],
  async run(input, ctx) {
    const shownDir = input.text(CRED_DIR.name)!;
    const store = await CredentialStore.open(joinPath(ctx.cwd, shownDir), input.argument("id")!);
    const caDir = await issuingCa(input, ctx, store);
    const ca = await CaStore.open(caDir);
    const plans = await rotationPlans(input, ctx, { store, caDir, flags: FLAGS });
    const keys = await keysFor(plans, input, ctx, store);
    const caPassphrase = ctx.passphrase(input.text(CA_PASSPHRASE.name), "Passphrase of the CA key", {
      flag: CA_PASSPHRASE.name,
    });
    const profiles = plans.map(({ profile }) => profile);
    await using issuers = await openIssuers(ca, profiles, { deps: ctx, passphrase: caPassphrase });
    const activate = input.on("activate");
    const request = { plans, ...keys, activate };
    if (input.on("dry-run")) {
      return planned(await planRotation(issuers, store, { request, deps: ctx }), store, { shownDir, activate });
    }
    const waiting = pendingVersions(store.meta);
    const result = await rotateCredential(issuers, store, { request, deps: ctx });
    if (waiting.length > 0) ctx.warn(`Version ${waiting.join(", ")} of ${store.meta.id} is pending as well`);
    return report(result, store, { shownDir, activate });
  },
};

export default command;

/** Where new keys go, and the passphrase of those that stay. */
async function keysFor(
  plans: readonly PartPlan[],
  input: Input,
  ctx: Context,
  store: CredentialStore,
): Promise<KeyPlaces & { passphrase: PassphraseSource }> {
  const fresh = plans.filter((plan) => !plan.kept).map(({ profile }) => profile);
  if (fresh.length === 0) {
    const stray = PLACE_FLAGS.find((flag) =>
      flag.value === undefined ? input.on(flag.name) : input.text(flag.name) !== undefined
    );
    if (stray) throw new UsageError(`Cannot use --${stray.name}: no key is made`, { code: "usage.place" });
    const passphrase = ctx.passphrase(input.text(PASSPHRASE.name), "Passphrase of the credential's keys");
    return { key: { type: "software" }, passphrase };
  }
  const all = Object.values(store.meta.versions).flatMap(({ keys }) => keys);
  const { keys } = store.version().version;
  // with --software nobody asks where the token is: it may be gone
  const present = input.on(SOFTWARE.name) ? keys.filter(({ storage }) => storage.type === "software") : keys;
  const current = await currentPlaces(present, all, { folder: store.folder, deps: ctx });
  const readsFiles = plans.some(({ kept }) => kept?.entries.some(({ storage }) => storage.type === "software"));
  const places = await keyPlaces(input, ctx, {
    profiles: fresh,
    question: "Passphrase of the new keys",
    current,
    readsFiles,
  });
  const file = [places.key, places.pqcKey].find((place) => place?.type === "software");
  const passphrase = (file?.type === "software" ? file.passphrase : undefined) ??
    ctx.passphrase(input.text(PASSPHRASE.name), "Passphrase of the credential's keys");
  return { ...places, passphrase };
}

interface Shown {
  readonly shownDir: string;
  readonly activate: boolean;
}

function report(
  { versionId, version, certificates }: RotateResult,
  { meta, folder }: CredentialStore,
  { shownDir, activate }: Shown,
): CommandResult {
  const path = credentialPath(shownDir, folder);
  const issued = issuedFacts(version, certificates, path);
  const status = activate ? "active" : "pending";
  const lines = [
    `Credential rotated: ${meta.id}, version ${versionId} is ${status}`,
    `  Folder:      ${path}`,
    ...issued.flatMap(issuedLines),
    ...(activate ? [] : [`  Then:        ${nextCommand("activate", meta.id, shownDir)} --version ${versionId}`]),
  ];
  const data = {
    id: meta.id,
    path,
    version: versionId,
    status,
    active: activate ? versionId : meta.active,
    former: meta.active,
    certificates: issued,
  };
  return { data, text: lines.join("\n") };
}

function planned(plan: RotatePlan, { meta, folder }: CredentialStore, { shownDir, activate }: Shown): CommandResult {
  const path = credentialPath(shownDir, folder);
  const lines = [
    `Would rotate the credential ${meta.id}: version ${plan.version}, ${activate ? "active at once" : "pending"}`,
    `  Folder:      ${path}`,
    ...plan.certificates.flatMap((one) => [
      `  Profile:     ${one.profile}`,
      `  Subject:     ${one.subject}`,
      `  Issuer:      ${one.issuer}`,
      `  Valid until: ${one.not_after}`,
      `  Signed with: ${one.signed_with}`,
      ...one.keys.map((key) =>
        `  ${key.is_new ? "New key:    " : "Key stays:  "} ${key.algorithm}, ${storageText(key.storage)}`
      ),
    ]),
    ...plan.files.map((file) => `  Writes:      ${path}/${file}`),
    "Nothing was done",
  ];
  return { data: { id: meta.id, path, dry_run: true, activate, ...plan }, text: lines.join("\n") };
}
