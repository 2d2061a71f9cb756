import type { SchemeRow } from "../alg/find.ts";
import { OID_AT_COMMON_NAME, OID_AT_COUNTRY, OID_AT_ORGANIZATION } from "../asn1/oid.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { FileNames } from "../store/file_names.ts";
import { certificateFile, csrFile } from "../store/layout.ts";
import { type CaMeta, type CaVersion, type KeyEntry, META_SCHEMA } from "../store/meta.ts";
import type { Name } from "../x509/types.ts";
import { keysName } from "./key_parts.ts";

/** What metadata says of a new version. */
export interface NewVersionFacts {
  readonly versionId: string;
  /** In the order of the certificates; all have the same subject. */
  readonly profiles: readonly [CompiledProfile, ...CompiledProfile[]];
  /** Values of profile variables as the operator gave them. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** In the order of the certificates. */
  readonly keys: readonly KeyEntry[];
  /** One a profile. */
  readonly schemes: readonly SchemeRow[];
  readonly status: "active" | "pending";
  /** Whether a request was made, and the certificate is still to come. */
  readonly isRequest: boolean;
  /** RFC 3339. */
  readonly created: string;
}

/** What the first metadata of a CA says. */
export interface NewMetaFacts extends Omit<NewVersionFacts, "status"> {
  readonly role: "root" | "subordinate";
  /** The CA above, as seen from the CA's folder. */
  readonly parent?: string | undefined;
  /** Data object in the token that remembers the end of the journal. */
  readonly anchor?: string;
}

/** Metadata of a CA with one version. */
export function newCaMeta(facts: NewMetaFacts): CaMeta {
  const { versionId, profiles, isRequest, parent, created } = facts;
  return {
    schema: META_SCHEMA,
    subject: subjectFields(profiles[0].subject),
    role: facts.role,
    ...(parent === undefined ? {} : { parent }),
    created,
    ...(facts.anchor === undefined ? {} : { anchor: facts.anchor }),
    active: isRequest ? "" : versionId,
    versions: { [versionId]: newVersion({ ...facts, status: isRequest ? "pending" : "active" }) },
  };
}

/** A version as metadata lists it. */
export function newVersion(facts: NewVersionFacts): CaVersion {
  const { versionId, profiles, variables = {}, status, isRequest, created } = facts;
  const names = new FileNames();
  return {
    profiles: profiles.map(({ name }) => name),
    ...(Object.keys(variables).length > 0 ? { variables: { ...variables } } : {}),
    algos: profiles.flatMap(({ rows }) => rows.map(({ name }) => name)),
    status,
    created,
    keys: [...facts.keys],
    modes: profiles.map(({ mode }) => mode),
    schemes: facts.schemes.map(({ name }) => name),
    ...(isRequest
      ? { csr: csrFile(versionId) }
      : { certificates: profiles.map((profile) => certificateFile(versionId, names.next(keysName(profile)))) }),
  };
}

/** What metadata repeats of a subject, for people. */
export function subjectFields(subject: Name): CaMeta["subject"] {
  const fields: Record<string, string | string[]> = {};
  const commonName = commonNameOf(subject);
  if (commonName !== undefined) fields["common_name"] = commonName;
  for (const [type, name] of [[OID_AT_ORGANIZATION, "organization"], [OID_AT_COUNTRY, "country"]] as const) {
    const values = subject.flat().filter((attribute) => attribute.type === type).map((attribute) => attribute.value);
    if (values.length > 0) fields[name] = values;
  }
  return fields;
}

/** First common name of a subject. */
export function commonNameOf(subject: Name): string | undefined {
  return subject.flat().find((attribute) => attribute.type === OID_AT_COMMON_NAME)?.value;
}
