import { encodeHex, equalBytes } from "../bytes.ts";
import { QpkiError } from "../errors.ts";
import { checkIssued, type IssuedVerdict, issuerKeyId } from "./alternative.ts";
import { authorityKeyId, isSelfIssued, subjectKeyId } from "./certificate_fields.ts";
import { nameKey } from "./name_match.ts";
import { formatName } from "./name_text.ts";
import { validatePath } from "./path_validation.ts";
import { preTbsCertificate } from "./pre_tbs.ts";
import { RevocationChecker } from "./revocation.ts";
import type { Certificate } from "./types.ts";
import {
  checkedSignature,
  CLASSICAL_ONLY,
  nameOf,
  reasonAbout,
  type Verdict,
  type VerdictReason,
  type VerifyOptions,
} from "./verdict.ts";

export { verifyAlternative } from "./alternative.ts";
export type {
  AlternativePolicy,
  CheckedRevocation,
  CheckedSignature,
  Verdict,
  VerdictReason,
  VerifyOptions,
} from "./verdict.ts";

/** Most certificates in a path, both ends counted. */
const MAX_CHAIN = 16;

/** Most signatures checked and most paths validated for one answer: bounds for hostile sets of cross-certificates. */
const MAX_SIGNATURES = 300;
const MAX_PATHS = 50;
const MAX_STEPS = 2_000;

/**
 * Whether `leaf` is valid at a time: finds a path over the intermediates to a trust anchor and validates it (RFC 5280
 * section 6), both signatures of certificates that have two (X.509 clause 9.8). Where several paths exist, one valid path
 * is enough. A bad certificate is a verdict with reasons, never an
 * error.
 */
export async function verifyCertificate(leaf: Certificate, options: VerifyOptions): Promise<Verdict> {
  return await new PathSearch(leaf, options).run();
}

interface Attempt {
  readonly chain: readonly Certificate[];
  readonly reasons: readonly VerdictReason[];
}

class PathSearch {
  readonly #leaf: Certificate;
  readonly #options: VerifyOptions;
  readonly #revocation: RevocationChecker;
  readonly #anchors: ReadonlySet<string>;
  readonly #issuers: ReadonlyMap<string, readonly Certificate[]>;
  readonly #signatures = new Map<Certificate, Map<string, IssuedVerdict>>();
  #signatureCount = 0;
  #pathCount = 0;
  #steps = 0;
  /** The most telling failure so far. */
  #best: Attempt | undefined;

  constructor(leaf: Certificate, options: VerifyOptions) {
    this.#leaf = leaf;
    this.#options = options;
    this.#revocation = new RevocationChecker(options);
    this.#anchors = new Set(options.anchors.map(({ der }) => encodeHex(der)));
    this.#issuers = indexBySubject([...options.anchors, ...options.intermediates]);
  }

  async run(): Promise<Verdict> {
    const found = await this.#extend([this.#leaf]);
    const { chain, reasons } = found ?? this.#best!;
    const signatures = this.#checked(chain);
    const revocation = this.#revocations(chain);
    return { valid: found !== undefined, reasons, warnings: this.#warnings(chain), chain, signatures, revocation };
  }

  /** Depth first from the leaf up; the first valid path wins. */
  async #extend(chain: readonly Certificate[]): Promise<Attempt | undefined> {
    const top = chain[chain.length - 1]!;
    if (this.#isAnchor(top)) return await this.#try(chain);
    if (++this.#steps > MAX_STEPS) return this.#limit(chain);
    const candidates = this.#candidates(chain);
    let signed = false;
    let refusal: VerdictReason | undefined;
    for (const issuer of candidates) {
      if (this.#exhausted()) return this.#limit(chain);
      const verdict = await this.#signature(top, issuer);
      if (!verdict.valid) {
        refusal ??= reasonAbout(top, verdict.code!, verdict.reason!);
        continue;
      }
      signed = true;
      const found = await this.#extend([...chain, issuer]);
      if (found) return found;
    }
    if (!signed) this.#fail({ chain, reasons: [refusal ?? this.#noIssuer(chain)] });
    return undefined;
  }

  #isAnchor(certificate: Certificate): boolean {
    return this.#anchors.has(encodeHex(certificate.der));
  }

  #exhausted(): boolean {
    return this.#signatureCount >= MAX_SIGNATURES || this.#pathCount >= MAX_PATHS || this.#steps >= MAX_STEPS;
  }

  #limit(chain: readonly Certificate[]): undefined {
    const message = "the search for a path was given up: too many certificates could have issued one another";
    this.#fail({ chain, reasons: [{ code: "path.limit", message }] });
    return undefined;
  }

  async #try(chain: readonly Certificate[]): Promise<Attempt | undefined> {
    this.#pathCount++;
    const reasons = [
      ...await this.#ownSignature(chain),
      ...(this.#options.alternative === "optional" ? [] : this.#classicalOnly(chain)),
      ...await validatePath(chain, { ...this.#options, revocation: this.#revocation }),
    ];
    if (reasons.length === 0) return { chain, reasons };
    this.#fail({ chain, reasons });
    return undefined;
  }

  /** An anchor asked about itself: trusted, but if it signs itself the signature must be good. */
  async #ownSignature(chain: readonly Certificate[]): Promise<VerdictReason[]> {
    const [only] = chain;
    if (chain.length > 1 || !isSelfIssued(only!)) return [];
    const verdict = await this.#signature(only!, only!);
    // An old root signed with an algorithm that is not trusted any more is trusted for being an anchor.
    if (verdict.valid || verdict.code === "signature.unsupported") return [];
    return [reasonAbout(only!, verdict.code!, verdict.reason!)];
  }

  #warnings(chain: readonly Certificate[]): VerdictReason[] {
    return this.#options.alternative === "optional" ? this.#classicalOnly(chain) : [];
  }

