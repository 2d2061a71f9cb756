import { encodePem } from "../../../bytes.ts";
import { currentPlaces, sharedLabels } from "../../../ca/current_places.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { describeStorage, keyAlgorithms, roleOf } from "../../../ca/info.ts";
import { keyParts } from "../../../ca/key_parts.ts";
import { type KeyPlaces, placeOf } from "../../../ca/obtain_keys.ts";
import { planRotation, rotateCa, type Rotation } from "../../../ca/rotate.ts";
import type { RotationPlan } from "../../../ca/rotation_plan.ts";
import { allKeys, refusePending } from "../../../ca/versions.ts";
import { InputError, TokenError, UsageError } from "../../../errors.ts";
import { writeFileDurably } from "../../../files.ts";
import type { CompiledProfile } from "../../../profile/types.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import { decodeName, formatName } from "../../../x509/name.ts";
import type { Command, CommandResult, Context, Flag, Input } from "../../command.ts";
import { CSR_ONLY, CSR_OUT, requestFile } from "../../csr_only.ts";
import {
  CA_DIR,
  CA_PASSPHRASE,
  FORCE,
  HSM_CONFIG,
  HSM_FLAGS,
  OUT,
  PARENT,
  PARENT_PASSPHRASE,
  PASSPHRASE,
  PROFILES,
  VAR_FLAGS,
} from "../../flags.ts";
import { CLASSICAL_IN, keyPlaces, PQC_IN, SOFTWARE } from "../../key_places.ts";
import { openParent } from "../../parent_input.ts";
import { compiledProfiles, givenVariables, VALIDITY } from "../../profile_input.ts";

const FLAGS: readonly Flag[] = [
  CA_DIR,
  { ...PROFILES, description: `${PROFILES.description}; those of the active version without it` },
  ...VAR_FLAGS,
  VALIDITY,
  { ...PASSPHRASE, description: PASSPHRASE.description.replace("the private key", "the new private key") },
  { ...CA_PASSPHRASE, description: `with --cross-sign: ${CA_PASSPHRASE.description}; that of --passphrase without it` },
  { ...PARENT, description: "folder of the parent CA, where it is not the one that metadata names" },
  PARENT_PASSPHRASE,
  ...HSM_FLAGS,
  PQC_IN,
  CLASSICAL_IN,
  SOFTWARE,
  { name: "cross-sign", description: "certify the new key with the present one, and the present one with the new" },
  CSR_ONLY,
  CSR_OUT,
  FORCE,
  { name: "dry-run", description: "print what would be made, and make nothing" },
];

/** `qpki ca rotate`. */
const command: Command = {
  summary: "Make a new version of a CA, with new keys",
  details:
    "The version is pending: the active one goes on issuing until ca activate. Subject, profiles and variables are those " +
    "of the active version unless told otherwise, and the keys go where its keys are: in a token under the same label " +
    "with an id of their own. --software moves them into files. A subordinate CA gets its certificate from the CA above, " +
    "a root signs its own. With --cross-sign each of the two keys certifies the other: who trusts one can verify " +
    "certificates of both.",
  flags: FLAGS,
  examples: [
    "qpki ca rotate --ca-dir ./ca --dry-run",
    "qpki ca rotate --ca-dir ./ca",
    "qpki ca rotate --ca-dir ./ca --profile hybrid/catalyst/root-ca --cross-sign",
  ],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const caDir = joinPath(ctx.cwd, folder);
    const store = await CaStore.open(caDir);
    refusePending(store.meta, folder);
    const { version } = store.version();
    const [own] = await store.certificates();
    const csrOnly = input.on(CSR_ONLY.name);
    const present = { profiles: version.profiles, variables: version.variables, subject: decodeName(own.subject) };
    const profiles = await compiledProfiles(input, ctx, { caDir, flags: FLAGS, present });
    const places = await newPlaces(input, ctx, { store, profiles });
    const out = await requestFile(input, ctx);
    await using parent = await openParentOf(input, ctx, { store, profiles });
    const opens = input.text(CA_PASSPHRASE.name) ?? input.text(PASSPHRASE.name);
    const request = {
      profiles,
      variables: { ...version.variables, ...await givenVariables(input, ctx) },
      ...places,
      csrOnly,
      ...(parent ? { parent } : {}),
      ...(input.on("cross-sign")
        ? {
          crossSign: {
            passphrase: ctx.passphrase(opens, "Passphrase of the present CA key", { flag: CA_PASSPHRASE.name }),
          },
        }
        : {}),
    };
    const hinting = (error: unknown): never => {
      throw suggestSoftware(error);
    };
    if (input.on("dry-run")) return describePlan(await planRotation(store, request, ctx).catch(hinting), folder);
    const rotation = await rotateCa(store, request, ctx).catch(hinting);
    if (out !== undefined) {
      await writeFileDurably(out, encodePem("CERTIFICATE REQUEST", rotation.csr!.der), {
        overwrite: input.on(FORCE.name),
      });
    }
    return report(rotation, await CaStore.open(caDir), { folder, out: input.text(OUT.name) });
  },
};
export default command;

