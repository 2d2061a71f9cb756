import { audited } from "../audit/trail.ts";
import { encodePem } from "../bytes.ts";
import { OperationError } from "../errors.ts";
import { pathExists, readFileBytes, readFileText } from "../files.ts";
import type { CaStore } from "../store/ca.ts";
import type { CaChange } from "../store/change.ts";
import { CA_CERTIFICATE_FILE, certificateFile, CHAIN_FILE, CRL_FOLDER, versionChainFile } from "../store/layout.ts";
import { type CaMeta, isAwaited, type VersionStatus } from "../store/meta.ts";
import { subjectKeyId } from "../x509/certificate.ts";
import { decodeName } from "../x509/name.ts";
import type { Certificate } from "../x509/types.ts";
import { caFacts } from "./audit_facts.ts";
import { type CaCertificate, caCertificates } from "./certificates.ts";
import { crlName, isCrlOf } from "./crl_files.ts";
import { changeOptions, type Deps, formatInstant, wholeSecond } from "./deps.ts";
import { checkIssuer } from "./issue.ts";
import { IssuingVersions } from "./issuing_version.ts";
import { subjectFields } from "./new_meta.ts";
import { namedVersion } from "./versions.ts";

/** What became of a CA's versions. */
export interface Activation {
  readonly versionId: string;
  /** Version that was active before; undefined when none was. */
  readonly former?: string;
  /** Status that the version had. */
  readonly was: VersionStatus;
  readonly certificates: readonly Certificate[];
}

/**
 * Makes a version the one that issues, and archives the one before; an archived version comes back the same way. `ca.crt`,
 * `chain.pem` and the names of the CRLs follow; metadata comes last. Activating the active version changes nothing.
 * @throws {InputError} `version.unknown`.
 * @throws {OperationError} `version.no_certificate`, `version.no_key`, `ca.expired`, `ca.not_a_ca`, `ca.locked`.
 */
export async function activateVersion(store: CaStore, wanted: string, deps: Deps): Promise<Activation> {
  const { id } = namedVersion(store, wanted);
  const event = { event: "ca.activate", ...caFacts(store, id) };
  return await audited(deps.audit, event, {
    work: () => activate(store, id, deps),
    facts: ({ former, was }) => ({ details: { former, was } }),
  });
}

async function activate(store: CaStore, id: string, deps: Deps): Promise<Activation> {
  return await store.change("activate", async (change) => {
    const { meta } = change;
    const version = meta.versions[id];
    if (!version) throw gone(store, id);
    if (isAwaited(version)) {
      throw new OperationError(`Cannot activate version ${id} of the CA "${store.folder}": it has no certificate yet`, {
        code: "version.no_certificate",
        object: id,
        hint:
          `Have its request ${store.folder}/${version.csr} signed, then run: qpki ca accept FILE --ca-dir ${store.folder}`,
      });
    }
    const own = await caCertificates(store, id);
    const certificates = own.map(({ certificate }) => certificate);
    const before = { versionId: id, was: version.status, certificates };
    if (meta.active === id) return before;
    for (const certificate of certificates) checkIssuer(certificate, wholeSecond(deps));
    await checkKeyFiles(store, id, own);
    const former = meta.active === "" ? undefined : { id: meta.active, own: await caCertificates(store, meta.active) };
    if (former) await keepCertificates(change, former);
    if (former) await keepChain(change, former.id);
    await writeShown(change, id, certificates);
    if (former) await moveCrls(change, { id, own }, former);
    if (former) await noteEnd(change, store, { id: former.id, at: wholeSecond(deps) });
    await change.writeMeta(switched(change.meta, id, certificates[0]!));
    return { ...before, ...(former ? { former: former.id } : {}) };
  }, changeOptions(deps));
}

/** A key that is gone is told now, not when the first certificate is wanted. A token tells only when it is asked. */
async function checkKeyFiles(store: CaStore, id: string, own: readonly CaCertificate[]): Promise<void> {
  for (const { storage } of own.flatMap(({ keys }) => keys)) {
    if (storage.type !== "software" || await pathExists(store.path(storage.path))) continue;
    throw new OperationError(`Cannot activate version ${id} of the CA "${store.folder}": its key is missing`, {
      code: "version.no_key",
      object: id,
      hint: `Restore ${store.path(storage.path)}`,
    });
  }
}

