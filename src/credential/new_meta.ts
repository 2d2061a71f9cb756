import { formatInstant } from "../ca/deps.ts";
import { algorithmLabel } from "../ca/info.ts";
import { subjectFields } from "../ca/new_meta.ts";
import { fileError } from "../files.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { credentialCertificateFile } from "../store/credential.ts";
import { relativePath } from "../store/layout.ts";
import {
  type CertificateInputs,
  type CredentialCertificate,
  type CredentialMeta,
  type CredentialVersion,
  META_SCHEMA,
} from "../store/meta.ts";
import { alternativeParts } from "../x509/alternative.ts";
import { fingerprint } from "../x509/certificate.ts";
import type { Certificate } from "../x509/types.ts";
import type { UncertifiedPart } from "./certify.ts";

/** One profile of a credential with its finished keys and certificate. */
export interface EnrolledPart extends UncertifiedPart {
  readonly certificate: Certificate;
  /** The signature certificate on whose strength it was issued (RFC 9883). */
  readonly attestedBy?: Certificate;
}

/** Facts about a version as a whole. */
export interface VersionFacts {
  readonly version: string;
  readonly created: Date;
  readonly caFolder: string;
  /** Folder of the credential, or anything beside its final place: relative paths are the same. */
  readonly folder: string;
}

/** Metadata of a new credential with one version. */
export async function newMeta(
  parts: readonly EnrolledPart[],
  facts: VersionFacts & { readonly id: string },
): Promise<CredentialMeta> {
  const version = await newVersion(parts, facts);
  const meta: CredentialMeta = {
    schema: META_SCHEMA,
    id: facts.id,
    subject: version.subject ?? {},
    profiles: [],
    // true when it is written; commands compute the status from the certificates, the CA's index and the time
    status: "valid",
    created: version.created,
    not_before: "",
    not_after: "",
    certificates: [],
    active: facts.version,
    versions: { [facts.version]: version },
  };
  return withActive(meta, facts.version);
}

/** A version as metadata lists it, pending. */
export async function newVersion(parts: readonly EnrolledPart[], facts: VersionFacts): Promise<CredentialVersion> {
  const certificates: CredentialCertificate[] = [];
  for (const part of parts) certificates.push(await certificateEntry(part, facts.version));
  return {
    profiles: parts.map(({ profile }) => profile.name),
    algos: parts.flatMap(({ profile }) => profile.rows.map(({ name }) => name)),
    status: "pending",
    subject: subjectFields(parts[0]!.profile.subject),
    created: formatInstant(facts.created),
    not_before: formatInstant(latest(parts.map(({ certificate }) => certificate.notBefore))),
    not_after: formatInstant(earliest(parts.map(({ certificate }) => certificate.notAfter))),
    ca: await wayTo(facts.caFolder, facts.folder),
    keys: parts.flatMap(({ entries }) => entries),
    certificates,
    inputs: parts.map(({ profile }) => storedInputs(profile)),
  };
}

/** Metadata in which version `id` is the active one, and the one before it is archived. */
export function withActive(meta: CredentialMeta, id: string): CredentialMeta {
  const version = meta.versions[id]!;
  const { subject, profiles, not_before, not_after, certificates, ca } = version;
  const versions = Object.entries(meta.versions).map(([name, one]): [string, CredentialVersion] => {
    if (name === id) return [name, { ...one, status: "active" }];
    if (name !== meta.active) return [name, one];
    // what only the top said of it until now
    const { subject = meta.subject, ca = meta.ca } = one;
    return [name, { ...one, status: "archived", subject, ...(ca === undefined ? {} : { ca }) }];
  });
  return {
    ...meta,
    ...(subject ? { subject } : {}),
    profiles,
    not_before,
    not_after,
    certificates,
    active: id,
    ...(ca === undefined ? {} : { ca }),
    versions: Object.fromEntries(versions),
  };
}

function storedInputs({ inputs }: CompiledProfile): CertificateInputs {
  const { variables = {}, validity, source, sha256 } = inputs ?? {};
  const isNamed = source === undefined || source === "default" || source.startsWith("custom");
  return {
    variables: { ...variables },
    ...(validity === undefined ? {} : { validity }),
    ...(isNamed ? {} : { file: source }),
    ...(sha256 === undefined ? {} : { profile_sha256: sha256 }),
  };
}

async function certificateEntry(part: EnrolledPart, version: string): Promise<CredentialCertificate> {
  const { certificate, profile, attestedBy } = part;
  const { algorithm: alternative } = alternativeParts(certificate);
  return {
    serial: `0x${certificate.serial}`,
    role: roleOf(profile),
    profile: profile.name,
    algorithm: algorithmLabel(certificate.signatureAlgorithm),
    ...(alternative ? { alternative_algorithm: algorithmLabel(alternative) } : {}),
    fingerprint: await fingerprint(certificate),
    path: credentialCertificateFile(version, part.name),
    storage: part.entries.map(({ storage }) => storage),
    ...(attestedBy ? { attested_by: `0x${attestedBy.serial}` } : {}),
  };
}

/** A key that may sign nothing is for encryption; without keyUsage it may do what it can. */
function roleOf(profile: CompiledProfile): CredentialCertificate["role"] {
  if (profile.rows.some((row) => row.kind === "kem")) return "encryption";
  const usage = profile.extensions.keyUsage?.values;
  return !usage || usage.includes("digitalSignature") || usage.includes("nonRepudiation") ? "signature" : "encryption";
}

/** The way to the CA from the credential, so that both can move together; absolute across drives. */
async function wayTo(to: string, from: string): Promise<string> {
  return relativePath(await realPath(from), await realPath(to));
}

async function realPath(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (cause) {
    throw fileError("find", path, cause);
  }
}

function latest(dates: readonly Date[]): Date {
  return new Date(Math.max(...dates.map(Number)));
}

function earliest(dates: readonly Date[]): Date {
  return new Date(Math.min(...dates.map(Number)));
}
