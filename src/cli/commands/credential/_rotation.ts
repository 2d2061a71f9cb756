import { keepKeys, type NextProfile } from "../../../credential/keep_keys.ts";
import type { PartPlan } from "../../../credential/make_version.ts";
import { InputError, UsageError } from "../../../errors.ts";
import { compileProfile } from "../../../profile/compile.ts";
import { loadProfile } from "../../../profile/load.ts";
import { recallVariables } from "../../../profile/recall.ts";
import { onlyVariable } from "../../../profile/templates.ts";
import type { Profile } from "../../../profile/types.ts";
import type { CredentialStore } from "../../../store/credential.ts";
import type { CertificateInputs, CredentialVersion } from "../../../store/meta.ts";
import type { Certificate } from "../../../x509/types.ts";
import type { Context, Flag, Input } from "../../command.ts";
import { PROFILE } from "../../flags.ts";
import { givenValidity, givenVariables, refuseUnknown } from "../../profile_input.ts";

/** Adds a profile to those of the active version; {@link rotationPlans} reads it. */
export const ADD_PROFILE: Flag = {
  name: "add-profile",
  value: "NAME",
  repeat: true,
  complete: "profile",
  description: "profile for one more certificate beside those of the active version",
};

/** Leaves a profile of the active version out. */
export const REMOVE_PROFILE: Flag = {
  name: "remove-profile",
  value: "NAME",
  repeat: true,
  complete: "profile",
  description: "profile of the active version that the new one does without",
};

/** Certifies the keys of the active version anew. */
export const KEEP_KEYS: Flag = {
  name: "keep-keys",
  description: "certify the present keys anew; a profile of --add-profile gets new ones all the same",
};

interface Wanted {
  /** Name or path. */
  readonly name: string;
  /** Position in the active version. */
  readonly index?: number;
  readonly isAdded?: boolean;
}

interface Present {
  readonly id: string;
  readonly version: CredentialVersion;
  readonly certificates: readonly Certificate[];
}

/**
 * The certificates of the next version: the profiles of the active one or those that are named, with the values that were
 * given then where none are given now. Of older metadata, which has none, the active certificates are read.
 * @throws {UsageError} `usage.profiles`; {InputError} as `loadProfile`, `compileProfile` and `keepKeys`.
 */
export async function rotationPlans(
  input: Input,
  ctx: Context,
  { store, caDir, flags }: { store: CredentialStore; caDir: string; flags: readonly Flag[] },
): Promise<PartPlan[]> {
  const { id, version } = store.version();
  const wanted = wantedProfiles(input, version, store.meta.id);
  const given = await givenVariables(input, ctx);
  const stated = givenValidity(input, flags);
  const profiles: Profile[] = [];
  for (const one of wanted) profiles.push(await load(one, version, { caDir, cwd: ctx.cwd }));
  refuseUnknown(given, profiles);
  const keeps = input.on(KEEP_KEYS.name);
  const certificates = keeps || !version.inputs ? await store.certificates(id) : [];
  const present = { id, version, certificates };
  const next = profiles.map((profile, i): NextProfile => {
    const isOwn = ([name]: [string, unknown]) => Object.hasOwn(profile.variables, name);
    const remembered = rememberedFor(profile, present, wanted[i]!);
    const own = profiles.length > 1 ? Object.fromEntries(Object.entries(given).filter(isOwn)) : given;
    const earlier = Object.fromEntries(Object.entries(remembered.variables).filter(isOwn));
    const variable = onlyVariable(profile.validity);
    const isStated = stated.validity !== undefined || (variable !== undefined && Object.hasOwn(own, variable));
    const validity = isStated ? stated.validity : remembered.validity;
    const options = validity === undefined ? {} : { validity };
    return {
      profile: compileProfile(profile, { ...earlier, ...own }, options),
      ...(wanted[i]!.isAdded ? { isAdded: true } : {}),
    };
  });
  return keeps ? keepKeys(next, present) : next.map(({ profile }) => ({ profile }));
}

function wantedProfiles(input: Input, version: CredentialVersion, id: string): Wanted[] {
  const named = input.list(PROFILE.name);
  const added = input.list(ADD_PROFILE.name);
  const removed = input.list(REMOVE_PROFILE.name);
  if (named.length > 0 && added.length + removed.length > 0) {
    throw wrong("Cannot use --profile together with --add-profile or --remove-profile: it names all of them");
  }
  if (named.length > 0) return named.map((name) => ({ name }));
  const wanted: Wanted[] = version.profiles.map((name, index) => ({ name, index }));
  for (const name of removed) {
    const at = wanted.findIndex((one) => one.name === name);
    if (at < 0) {
      const there = version.profiles.join(", ") || "none";
      throw wrong(`Cannot remove profile "${name}": the credential "${id}" does not have it`, `Profiles: ${there}`);
    }
    wanted.splice(at, 1);
  }
  for (const name of added) {
    if (wanted.some((one) => one.name === name)) {
      throw wrong(`Cannot add profile "${name}": the credential "${id}" has it`);
    }
    wanted.push({ name, isAdded: true });
  }
  if (wanted.length > 0) return wanted;
  throw wrong(
    removed.length > 0
      ? `Cannot rotate the credential "${id}": no profile is left`
      : `Cannot tell the profiles of the credential "${id}": its metadata names none`,
    removed.length > 0 ? `To end its use: qpki credential revoke ${id}` : "Name them with --profile",
  );
}

async function load(
  { name, index }: Wanted,
  version: CredentialVersion,
  places: { caDir: string; cwd: string },
): Promise<Profile> {
  if (index === undefined) return await loadProfile(name, places);
  try {
    return await loadProfile(version.inputs?.[index]?.file ?? name, places);
  } catch (error) {
    if (!(error instanceof InputError) || !["profile.unknown", "file.not_found"].includes(error.code)) throw error;
    throw new InputError(`Cannot find profile "${name}" of the active version: ${error.message}`, {
      code: error.code,
      object: name,
      hint: "Run the command from the folder it was given in, or name the profiles again with --profile",
      cause: error,
    });
  }
}

/** What was given for a profile; for one that is new, what was given for any of the others. */
function rememberedFor(
  profile: Profile,
  { version, certificates }: Present,
  { index }: Wanted,
): Pick<CertificateInputs, "variables" | "validity"> {
  const { inputs, profiles } = version;
  const same = index ?? profiles.indexOf(profile.name);
  if (!inputs) {
    const own = certificates[same];
    const from = own ? [own] : certificates;
    return { variables: merged(from.map((certificate) => recallVariables(profile, certificate))) };
  }
  const own = inputs[same];
  if (own) return own;
  const validity = inputs.find((one) => one.validity !== undefined)?.validity;
  return {
    variables: merged(inputs.map(({ variables }) => variables)),
    ...(validity === undefined ? {} : { validity }),
  };
}

/** The first that has a name gives its value. */
function merged(all: readonly Record<string, unknown>[]): Record<string, unknown> {
  return Object.assign({}, ...all.toReversed());
}

function wrong(message: string, hint?: string): UsageError {
  return new UsageError(message, { code: "usage.profiles", ...(hint === undefined ? {} : { hint }) });
}