/** Metadata of the older tool names no file, and the certificate may be in `ca.crt` alone, which the next version takes. */
async function keepCertificates(
  change: CaChange,
  { id, own }: { id: string; own: readonly CaCertificate[] },
): Promise<void> {
  const version = change.meta.versions[id]!;
  if (version.certificates !== undefined) return;
  version.certificates = own.map(({ name }) => certificateFile(id, name));
  for (const [i, { certificate }] of own.entries()) {
    await change.writeFile(version.certificates[i]!, encodePem("CERTIFICATE", certificate.der), { overwrite: true });
  }
}

/** `chain.pem` is that of the active version: a version that steps back keeps its own beside its certificates. */
async function keepChain(change: CaChange, id: string): Promise<void> {
  const version = change.meta.versions[id]!;
  const path = `${change.folder}/${CHAIN_FILE}`;
  if (version.chain !== undefined || !await pathExists(path)) return;
  await change.writeFile(versionChainFile(id), await readFileText(path), { overwrite: true });
  version.chain = versionChainFile(id);
}

/** Until when CRLs of an archived version are asked for: later, thousands of certificates would have to be read for it. */
async function noteEnd(change: CaChange, store: CaStore, { id, at }: { id: string; at: Date }): Promise<void> {
  const versions = await IssuingVersions.open(store);
  const entries = (await change.rows()).map(({ entry }) => entry);
  const end = await versions.issuedUntil(id, entries, at) ?? at;
  change.meta.versions[id]!.issued_until = formatInstant(end);
}

/** What scripts look at: the certificate, and of a subordinate CA the chain. */
async function writeShown(change: CaChange, id: string, certificates: readonly Certificate[]): Promise<void> {
  const { chain } = change.meta.versions[id]!;
  const pem = certificates.map(({ der }) => encodePem("CERTIFICATE", der)).join("");
  await change.writeFile(CA_CERTIFICATE_FILE, pem, { overwrite: true });
  if (chain !== undefined) {
    await change.writeFile(CHAIN_FILE, await readFileText(`${change.folder}/${chain}`), { overwrite: true });
  } else if (await pathExists(`${change.folder}/${CHAIN_FILE}`)) {
    await change.writeFile(CHAIN_FILE, pem, { overwrite: true });
  }
}

/**
 * The CRLs of the active version have names without a version: those of the former one are kept under its id, those of the
 * new one come back. Until the new one has a CRL, the former's stays under the short name, where it is still fetched.
 */
async function moveCrls(
  change: CaChange,
  next: { id: string; own: readonly CaCertificate[] },
  former: { id: string; own: readonly CaCertificate[] },
): Promise<void> {
  const copy = async (one: CaCertificate, from: string, to: string) => {
    const path = `${change.folder}/${CRL_FOLDER}/${from}.crl.der`;
    if (!await pathExists(path)) return;
    const der = await readFileBytes(path);
    if (isCrlOf(der, subjectKeyId(one.certificate))) await change.writeCrl(der, to);
  };
  const names = (id: string, own: readonly CaCertificate[], one: CaCertificate) => ({
    active: crlName(one, { count: own.length }),
    archived: crlName(one, { count: own.length, former: id }),
  });
  for (const one of former.own) {
    const { active, archived } = names(former.id, former.own, one);
    await copy(one, active, archived);
  }
  for (const one of next.own) {
    const { active, archived } = names(next.id, next.own, one);
    await copy(one, archived, active);
  }
}

function switched(meta: CaMeta, id: string, certificate: Certificate): CaMeta {
  const versions: CaMeta["versions"] = {};
  for (const [name, version] of Object.entries(meta.versions)) {
    const status = name === id ? "active" : version.status === "active" ? "archived" : version.status;
    versions[name] = { ...version, status };
  }
  delete versions[id]!.issued_until;
  const subject = { ...meta.subject, ...subjectFields(decodeName(certificate.subject)) };
  return { ...meta, subject, active: id, versions };
}

function gone(store: CaStore, id: string): OperationError {
  return new OperationError(`Cannot activate version ${id} of the CA "${store.folder}": it was removed meanwhile`, {
    code: "version.changed",
    object: id,
  });
}
