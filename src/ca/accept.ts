import { audited } from "../audit/trail.ts";
import { encodePem, equalBytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { readFileBytes } from "../files.ts";
import type { CaStore } from "../store/ca.ts";
import { CA_CERTIFICATE_FILE, certificateFile, CHAIN_FILE, versionChainFile } from "../store/layout.ts";
import type { CaChange } from "../store/change.ts";
import { type CaMeta, type CaVersion, isAwaited } from "../store/meta.ts";
import { alternativeSpki, isCa, isSelfIssued, isSelfSigned, keyUsage, subjectKeyId } from "../x509/certificate.ts";
import { readCsr } from "../x509/csr.ts";
import { IssuingPath } from "../x509/issuing_path.ts";
import { decodeName, formatName } from "../x509/name.ts";
import type { Certificate } from "../x509/types.ts";
import { verifyCertificate } from "../x509/verify.ts";
import { caFacts, certificateFacts } from "./audit_facts.ts";
import { fitsPins, pinsOf } from "./certificates.ts";
import { changeOptions, type Deps, formatInstant, wholeSecond } from "./deps.ts";
import { subjectFields } from "./new_meta.ts";

/** What came back from the CA above. */
export interface AcceptRequest {
  /** The certificate, with or without its issuers, in any order. */
  readonly certificates: readonly Certificate[];
  /** Further issuers that the operator named. */
  readonly issuers?: readonly Certificate[];
}

/** A certificate that was taken in. */
export interface Accepted {
  readonly versionId: string;
  readonly certificate: Certificate;
  /** Its file, relative to the CA's folder. */
  readonly path: string;
  /** Its issuers, the root last; empty when none was given. */
  readonly issuers: readonly Certificate[];
  /** Whether the version is active now; beside an active one it waits to be activated. */
  readonly isActive: boolean;
  /** Whether the certificate was there already, and only its issuers were missing. */
  readonly isCompletion: boolean;
}

/**
 * Takes the certificate for a key that waits for one, after checking that it is for that key, that it makes a CA, that it is
 * valid now and that its issuers, as far as they are given, really signed it. The first version of a CA becomes active at
 * once; a further one keeps the CA's name and stays pending. A certificate that was taken without its issuers may come again
 * with them.
 * @throws {InputError} `accept.nothing_pending`, `accept.key_mismatch`, `accept.not_a_ca`, `accept.not_valid`,
 * `accept.no_issuer`.
 * @throws {OperationError} `accept.chain` when the signatures above do not verify.
 */
export async function acceptCertificate(store: CaStore, request: AcceptRequest, deps: Deps): Promise<Accepted> {
  return await audited(deps.audit, { event: "ca.accept", ...caFacts(store) }, {
    work: () => accept(store, request, deps),
    facts: async ({ versionId, certificate, isActive }) => ({
      ...caFacts(store, versionId),
      ...await certificateFacts(certificate),
      details: { active: isActive },
    }),
  });
}

async function accept(store: CaStore, request: AcceptRequest, deps: Deps): Promise<Accepted> {
  return await store.change("accept", async (change) => {
    const known = await incompleteVersion(store, request.certificates);
    if (known) return await completeChain(change, { ...known, request }, deps);
    const [versionId, version] = pendingVersion(change.meta, store.folder);
    const certificate = await certificateForKey(request.certificates, version, versionId);
    checkCaCertificate(certificate, wholeSecond(deps));
    const isFirst = change.meta.active === "";
    await compareSubject(store, version, { certificate, deps });
    if (!isFirst) await keepSubject(store, certificate);
    const issuers = await checkChain(certificate, request, deps);
    const file = certificateFile(versionId, version.algos.join("-"));
    const pem = encodePem("CERTIFICATE", certificate.der);
    const chain = [certificate, ...issuers].map((one) => encodePem("CERTIFICATE", one.der)).join("");
    const isRoot = isSelfIssued(certificate);
    await change.writeFile(file, pem, { overwrite: true });
    if (isFirst) {
      await change.writeFile(CA_CERTIFICATE_FILE, pem, { overwrite: true });
      if (!isRoot) await change.writeFile(CHAIN_FILE, chain, { overwrite: true });
      await change.writeMeta(activated(change.meta, { versionId, file, certificate, isRoot }));
    } else {
      const path = versionChainFile(versionId);
      await change.writeFile(path, chain, { overwrite: true });
      const ready = { ...version, certificates: [file], chain: path };
      await change.writeMeta({ ...change.meta, versions: { ...change.meta.versions, [versionId]: ready } });
    }
    return { versionId, certificate, path: file, issuers, isActive: isFirst, isCompletion: false };
  }, changeOptions(deps));
}

/** A version that has one of the certificates already, but not those above it up to the root. */
async function incompleteVersion(
  store: CaStore,
  certificates: readonly Certificate[],
): Promise<{ versionId: string; certificate: Certificate; file: string } | undefined> {
  for (const [versionId, version] of Object.entries(store.meta.versions)) {
    if (isAwaited(version)) continue;
    const own = await store.certificates(versionId);
    const at = own.findIndex(({ der }) => certificates.some((one) => equalBytes(one.der, der)));
    const certificate = own[at];
    // a CA with several certificates made them itself, with their chains
    if (!certificate || own.length > 1) continue;
    const top = (await store.chain(certificate, versionId)).at(-1)!;
    if (isSelfSigned(top)) continue;
    return { versionId, certificate, file: version.certificates?.[at] ?? CA_CERTIFICATE_FILE };
  }
  return undefined;
}

/** Adds the issuers of a certificate that was taken without them. */
async function completeChain(
  change: CaChange,
  { versionId, certificate, file, request }: {
    versionId: string;
    certificate: Certificate;
    file: string;
    request: AcceptRequest;
  },
  deps: Deps,
): Promise<Accepted> {
  const issuers = await checkChain(certificate, request, deps);
  if (issuers.length === 0) {
    throw new InputError(
      "Cannot complete the chain of the certificate, which was accepted before: no issuer is given",
      {
        code: "accept.no_issuer",
        hint: "Give the certificates above it with --parent-cert",
      },
    );
  }
  const chain = [certificate, ...issuers].map((one) => encodePem("CERTIFICATE", one.der)).join("");
  const isActive = versionId === change.meta.active;
  const version = change.meta.versions[versionId]!;
  if (isActive) await change.writeFile(CHAIN_FILE, chain, { overwrite: true });
  if (!isActive || version.chain !== undefined) {
    const path = version.chain ?? versionChainFile(versionId);
    await change.writeFile(path, chain, { overwrite: true });
    const versions = { ...change.meta.versions, [versionId]: { ...version, chain: path } };
    await change.writeMeta({ ...change.meta, versions });
  }
  return { versionId, certificate, path: file, issuers, isActive, isCompletion: true };
}

function pendingVersion(meta: CaMeta, folder: string): [string, CaVersion] {
  const found = Object.entries(meta.versions).find(([, { status, csr, certificates }]) =>
    status === "pending" && csr !== undefined && certificates === undefined
  );
  if (found) return found;
  throw new InputError(`Cannot accept a certificate for the CA "${folder}": no version waits for one`, {
    code: "accept.nothing_pending",
    object: folder,
    hint: "A request is made with: qpki ca init --csr-only, and for a further version qpki ca rotate --csr-only",
  });
}

async function certificateForKey(
  certificates: readonly Certificate[],
  version: CaVersion,
  versionId: string,
): Promise<Certificate> {
  const seen: string[] = [];
  for (const certificate of certificates) {
    const pins = await pinsOf({ spki: certificate.spki, alternative: alternativeSpki(certificate) });
    if (fitsPins(version.keys, pins)) return certificate;
    const shown = Object.values(pins).map((pin) => `${pin.slice(0, 16)}…`);
    seen.push(`${formatName(certificate.subject)} (${shown.join(", ")})`);
  }
  const own = version.keys.map((key) => key.spki_sha256?.toLowerCase());
  throw new InputError(
    `Cannot accept the certificate: it is not for the ${
      own.length > 1 ? "keys" : "key"
    } of version ${versionId}, whose ` +
      `public ${own.length > 1 ? "keys have" : "key has"} SHA-256 ${own.join(" and ")}`,
    { code: "accept.key_mismatch", hint: `Public keys in the file: ${seen.join(", ") || "none"}` },
  );
}

function checkCaCertificate(certificate: Certificate, now: Date): void {
  const usage = keyUsage(certificate);
  const missing = !isCa(certificate)
    ? "basicConstraints does not say cA TRUE"
    : usage && !usage.includes("keyCertSign")
    ? "its key usage lacks keyCertSign"
    : !subjectKeyId(certificate)
    ? "it has no subjectKeyIdentifier (RFC 5280 section 4.2.1.2)"
    : decodeName(certificate.subject).length === 0
    ? "its subject is empty"
    : undefined;
  if (missing !== undefined) {
    throw new InputError(`Cannot accept the certificate: ${missing}`, {
      code: "accept.not_a_ca",
      hint: "Ask the issuer for a certificate with the extensions of the request",
    });
  }
  if (now > certificate.notAfter || now < certificate.notBefore) {
    throw new InputError(
      `Cannot accept the certificate: it is valid from ${formatInstant(certificate.notBefore)} to ${
        formatInstant(certificate.notAfter)
      }`,
      { code: "accept.not_valid" },
    );
  }
}

/** The issuer may set another subject; the operator should know. */
async function compareSubject(
  store: CaStore,
  version: CaVersion,
  { certificate, deps }: { certificate: Certificate; deps: Deps },
): Promise<void> {
  const path = store.path(version.csr!);
  const { subject } = readCsr(await readFileBytes(path), path);
  if (equalBytes(subject, certificate.subject)) return;
  deps.warn(
    `The issuer changed the subject from "${formatName(subject)}" to "${formatName(certificate.subject)}"`,
  );
}

/** A CA keeps its name for good: certificates and CRLs of all its versions are found by it. */
async function keepSubject(store: CaStore, certificate: Certificate): Promise<void> {
  const [own] = await store.certificates();
  if (equalBytes(own.subject, certificate.subject)) return;
  throw new InputError(
    `Cannot accept the certificate: its subject is "${formatName(certificate.subject)}", and the CA is called "${
      formatName(own.subject)
    }"`,
    { code: "accept.subject", hint: "Ask the issuer for a certificate with the subject of the request, byte for byte" },
  );
}

/** The issuers from the certificate up to the root, verified; empty when none was given. */
async function checkChain(certificate: Certificate, request: AcceptRequest, deps: Deps): Promise<Certificate[]> {
  const others = [...request.certificates, ...request.issuers ?? []]
    .filter((other) => !equalBytes(other.der, certificate.der));
  const selfIssued = isSelfIssued(certificate);
  const candidates = selfIssued ? [certificate, ...others] : others;
  if (candidates.length === 0) {
    deps.warn(
      "The signature on the certificate was not checked, and its chain is not complete: its issuer is neither in the " +
        "file nor in --parent-cert. Run qpki ca accept again with --parent-cert to add it",
    );
    return [];
  }
  const roots = candidates.filter(isSelfIssued);
  const verdict = await verifyCertificate(certificate, {
    intermediates: candidates,
    anchors: roots.length > 0 ? roots : candidates,
    at: deps.now(),
  });
  if (!verdict.valid) {
    throw new OperationError(
      `Cannot accept the certificate: ${
        verdict.reasons.map((reason) => reason.message).join("; ") || "no valid chain"
      }`,
      { code: "accept.chain", hint: "Give the issuing CA's certificate in the file or with --parent-cert" },
    );
  }
  const issuers = verdict.chain.filter((one) => !equalBytes(one.der, certificate.der));
  const [broken] = new IssuingPath([certificate, ...issuers]).reasons;
  if (broken) {
    throw new OperationError(`Cannot accept the certificate: no certificate below it can be valid: ${broken.message}`, {
      code: "accept.chain",
      hint: "Ask for a certificate from a CA that allows another one below it",
    });
  }
  return issuers;
}

function activated(
  meta: CaMeta,
  about: { versionId: string; file: string; certificate: Certificate; isRoot: boolean },
): CaMeta {
  const versions: CaMeta["versions"] = {};
  for (const [id, version] of Object.entries(meta.versions)) {
    versions[id] = version.status === "active" ? { ...version, status: "archived" } : version;
  }
  const pending = versions[about.versionId]!;
  versions[about.versionId] = { ...pending, status: "active", certificates: [about.file] };
  return {
    ...meta,
    subject: { ...meta.subject, ...subjectFields(decodeName(about.certificate.subject)) },
    role: about.isRoot ? "root" : "subordinate",
    active: about.versionId,
    versions,
  };
}
