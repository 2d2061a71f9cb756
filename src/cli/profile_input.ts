import { UsageError } from "../errors.ts";
import { parseDuration } from "../profile/duration.ts";
import { joinPath } from "../store/layout.ts";
import type { Context, Flag, Input } from "./command.ts";
import { VAR, VAR_FILE } from "./flags.ts";

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

const SECONDS_A_DAY = 86_400;
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
  return { ...await loadVarFile(joinPath(ctx.cwd, file)), ...flags };
}

/**
 * Seconds that --validity or --days (as far as the command has them) ask for, or undefined.
 * @throws {UsageError} when both are given or one is not above zero; {InputError} for a malformed duration.
 */
export function givenValidity(input: Input, flags: readonly Flag[]): number | undefined {
  const days = flags.includes(DAYS) ? input.integer(DAYS.name, { min: 1, max: MOST_DAYS }) : undefined;
  const text = flags.includes(VALIDITY) ? input.text(VALIDITY.name) : undefined;
  if (days !== undefined && text !== undefined) {
    throw new UsageError("Cannot use --days together with --validity", { code: "usage.validity" });
  }
  if (days !== undefined) return days * SECONDS_A_DAY;
  if (text === undefined) return undefined;
  const seconds = parseDuration(text);
  if (seconds <= 0) {
    throw new UsageError(`Cannot use --validity "${text}": it must be longer than nothing`, { code: "usage.validity" });
  }
  return seconds;
}
