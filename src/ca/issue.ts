import type { SchemeRow } from "../alg/find.ts";
import type { AuditEvent } from "../audit/event.ts";
import type { Bytes } from "../bytes.ts";
import { equalBytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { basicConstraints, keyUsage, subjectKeyId } from "../x509/certificate.ts";
import type { CertificateIntent } from "../store/journal_record.ts";
import { type LintedTbs, lintTbs } from "../x509/lint.ts";
import { formatName } from "../x509/name.ts";
import { generateSerial } from "../x509/serial.ts";
import { signCertificate } from "../x509/sign.ts";
import { buildTbsCertificate, type Tbs, type TbsSpec } from "../x509/tbs.ts";
import type { Certificate } from "../x509/types.ts";
import { caFacts, intentFacts, recordIssued } from "./audit_facts.ts";
import { changeOptions, checkInterrupted, type Deps, formatInstant, wholeSecond } from "./deps.ts";
import { announceCertificates, type Announcer, certificateIntent } from "./intents.ts";
import { refuseForbidden } from "./issuing_limits.ts";
import { type OpenCa, schemeFor } from "./signer.ts";
import { standInKeys } from "./stand_in.ts";

/** One certificate that a CA is asked for. */
export interface IssueRequest {
  readonly profile: CompiledProfile;
  /** SubjectPublicKeyInfo of the holder, DER. */
  readonly spki: Bytes;
  /** That of the holder's alternative key, for a Catalyst certificate. */
  readonly alternativeSpki?: Bytes | undefined;
  /** Now unless told. */
  readonly notBefore?: Date;
  /** Instead of the profile's. */
  readonly validitySeconds?: number;
}

/** How {@link issueBatch} works. */
export interface BatchOptions {
  /** Certificates under way at the same time; 16 unless told. */
  readonly parallel?: number;
  /** Certificates that become durable together; 128 unless told. */
  readonly batch?: number;
  /** Told of each group once it is durable. */
  readonly onIssued?: (certificates: readonly Certificate[]) => void;
}

/**
 * Issues one certificate: built, linted, journalled, signed, verified, and durable in `issued/` and `index.txt` when this
 * returns.
 * @throws {OperationError} `ca.expired`, `ca.not_a_ca`, `lint.refused`, `ca.locked`.
 * @throws {InputError} `validity.beyond_issuer`, `scheme.mismatch`, `ca.no_alternative_key`, and as {@link refuseForbidden}.
 */
export async function issueCertificate(ca: OpenCa, request: IssueRequest, deps: Deps): Promise<Certificate> {
  const certificate = await signRequest(ca, request, deps);
  await recordCertificates(ca, [certificate], deps);
  return certificate;
}

/**
 * Issues many certificates with one open CA: while the token signs a group, the next one is built and the last one written;
 * each group costs one intent, one commit and one append to the index. Returns them in the order of the requests. On an error
 * what was recorded before stays.
 */
export async function issueBatch(
  ca: OpenCa,
  requests: readonly IssueRequest[],
  options: BatchOptions & { readonly deps: Deps },
): Promise<Certificate[]> {
  const { deps, parallel = 16, batch = 128, onIssued } = options;
  const issued: Certificate[] = [];
  if (requests.length === 0) return issued;
  const prepare = (start: number) => settledLater(announceRequests(ca, requests.slice(start, start + batch), deps));
  let next = prepare(0);
  let recording: Promise<void> = Promise.resolve();
  try {
    for (let start = 0; start < requests.length; start += batch) {
      const ready = await next;
      if (start + batch < requests.length) next = prepare(start + batch);
      const certificates = await signAnnounced(ca, ready, { deps, parallel });
      await recording;
      recording = settledLater(
        recordCertificates(ca, certificates, deps).then(() => {
          issued.push(...certificates);
          onIssued?.(certificates);
        }),
      );
    }
  } finally {
    await Promise.allSettled([next]);
    await recording;
  }
  return issued;
}

/** A promise that is awaited in time, but perhaps after it was rejected. */
function settledLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/**
 * Makes a signed certificate and verifies it; of it only the intent is journalled. It is to be recorded with
 * {@link recordCertificates}, or comes to nothing when the CA is closed. Throws as {@link issueCertificate}.
 */
export async function signRequest(ca: OpenCa, request: IssueRequest, deps: Deps): Promise<Certificate> {
  const [certificate] = await signRequests(ca, [request], { deps });
  return certificate!;
}

/** As {@link signRequest} for several at the same time, which become one record of the journal. */
export async function signRequests(
  ca: OpenCa,
  requests: readonly IssueRequest[],
  options: { readonly deps: Deps; readonly parallel?: number },
): Promise<Certificate[]> {
  return await signAnnounced(ca, await announceRequests(ca, requests, options.deps), options);
}

/** A certificate that may be signed: it is in the journal and in the audit log. */
interface AnnouncedRequest {
  readonly linted: LintedTbs;
  readonly scheme: SchemeRow;
  readonly intent: CertificateIntent;
}

async function announceRequests(
  ca: OpenCa,
  requests: readonly IssueRequest[],
  deps: Deps,
): Promise<AnnouncedRequest[]> {
  const ready: AnnouncedRequest[] = [];
  for (const request of requests) {
    checkInterrupted(deps);
    const spec = certificateSpec(ca, { ...request, notBefore: request.notBefore ?? wholeSecond(deps) });
    const linted = lintTbs(await allowedTbs(ca, spec));
    const intent = await certificateIntent(linted.tbs, { profile: request.profile, issuerVersion: ca.versionId });
    ready.push({ linted, scheme: spec.scheme, intent });
  }
  const named = caFacts(ca.store, ca.versionId);
  await deps.audit?.(
    ...ready.map(({ intent }): AuditEvent => ({
      event: "cert.issue",
      result: "intent",
      ...named,
      ...intentFacts(intent),
    })),
  );
  const announcer: Announcer = {
    async intend(intent) {
      // before the signatures exist: a copy of the folder from before them will be noticed
      const head = await ca.store.intend(intent, changeOptions(deps));
      await ca.anchor?.advance(head);
    },
  };
  await announceCertificates(announcer, "issue", ready.map(({ intent }) => intent));
  return ready;
}

async function signAnnounced(
  ca: OpenCa,
  ready: readonly AnnouncedRequest[],
  { deps, parallel = 16 }: { readonly deps: Deps; readonly parallel?: number },
): Promise<Certificate[]> {
  return await pipeline(ready, parallel, async ({ linted, scheme }) => {
    checkInterrupted(deps);
    return await signCertificate(linted, signerWith(ca, scheme), ca.altSigner);
  });
}

/**
 * Checks and lints the certificate that a request will lead to while there is no key yet: stand-ins take its place, so that
 * a refusal costs no key in a token.
 * @throws {OperationError} `lint.refused`, and as {@link certificateSpec} and {@link refuseForbidden}.
 */
export async function lintRequest(
  ca: OpenCa,
  request: Omit<IssueRequest, "spki" | "alternativeSpki"> & { readonly notBefore: Date },
): Promise<void> {
  const spec = certificateSpec(ca, { ...request, ...await standInKeys(request.profile) });
  lintTbs(await allowedTbs(ca, spec));
}

/** The certificate before it is signed, unless the CA's own path forbids it. */
async function allowedTbs(ca: OpenCa, spec: TbsSpec): Promise<Tbs> {
  const tbs = await buildTbsCertificate(spec);
  refuseForbidden(await ca.path(), tbs, ca.certificate);
  return tbs;
}

/**
 * What the certificate for a request will say: the one place where the CA's part and the profile's meet.
 * @throws {OperationError} `ca.expired`, `ca.not_a_ca`, `ca.no_key_id`; {InputError} `validity.beyond_issuer`,
 * `scheme.mismatch`, `issue.own_key`, `ca.no_alternative_key`, `issue.alternative_key`.
 */
export function certificateSpec(ca: OpenCa, request: IssueRequest & { readonly notBefore: Date }): TbsSpec {
  const { profile, spki, alternativeSpki } = request;
  const { notBefore, notAfter } = checkRequest(ca, request);
  refuseOwnKey(ca, [spki, alternativeSpki]);
  if ((profile.mode === "catalyst") !== (alternativeSpki !== undefined)) {
    throw new InputError(
      `Cannot issue the certificate: profile "${profile.name}" is for ${
        profile.mode === "catalyst" ? "two keys" : "one key"
      }`,
      { code: "issue.alternative_key" },
    );
  }
  const authorityKeyId = subjectKeyId(ca.certificate);
  if (!authorityKeyId) {
    throw new OperationError("Cannot issue with this CA: its certificate has no subjectKeyIdentifier", {
      code: "ca.no_key_id",
    });
  }
  return {
    serial: generateSerial(),
    issuer: ca.certificate.subject,
    subject: profile.subject,
    notBefore,
    notAfter,
    spki,
    scheme: schemeFor(ca, profile.signature),
    extensions: profile.extensions,
    authorityKeyId,
    ...(ca.altSigner
      ? { alternative: { scheme: ca.altSigner.scheme, ...(alternativeSpki ? { spki: alternativeSpki } : {}) } }
      : {}),
  };
}

function refuseOwnKey(ca: OpenCa, keys: readonly (Bytes | undefined)[]): void {
  const own = [ca.key.spki, ca.key.alternative?.spki];
  if (!keys.some((key) => key && own.some((one) => one && equalBytes(one, key)))) return;
  throw new InputError("Cannot issue the certificate: its key is the CA's own", { code: "issue.own_key" });
}

/**
 * Whether the CA may issue what is asked for, before there is a key: its validity, its CA bits, its end.
 * Throws as {@link issueCertificate}.
 */
export function checkRequest(
  ca: OpenCa,
  request: { profile: CompiledProfile; notBefore: Date; validitySeconds?: number },
): { notBefore: Date; notAfter: Date } {
  const { profile, notBefore, validitySeconds } = request;
  if (profile.mode === "catalyst" && !ca.altSigner) throw noAlternativeKey(ca, profile);
  const notAfter = new Date(notBefore.getTime() + (validitySeconds ?? profile.validitySeconds) * 1000);
  checkIssuer(ca.certificate, notBefore);
  checkWithinIssuer(ca.certificate, notAfter);
  return { notBefore, notAfter };
}

/** Makes signed certificates durable: their files, then one append to the index. */
export async function recordCertificates(
  { store }: Pick<OpenCa, "store">,
  certificates: readonly Certificate[],
  deps: Deps,
): Promise<void> {
  if (certificates.length === 0) return;
  await store.change("issue", (change) => change.addCertificates(certificates), changeOptions(deps));
  await recordIssued(deps, caFacts(store), certificates);
}

/**
 * Whether a certificate may issue at `at`.
 * @throws {OperationError} `ca.expired` outside its validity, `ca.not_a_ca` without the CA bits.
 */
export function checkIssuer(certificate: Certificate, at: Date): void {
  const name = formatName(certificate.subject);
  if (at > certificate.notAfter || at < certificate.notBefore) {
    const when = at > certificate.notAfter
      ? `expired on ${formatInstant(certificate.notAfter)}`
      : `is not valid before ${formatInstant(certificate.notBefore)}`;
    throw new OperationError(`Cannot issue with the CA "${name}": its certificate ${when}`, {
      code: "ca.expired",
      object: name,
      hint: "Renew the CA's certificate first",
    });
  }
  const usage = keyUsage(certificate);
  if (!basicConstraints(certificate)?.ca || (usage && !usage.includes("keyCertSign"))) {
    throw new OperationError(`Cannot issue with "${name}": its certificate is not one of a CA`, {
      code: "ca.not_a_ca",
      object: name,
    });
  }
}

function noAlternativeKey(ca: OpenCa, profile: CompiledProfile): InputError {
  return new InputError(
    `Cannot issue a certificate of profile "${profile.name}": the CA "${formatName(ca.certificate.subject)}" has no ` +
      "alternative key for the second signature",
    { code: "ca.no_alternative_key", hint: "Use a Catalyst CA, or a profile with one key" },
  );
}

function checkWithinIssuer(issuer: Certificate, notAfter: Date): void {
  if (notAfter <= issuer.notAfter) return;
  throw new InputError(
    `Cannot issue a certificate until ${formatInstant(notAfter)}: the issuer's own ends ${
      formatInstant(issuer.notAfter)
    }`,
    { code: "validity.beyond_issuer", hint: "Ask for a shorter validity (--days or --validity)" },
  );
}

function signerWith(ca: OpenCa, scheme: SchemeRow) {
  return scheme.name === ca.signer.scheme.name ? ca.signer : ca.key.signer(scheme);
}

async function pipeline<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  let failed = false;
  const worker = async () => {
    while (next < items.length && !failed) {
      const i = next++;
      try {
        results[i] = await work(items[i]!);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const settled = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, worker));
  const failure = settled.find((result) => result.status === "rejected");
  if (failure) throw failure.reason;
  return results;
}
