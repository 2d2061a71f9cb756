import assert from "node:assert/strict";
import { InputError } from "../errors.ts";
import { formatDuration, parseDuration } from "./duration.ts";

const DAY = 86_400;

const GOOD: readonly [text: string, seconds: number][] = [
  ["365d", 365 * DAY],
  ["1y", 365 * DAY],
  ["20y", 20 * 365 * DAY],
  ["2w", 14 * DAY],
  ["8760h", 8760 * 3600],
  ["1h30m", 5400],
  ["30d12h", 30.5 * DAY],
  ["1y2w3d4h5m6s", 365 * DAY + 14 * DAY + 3 * DAY + 4 * 3600 + 5 * 60 + 6],
  ["1.5h", 5400],
  [" 90d ", 90 * DAY],
  ["1s", 1],
];

Deno.test("parseDuration reads every unit and their sums", () => {
  for (const [text, seconds] of GOOD) assert.equal(parseDuration(text), seconds, text);
});

const BAD: readonly [text: string, reason: RegExp][] = [
  ["", /it is empty/],
  ["  ", /it is empty/],
  ["365", /no unit/],
  ["abc", /not a duration/],
  ["-1d", /not a duration/],
  ["1 d", /not a duration/],
  ["1D", /not a duration/],
  ["5x", /unknown unit "x"/],
  ["1d1d", /long to short/],
  ["1h1d", /long to short/],
  ["1y6m", /months/],
  ["0d", /zero/],
  ["0.5s", /whole number of seconds/],
  ["201y", /200 years/],
  ["999999999999y", /200 years/],
  [`${"1".repeat(100)}d`, /not a duration/],
  ["٣d", /not a duration/],
];

Deno.test("parseDuration refuses everything else as InputError with a hint", () => {
  for (const [text, reason] of BAD) {
    assert.throws(() => parseDuration(text), (error) => {
      assert(error instanceof InputError, text);
      assert.equal(error.code, "duration.invalid");
      assert.match(error.message, reason);
      assert.match(error.hint ?? "", /365d/);
      return true;
    });
  }
});

Deno.test("formatDuration is read back to the same number", () => {
  assert.equal(formatDuration(365 * DAY), "365d");
  assert.equal(formatDuration(5400), "1h30m");
  for (const seconds of [1, 59, 60, 3601, 86_399, 90 * DAY + 1]) {
    assert.equal(parseDuration(formatDuration(seconds)), seconds);
  }
});
