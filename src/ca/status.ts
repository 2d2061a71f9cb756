import type { IndexEntry } from "../store/index_txt.ts";

/** What the index says about a certificate now; `expired` is computed, never stored. */
export type CertificateStatus = "valid" | "revoked" | "expired";

/** Status of an index entry at `at`. */
export function statusOf(entry: IndexEntry, at: Date): CertificateStatus {
  if (entry.revocation) return "revoked";
  return entry.status === "E" || entry.notAfter < at ? "expired" : "valid";
}

/** How many certificates have each status. */
export function countByStatus(entries: readonly IndexEntry[], at: Date): Record<CertificateStatus | "total", number> {
  const counts = { valid: 0, revoked: 0, expired: 0, total: entries.length };
  for (const entry of entries) counts[statusOf(entry, at)]++;
  return counts;
}
