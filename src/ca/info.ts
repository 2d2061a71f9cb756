import { lookUpKeyRow } from "../alg/find.ts";
import { OID_AT_COMMON_NAME } from "../asn1/oid.ts";
import { readFileBytes } from "../files.ts";
import { decodeScheme, describeAlgorithm } from "../keys/scheme.ts";
import { describeSpki } from "../keys/spki.ts";
import { type CaStore, isCaFolder } from "../store/ca.ts";
import { joinPath } from "../store/layout.ts";
import type { CaVersion, KeyEntry, KeyMode } from "../store/meta.ts";
import { alternativeParts } from "../x509/alternative.ts";
import { alternativeSpki, basicConstraints, isSelfIssued } from "../x509/certificate.ts";
import { readCsr } from "../x509/csr.ts";
import { formatName, nameAttribute } from "../x509/name.ts";
import type { Certificate } from "../x509/types.ts";
import { modeOf } from "./certificates.ts";
import { formatInstant } from "./deps.ts";
import { type CertificateStatus, countByStatus } from "./status.ts";

/** Whether the CA is a root: stored, and for metadata of the older tool told by its certificate. */
export function roleOf(store: CaStore, certificate: Certificate | undefined): "root" | "subordinate" {
  if (store.meta.role) return store.meta.role;
  return certificate && !isSelfIssued(certificate) ? "subordinate" : "root";
}

/** Facts of a certificate of a CA. */
export interface CertificateFacts {
  readonly serial: string;
  readonly issuer: string;
  readonly not_before: string;
  readonly not_after: string;
  readonly path_len?: number;
  readonly signature_algorithm: string;
  /** Of a Catalyst certificate. */
  readonly alternative_signature_algorithm?: string;
}

/** One certificate of a CA. */
export interface OwnCertificate extends CertificateFacts {
  readonly profile?: string;
  readonly mode: KeyMode;
  readonly key_algorithms: readonly string[];
}

/** Facts of a CA for printing; keys are those of `ca info --json`. */
export interface CaFacts extends Partial<CertificateFacts> {
  readonly path: string;
  readonly subject: string;
  readonly role: "root" | "subordinate";
  readonly active: string;
  readonly status: CaVersion["status"];
  readonly profiles: readonly string[];
  readonly algorithms: readonly string[];
  /** Of the first certificate. */
  readonly scheme?: string;
  readonly schemes: readonly string[];
  readonly keys: readonly Record<string, unknown>[];
  /** The CA's own, one a profile; facts of the first are repeated above. */
  readonly ca_certificates: readonly OwnCertificate[];
  /** How many it issued. */
  readonly certificates: Record<CertificateStatus | "total", number>;
  readonly versions: readonly {
    id: string;
    status: CaVersion["status"];
    profiles: readonly string[];
    algorithms: readonly string[];
  }[];
}

/** Facts of the active version (or the pending one, when none is active yet). */
export async function caFacts(store: CaStore, at: Date): Promise<CaFacts> {
  const { meta } = store;
  const { id, version } = store.version(meta.active === "" ? Object.keys(meta.versions)[0] ?? "" : undefined);
  const certificates = version.status === "pending" ? [] : await store.certificates(id);
  const certificate = certificates[0];
  return {
    path: store.folder,
    subject: certificate ? formatName(certificate.subject) : await requestedSubject(store, version),
    role: roleOf(store, certificate),
    active: meta.active,
    status: version.status,
    profiles: version.profiles,
    algorithms: version.algos,
    ...(version.schemes?.[0] === undefined ? {} : { scheme: version.schemes[0] }),
    schemes: version.schemes ?? [],
    keys: version.keys.map(keyFacts),
    ...(certificate ? certificateFacts(certificate) : {}),
    ca_certificates: certificates.map((one, i) => ({
      ...(version.profiles[i] === undefined ? {} : { profile: version.profiles[i] }),
      mode: version.modes?.[i] ?? modeOf(one),
      key_algorithms: keyAlgorithms(one),
      ...certificateFacts(one),
    })),
    certificates: countByStatus(await store.entries(), at),
    versions: Object.entries(meta.versions).map(([name, each]) => ({
      id: name,
      status: each.status,
      profiles: each.profiles,
      algorithms: each.algos,
    })),
  };
}

/** Subject that a pending version has asked for. */
async function requestedSubject({ folder, meta }: CaStore, { csr }: CaVersion): Promise<string> {
  if (csr !== undefined) {
    const file = await readFileBytes(joinPath(folder, csr)).catch(() => undefined);
    if (file) return formatName(readCsr(file, csr).subject);
  }
  const { common_name: name } = meta.subject;
  return name ? formatName([[nameAttribute(OID_AT_COMMON_NAME, String(name))]]) : "";
}

/** Every folder below `top` (itself included) that holds a CA, sorted; hidden folders and links are not entered. */
export async function findCaFolders(top: string, depth = 6): Promise<string[]> {
  const found: string[] = [];
  const visit = async (folder: string, left: number): Promise<void> => {
    if (await isCaFolder(folder)) found.push(folder);
    if (left === 0) return;
    for await (const entry of Deno.readDir(folder)) {
      if (entry.isDirectory && !entry.name.startsWith(".") && entry.name !== "node_modules") {
        await visit(folder.endsWith("/") ? folder + entry.name : `${folder}/${entry.name}`, left - 1);
      }
    }
  };
  await visit(top, depth);
  return found.sort();
}

/** Where a key is, without what only machines need. */
export function describeStorage({ storage }: KeyEntry): string {
  if (storage.type === "software") return `file ${storage.path}`;
  const parts = [
    ...(storage.label === undefined ? [] : [`label "${storage.label}"`]),
    ...(storage.key_id === undefined ? [] : [`id ${storage.key_id}`]),
  ];
  return `token (${storage.config}), ${parts.join(", ")}`;
}

/** A key as `ca info --json` shows it. */
export function keyFacts(entry: KeyEntry): Record<string, unknown> {
  const { id, algorithm, storage, spki_sha256 } = entry;
  return {
    id,
    algorithm: lookUpKeyRow(algorithm)?.name ?? algorithm,
    storage,
    ...(spki_sha256 ? { spki_sha256 } : {}),
  };
}

/** Names of the algorithms of the keys in a certificate; in words where there is no row. */
export function keyAlgorithms(certificate: Certificate): string[] {
  const alternative = alternativeSpki(certificate);
  return [certificate.spki, ...(alternative ? [alternative] : [])].map((spki) => {
    const { row, description } = describeSpki(spki);
    return row?.name ?? description;
  });
}

/** Facts of a certificate for printing. */
export function certificateFacts(certificate: Certificate): CertificateFacts {
  const pathLen = basicConstraints(certificate)?.pathLen;
  const { algorithm } = alternativeParts(certificate);
  return {
    serial: certificate.serial,
    issuer: formatName(certificate.issuer),
    not_before: formatInstant(certificate.notBefore),
    not_after: formatInstant(certificate.notAfter),
    ...(pathLen === undefined ? {} : { path_len: pathLen }),
    signature_algorithm: algorithmLabel(certificate.signatureAlgorithm),
    ...(algorithm ? { alternative_signature_algorithm: algorithmLabel(algorithm) } : {}),
  };
}

/** Label of a signature algorithm; in words where there is no row. @param algorithm AlgorithmIdentifier, DER. */
export function algorithmLabel(algorithm: Uint8Array): string {
  return decodeScheme(algorithm)?.label ?? describeAlgorithm(algorithm);
}
