import { encodeHex, encodePem, equalBytes } from "../bytes.ts";
import type { Deps } from "../ca/deps.ts";
import { holderKey } from "../ca/holder_key.ts";
import { checkRequest, lintRequest } from "../ca/issue.ts";
import type { Issuers } from "../ca/issuers.ts";
import { keysName } from "../ca/key_parts.ts";
import { type KeyPlaces, obtainKeys } from "../ca/obtain_keys.ts";
import { type KeyNames, keysOfProfiles, type ProfileKeys, wantedKeys } from "../ca/profile_keys.ts";
import { openKeyEntries } from "../ca/signer.ts";
import { InputError, OperationError } from "../errors.ts";
import type { PassphraseSource } from "../keys/types.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { credentialCertificateFile, credentialChainFile } from "../store/credential.ts";
import { FileNames } from "../store/file_names.ts";
import type { KeyGroup } from "../store/key_groups.ts";
import type { KeyJournal } from "../store/key_journal.ts";
import { alternativeSpki } from "../x509/certificate.ts";
import type { Certificate } from "../x509/types.ts";
import type { UncertifiedPart } from "./certify.ts";
import type { EnrolledPart } from "./new_meta.ts";

/** The steps that make a version of a credential, the first one and every further one. */

/** One certificate of a version to be made. */
export interface PartPlan {
  readonly profile: CompiledProfile;
  /** Keys that get another certificate; new ones are made without. */
  readonly kept?: KeptKeys;
}

/** Keys of an earlier version with the certificate they had there. */
export interface KeptKeys {
  readonly entries: KeyGroup;
  readonly certificate: Certificate;
}

/** Where the keys of a version go, and where kept ones are. */
export interface PartKeys {
  readonly places: KeyPlaces;
  readonly names: KeyNames;
  /** Where keys in a token are announced before they are made. */
  readonly journal?: KeyJournal;
  /** Folder of the credential and the passphrase of its key files, for keys that are kept. */
  readonly present?: { readonly folder: string; readonly passphrase?: PassphraseSource };
}

/** Keys of a version, open. Disposing closes their providers. */
export interface ObtainedParts extends AsyncDisposable {
  readonly parts: readonly UncertifiedPart[];
  /** Destroys the keys that were made in a token, or names them with the command that does; files go as well. */
  undo(): Promise<void>;
}

/**
 * Everything that can be refused before there is a key: CA profiles, the issuers' validity, what the linter finds.
 * @throws {OperationError} `lint.refused`, `ca.expired`; {InputError} `profile.is_ca`, `validity.beyond_issuer`,
 * `ca.no_alternative_key`.
 */
export async function checkPlans(issuers: Issuers, plans: readonly PartPlan[], notBefore: Date): Promise<void> {
  for (const { profile } of plans) {
    refuseCa(profile);
    checkRequest(issuers.for(profile), { profile, notBefore });
  }
  for (const { profile } of plans) await lintRequest(issuers.for(profile), { profile, notBefore });
}

/**
 * Opens the kept keys and makes the others.
 * @throws {OperationError} `key.pin_mismatch` when a kept key is not that of its certificate; as `obtainKeys` and
 * `openKeyEntries`.
 */
export async function obtainParts(plans: readonly PartPlan[], keys: PartKeys, deps: Deps): Promise<ObtainedParts> {
  await using stack = new AsyncDisposableStack();
  const kept = await openKept(plans, keys, { deps, stack });
  const fresh = plans.filter((plan) => !plan.kept);
  const made = stack.use(await obtainKeys(wantedKeys(fresh, keys.places, keys.names), deps, keys.journal));
  const fromProfiles = keysOfProfiles(fresh, made);
  const names = new FileNames();
  const parts = plans.map((plan): UncertifiedPart => ({
    ...kept.get(plan) ?? fromProfiles[fresh.indexOf(plan)]!,
    profile: plan.profile,
    name: names.next(keysName(plan.profile)),
  }));
  const open = stack.move();
  return { parts, undo: () => made.undo(), [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/** Certificates and chain of a version as files: paths relative to the credential's folder, and their content. */
export function versionFiles(
  version: string,
  parts: readonly EnrolledPart[],
  chain: readonly Certificate[],
): [path: string, text: string][] {
  return [
    ...parts.map(({ name, certificate }): [string, string] => [
      credentialCertificateFile(version, name),
      encodePem("CERTIFICATE", certificate.der),
    ]),
    [credentialChainFile(version), chain.map((one) => encodePem("CERTIFICATE", one.der)).join("")],
  ];
}

/** The CA certificates that issued, each with those above it; none twice. */
export async function chainOf(issuers: Issuers, plans: readonly PartPlan[]): Promise<Certificate[]> {
  const chain = new Map<string, Certificate>();
  for (const { profile } of plans) {
    for (const one of await issuers.store.chain(issuers.for(profile).certificate)) chain.set(encodeHex(one.der), one);
  }
  return [...chain.values()];
}

/** Says how to revoke certificates that the CA has issued for good although nobody has their keys. */
export function warnOfIssued(certificates: readonly Certificate[], where: { caFolder: string; deps: Deps }): void {
  for (const { serial } of certificates) {
    where.deps.warn(
      `Certificate 0x${serial} was issued though the credential could not be written; revoke it with: ` +
        `qpki cert revoke ${serial} --ca-dir ${where.caFolder}`,
    );
  }
}

function refuseCa(profile: CompiledProfile): void {
  if (!profile.isCa) return;
  throw new InputError(`Cannot enroll a credential with profile "${profile.name}": it is the profile of a CA`, {
    code: "profile.is_ca",
    hint: "Make a CA with: qpki ca init",
  });
}

async function openKept(
  plans: readonly PartPlan[],
  { present = { folder: "" } }: PartKeys,
  { deps, stack }: { deps: Deps; stack: AsyncDisposableStack },
): Promise<Map<PartPlan, ProfileKeys>> {
  const found = new Map<PartPlan, ProfileKeys>();
  const keeping = plans.filter((plan) => plan.kept !== undefined);
  const entries = keeping.flatMap(({ kept }) => kept!.entries);
  const { keys } = stack.use(await openKeyEntries(entries, { ...present, deps }));
  let at = 0;
  for (const plan of keeping) {
    const { entries, certificate } = plan.kept!;
    const key = holderKey(plan.profile, keys.slice(at, at += entries.length));
    const alternative = alternativeSpki(certificate);
    const isSame = equalBytes(key.spki, certificate.spki) &&
      (alternative && key.alternative
        ? equalBytes(key.alternative.spki, alternative)
        : !alternative && !key.alternative);
    if (!isSame) {
      throw new OperationError(
        `Cannot keep the key of certificate 0x${certificate.serial}: its public key is not the one in the certificate`,
        { code: "key.pin_mismatch", hint: "Another key took its place: restore the right one, nothing was signed" },
      );
    }
    found.set(plan, { key, entries });
  }
  return found;
}
