import { audited } from "../audit/trail.ts";
import { InputError, OperationError } from "../errors.ts";
import { type CaStore, unknownSerial } from "../store/ca.ts";
import { type IndexEntry, type IndexRow, parseReason } from "../store/index_txt.ts";
import { REVOCATION_REASONS } from "../x509/extensions/crl_extensions.ts";
import { normalizeSerial } from "../x509/serial.ts";
import type { RevocationReason } from "../x509/types.ts";
import { caFacts } from "./audit_facts.ts";
import { changeOptions, type Deps, formatInstant, wholeSecond } from "./deps.ts";

/** What was written about a revocation. */
export interface Revocation {
  readonly entry: IndexEntry;
  readonly date: Date;
  readonly reason?: RevocationReason;
}

/** The reason for entries of a delta CRL only: nothing can be revoked with it. */
const NOT_A_REVOCATION: RevocationReason = "removeFromCRL";

/**
 * Revokes an issued certificate; durable when this returns. A certificate on hold may be revoked for good.
 * @param serial hex as the operator writes it.
 * @throws {OperationError} `cert.already_revoked`, `ca.locked`.
 * @throws {InputError} `serial.unknown`, `index.damaged`.
 */
export async function revokeCertificate(
  store: CaStore,
  request: { serial: string; reason?: RevocationReason },
  deps: Deps,
): Promise<Revocation> {
  const wanted = normalizeSerial(request.serial);
  // 0 is expressed by leaving the reason out (RFC 5280 section 5.3.1)
  const reason = request.reason === "unspecified" ? undefined : request.reason;
  const event = {
    event: "cert.revoke",
    ...caFacts(store),
    serial: wanted,
    details: { reason: reason ?? "unspecified" },
  };
  const work = () => revoke(store, { serial: request.serial, wanted, reason }, deps);
  return await audited(deps.audit, event, { work });
}

async function revoke(
  store: CaStore,
  { serial, wanted, reason }: { serial: string; wanted: string; reason: RevocationReason | undefined },
  deps: Deps,
): Promise<Revocation> {
  return await store.change("revoke", async (change) => {
    const row = (await change.rows()).find((candidate) => candidate.entry.serial === wanted);
    if (!row) throw unknownSerial(serial, store.folder);
    checkRevocable(row, reason);
    const revocation = { date: wholeSecond(deps), ...(reason === undefined ? {} : { reason }) };
    await change.revoke(row, revocation);
    return { entry: row.entry, ...revocation };
  }, changeOptions(deps));
}

/**
 * The reason that an operator's word names: RFC 5280's names in any case, with or without dashes.
 * @throws {InputError} `reason.unknown`.
 */
export function readReason(text: string): RevocationReason {
  const reason = parseReason(text);
  if (reason !== undefined && reason !== NOT_A_REVOCATION) return reason;
  const names = REVOCATION_REASONS.filter((name) => name !== NOT_A_REVOCATION);
  throw new InputError(`Cannot revoke with reason "${text.slice(0, 60)}": there is no such reason`, {
    code: "reason.unknown",
    hint: `Reasons: ${names.join(", ")}`,
  });
}

function checkRevocable({ entry }: IndexRow, reason: RevocationReason | undefined): void {
  const before = entry.revocation;
  if (!before) return;
  if (before.reason === "certificateHold" && reason !== "certificateHold") return;
  throw new OperationError(
    `Cannot revoke certificate ${entry.serial}: it was revoked on ${formatInstant(before.date)}` +
      (before.reason ? ` (${before.reason})` : ""),
    { code: "cert.already_revoked", object: entry.serial },
  );
}
