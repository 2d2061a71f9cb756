/**
 * Names inside the folder of a CA, relative to it. Written by this program under the first name; further names are where
 * the older tool put the same thing and are only read.
 */

/** Metadata: the source of truth. */
export const META_FILE = "ca.meta.json";
/** Metadata of a credential. */
export const CREDENTIAL_META_FILE = "credential.meta.json";
/** Held while the CA changes. */
export const LOCK_FILE = ".lock";
/** What is about to happen and what has happened, durable before it does. */
export const JOURNAL_FILE = "journal.jsonl";
/** Earlier parts of the journal. */
export const JOURNAL_FOLDER = "journal";
/** Files on their way to their place, and the guards of commands under way. */
export const STAGING_FOLDER = ".staging";
/** OpenSSL's certificate database. */
export const INDEX_FILE = "index.txt";
/** Attributes of the database; without it OpenSSL insists on unique subjects. */
export const INDEX_ATTR_FILE = "index.txt.attr";
/** Next CRL number. */
export const CRL_NUMBER_FILE = "crlnumber";
/** Revocation reasons that `index.txt` cannot hold. */
export const REVOCATIONS_FILE = "revocations.json";
/** The active certificate, where scripts look for it. */
export const CA_CERTIFICATE_FILE = "ca.crt";
/** Of a subordinate CA: its certificate, its issuers, the root last. */
export const CHAIN_FILE = "chain.pem";
/** Issued certificates. */
export const ISSUED_FOLDER = "issued";
/** Revocation lists. */
export const CRL_FOLDER = "crl";

/** Folder of one version. */
export function versionFolder(id: string): string {
  return `versions/${id}`;
}

/** Private key file of a version. */
export function keyFile(id: string, algorithm: string): string {
  return `versions/${id}/keys/ca.${algorithm}.key`;
}

/** Certificate file of a version. */
export function certificateFile(id: string, algorithm: string): string {
  return `versions/${id}/certs/ca.${algorithm}.pem`;
}

/** Request of a version whose certificate another CA issues. */
export function csrFile(id: string): string {
  return `versions/${id}/ca.csr`;
}

/** Certificates of a version with those above them. */
export function versionChainFile(id: string): string {
  return `versions/${id}/certs/chain.pem`;
}

/** Where the certificate with `serial` (upper-case hex) may be; the first is where it is written. */
export function issuedFiles(serial: string): readonly [string, ...string[]] {
  const lower = serial.toLowerCase();
  return [
    `${ISSUED_FOLDER}/${serial}.pem`,
    `${ISSUED_FOLDER}/${lower}.pem`,
    `certs/${serial}.crt`,
    `certs/${lower}.crt`,
  ];
}

/** `path` seen from `folder`; an absolute one stays. */
export function joinPath(folder: string, path: string): string {
  if (isAbsolutePath(path)) return path;
  const inside = path.replace(/^(\.\/)+/, "");
  return folder.endsWith("/") ? folder + inside : `${folder}/${inside}`;
}

/** Whether a path starts at a root (or drive). */
export function isAbsolutePath(path: string): boolean {
  return path.startsWith("/") || (Deno.build.os === "windows" && /^([A-Za-z]:)?[\\/]/.test(path));
}

/** The folder that `path` is in; `.` for a bare name. */
export function parentFolder(path: string): string {
  const trimmed = path.replace(/[\\/]+$/, "");
  const at = Math.max(trimmed.lastIndexOf("/"), Deno.build.os === "windows" ? trimmed.lastIndexOf("\\") : -1);
  if (at < 0) return ".";
  return at === 0 ? "/" : trimmed.slice(0, at);
}

/** `path` as seen from `folder`; both absolute. Where no way leads from one to the other it stays absolute. */
export function relativePath(folder: string, path: string): string {
  const [from, to] = [segments(folder), segments(path)];
  const common = from.findIndex((name, i) => name !== to[i]);
  const shared = common < 0 ? from.length : common;
  if (shared === 0) return path;
  const steps = [...from.slice(shared).map(() => ".."), ...to.slice(shared)];
  return steps.join("/") || ".";
}

/** Names on the way to an absolute path, without detours; the first is empty or a drive. */
function segments(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split(/[\\/]+/)) {
    if (name === "." || (name === "" && names.length > 0)) continue;
    if (name === ".." && names.length > 1) names.pop();
    else if (name !== "..") names.push(name);
  }
  return names;
}