/** Where the new keys go. A CA does not leave its token unless it is told to. */
async function newPlaces(
  input: Input,
  ctx: Context,
  { store, profiles }: { store: CaStore; profiles: readonly CompiledProfile[] },
): Promise<KeyPlaces> {
  const { version } = store.version();
  const all = await allKeys(store);
  const current = await currentPlaces(version.keys, all, { folder: store.folder, deps: ctx }).catch((error) => {
    // the way to the present token is not needed by who goes elsewhere
    const isElsewhere = input.on(SOFTWARE.name) || input.text(HSM_CONFIG.name) !== undefined;
    if (!isElsewhere || !(error instanceof InputError) || error.code !== "hsm.config_not_found") throw error;
    return { encrypted: false, labels: sharedLabels(all) };
  });
  const places = await keyPlaces(input, ctx, { profiles, current, question: "Passphrase of the new CA key" });
  const inToken = profiles.flatMap((profile) => keyParts(profile))
    .some((part) => placeOf(part, places).type === "pkcs11");
  const wasInToken = version.keys.some(({ storage }) => storage.type === "pkcs11");
  const isTold = input.on(SOFTWARE.name) ||
    [PQC_IN, CLASSICAL_IN].some((flag) => input.text(flag.name) === "software");
  if (inToken || !wasInToken || isTold) return places;
  throw new UsageError("Cannot rotate: a present key is in a token, and every new one would be in a file", {
    code: "usage.place",
    hint: "Add --pqc-in token to keep the CA in its token, or --software to take it out",
  });
}

/** A token that cannot serve the new keys can be left, but only on purpose. */
function suggestSoftware(error: unknown): unknown {
  if (!(error instanceof TokenError) || error.code !== "mechanism.absent") return error;
  return new TokenError(error.message, {
    code: error.code,
    hint: `${error.hint ?? ""}. --software takes the CA's keys out of the token`.replace(/^\. /, ""),
    cause: error,
  });
}

async function openParentOf(
  input: Input,
  ctx: Context,
  { store, profiles }: { store: CaStore; profiles: readonly CompiledProfile[] },
) {
  const csrOnly = input.on(CSR_ONLY.name);
  if (csrOnly && profiles.length > 1) {
    throw new UsageError("Cannot use --csr-only: the active version has several profiles, and a request is for one", {
      code: "usage.profiles",
      hint: "Name one with --profile",
    });
  }
  if (csrOnly && input.on("cross-sign")) {
    throw new UsageError("Cannot use --cross-sign together with --csr-only: there is no certificate yet", {
      code: "usage.cross_sign",
    });
  }
  const isRoot = roleOf(store, (await store.certificates())[0]) === "root";
  if (isRoot) {
    if (!csrOnly && input.text(PARENT.name) === undefined) return undefined;
    throw new UsageError(
      `Cannot use --${csrOnly ? "csr-only" : PARENT.name}: the CA is a root and signs its own certificate`,
      {
        code: "usage.parent",
      },
    );
  }
  const { parent: named } = store.meta;
  const known = named === undefined ? undefined : joinPath(store.folder, named);
  const parent = await openParent(input, ctx, { profiles, known });
  if (parent || csrOnly) return parent;
  throw new UsageError("Cannot tell the CA above: the metadata does not name its folder", {
    code: "usage.parent",
    hint: "Add --parent DIR; or --csr-only when it is elsewhere",
  });
}

function describePlan(plan: RotationPlan, folder: string): CommandResult {
  const text = [
    `Version ${plan.version} of ${folder} would be made, pending; ${plan.active} stays active. Nothing was written.`,
    `  Profiles:    ${plan.profiles.join(", ")}`,
    `  Algorithms:  ${plan.algorithms.join(", ")}`,
    ...plan.keys.map((key) => `  Key:         ${key.algorithm}, ${describeStorage(key)}`),
    ...plan.certificates.map((one) =>
      `  Certificate: ${one.subject}, by ${one.issuer}, ${one.signature_algorithm}, until ${one.not_after}`
    ),
    ...plan.cross_certificates.map(({ subject, issuer }) =>
      `  Certificate: the key of ${subject} by that of ${issuer}`
    ),
    ...(plan.parent === undefined ? [] : [`  Recorded in: ${plan.parent}`]),
    ...plan.files.map((path) => `  File:        ${folder}/${path}`),
  ].join("\n");
  return { data: { dry_run: true, path: folder, ...plan }, text };
}

function report(
  { versionId, keys, certificates, csr, links }: Rotation,
  store: CaStore,
  { folder, out }: { folder: string; out: string | undefined },
): CommandResult {
  const { version } = store.version(versionId);
  const crosses = links.map(({ entry, files }) => ({
    ...entry,
    path: `${folder}/${entry.path}`,
    chain: `${folder}/${files[1]![0]}`,
  }));
  const made = certificates.map((one, i) => ({
    profile: version.profiles[i],
    serial: one.serial,
    issuer: formatName(one.issuer),
    not_before: formatInstant(one.notBefore),
    not_after: formatInstant(one.notAfter),
    key_algorithms: keyAlgorithms(one),
    path: `${folder}/${version.certificates![i]}`,
  }));
  const data = {
    path: folder,
    version: versionId,
    status: version.status,
    active: store.meta.active,
    profiles: version.profiles,
    algorithms: version.algos,
    keys,
    certificates: made,
    cross_certificates: crosses,
    ...(csr ? { csr: out ?? `${folder}/${version.csr}` } : {}),
  };
  const next = csr ? "qpki ca accept FILE" : `qpki ca activate --version ${versionId}`;
  const text = [
    `Version ${versionId} of ${folder} is made and pending; ${data.active} stays active`,
    ...keys.map((key) => `  Key:         ${key.algorithm}, ${describeStorage(key)}`),
    ...made.flatMap((one) => [
      `  Serial:      ${one.serial}`,
      `  Valid until: ${one.not_after}`,
      `  Certificate: ${one.path}`,
    ]),
    ...crosses.flatMap((one) => [
      `  Cross:       the key of ${one.subject} by that of ${one.issuer}, ${one.serial}`,
      `  Chain:       ${one.chain}`,
    ]),
    ...(csr ? [`  Request:     ${data.csr}`] : []),
    `  Then:        ${next} --ca-dir ${folder}`,
  ].join("\n");
  return { data, text };
}
