import { InputError, suggest, UsageError } from "../errors.ts";
import type { CompiledProfile, Profile } from "../profile/types.ts";
import type { Name } from "../x509/types.ts";
import type { Context, Flag, Input } from "./command.ts";
import { PROFILE, VAR, VAR_FILE } from "./flags.ts";

/** Overrides the validity of the profile. */
export const VALIDITY: Flag = {
  name: "validity",
  value: "DURATION",
  description: "validity instead of the profile's, for example 365d, 2w or 1y",
};

/** Overrides the validity of the profile, in days. */
export const DAYS: Flag = {
  name: "days",
  value: "N",
  description: "validity in days instead of the profile's",
};

const MOST_DAYS = 36_525;

/**
 * Values of profile variables as the operator gave them: those of --var-file, and over them those of --var.
 * @throws {UsageError} for a malformed --var; {InputError} for a bad file.
 */
export async function givenVariables(input: Input, ctx: Context): Promise<Record<string, unknown>> {
  const { parseVarFlags } = await import("../profile/variables.ts");
  const flags = parseVarFlags(input.list(VAR.name));
  const file = input.text(VAR_FILE.name);
  if (file === undefined) return { ...flags };
  const { loadVarFile } = await import("../profile/load.ts");
  return { ...await loadVarFile(file, ctx.cwd), ...flags };
}

/**
 * What --validity or --days (as far as the command has them) ask for, as `compileProfile` takes it.
 * @throws {UsageError} when both are given or --days is no number of days.
 */
export function givenValidity(input: Input, flags: readonly Flag[]): { validity?: string } {
  const days = flags.includes(DAYS) ? input.integer(DAYS.name, { min: 1, max: MOST_DAYS }) : undefined;
  const text = flags.includes(VALIDITY) ? input.text(VALIDITY.name) : undefined;
  if (days !== undefined && text !== undefined) {
    throw new UsageError("Cannot use --days together with --validity", { code: "usage.validity" });
  }
  if (days !== undefined) return { validity: `${days}d` };
  return text === undefined ? {} : { validity: text };
}

/** A version that is there already: the next one is like it but for what the flags say. */
export interface PresentVersion {
  /** Names of its profiles. */
  readonly profiles: readonly string[];
  /** Values that were given for it. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** The holder's name, which stays. */
  readonly subject: Name;
}

/** What {@link compiledProfiles} starts from. */
export interface ProfileOptions {
  readonly caDir: string;
  /** Those of the command. */
  readonly flags: readonly Flag[];
  readonly present?: PresentVersion;
}

/**
 * The profiles that --profile names, filled in with what --var, --var-file, --validity and --days give. Each of several takes
 * the variables it declares; one that none of them declares is a mistake. With a present version its profiles, values and
 * subject hold where nothing else is said.
 * @throws {InputError} as `loadProfile` and `compileProfile`; `variable.unknown`, `profile.unknown`.
 */
export async function compiledProfiles(
  input: Input,
  ctx: Context,
  { caDir, flags, present }: ProfileOptions,
): Promise<[CompiledProfile, ...CompiledProfile[]]> {
  const { compileProfile } = await import("../profile/compile.ts");
  const given = await givenVariables(input, ctx);
  const options = { ...givenValidity(input, flags), ...(present ? { subject: present.subject } : {}) };
  const profiles = await namedProfiles(input, ctx, { caDir, flags, ...(present ? { present } : {}) });
  refuseUnknown(given, profiles);
  const [head, ...rest] = profiles.map((profile) => {
    const isOwn = ([name]: [string, unknown]) => Object.hasOwn(profile.variables, name);
    // what the name says counts, not what was once given for it
    const inSubject = profile.subject.flatMap(({ values }) => values.flatMap(({ variables }) => variables));
    const earlier = Object.fromEntries(
      Object.entries(present?.variables ?? {}).filter((entry) => isOwn(entry) && !inSubject.includes(entry[0])),
    );
    const own = profiles.length > 1 ? Object.fromEntries(Object.entries(given).filter(isOwn)) : given;
    return compileProfile(profile, { ...earlier, ...own }, options);
  });
  return [head!, ...rest];
}

/**
 * Refuses a value for a variable that none of several profiles declares; a single profile tells by itself.
 * @throws {InputError} `variable.unknown`.
 */
export function refuseUnknown(given: Readonly<Record<string, unknown>>, profiles: readonly Profile[]): void {
  const declared = new Set(profiles.flatMap((profile) => Object.keys(profile.variables)));
  const unknown = Object.keys(given).find((name) => !declared.has(name));
  if (unknown === undefined || profiles.length === 1) return;
  const near = suggest(unknown, declared);
  throw new InputError(`Cannot use variable "${unknown}": none of the profiles has it`, {
    code: "variable.unknown",
    ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }),
  });
}

async function namedProfiles(input: Input, ctx: Context, { caDir, present }: ProfileOptions): Promise<Profile[]> {
  const { loadProfile } = await import("../profile/load.ts");
  const stated = input.list(PROFILE.name);
  const profiles: Profile[] = [];
  for (const name of stated.length > 0 ? stated : present?.profiles ?? []) {
    try {
      profiles.push(await loadProfile(name, { caDir, cwd: ctx.cwd }));
    } catch (error) {
      if (stated.length > 0 || !(error instanceof InputError) || error.code !== "profile.unknown") throw error;
      throw new InputError(`Cannot find profile "${name}" of the present version`, {
        code: error.code,
        object: name,
        hint: "Its file was given by its path: name it again with --profile PATH",
        cause: error,
      });
    }
  }
  if (profiles.length > 0) return profiles;
  throw new UsageError("Cannot tell the profile: --profile is missing, and the present version does not name one", {
    code: "usage.profiles",
  });
}
