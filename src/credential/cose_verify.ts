import { isQuantumSafe } from "../alg/quantum.ts";
import { type Bytes, equalBytes, plainBytes } from "../bytes.ts";
import { algorithmName } from "../cose/algorithm.ts";
import type { CborValue } from "../cose/cbor.ts";
import { CLAIM, claimProblems, type Claims, type ClaimWishes, decodeClaims, timeClaim } from "../cose/cwt.ts";
import { header, LABEL } from "../cose/headers.ts";
import { broughtCertificates, type CoseMessage, type SignerPart } from "../cose/message.ts";
import type { Payload } from "../cose/payload.ts";
import { checkSignature, isContent, payloadOf, type SignatureAnswer } from "../cose/verify.ts";
import { InputError } from "../errors.ts";
import { digest } from "../keys/digest.ts";
import { describeSpki } from "../keys/spki.ts";
import { alternativeSpki, keyUsage, parseCertificate, subjectKeyId } from "../x509/certificate.ts";
import type { Certificate, Crl } from "../x509/types.ts";
import { nameOf } from "../x509/verdict.ts";
import { type AlternativePolicy, verifyCertificate } from "../x509/verify.ts";

/** Verification of signed messages: each signature, the certificate behind it, then the claims of a CWT. */

/** Certificates that are trusted, and what may lie between. */
export interface SignerTrust {
  readonly anchors: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly crls: readonly Crl[];
  /** Certificates that it has issued, newest first: that of a signer may be among them. */
  issued?(): AsyncIterable<Certificate>;
  /** What else is known of a certificate's revocation, in words; undefined when nothing is. */
  revoked?(certificate: Certificate): Promise<string | undefined>;
}

/** A public key that is trusted by itself. */
export interface PinnedKey {
  readonly name: string;
  readonly spki: Bytes;
}

/** How a message is verified. At least one of `trust`, `certificates` and `keys` is given. */
export interface VerifyRequest {
  /** Ends of chains. */
  readonly trust?: SignerTrust | undefined;
  /** Those of post-quantum signers, where they are others; a message without such a signer is then not valid. */
  readonly pqcTrust?: SignerTrust | undefined;
  /** Certificates of signers; without `trust` they are trusted themselves. */
  readonly certificates: readonly Certificate[];
  readonly keys: readonly PinnedKey[];
  /** Content of a detached message. */
  readonly content?: Payload | undefined;
  readonly aad?: Bytes | undefined;
  /** What a message signed with one key of a Catalyst certificate alone is worth. */
  readonly alternative: AlternativePolicy;
  readonly allowUnprotectedAlgorithm: boolean;
  /** Whether the payload is to be claims although the message has no tag that says so. */
  readonly cwt: boolean;
  readonly claims: ClaimWishes;
}

/** Why something is not valid, or remarkable. */
export interface Finding {
  readonly code: string;
  readonly message: string;
}

/** Answer about one signer. */
export interface SignerVerdict {
  readonly valid: boolean;
  /** The `alg` of the message. */
  readonly algorithm: CborValue;
  /** Subject of the certificate, or the name of the pinned key, whose key the signature is of. */
  readonly subject?: string;
  readonly certificate?: Certificate;
  /** Whether the key is the alternative one of a Catalyst certificate. */
  readonly alternative?: boolean;
  /** The path to the trust anchor. */
  readonly chain: readonly Certificate[];
  readonly reasons: readonly Finding[];
}

/** Answer about a message. */
export interface MessageVerdict {
  readonly valid: boolean;
  readonly signers: readonly SignerVerdict[];
  /** What is wrong with the message as a whole. */
  readonly reasons: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** Of a CWT; they are worth something only when the message is valid. */
  readonly claims?: Claims;
  /** The time for which certificates were checked: of issue, where a claim says it. */
  readonly at: Date;
}

/** A key that may have signed. */
interface Candidate {
  readonly spki: Bytes;
  readonly name: string;
  readonly certificate?: Certificate;
  readonly alternative?: boolean;
}

/** Most certificates that are looked at of an x5chain or x5bag. */
const MAX_BROUGHT = 20;
/** Most keys that one signature is tried with. */
const MAX_TRIES = 12;

