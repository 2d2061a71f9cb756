import { formatInstant } from "../../../ca/deps.ts";
import { keyAlgorithms } from "../../../ca/info.ts";
import { keyGroups } from "../../../store/key_groups.ts";
import type { CredentialVersion, KeyEntry } from "../../../store/meta.ts";
import { formatName } from "../../../x509/name.ts";
import type { Certificate } from "../../../x509/types.ts";
import { signedWith, storageText } from "./_text.ts";

/** What a command that made a version says of each certificate; the fields are those of its JSON. */
export interface IssuedFacts {
  readonly serial: string;
  readonly subject: string;
  readonly issuer: string;
  readonly profile: string;
  /** Of the first key. */
  readonly algorithm: string;
  readonly algorithms: readonly string[];
  readonly signed_with: string;
  readonly not_before: string;
  readonly not_after: string;
  readonly fingerprint: string;
  readonly path: string;
  readonly attested_by?: string;
  readonly key: KeyEntry;
  readonly keys: readonly KeyEntry[];
}

/** Path of a credential as the operator named the folder above it. */
export function credentialPath(shownDir: string, folder: string): string {
  return `${shownDir.replace(/\/+$/, "")}/${folder.slice(folder.lastIndexOf("/") + 1)}`;
}

/** The certificates of a version that was just made; `path` is that of the credential. */
export function issuedFacts(
  version: CredentialVersion,
  certificates: readonly Certificate[],
  path: string,
): IssuedFacts[] {
  const groups = keyGroups(version.keys);
  return certificates.map((certificate, i) => {
    const { fingerprint, path: file, attested_by, ...entry } = version.certificates[i]!;
    const [key, ...more] = groups[i]!;
    return {
      serial: certificate.serial,
      subject: formatName(certificate.subject),
      issuer: formatName(certificate.issuer),
      profile: version.profiles[i]!,
      algorithm: key.algorithm,
      algorithms: keyAlgorithms(certificate),
      signed_with: signedWith(entry),
      not_before: formatInstant(certificate.notBefore),
      not_after: formatInstant(certificate.notAfter),
      fingerprint,
      path: `${path}/${file}`,
      ...(attested_by === undefined ? {} : { attested_by }),
      key,
      keys: [key, ...more],
    };
  });
}

/** Lines about one certificate that was just made. */
export function issuedLines(one: IssuedFacts): string[] {
  return [
    `  Profile:     ${one.profile}`,
    `  Subject:     ${one.subject}`,
    `  Serial:      ${one.serial}`,
    `  Valid until: ${one.not_after}`,
    `  Signed with: ${one.signed_with}`,
    ...(one.attested_by === undefined ? [] : [`  Attested by: ${one.attested_by}`]),
    ...one.keys.map(({ algorithm, storage }) => `  Key:         ${algorithm}, ${storageText(storage)}`),
  ];
}
