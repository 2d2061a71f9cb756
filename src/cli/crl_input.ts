import { formatInstant, wholeSecond } from "../ca/deps.ts";
import { UsageError } from "../errors.ts";
import type { Context, Input } from "./command.ts";

const MILLISECONDS_A_DAY = 86_400_000;
const MOST_DAYS = 36_525;

/** The moment so many days from now as the flag says. @throws {UsageError} when it is no number of days. */
export function daysFromNow(input: Input, flag: string, ctx: Context): Date {
  const days = input.integer(flag, { min: 1, max: MOST_DAYS })!;
  return new Date(wholeSecond(ctx).getTime() + days * MILLISECONDS_A_DAY);
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
    hint: `For example ${formatInstant(new Date(0)).replace("1970", "2030")} or 2030-01-01`,
  });
}
