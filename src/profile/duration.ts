import { shorten } from "../bytes.ts";
import { InputError } from "../errors.ts";

/** Units in seconds, longest first; a year is 365 days. */
const UNITS: readonly (readonly [unit: string, seconds: number])[] = [
  ["y", 365 * 86_400],
  ["w", 7 * 86_400],
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
];

const MAX_SECONDS = 200 * 365 * 86_400;
const HINT = "Write for example 365d, 2w, 1y, 8760h, 1h30m, 30d12h (m is minutes, y is 365 days)";

/**
 * Seconds of a duration such as `1h30m`, `365d`, `2w`, `1y`: numbers with a unit, longest unit first, each at most once;
 * the sum is a whole number of seconds, at least one, at most 200 years.
 * @throws {InputError} `duration.invalid`.
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  if (trimmed === "") throw refuse(text, "it is empty");
  if (/^\d+$/.test(trimmed)) throw refuse(text, "it has no unit");
  if (trimmed.length > 64 || !/^(\d{1,12}(\.\d{1,6})?[a-z])+$/.test(trimmed)) throw refuse(text, "not a duration");
  let seconds = 0;
  let last = -1;
  for (const [, number, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)([a-z])/g)) {
    const rank = UNITS.findIndex(([name]) => name === unit);
    if (rank < 0) throw refuse(text, `unknown unit "${unit}"`);
    if (rank <= last) throw refuse(text, "units must go from long to short, each once");
    if (unit === "m" && UNITS[last]?.[0] === "y") throw refuse(text, `"m" after years reads as months, and is minutes`);
    last = rank;
    seconds += Number(number) * UNITS[rank]![1];
  }
  seconds = Math.round(seconds * 1e6) / 1e6;
  if (!Number.isInteger(seconds)) throw refuse(text, "not a whole number of seconds");
  if (seconds < 1) throw refuse(text, "it is zero");
  if (seconds > MAX_SECONDS) throw refuse(text, "longer than 200 years");
  return seconds;
}

/** A number of seconds in words of the same form, for example `365d` or `1h30m`. */
export function formatDuration(seconds: number): string {
  let rest = Math.trunc(seconds);
  let out = "";
  for (const [unit, size] of UNITS) {
    if (unit === "y" || unit === "w") continue;
    const count = Math.floor(rest / size);
    if (count > 0) out += `${count}${unit}`;
    rest -= count * size;
  }
  return out === "" ? "0s" : out;
}

function refuse(text: string, reason: string): InputError {
  return new InputError(`Cannot read duration "${shorten(text, 40)}": ${reason}`, {
    code: "duration.invalid",
    hint: HINT,
  });
}
