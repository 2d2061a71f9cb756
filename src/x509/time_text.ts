/** A time in words: RFC 3339, UTC, in whole seconds, which is all that certificates and CRLs can say. */
export function formatTime(date: Date): string {
  return `${date.toISOString().slice(0, -5)}Z`;
}
