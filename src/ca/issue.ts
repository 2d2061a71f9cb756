import type { SchemeRow } from "../alg/find.ts";
import type { Bytes } from "../bytes.ts";
import { equalBytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { basicConstraints, keyUsage, subjectKeyId } from "../x509/certificate.ts";
import { lintTbs } from "../x509/lint.ts";
import { formatName } from "../x509/name.ts";
import { generateSerial } from "../x509/serial.ts";
import { signCertificate } from "../x509/sign.ts";
import { buildTbsCertificate } from "../x509/tbs.ts";
import type { Certificate } from "../x509/types.ts";
import { checkInterrupted, type Deps, formatInstant, wholeSecond } from "./deps.ts";
import { type OpenCa, schemeFor } from "./signer.ts";

/** One certificate that a CA is asked for. */
export interface IssueRequest {
  readonly profile: CompiledProfile;
  /** SubjectPublicKeyInfo of the holder, DER. */
  readonly spki: Bytes;
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
 * Issues one certificate: built, linted, signed, verified, and durable in `issued/` and `index.txt` when this returns.
 * @throws {OperationError} `ca.expired`, `ca.not_a_ca`, `lint.refused`, `ca.locked`.
 * @throws {InputError} `validity.beyond_issuer`, `path_len.violated`, `scheme.mismatch`.
 */
export async function issueCertificate(ca: OpenCa, request: IssueRequest, deps: Deps): Promise<Certificate> {
  const certificate = await signRequest(ca, request, deps);
  await recordCertificates(ca, [certificate], deps);
  return certificate;
}

/**
 * Issues many certificates with one open CA: while the token signs some, others are built and verified; each group costs
 * one append to the index. Returns them in the order of the requests. On an error what was recorded before stays.
 */
export async function issueBatch(
  ca: OpenCa,
  requests: readonly IssueRequest[],
  options: BatchOptions & { readonly deps: Deps },
): Promise<Certificate[]> {
  const { deps, parallel = 16, batch = 128, onIssued } = options;
  const issued: Certificate[] = [];
  let recording: Promise<void> = Promise.resolve();
  try {
    for (let start = 0; start < requests.length; start += batch) {
      const group = requests.slice(start, start + batch);
      const certificates = await pipeline(group, parallel, (request) => signRequest(ca, request, deps));
      await recording;
      // the next group is signed while this one is written
      recording = recordCertificates(ca, certificates, deps).then(() => {
        issued.push(...certificates);
        onIssued?.(certificates);
      });
      recording.catch(() => {});
    }
  } finally {
    await recording;
  }
  return issued;
}

/** Makes a signed certificate and verifies it; nothing is written. Throws as {@link issueCertificate}. */
export async function signRequest(ca: OpenCa, request: IssueRequest, deps: Deps): Promise<Certificate> {
  checkInterrupted(deps);
  const { profile, spki } = request;
  const { notBefore, notAfter } = checkRequest(ca, { ...request, notBefore: request.notBefore ?? wholeSecond(deps) });
  if (equalBytes(spki, ca.certificate.spki)) {
    throw new InputError("Cannot issue the certificate: its key is the CA's own", { code: "issue.own_key" });
  }
  const scheme = schemeFor(ca, profile.signature);
  const authorityKeyId = subjectKeyId(ca.certificate);
  if (!authorityKeyId) {
    throw new OperationError("Cannot issue with this CA: its certificate has no subjectKeyIdentifier", {
      code: "ca.no_key_id",
    });
  }
  const tbs = await buildTbsCertificate({
    serial: generateSerial(),
    issuer: ca.certificate.subject,
    subject: profile.subject,
    notBefore,
    notAfter,
    spki,
    scheme,
    extensions: profile.extensions,
    authorityKeyId,
  });
  return await signCertificate(lintTbs(tbs), signerWith(ca, scheme));
}

/**
 * Whether the CA may issue what is asked for, before there is a key: its validity, its CA bits, its end, its path length.
 * Throws as {@link issueCertificate}.
 */
export function checkRequest(
  ca: OpenCa,
  request: { profile: CompiledProfile; notBefore: Date; validitySeconds?: number },
): { notBefore: Date; notAfter: Date } {
  const { profile, notBefore, validitySeconds } = request;
  const notAfter = new Date(notBefore.getTime() + (validitySeconds ?? profile.validitySeconds) * 1000);
  checkIssuer(ca.certificate, notBefore);
  checkWithinIssuer(ca.certificate, notAfter);
  if (profile.isCa) checkPathLength(ca.certificate, profile.pathLen);
  return { notBefore, notAfter };
}

/** Makes signed certificates durable: their files, then one append to the index. */
export async function recordCertificates(ca: OpenCa, certificates: readonly Certificate[], deps: Deps): Promise<void> {
  if (certificates.length === 0) return;
  await ca.store.change("issue", (change) => change.addCertificates(certificates), { signal: deps.signal });
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

function checkWithinIssuer(issuer: Certificate, notAfter: Date): void {
  if (notAfter <= issuer.notAfter) return;
  throw new InputError(
    `Cannot issue a certificate until ${formatInstant(notAfter)}: the issuer's own ends ${
      formatInstant(issuer.notAfter)
    }`,
    { code: "validity.beyond_issuer", hint: "Ask for a shorter validity (--days or --validity)" },
  );
}

/** RFC 5280 section 4.2.1.9: how many CAs may stand below this one. */
function checkPathLength(issuer: Certificate, asked: number | undefined): void {
  const limit = basicConstraints(issuer)?.pathLen;
  if (limit === undefined) return;
  const name = formatName(issuer.subject);
  if (limit === 0) {
    throw new InputError(`Cannot make a CA below "${name}": its pathLenConstraint is 0`, {
      code: "path_len.violated",
      object: name,
      hint: "Use a parent whose path length allows another CA",
    });
  }
  if (asked !== undefined && asked > limit - 1) {
    throw new InputError(
      `Cannot make a CA with pathLen ${asked} below "${name}": its pathLenConstraint ${limit} allows ${limit - 1}`,
      { code: "path_len.violated", object: name, hint: `State pathLen ${limit - 1} or less in the profile` },
    );
  }
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
