/** Whether tests that could try thousands of cases try them all. */
export const IS_EXTENDED = Deno.env.get("QPKI_TEST_EXTENDED") === "1";

/** How far apart the cases lie that a test takes from a long row: every one in an extended run, each `usual`-th else. */
export function stride(usual: number): number {
  return IS_EXTENDED ? 1 : usual;
}

/** Of rows that a test makes keys of: SLH-DSA's small sets take seconds a key, and one stands for all but in an extended run. */
export function quickRows<T extends { readonly name: string }>(rows: readonly T[]): T[] {
  return rows.filter(({ name }) => IS_EXTENDED || name === "slh-dsa-sha2-128s" || !/^slh-dsa-.*s$/.test(name));
}
