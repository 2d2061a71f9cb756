import { InputError, suggest, UsageError } from "../errors.ts";
import type { CompiledProfile, Profile } from "../profile/types.ts";
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

/**
 * The profiles that --profile names, filled in with what --var, --var-file, --validity and --days give. Each of several takes
 * the variables it declares; one that none of them declares is a mistake.
 * @throws {InputError} as `loadProfile` and `compileProfile`; `variable.unknown`.
 */
export async function compiledProfiles(
  input: Input,
  ctx: Context,
  { caDir, flags }: { readonly caDir: string; readonly flags: readonly Flag[] },
): Promise<[CompiledProfile, ...CompiledProfile[]]> {
  const { loadProfile } = await import("../profile/load.ts");
  const { compileProfile } = await import("../profile/compile.ts");
  const given = await givenVariables(input, ctx);
  const validity = givenValidity(input, flags);
  const profiles: Profile[] = [];
  for (const name of input.list(PROFILE.name)) profiles.push(await loadProfile(name, { caDir, cwd: ctx.cwd }));
  const [first, ...others] = profiles;
  if (others.length === 0) return [compileProfile(first!, given, validity)];
  const declared = new Set(profiles.flatMap((profile) => Object.keys(profile.variables)));
  const unknown = Object.keys(given).find((name) => !declared.has(name));
  if (unknown !== undefined) {
    const near = suggest(unknown, declared);
    throw new InputError(`Cannot use variable "${unknown}": none of the profiles has it`, {
      code: "variable.unknown",
      ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }),
    });
  }
  const [head, ...rest] = profiles.map((profile) => {
    const own = Object.entries(given).filter(([name]) => Object.hasOwn(profile.variables, name));
    return compileProfile(profile, Object.fromEntries(own), validity);
  });
  return [head!, ...rest];
}
