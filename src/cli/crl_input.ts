import { UsageError } from "../errors.ts";
import type { Input } from "./command.ts";

const MOST_DAYS = 36_525;

/** Number of days that a flag with a default states. @throws {UsageError} when it is none. */
export function givenDays(input: Input, flag: string): number {
  return input.integer(flag, { min: 1, max: MOST_DAYS })!;
}

/**
 * A moment as an operator writes it: `2026-01-02T10:30:00Z`, an offset instead of the Z, or a date alone (midnight UTC).
 * @throws {UsageError} for anything else.
 */
export function parseInstant(text: string, flag: string): Date {
  const wellFormed = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/i.test(text);
  const date = new Date(wellFormed ? text.replace(" ", "T") : NaN);
  if (!Number.isNaN(date.getTime())) return date;
  throw new UsageError(`Cannot use --${flag} "${text.slice(0, 60)}": it is not a time`, {
    code: "usage.time",
    hint: "For example 2030-01-01T12:00:00Z, or 2030-01-01",
  });
}