/**
 * Verifies a message: every signature must be good and of a trusted signer.
 * @throws {InputError} `cose.detached`, `cwt.claim`, `cwt.invalid`, and what the readers of
 * CBOR throw.
 */
export async function verifyMessage(message: CoseMessage, request: VerifyRequest): Promise<MessageVerdict> {
  const payload = payloadOf(message, request.content);
  const claims = claimsOf(message, request, payload);
  const issued = claims && timeClaim(claims, CLAIM.IAT);
  const at = issued === undefined || issued * 1000 > request.claims.now.getTime()
    ? request.claims.now
    : new Date(issued * 1000);
  const warnings: Finding[] = claims || !looksLikeClaims(payload) ? [] : [LOOKS_LIKE_CLAIMS];
  const signers: SignerVerdict[] = [];
  for (const part of message.signers) {
    signers.push(await new SignerCheck(message, part, { request, payload, at, warnings }).verdict());
  }
  const isSame = !request.content || await isContent(message, request.content);
  const reasons = [
    ...isSame ? [] : [{ code: "cose.content_differs", message: "the content given is not the payload inside" }],
    ...hybridProblems(signers, request),
    ...claims ? claimProblems(claims, request.claims) : [],
  ];
  const valid = reasons.length === 0 && signers.every((signer) => signer.valid);
  return { valid, signers, reasons, warnings, at, ...(claims ? { claims } : {}) };
}

function claimsOf(message: CoseMessage, { cwt }: VerifyRequest, { bytes }: Payload): Claims | undefined {
  if (!message.cwt && !cwt) return undefined;
  if (bytes) return decodeClaims(bytes);
  throw new InputError("Cannot read the CWT: its claims are too large", { code: "cwt.invalid" });
}

const LOOKS_LIKE_CLAIMS: Finding = {
  code: "cwt.unchecked",
  message: "the payload looks like the claims of a token, which were not checked: with --type cwt they are",
};

/** Whether a payload has times that claims would have: the tag of a token can be taken away. */
function looksLikeClaims({ bytes }: Payload): boolean {
  if (!bytes || bytes.length === 0 || bytes[0]! >> 5 !== 5) return false;
  const claims = readable(() => decodeClaims(bytes));
  return claims !== undefined && (claims.has(CLAIM.EXP) || claims.has(CLAIM.NBF));
}

/** Whoever strips a signature from a hybrid message, and breaks the key of the other, must not get through. */
function hybridProblems(signers: readonly SignerVerdict[], request: VerifyRequest): Finding[] {
  const problems: Finding[] = [];
  if (request.pqcTrust && !signers.some(({ certificate, alternative }) => isPostQuantum(certificate, alternative))) {
    problems.push({ code: "cose.pqc_missing", message: "no post-quantum signer has signed it" });
  }
  if (request.alternative === "optional") return problems;
  for (const { certificate, alternative } of signers) {
    if (!certificate || !readable(() => alternativeSpki(certificate))) continue;
    const hasBoth = signers.some((other) =>
      other.certificate && other.alternative !== alternative && equalBytes(other.certificate.der, certificate.der)
    );
    if (hasBoth) continue;
    problems.push({
      code: "cose.alternative_missing",
      message: `"${nameOf(certificate)}" has two keys, and only one of them has signed`,
    });
  }
  return problems;
}

function isPostQuantum(certificate: Certificate | undefined, alternative = false): boolean {
  if (!certificate) return false;
  const spki = alternative ? alternativeSpki(certificate) : certificate.spki;
  const row = spki && describeSpki(spki).row;
  return row !== undefined && isQuantumSafe(row);
}

interface Circumstances {
  readonly request: VerifyRequest;
  readonly payload: Payload;
  readonly at: Date;
  readonly warnings: Finding[];
}

/** The search for the key behind one signature, and what is to be said of its certificate. */
class SignerCheck {
  readonly #message: CoseMessage;
  readonly #part: SignerPart;
  readonly #given: Circumstances;
  readonly #brought: readonly Certificate[];

