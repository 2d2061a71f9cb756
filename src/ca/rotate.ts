import { audited } from "../audit/trail.ts";
import { encodeHex, encodePem, equalBytes, randomBytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { makeFolder, readFileBytes } from "../files.ts";
import { CaStore } from "../store/ca.ts";
import type { CaChange } from "../store/change.ts";
import { csrFile, joinPath, keyFile, STAGING_FOLDER, versionChainFile, versionFolder } from "../store/layout.ts";
import type { KeyEntry } from "../store/meta.ts";
import { isUnfinished } from "../store/transaction.ts";
import { encodeName, formatName } from "../x509/name.ts";
import type { Certificate, Csr } from "../x509/types.ts";
import { caFacts, keyFacts, recordIssued } from "./audit_facts.ts";
import { caCertificates, issuingCertificate } from "./certificates.ts";
import { crossSign, type Link } from "./cross_sign.ts";
import { changeOptions, checkInterrupted, type Deps, formatInstant, wholeSecond } from "./deps.ts";
import { recordCertificates } from "./issue.ts";
import { openAll, type OpenCas } from "./issuers.ts";
import { commonNameOf, newVersion } from "./new_meta.ts";
import { checkTokenKeys, type ObtainedKeys, obtainKeys, type WantedKey } from "./obtain_keys.ts";
import {
  alternativeSigner,
  chainOf,
  makeOwnCertificates,
  type OwnPlan,
  planOwnCertificates,
} from "./own_certificates.ts";
import { keysOfProfiles, wantedKeys } from "./profile_keys.ts";
import { certificateName, describeRotation, type RotateRequest, type RotationPlan } from "./rotation_plan.ts";
import { nextVersionId, pinnedVersions, refusePending } from "./versions.ts";

/** A version that was made. */
export interface Rotation {
  readonly versionId: string;
  readonly keys: readonly KeyEntry[];
  /** One a profile; none when only a request was asked for. */
  readonly certificates: readonly Certificate[];
  readonly csr?: Csr;
  readonly links: readonly Link[];
}

interface Prepared {
  readonly plan: RotationPlan;
  readonly plans: readonly OwnPlan[];
  readonly wanted: readonly WantedKey[];
}

/**
 * Everything that {@link rotateCa} would do, after the same checks; nothing is written, locked or made, in files or in a
 * token. Throws as {@link rotateCa}.
 */
export async function planRotation(store: CaStore, request: RotateRequest, deps: Deps): Promise<RotationPlan> {
  return (await prepare(store, request, deps)).plan;
}

/**
 * Makes a further version of a CA with new keys under the CA's name; it is pending until it is activated. All or nothing:
 * everything is checked first, metadata is written last, and keys that were made are destroyed when a later step fails.
 * @throws {OperationError} `version.pending`, `ca.expired`, `lint.refused`, `ca.locked`, `file.write`.
 * @throws {InputError} `rotate.subject`, and as `planOwnCertificates` and `obtainKeys`.
 */
export async function rotateCa(store: CaStore, request: RotateRequest, deps: Deps): Promise<Rotation> {
  const event = { event: "ca.rotate", ...caFacts(store), profile: request.profiles.map(({ name }) => name).join(", ") };
  return await audited(deps.audit, event, {
    async work() {
      const made = await makeVersion(store, request, deps);
      // those below a parent were recorded as the parent's
      const own = [...request.parent ? [] : made.certificates, ...made.links.map(({ certificate }) => certificate)];
      await recordIssued(deps, caFacts(store, made.versionId), own);
      return made;
    },
    facts: ({ versionId, keys, certificates }) => ({
      ...caFacts(store, versionId),
      details: { keys: keyFacts(keys), serials: certificates.map(({ serial }) => serial) },
    }),
  });
}

async function makeVersion(store: CaStore, request: RotateRequest, deps: Deps): Promise<Rotation> {
  const prepared = await prepare(store, request, deps);
  await using present = request.crossSign ? await openPresent(store, request, deps) : undefined;
  await using _work = new WorkFiles(prepared.wanted);
  await using keys = new AsyncDisposableStack();
  let made: ObtainedKeys | undefined;
  let isBegun = false;
  try {
    return await store.change("rotate", async (change) => {
      refusePending(change.meta, store.folder);
      if (change.meta.active !== prepared.plan.active || change.meta.versions[prepared.plan.version]) {
        throw changed(store);
      }
      isBegun = true;
      made = keys.use(await obtainKeys(prepared.wanted, deps, change));
      const rotation = await certify(prepared, made, { request, deps, change, ...(present ? { present } : {}) });
      await write(change, prepared, rotation, { request, deps });
      checkInterrupted(deps);
      const { parent } = request;
      const { certificates } = rotation;
      if (parent && certificates.length > 0) {
        // the CA above must know the certificates before anybody can use them
        const issuer = joinPath(deps.cwd, parent.store.folder);
        const record = () => recordCertificates(parent, certificates, deps);
        change.recordAbove({ issuer, serials: certificates.map(({ serial }) => serial), record });
      }
      return rotation;
    }, changeOptions(deps));
  } catch (error) {
    // what is decided will be carried out, and needs its keys
    if (!isUnfinished(error)) {
      await made?.undo();
      if (isBegun) {
        await Deno.remove(store.path(versionFolder(prepared.plan.version)), { recursive: true }).catch(() => {});
      }
    }
    throw error;
  }
}

async function prepare(store: CaStore, request: RotateRequest, deps: Deps): Promise<Prepared> {
  const { profiles } = request;
  refusePending(store.meta, store.folder);
  const present = await caCertificates(store);
  const { subject } = present[0].certificate;
  if (!equalBytes(encodeName(profiles[0].subject), subject)) {
    throw new InputError(`Cannot rotate the CA "${store.folder}": its subject is "${formatName(subject)}", and stays`, {
      code: "rotate.subject",
      object: store.folder,
    });
  }
  const notBefore = wholeSecond(deps);
  const plans = await planOwnCertificates(request, notBefore);
  const version = await nextVersionId(store);
  const work = store.path(`${STAGING_FOLDER}/rotate-${encodeHex(randomBytes(4))}`);
  const wanted = wantedKeys(plans, request, {
    file: (name) => ({ path: `${work}.${name}.key`, stored: keyFile(version, name) }),
    label: presentLabel(store) ?? commonNameOf(profiles[0].subject),
  });
  await checkTokenKeys(wanted, deps);
  const plan = describeRotation(store, request, { version, plans, wanted, notBefore, present });
  return { plan, plans, wanted };
}

/** The label that the present keys share, without the numbers that tell several apart. */
function presentLabel(store: CaStore): string | undefined {
  const { version } = store.version();
  const labels = version.keys.flatMap(({ storage }) => storage.type === "pkcs11" ? [storage.label] : []);
  const label = labels.find((one) => one !== undefined);
  return version.profiles.length > 1 ? label?.replace(/-\d+$/, "") : label;
}

async function openPresent(store: CaStore, request: RotateRequest, deps: Deps): Promise<OpenCas> {
  const all = await caCertificates(store);
  const needed = new Set(request.profiles.map((profile) => issuingCertificate(all, profile).index));
  return await openAll(store, {
    deps,
    passphrase: request.crossSign?.passphrase,
    only: (certificates) => certificates.filter(({ index }) => needed.has(index)),
  });
}

async function certify(
  { plan, plans }: Prepared,
  made: ObtainedKeys,
  { request, deps, change, present }: { request: RotateRequest; deps: Deps; change: CaChange; present?: OpenCas },
): Promise<Rotation> {
  const holders = keysOfProfiles(plans, made).map(({ key }) => key);
  checkInterrupted(deps);
  const written = await makeOwnCertificates(plans, holders, { request, deps, announcer: change });
  const links: Link[] = [];
  if (present && written.certificates.length > 0) {
    const all = present.open.map(({ identity }) => identity);
    const above = await chainOf(request, written.certificates);
    for (const [i, { profile, scheme }] of plans.entries()) {
      const identity = issuingCertificate(all as [typeof all[0], ...typeof all], profile);
      const older = present.open.find((ca) => ca.identity === identity)!;
      const certificate = written.certificates[i]!;
      const altSigner = alternativeSigner(holders[i]!);
      links.push(
        ...await crossSign(
          { id: plan.active, name: identity.name, signer: older, chain: await older.store.chain(older.certificate) },
          {
            id: plan.version,
            name: certificateName(plan.certificates[i]!.path),
            signer: { certificate, signer: holders[i]!.signer(scheme), ...(altSigner ? { altSigner } : {}) },
            chain: [certificate, ...above.filter((one) => !written.certificates.includes(one))],
          },
          { at: wholeSecond(deps), announcer: change },
        ),
      );
    }
  }
  return { versionId: plan.version, keys: made.entries, links, ...written };
}

async function write(
  change: CaChange,
  { plan, plans, wanted }: Prepared,
  rotation: Rotation,
  { request, deps }: { request: RotateRequest; deps: Deps },
): Promise<void> {
  const { versionId: id, certificates, csr, links } = rotation;
  await makeFolder(joinPath(change.folder, versionFolder(id)));
  for (const { place, file } of wanted) {
    if (place.type !== "software") continue;
    await makeFolder(joinPath(change.folder, `${versionFolder(id)}/keys`), 0o700);
    await change.writeFile(file.stored, await readFileBytes(file.path), { mode: 0o600 });
  }
  const pem = (one: Certificate) => encodePem("CERTIFICATE", one.der);
  for (const [i, certificate] of certificates.entries()) {
    await change.writeFile(plan.certificates[i]!.path, pem(certificate));
  }
  if (csr) await change.writeFile(csrFile(id), encodePem("CERTIFICATE REQUEST", csr.der));
  const chain = await chainOf(request, certificates);
  if (chain.length > 0) await change.writeFile(versionChainFile(id), chain.map(pem).join(""));
  for (const [path, text] of links.flatMap(({ files }) => files)) await change.writeFile(path, text);
  if (links.length > 0) await change.addCertificates(links.map(({ certificate }) => certificate));
  const version = newVersion({
    versionId: id,
    profiles: request.profiles,
    variables: request.variables,
    keys: rotation.keys,
    schemes: plans.map(({ scheme }) => scheme),
    status: "pending",
    isRequest: csr !== undefined,
    created: formatInstant(wholeSecond(deps)),
  });
  if (chain.length > 0) version.chain = versionChainFile(id);
  if (links.length > 0) version.cross_certificates = links.map(({ entry }) => entry);
  // the label of an earlier key may be the new one's too now
  const earlier = await pinnedVersions(new CaStore(change.folder, change.meta));
  await change.writeMeta({ ...change.meta, versions: { ...earlier, [id]: version } });
}

function changed(store: CaStore): OperationError {
  return new OperationError(`Cannot rotate the CA "${store.folder}": another command changed its versions meanwhile`, {
    code: "version.changed",
    object: store.folder,
    hint: `Look at them with: qpki ca versions --ca-dir ${store.folder}`,
  });
}

/** Key files before they are part of the CA go away with the scope; after a crash the next command removes them. */
class WorkFiles implements AsyncDisposable {
  readonly #wanted: readonly WantedKey[];

  constructor(wanted: readonly WantedKey[]) {
    this.#wanted = wanted;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { file } of this.#wanted) await Deno.remove(file.path).catch(() => {});
  }
}