  /** Certificates without alternative signature whose issuer has an alternative key. */
  #classicalOnly(chain: readonly Certificate[]): VerdictReason[] {
    return this.#verdicts(chain)
      .filter(({ verdict }) => verdict.valid && verdict.alternative === null)
      .map(({ certificate }) => reasonAbout(certificate, "alternative.missing", `it ${CLASSICAL_ONLY}`));
  }

  /** Keeps a whole path before part of one, then the one with fewer reasons, then the longer one. */
  #fail(attempt: Attempt): void {
    const best = this.#best;
    if (!best || this.#rank(attempt) > this.#rank(best)) this.#best = attempt;
  }

  #rank({ chain, reasons }: Attempt): number {
    const whole = this.#isAnchor(chain[chain.length - 1]!) ? 1e6 : 0;
    return whole - reasons.length * 100 + chain.length;
  }

  /** Certificates that could have issued the top of the chain, likeliest first; none that is in it already. */
  #candidates(chain: readonly Certificate[]): Certificate[] {
    if (chain.length >= MAX_CHAIN) return [];
    const top = chain[chain.length - 1]!;
    const named = this.#issuers.get(nameKey(top.issuer)) ?? [];
    return named
      .filter((issuer) => !chain.some((member) => this.#repeats(member, issuer)))
      .map((issuer) => ({ issuer, score: this.#score(top, issuer) }))
      .sort((a, b) => b.score - a.score)
      .map(({ issuer }) => issuer);
  }

  /** The same name with the same key leads nowhere new (RFC 4158 section 2.4.2), except to an anchor, the end. */
  #repeats(member: Certificate, issuer: Certificate): boolean {
    if (this.#isAnchor(issuer)) return equalBytes(member.der, issuer.der);
    return equalBytes(member.spki, issuer.spki) && nameKey(member.subject) === nameKey(issuer.subject);
  }

  #score(certificate: Certificate, issuer: Certificate): number {
    const { at } = this.#options;
    const current = at >= issuer.notBefore && at <= issuer.notAfter;
    return keyIdScore(certificate, issuer) + (this.#isAnchor(issuer) ? 2 : 0) + (current ? 1 : 0);
  }

  async #signature(certificate: Certificate, issuer: Certificate): Promise<IssuedVerdict> {
    const known = this.#signatures.get(certificate) ?? new Map<string, IssuedVerdict>();
    this.#signatures.set(certificate, known);
    const key = issuerKeyId(issuer);
    let verdict = known.get(key);
    if (!verdict) {
      this.#signatureCount++;
      verdict = await checkIssued(certificate, issuer, preTbsCertificate);
      known.set(key, verdict);
    }
    return verdict;
  }

  #noIssuer(chain: readonly Certificate[]): VerdictReason {
    const top = chain[chain.length - 1]!;
    if (chain.length >= MAX_CHAIN) {
      return reasonAbout(top, "path.too_long", `no trust anchor is reached within ${MAX_CHAIN} certificates`);
    }
    if (isSelfIssued(top)) {
      return reasonAbout(top, "anchor.not_found", "it issued itself and is not among the trust anchors");
    }
    const message = `no certificate of its issuer "${formatName(top.issuer)}" was given`;
    return reasonAbout(top, "issuer.not_found", message);
  }

  #revocations(chain: readonly Certificate[]): Verdict["revocation"] {
    return chain.slice(0, -1).map((certificate, i) => ({
      subject: nameOf(certificate),
      serial: certificate.serial,
      covered: this.#revocation.isCovered(certificate, chain[i + 1]!),
    }));
  }

  #checked(chain: readonly Certificate[]): Verdict["signatures"] {
    return this.#verdicts(chain)
      .filter(({ verdict }) => verdict.valid)
      .map(({ certificate, verdict }) => checkedSignature(nameOf(certificate), verdict));
  }

  /** What was found about the signature of each certificate of a chain that was checked. */
  #verdicts(chain: readonly Certificate[]): { certificate: Certificate; verdict: IssuedVerdict }[] {
    return chain.flatMap((certificate, i) => {
      const issuer = chain[i + 1] ?? (chain.length === 1 ? certificate : undefined);
      const verdict = issuer && this.#signatures.get(certificate)?.get(issuerKeyId(issuer));
      return verdict ? [{ certificate, verdict }] : [];
    });
  }
}

function indexBySubject(certificates: readonly Certificate[]): Map<string, Certificate[]> {
  const index = new Map<string, Certificate[]>();
  const seen = new Set<string>();
  for (const certificate of certificates) {
    const der = encodeHex(certificate.der);
    if (seen.has(der)) continue;
    seen.add(der);
    const key = nameKey(certificate.subject);
    const list = index.get(key);
    if (list) list.push(certificate);
    else index.set(key, [certificate]);
  }
  return index;
}

/** Key identifiers only order the candidates: 8 when they agree, 4 when there is none to compare. */
function keyIdScore(certificate: Certificate, issuer: Certificate): number {
  try {
    const [wanted, own] = [authorityKeyId(certificate)?.keyId, subjectKeyId(issuer)];
    if (wanted === undefined || own === undefined) return 4;
    return equalBytes(wanted, own) ? 8 : 0;
  } catch (error) {
    if (error instanceof QpkiError) return 0;
    throw error;
  }
}