  constructor(message: CoseMessage, part: SignerPart, given: Circumstances) {
    this.#message = message;
    this.#part = part;
    this.#given = given;
    this.#brought = [LABEL.X5CHAIN, LABEL.X5BAG].flatMap((label) =>
      broughtCertificates(message, part, label).slice(0, MAX_BROUGHT).flatMap((der) =>
        readable(() => parseCertificate(plainBytes(der))) ?? []
      )
    );
  }

  async verdict(): Promise<SignerVerdict> {
    const algorithm = header(this.#part.headers, LABEL.ALG);
    const candidates = await this.#candidates();
    let refusal: Finding | undefined;
    for (const candidate of candidates.slice(0, MAX_TRIES)) {
      const answer = await this.#check(candidate);
      if (!answer.valid) {
        refusal = moreTelling(refusal, answer);
        continue;
      }
      if (answer.paired === false) {
        const message = `${algorithmName(algorithm)} is not the usual algorithm for the curve of "${candidate.name}"`;
        this.#given.warnings.push({ code: "cose.unpaired", message });
      }
      return { algorithm, subject: candidate.name, ...await this.#trusted(candidate) };
    }
    refusal ??= { code: "cose.no_key", message: "none of the certificates and keys given is the one it names" };
    return { valid: false, algorithm, chain: [], reasons: [refusal] };
  }

  async #check({ spki }: Candidate): Promise<SignatureAnswer> {
    const { request: { aad, allowUnprotectedAlgorithm }, payload } = this.#given;
    try {
      return await checkSignature(this.#message, this.#part, { spki, payload, aad, allowUnprotectedAlgorithm });
    } catch (error) {
      // a key that no row has is none that signed
      if (!(error instanceof InputError) || error.code !== "algorithm.unsupported") throw error;
      return { valid: false, code: error.code, reason: error.message };
    }
  }

  /** Keys that may have signed, likeliest first; those that x5t or an x5chain rules out are none. */
  async #candidates(): Promise<Candidate[]> {
    const { request: { certificates, keys, trust, pqcTrust } } = this.#given;
    const [leaf] = broughtCertificates(this.#message, this.#part, LABEL.X5CHAIN);
    const trusts = [trust, pqcTrust].flatMap((one) => one ? [...one.anchors, ...one.intermediates] : []);
    const all = [...this.#brought, ...certificates, ...trusts];
    const named: Certificate[] = [];
    for (const [i, certificate] of all.entries()) {
      if (all.findIndex(({ der }) => equalBytes(der, certificate.der)) !== i) continue;
      if (leaf && !equalBytes(leaf, certificate.der)) continue;
      if (await this.#isThumbprint(certificate)) named.push(certificate);
    }
    if (named.length === 0 && !leaf) named.push(...await this.#findIssued());
    const own = named.flatMap((certificate): Candidate[] => {
      const alternative = readable(() => alternativeSpki(certificate));
      const name = nameOf(certificate);
      return [
        { spki: certificate.spki, name, certificate, alternative: false },
        ...alternative ? [{ spki: alternative, name, certificate, alternative: true }] : [],
      ];
    });
    const kid = header(this.#part.headers, LABEL.KID);
    return [...keys, ...own].sort((a, b) => score(b, kid) - score(a, kid));
  }

  /** The certificate that x5t names, among those that the CA has issued. */
  async #findIssued(): Promise<Certificate[]> {
    if (header(this.#part.headers, LABEL.X5T) === undefined) return [];
    const { trust, pqcTrust } = this.#given.request;
    for (const one of [trust, pqcTrust]) {
      for await (const certificate of one?.issued?.() ?? []) {
        if (await this.#isThumbprint(certificate)) return [certificate];
      }
    }
    return [];
  }

  /** Whether the certificate is the one that x5t names; also when there is none. */
  async #isThumbprint({ der }: Certificate): Promise<boolean> {
    const value = header(this.#part.headers, LABEL.X5T) as readonly [CborValue, Bytes] | undefined;
    if (value === undefined) return true;
    const hash = THUMBPRINTS.get(value[0]);
    if (!hash) return true;
    return equalBytes((await digest(hash.name, der)).subarray(0, hash.length), value[1]);
  }

  async #trusted(
    { certificate, alternative = false }: Candidate,
  ): Promise<Omit<SignerVerdict, "algorithm" | "subject">> {
    if (!certificate) return { valid: true, chain: [], reasons: [] };
    const { request } = this.#given;
    const { trust, pqcTrust, certificates } = request;
    const isPinned = !trust && certificates.some(({ der }) => equalBytes(der, certificate.der));
    const chosen = (isPostQuantum(certificate, alternative) ? pqcTrust : undefined) ?? trust;
    const [chain, reasons] = isPinned && !chosen
      ? [[certificate], this.#validity(certificate)]
      : await this.#chain(certificate, chosen ?? { anchors: [], intermediates: [], crls: [] });
    const all = [...reasons, ...this.#usage(certificate, chosen)];
    return { valid: all.length === 0, certificate, alternative, chain, reasons: all };
  }

  async #chain(
    certificate: Certificate,
    trust: SignerTrust,
  ): Promise<readonly [readonly Certificate[], Finding[]]> {
    const { request: { alternative, claims: { now } }, at } = this.#given;
    const between = [...trust.intermediates, ...this.#brought];
    const options = { anchors: trust.anchors, intermediates: between, alternative };
    const then = await verifyCertificate(certificate, { ...options, at });
    const reasons: Finding[] = then.reasons.map(({ code, message, certificate: about }) => ({
      code,
      message: about === undefined ? message : `"${about}": ${message}`,
    }));
    if (!then.valid) return [then.chain, reasons];
    // a revocation counts whenever it was: the time of issue is the signer's own word
    const later = await verifyCertificate(certificate, { ...options, crls: trust.crls, at: now });
    const known = later.reasons.find(({ code }) => code === "certificate.revoked")?.message ??
      await trust.revoked?.(certificate);
    if (known !== undefined) {
      reasons.push({ code: "certificate.revoked", message: `"${nameOf(certificate)}": ${known}` });
    } else if (now > certificate.notAfter) {
      const message = `"${nameOf(certificate)}" has expired since the message was issued`;
      this.#given.warnings.push({ code: "certificate.expired", message });
    }
    return [then.chain, reasons];
  }

  #validity(certificate: Certificate): Finding[] {
    const { at } = this.#given;
    if (at >= certificate.notBefore && at <= certificate.notAfter) return [];
    const expired = at > certificate.notAfter;
    const message = `"${nameOf(certificate)}" ${expired ? "had expired" : "was not valid yet"} when it signed`;
    return [{ code: expired ? "certificate.expired" : "certificate.not_yet_valid", message }];
  }

  /** A trust anchor may sign with a key that is for certificates: who trusts it so trusts it with more. */
  #usage(certificate: Certificate, trust: SignerTrust | undefined): Finding[] {
    const usage = keyUsage(certificate);
    if (!usage || usage.includes("digitalSignature") || usage.includes("nonRepudiation")) return [];
    const finding = {
      code: "certificate.key_usage",
      message: `the key usage of "${nameOf(certificate)}" does not allow signatures of data`,
    };
    if (!trust?.anchors.some(({ der }) => equalBytes(der, certificate.der))) return [finding];
    this.#given.warnings.push(finding);
    return [];
  }
}

/** Hash algorithms of x5t (RFC 9054); SHA-256/64 is cut. */
const THUMBPRINTS: ReadonlyMap<CborValue, { name: "SHA-256" | "SHA-384" | "SHA-512"; length: number }> = new Map([
  [-16, { name: "SHA-256", length: 32 }],
  [-15, { name: "SHA-256", length: 8 }],
  [-43, { name: "SHA-384", length: 48 }],
  [-44, { name: "SHA-512", length: 64 }],
]);

/** 2 for the key that the kid names, 1 for a pinned one. */
function score({ certificate }: Candidate, kid: CborValue): number {
  const own = certificate && readable(() => subjectKeyId(certificate));
  if (own && kid instanceof Uint8Array && equalBytes(own, kid)) return 2;
  return certificate ? 0 : 1;
}

/** A key of the right kind whose signature is bad tells more than one of another kind. */
function moreTelling(before: Finding | undefined, answer: SignatureAnswer): Finding {
  const finding = { code: answer.code!, message: answer.reason! };
  return !before || (before.code === "cose.algorithm_mismatch" && finding.code !== before.code) ? finding : before;
}

/** What `read` returns, or undefined for what is malformed. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}
