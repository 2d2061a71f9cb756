/** Whether tests that could try thousands of cases try them all. */
export const IS_EXTENDED = Deno.env.get("QPKI_TEST_EXTENDED") === "1";

/** How far apart the cases lie that a test takes from a long row: every one in an extended run, each `usual`-th else. */
export function stride(usual: number): number {
  return IS_EXTENDED ? 1 : usual;
}
