import type { Argument } from "../../command.ts";
import type { KeyStorage } from "../../../store/meta.ts";
import { formatInstant } from "../../../ca/deps.ts";
import type { CertificateState } from "../../../credential/status.ts";

/** The credential that a command is about. */
export const ID_ARGUMENT: Argument = { name: "id", description: "id of the credential", required: true };

/** The CA whose index says what is revoked. */
export const REVOKING_CA = {
  name: "ca-dir",
  short: "d",
  value: "DIR",
  description: "CA whose index tells what is revoked; the one that issued, as far as the credential knows it",
  complete: "directory",
} as const;

/** Where a key is, in words. */
export function storageText(storage: KeyStorage): string {
  if (storage.type === "software") return `file ${storage.path}`;
  const id = storage.key_id === undefined ? "" : ` (id ${storage.key_id})`;
  return `token key "${storage.label ?? ""}"${id} by ${storage.config}`;
}

/** The status of a certificate with the date and reason of its revocation. */
export function statusText({ status, revocation }: CertificateState): string {
  if (!revocation) return status;
  return `${status} since ${formatInstant(revocation.date)} (${revocation.reason ?? "unspecified"})`;
}
