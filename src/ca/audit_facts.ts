import type { JsonObject } from "../audit/canonical.ts";
import type { AuditEvent } from "../audit/event.ts";
import { sha256Hex } from "../keys/digest.ts";
import type { CertificateIntent } from "../store/journal_record.ts";
import type { KeyEntry } from "../store/meta.ts";
import { formatName } from "../x509/name.ts";
import type { Certificate } from "../x509/types.ts";
import { type Deps, formatInstant } from "./deps.ts";

/** What use cases tell the audit log. */

/** A CA as the log names it. */
export function caFacts(
  { folder, meta }: { readonly folder: string; readonly meta: { readonly subject: { readonly common_name?: string } } },
  version?: string,
): Pick<AuditEvent, "ca"> {
  const { common_name } = meta.subject;
  return {
    ca: {
      folder,
      ...(common_name === undefined ? {} : { name: common_name }),
      ...(version === undefined ? {} : { version }),
    },
  };
}

/** A certificate that exists. */
export async function certificateFacts(certificate: Certificate): Promise<Partial<AuditEvent>> {
  return {
    serial: certificate.serial,
    subject: formatName(certificate.subject),
    certificate_sha256: await sha256Hex(certificate.der),
    not_after: formatInstant(certificate.notAfter),
  };
}

/** A certificate that is about to be signed. */
export function intentFacts(intent: CertificateIntent): Partial<AuditEvent> {
  const text = (name: string) => typeof intent[name] === "string" ? intent[name] : undefined;
  const [subject, not_after, profile] = ["subject", "not_after", "profile"].map(text);
  const details = {
    tbs_sha256: intent.tbs_sha256,
    holder_spki_sha256: text("spki_sha256"),
    profile_sha256: text("profile_sha256"),
  };
  return {
    serial: intent.serial,
    ...(subject === undefined ? {} : { subject }),
    ...(not_after === undefined ? {} : { not_after }),
    ...(profile === undefined ? {} : { profile }),
    details,
  };
}

/** Keys that a version has, for `details`. */
export function keyFacts(keys: readonly KeyEntry[]): JsonObject[] {
  return keys.map(({ id, algorithm, storage, spki_sha256 }) => ({
    id,
    algorithm,
    ...(spki_sha256 === undefined ? {} : { spki_sha256 }),
    ...(storage.type === "software"
      ? { type: storage.type, path: storage.path }
      : { type: storage.type, config: storage.config, label: storage.label, key_id: storage.key_id }),
  }));
}

/** Records certificates that a CA has issued and made durable. */
export async function recordIssued(
  deps: Pick<Deps, "audit">,
  ca: Pick<AuditEvent, "ca">,
  certificates: readonly Certificate[],
): Promise<void> {
  if (!deps.audit) return;
  const facts = await Promise.all(certificates.map(certificateFacts));
  await deps.audit(...facts.map((one): AuditEvent => ({ event: "cert.issue", result: "ok", ...ca, ...one })));
}
