import type { Argument, Context, Flag, Input } from "../../command.ts";
import { CA_DIR, CRED_DIR, VERSION } from "../../flags.ts";
import { isCaFolder } from "../../../store/ca.ts";
import type { CredentialStore } from "../../../store/credential.ts";
import { joinPath } from "../../../store/layout.ts";
import type { CredentialCertificate, KeyStorage } from "../../../store/meta.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { type CertificateState, RevocationLookup } from "../../../credential/status.ts";

/** The credential that a command is about. */
export const ID_ARGUMENT: Argument = {
  name: "id",
  description: "id of the credential",
  required: true,
  complete: "credential",
};

/** A version of it. */
export const CREDENTIAL_VERSION: Flag = { ...VERSION, complete: "credential version" };

/** The CA whose index says what is revoked. */
export const REVOKING_CA: Flag = {
  name: CA_DIR.name,
  short: "d",
  value: "DIR",
  description: "CA whose index tells what is revoked; the one that issued, as far as the credential knows it",
  complete: "directory",
};

/** The CA that issues; without it the one that issued before, as far as the credential knows it. */
export const ISSUING_CA: Flag = {
  name: CA_DIR.name,
  short: "d",
  value: "DIR",
  description: "CA that issues; the one that issued before, as far as the credential knows it",
  complete: "directory",
};

/** Folder of {@link ISSUING_CA}, else of the CA that issued the active version, else the usual one. */
export async function issuingCa(input: Input, ctx: Context, store: CredentialStore): Promise<string> {
  const given = input.text(CA_DIR.name);
  if (given !== undefined) return joinPath(ctx.cwd, given);
  const known = store.caFolder;
  return known !== undefined && await isCaFolder(known) ? known : joinPath(ctx.cwd, CA_DIR.default!);
}

/** A command line that goes on with this credential. */
export function nextCommand(verb: string, id: string, shownDir: string): string {
  const where = shownDir === CRED_DIR.default ? "" : ` --cred-dir ${shownDir}`;
  return `qpki credential ${verb} ${id}${where}`;
}

/** Where {@link REVOKING_CA} leads; older metadata names no CA, then the usual folder is looked into. */
export function revocationLookup(input: Input, ctx: Context): RevocationLookup {
  const given = input.text(REVOKING_CA.name);
  const usual = joinPath(ctx.cwd, CA_DIR.default!);
  return new RevocationLookup(given === undefined ? { usual } : { caFolder: joinPath(ctx.cwd, given) });
}

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

/** What a certificate is signed with: two schemes below a Catalyst CA. */
export function signedWith(
  { algorithm, alternative_algorithm: alternative }: Pick<CredentialCertificate, "algorithm" | "alternative_algorithm">,
): string {
  return alternative === undefined ? algorithm : `${algorithm} and ${alternative}`;
}
