import type { PassphraseSource } from "../keys/types.ts";
import type { CaStore } from "../store/ca.ts";
import { FileNames } from "../store/file_names.ts";
import { certificateFile, csrFile, META_FILE, versionChainFile } from "../store/layout.ts";
import type { CrossCertificate, KeyEntry, KeyStorage } from "../store/meta.ts";
import { formatName } from "../x509/name.ts";
import { type caCertificates, issuingCertificate } from "./certificates.ts";
import { crossFiles } from "./cross_sign.ts";
import { formatInstant } from "./deps.ts";
import { keysName } from "./key_parts.ts";
import type { KeyPlaces, WantedKey } from "./obtain_keys.ts";
import type { OwnPlan, OwnRequest } from "./own_certificates.ts";
import { schemeFor } from "./signer.ts";

/** A further version of a CA. */
export interface RotateRequest extends OwnRequest, KeyPlaces {
  /** Certifies the new keys with the present ones and the other way round. */
  readonly crossSign?: { readonly passphrase?: PassphraseSource };
}

/** A key that is going to be made. */
export interface PlannedKey {
  readonly id: KeyEntry["id"];
  readonly algorithm: string;
  readonly profile: string;
  /** As metadata will have it; the id in a token is random unless it was given. */
  readonly storage: KeyStorage;
}

/** A certificate that is going to be issued. */
export interface PlannedCertificate {
  readonly profile: string;
  readonly key_algorithms: readonly string[];
  readonly subject: string;
  readonly issuer: string;
  /** Label of the scheme of its signature. */
  readonly signature_algorithm: string;
  readonly not_after: string;
  /** Relative to the CA's folder. */
  readonly path: string;
}

/** Everything that a rotation will do. */
export interface RotationPlan {
  readonly version: string;
  /** The version in use, which stays active. */
  readonly active: string;
  readonly profiles: readonly string[];
  readonly algorithms: readonly string[];
  readonly keys: readonly PlannedKey[];
  /** None when a request is made. */
  readonly certificates: readonly PlannedCertificate[];
  readonly cross_certificates: readonly Omit<CrossCertificate, "serial">[];
  /** Folder of the CA above when it issues the certificates and records them. */
  readonly parent?: string;
  /** Files that will be written, relative to the CA's folder, sorted. Those of issued certificates are called after serials. */
  readonly files: readonly string[];
}

/** What a rotation will do, from what it will be done with; nothing is written, locked or made. */
export function describeRotation(
  store: CaStore,
  request: RotateRequest,
  { version, plans, wanted, notBefore, present }: {
    version: string;
    plans: readonly OwnPlan[];
    wanted: readonly WantedKey[];
    notBefore: Date;
    present: Awaited<ReturnType<typeof caCertificates>>;
  },
): RotationPlan {
  const active = store.version().id;
  const names = new FileNames();
  const certificates = request.csrOnly ? [] : plans.map(({ profile, scheme }): PlannedCertificate => {
    const issuer = request.parent?.for(profile);
    const seconds = request.validitySeconds ?? profile.validitySeconds;
    return {
      profile: profile.name,
      key_algorithms: profile.rows.map(({ name }) => name),
      subject: formatName(profile.subject),
      issuer: formatName(issuer ? issuer.certificate.subject : profile.subject),
      signature_algorithm: (issuer ? schemeFor(issuer, profile.signature) : scheme).label,
      not_after: formatInstant(new Date(notBefore.getTime() + seconds * 1000)),
      path: certificateFile(version, names.next(keysName(profile))),
    };
  });
  const keys = wanted.map(({ part, place, profileName, file, label }): PlannedKey => ({
    id: part.id,
    algorithm: part.row.name,
    profile: profileName,
    storage: place.type === "software" ? { type: "software", path: file.stored } : {
      type: "pkcs11",
      config: place.storedConfig ?? place.ref.config,
      ...(label === undefined ? {} : { label }),
      ...(place.ref.keyId === undefined ? {} : { key_id: place.ref.keyId }),
    },
  }));
  const links = request.crossSign
    ? certificates.flatMap((certificate, i) => {
      const older = { id: active, name: issuingCertificate(present, plans[i]!.profile).name };
      const newer = { id: version, name: certificateName(certificate.path) };
      return [[newer, older], [older, newer]].map(([subject, issuer]) => ({
        subject: subject!.id,
        issuer: issuer!.id,
        ...crossFiles(version, subject!, issuer!),
      }));
    })
    : [];
  const files = [
    META_FILE,
    ...keys.flatMap(({ storage }) => storage.type === "software" ? [storage.path] : []),
    ...certificates.map(({ path }) => path),
    ...(request.csrOnly ? [csrFile(version)] : []),
    ...(request.parent && certificates.length > 0 ? [versionChainFile(version)] : []),
    ...links.flatMap(({ path, chain }) => [path, chain]),
    ...(links.length > 0 ? ["index.txt", "issued/SERIAL.pem"] : []),
  ];
  return {
    version,
    active,
    profiles: plans.map(({ profile }) => profile.name),
    algorithms: plans.flatMap(({ profile }) => profile.rows.map(({ name }) => name)),
    keys,
    certificates,
    cross_certificates: links.map(({ subject, issuer, path }) => ({ subject, issuer, path })),
    ...(request.parent && certificates.length > 0 ? { parent: request.parent.store.folder } : {}),
    files: files.sort(),
  };
}

/** `ecdsa-p384` of `versions/v2/certs/ca.ecdsa-p384.pem`. */
export function certificateName(path: string): string {
  return path.slice(path.lastIndexOf("/ca.") + 4, -".pem".length);
}
