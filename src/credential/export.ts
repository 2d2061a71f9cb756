import { encodePem, equalBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import type { CredentialStore } from "../store/credential.ts";
import type { Certificate } from "../x509/types.ts";

/** How much of the chain goes along. */
export type Bundle = "cert" | "chain" | "all";

/** What to export. */
export interface ExportRequest {
  /** `cert`: the credential's own. `chain`: and the issuing CA and those above without the root. `all`: and the root. */
  readonly bundle: Bundle;
  /** The active one without it. */
  readonly version?: string;
  /** Every version, oldest first. */
  readonly allVersions?: boolean;
}

/**
 * Certificates to export, each once, in the order that TLS wants: the credential's own, then those above. Private keys are
 * never among them.
 * @throws {InputError} `version.unknown`, `credential.chain_missing`.
 */
export async function exportCertificates(store: CredentialStore, request: ExportRequest): Promise<Certificate[]> {
  const ids = exportVersions(store, request);
  const own: Certificate[] = [];
  const above: Certificate[] = [];
  for (const id of ids) {
    own.push(...await store.certificates(id));
    if (request.bundle === "cert") continue;
    const chain = await chainOf(store, id);
    // the issuer itself always goes along, root or not
    above.push(...request.bundle === "all" ? chain : chain.filter((one, i) => i === 0 || !isSelfIssued(one)));
  }
  return withoutRepetition([...own, ...above]);
}

/** Ids of the versions that are meant. @throws {InputError} `version.unknown`. */
export function exportVersions(
  store: CredentialStore,
  { version, allVersions }: Pick<ExportRequest, "version" | "allVersions">,
): string[] {
  return allVersions ? Object.keys(store.meta.versions) : [store.version(version).id];
}

/** Certificates as one PEM text. */
export function certificatesPem(certificates: readonly Certificate[]): string {
  return certificates.map((certificate) => encodePem("CERTIFICATE", certificate.der)).join("");
}

async function chainOf(store: CredentialStore, id: string): Promise<Certificate[]> {
  const chain = await store.chain(id);
  if (chain.length > 0) return chain;
  throw new InputError(`Cannot export the chain of the credential "${store.meta.id}": it keeps no CA certificate`, {
    code: "credential.chain_missing",
    object: store.meta.id,
    hint: "Export it from the CA: qpki ca export --bundle chain",
  });
}

function isSelfIssued(certificate: Certificate): boolean {
  return equalBytes(certificate.subject, certificate.issuer);
}

function withoutRepetition(certificates: readonly Certificate[]): Certificate[] {
  const seen = new Set<string>();
  return certificates.filter((certificate) => {
    const key = certificate.der.toHex();
    return seen.size < seen.add(key).size;
  });
}
