/** Universal tag numbers (X.680 table 1) that PKI uses. */
export const TAG = {
  BOOLEAN: 1,
  INTEGER: 2,
  BIT_STRING: 3,
  OCTET_STRING: 4,
  NULL: 5,
  OID: 6,
  ENUMERATED: 10,
  UTF8_STRING: 12,
  SEQUENCE: 16,
  SET: 17,
  NUMERIC_STRING: 18,
  PRINTABLE_STRING: 19,
  TELETEX_STRING: 20,
  IA5_STRING: 22,
  UTC_TIME: 23,
  GENERALIZED_TIME: 24,
  VISIBLE_STRING: 26,
  UNIVERSAL_STRING: 28,
  BMP_STRING: 30,
} as const;

/** Class of a tag. */
export type TagClass = "universal" | "application" | "context" | "private";

/** Bits 8 and 7 of the identifier octet. */
export const CLASS_BITS: Readonly<Record<TagClass, number>> = { universal: 0, application: 1, context: 2, private: 3 };

/** The class by its two bits. */
export const CLASS_NAMES: readonly TagClass[] = ["universal", "application", "context", "private"];

/** Standard's name of a universal tag, or the tag in words. */
export function tagName(tagClass: TagClass, number: number): string {
  if (tagClass !== "universal") return tagClass === "context" ? `[${number}]` : `[${tagClass.toUpperCase()} ${number}]`;
  const name = Object.entries(TAG).find(([, value]) => value === number)?.[0];
  return name ?? `[UNIVERSAL ${number}]`;
}
