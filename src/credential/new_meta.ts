import { formatInstant } from "../ca/deps.ts";
import { algorithmLabel } from "../ca/info.ts";
import { subjectFields } from "../ca/new_meta.ts";
import { fileError } from "../files.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { credentialCertificateFile } from "../store/credential.ts";
import { relativePath } from "../store/layout.ts";
import { type CredentialCertificate, type CredentialMeta, META_SCHEMA } from "../store/meta.ts";
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

/** Facts about the credential as a whole. */
export interface CredentialFacts {
  readonly id: string;
  readonly version: string;
  readonly created: Date;
  readonly caFolder: string;
  /** Anything beside the final place: relative paths are the same. */
  readonly staging: { readonly folder: string };
}

/** Metadata of a new credential with one version. */
export async function newMeta(parts: readonly EnrolledPart[], facts: CredentialFacts): Promise<CredentialMeta> {
  const certificates: CredentialCertificate[] = [];
  for (const part of parts) certificates.push(await certificateEntry(part, facts.version));
  const dates = {
    created: formatInstant(facts.created),
    not_before: formatInstant(latest(parts.map(({ certificate }) => certificate.notBefore))),
    not_after: formatInstant(earliest(parts.map(({ certificate }) => certificate.notAfter))),
  };
  const profiles = parts.map(({ profile }) => profile.name);
  return {
    schema: META_SCHEMA,
    id: facts.id,
    subject: subjectFields(parts[0]!.profile.subject),
    profiles,
    // true when it is written; commands compute the status from the certificates, the CA's index and the time
    status: "valid",
    ...dates,
    certificates,
    active: facts.version,
    ca: await relativeOfReal(facts.staging.folder, facts.caFolder),
    versions: {
      [facts.version]: {
        profiles,
        algos: parts.flatMap(({ profile }) => profile.rows.map(({ name }) => name)),
        status: "active",
        ...dates,
        keys: parts.flatMap(({ entries }) => entries),
        certificates,
      },
    },
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
async function relativeOfReal(from: string, to: string): Promise<string> {
  const [start, end] = await Promise.all([realPath(from), realPath(to)]);
  return relativePath(start, end);
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
