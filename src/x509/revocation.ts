import { equalBytes } from "../bytes.ts";
import { QpkiError } from "../errors.ts";
import { authorityKeyId, isCa, subjectKeyId } from "./certificate_fields.ts";
import { verifyCrl } from "./crl.ts";
import {
  deltaCrlIndicator,
  type IssuingDistributionPoint,
  issuingDistributionPoint,
} from "./extensions/crl_extensions.ts";
import { crlDistributionPoints, type DistributionPointName } from "./extensions/distribution_points.ts";
import { generalNameJson } from "./extensions/general_name.ts";
import { decodeFrom, findExtension } from "./extensions/list.ts";
import { sameName } from "./name_match.ts";
import type { Certificate, Crl } from "./types.ts";
import { formatTime } from "./time_text.ts";
import { reasonAbout, type VerdictReason, type VerifyOptions } from "./verdict.ts";

/** The part of the options that is about revocation. */
type RevocationOptions = Pick<VerifyOptions, "crls" | "at" | "requireCrl" | "alternative">;

/**
 * Revocation by the CRLs at hand (RFC 5280 section 6.3). A CRL counts when the certificate's own issuer signed it, it is
 * current, and its scope covers the certificate; a revocation in an outdated one still counts.
 */
export class RevocationChecker {
  readonly #options: RevocationOptions;
  readonly #verified = new Map<Crl, Map<Certificate, string | undefined>>();
  readonly #covered = new Map<Certificate, Set<Certificate>>();

  constructor(options: RevocationOptions) {
    this.#options = options;
  }

  /** Whether the CRLs that {@link reasons} looked at tell of a certificate of this issuer. */
  isCovered(certificate: Certificate, issuer: Certificate): boolean {
    return this.#covered.get(certificate)?.has(issuer) === true;
  }

  #cover(certificate: Certificate, issuer: Certificate): void {
    this.#covered.set(certificate, (this.#covered.get(certificate) ?? new Set()).add(issuer));
  }

  /** Why a certificate cannot be relied on, as far as CRLs tell. */
  async reasons(certificate: Certificate, issuer: Certificate): Promise<VerdictReason[]> {
    const problems: VerdictReason[] = [];
    let covered = false;
    for (const crl of this.#options.crls ?? []) {
      const scope = scopeOf(crl, certificate, issuer);
      if (scope === "none") continue;
      const invalid = scope === "unreadable" ? "an extension is malformed" : await this.#invalid(crl, issuer);
      if (invalid !== undefined) {
        problems.push(reasonAbout(certificate, "crl.invalid", `its issuer's CRL cannot be used: ${invalid}`));
        continue;
      }
      const revoked = revocation(crl, certificate);
      if (revoked) {
        this.#cover(certificate, issuer);
        return [revoked];
      }
      if (scope === "partial") continue;
      const stale = this.#stale(crl);
      if (stale === undefined) covered = true;
      else problems.push(reasonAbout(certificate, stale.code, stale.message));
    }
    if (covered) {
      this.#cover(certificate, issuer);
      return [];
    }
    if (problems.length > 0 || !this.#options.requireCrl) return problems;
    return [reasonAbout(certificate, "crl.missing", "there is no CRL of its issuer that covers it")];
  }

  async #invalid(crl: Crl, issuer: Certificate): Promise<string | undefined> {
    const known = this.#verified.get(crl) ?? new Map<Certificate, string | undefined>();
    this.#verified.set(crl, known);
    if (!known.has(issuer)) {
      const { valid, reason } = await verifyCrl(crl, issuer, this.#options);
      known.set(issuer, valid ? undefined : reason ?? "its signature is not valid");
    }
    return known.get(issuer);
  }

  #stale({ thisUpdate, nextUpdate }: Crl): { code: string; message: string } | undefined {
    const { at } = this.#options;
    if (thisUpdate > at) {
      return { code: "crl.not_yet_valid", message: `its issuer's CRL begins only at ${formatTime(thisUpdate)}` };
    }
    if (nextUpdate === undefined) {
      return { code: "crl.invalid", message: "its issuer's CRL does not say until when it holds (nextUpdate)" };
    }
    if (nextUpdate >= at) return undefined;
    return { code: "crl.expired", message: `its issuer's CRL expired at ${formatTime(nextUpdate)}` };
  }
}

function revocation(crl: Crl, certificate: Certificate): VerdictReason | undefined {
  const entry = crl.revoked.find(({ serial }) => serial === certificate.serial);
  if (!entry || entry.reason === "removeFromCRL") return undefined;
  const why = entry.reason === undefined ? "" : ` (${entry.reason})`;
  return reasonAbout(
    certificate,
    "certificate.revoked",
    `it was revoked at ${formatTime(entry.revocationDate)}${why}`,
  );
}

/**
 * What a CRL can say about a certificate: `partial` (a delta, or one for some reasons only) can say that it is revoked but
 * not that it is good. What cannot be read is not set aside in silence.
 */
function scopeOf(crl: Crl, certificate: Certificate, issuer: Certificate): "full" | "partial" | "none" | "unreadable" {
  if (!sameName(crl.issuer, certificate.issuer)) return "none";
  try {
    const point = decodeFrom(crl.extensions, issuingDistributionPoint);
    if (!sameKey(crl, issuer) || (point && !inScope(point, certificate))) return "none";
    const delta = findExtension(crl.extensions, deltaCrlIndicator.oid) !== undefined;
    return delta || point?.onlySomeReasons ? "partial" : "full";
  } catch (error) {
    if (error instanceof QpkiError) return "unreadable";
    throw error;
  }
}

/** A CA that changed its key has CRLs of both: the other key's is not about this certificate. */
function sameKey(crl: Crl, issuer: Certificate): boolean {
  const [wanted, own] = [authorityKeyId(crl)?.keyId, subjectKeyId(issuer)];
  return wanted === undefined || own === undefined || equalBytes(wanted, own);
}

function inScope(point: IssuingDistributionPoint, certificate: Certificate): boolean {
  if (point.indirect || point.onlyAttributeCerts) return false;
  if (point.onlyCaCerts && !isCa(certificate)) return false;
  if (point.onlyUserCerts && isCa(certificate)) return false;
  return point.name === undefined || pointsTo(certificate, point.name);
}

/** Whether a distribution point of the certificate has a name in common with the CRL's. */
function pointsTo(certificate: Certificate, name: DistributionPointName): boolean {
  const own = new Set((name.fullName ?? []).map((n) => JSON.stringify(generalNameJson(n))));
  const points = decodeFrom(certificate.extensions, crlDistributionPoints) ?? [];
  return points.some((point) => point.fullName?.some((n) => own.has(JSON.stringify(generalNameJson(n)))) === true);
}
