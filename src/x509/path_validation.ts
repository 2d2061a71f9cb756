import {
  OID_CE_AUTHORITY_KEY_IDENTIFIER,
  OID_CE_BASIC_CONSTRAINTS,
  OID_CE_CERTIFICATE_POLICIES,
  OID_CE_CRL_DISTRIBUTION_POINTS,
  OID_CE_EXT_KEY_USAGE,
  OID_CE_FRESHEST_CRL,
  OID_CE_INHIBIT_ANY_POLICY,
  OID_CE_ISSUER_ALT_NAME,
  OID_CE_KEY_USAGE,
  OID_CE_NAME_CONSTRAINTS,
  OID_CE_POLICY_CONSTRAINTS,
  OID_CE_POLICY_MAPPINGS,
  OID_CE_SUBJECT_ALT_NAME,
  OID_CE_SUBJECT_KEY_IDENTIFIER,
  OID_KP_ANY,
  OID_PE_AUTHORITY_INFO_ACCESS,
  OID_PE_QC_STATEMENTS,
  OID_PKIX_OCSP_NOCHECK,
  oidByName,
  oidName,
} from "../asn1/oid.ts";
import { QpkiError } from "../errors.ts";
import { basicConstraints, extKeyUsage, isSelfIssued, keyUsage } from "./certificate_fields.ts";
import { decodeFrom } from "./extensions/list.ts";
import { isWellFormed } from "./extensions/mod.ts";
import { nameConstraints } from "./extensions/name_constraints.ts";
import { NameConstraintSet } from "./name_constraints.ts";
import { PolicyState } from "./policy_state.ts";
import type { RevocationChecker } from "./revocation.ts";
import { formatTime } from "./time_text.ts";
import type { Certificate } from "./types.ts";
import { reasonAbout, type VerdictReason, type VerifyOptions } from "./verdict.ts";

/**
 * Validation of one path (RFC 5280 section 6.1) whose signatures and names were found to chain already. All that is wrong
 * is collected, from the anchor down.
 */

/** Critical extensions that are processed here or by whoever uses the certificate, as its content is shown to them. */
const PROCESSED: ReadonlySet<string> = new Set([
  OID_CE_BASIC_CONSTRAINTS,
  OID_CE_KEY_USAGE,
  OID_CE_EXT_KEY_USAGE,
  OID_CE_NAME_CONSTRAINTS,
  OID_CE_CERTIFICATE_POLICIES,
  OID_CE_POLICY_CONSTRAINTS,
  OID_CE_POLICY_MAPPINGS,
  OID_CE_INHIBIT_ANY_POLICY,
  OID_CE_SUBJECT_ALT_NAME,
  OID_CE_ISSUER_ALT_NAME,
  OID_CE_SUBJECT_KEY_IDENTIFIER,
  OID_CE_AUTHORITY_KEY_IDENTIFIER,
  OID_CE_CRL_DISTRIBUTION_POINTS,
  OID_CE_FRESHEST_CRL,
  OID_PE_AUTHORITY_INFO_ACCESS,
  OID_PE_QC_STATEMENTS,
  OID_PKIX_OCSP_NOCHECK,
  oidByName("subjectInfoAccess", "extension")!,
  oidByName("tlsFeature", "extension")!,
  oidByName("subjectAltPublicKeyInfo", "extension")!,
  oidByName("altSignatureAlgorithm", "extension")!,
  oidByName("altSignatureValue", "extension")!,
]);

/** What a path is validated with. */
export interface PathOptions extends Pick<VerifyOptions, "at" | "purpose"> {
  readonly revocation: RevocationChecker;
}

/**
 * Everything wrong with a path. `chain` has the certificate first and the trust anchor last; a chain of one is an anchor
 * that was asked about itself.
 */
export async function validatePath(chain: readonly Certificate[], options: PathOptions): Promise<VerdictReason[]> {
  const anchor = chain[chain.length - 1]!;
  const walk = new PathWalk(chain.length - 1, options);
  walk.anchor(anchor, { issues: chain.length > 1 });
  for (let i = chain.length - 2; i >= 0; i--) {
    const certificate = chain[i]!;
    walk.certificate(certificate, { leaf: i === 0 });
    walk.reasons.push(...await options.revocation.reasons(certificate, chain[i + 1]!));
  }
  return walk.reasons;
}

/** State of RFC 5280 section 6.1.2 while a path is walked down. */
class PathWalk {
  readonly reasons: VerdictReason[] = [];
  readonly #options: PathOptions;
  readonly #names = new NameConstraintSet();
  readonly #policies: PolicyState;
  #maxPathLength = Infinity;

  constructor(length: number, options: PathOptions) {
    this.#options = options;
    this.#policies = new PolicyState(length);
  }

  /** The trust anchor: current, without unknown critical extensions, and its own constraints in force. */
  anchor(anchor: Certificate, { issues }: { issues: boolean }): void {
    this.#guard(anchor, () => {
      this.#checkCommon(anchor);
      if (!issues) return this.#checkPurpose(anchor, "certificate");
      // A version 1 anchor has no way to say that it is a CA; trusting it says so.
      if (anchor.version === 3) this.#checkIssuer(anchor);
      this.#maxPathLength = basicConstraints(anchor)?.pathLen ?? Infinity;
      this.#policies.restrict(anchor);
      this.#addNameConstraints(anchor);
    });
  }

  certificate(certificate: Certificate, { leaf }: { leaf: boolean }): void {
    this.#guard(certificate, () => {
      const selfIssued = isSelfIssued(certificate);
      this.#checkCommon(certificate);
      this.#checkPurpose(certificate, leaf ? "certificate" : "CA");
      if (!selfIssued || leaf) {
        this.#report(certificate, "name_constraints.violated", this.#names.violations(certificate, { leaf }));
      }
      const entered = this.#policies.enter(certificate, { selfIssued, leaf });
      const policies = leaf && entered.length === 0 ? this.#policies.finish(certificate) : entered;
      this.#report(certificate, "policy.required", policies);
      if (!leaf) this.#descend(certificate, selfIssued);
    });
  }

  /** Preparation for the next certificate (6.1.4). */
  #descend(certificate: Certificate, selfIssued: boolean): void {
    if (certificate.version !== 3) {
      this.#fail(
        certificate,
        "ca.not_a_ca",
        `it is a version ${certificate.version} certificate, which cannot be a CA's`,
      );
    } else this.#checkIssuer(certificate);
    this.#report(certificate, "policy.invalid", this.#policies.descend(certificate, { selfIssued }));
    this.#addNameConstraints(certificate);
    if (!selfIssued) {
      if (this.#maxPathLength <= 0) {
        this.#fail(certificate, "ca.path_length", "a CA above it does not allow a further CA (pathLenConstraint)");
      }
      this.#maxPathLength--;
    }
    this.#maxPathLength = Math.min(this.#maxPathLength, basicConstraints(certificate)?.pathLen ?? Infinity);
  }

  #checkIssuer(certificate: Certificate): void {
    if (basicConstraints(certificate)?.ca !== true) {
      this.#fail(certificate, "ca.not_a_ca", "it is not a CA (basicConstraints)");
    }
    const usage = keyUsage(certificate);
    if (usage && !usage.includes("keyCertSign")) {
      this.#fail(certificate, "ca.key_usage", "it may not sign certificates (keyUsage without keyCertSign)");
    }
  }

  #checkCommon(certificate: Certificate): void {
    const { at } = this.#options;
    if (at < certificate.notBefore) {
      const message = `it is not valid before ${formatTime(certificate.notBefore)}`;
      this.#fail(certificate, "certificate.not_yet_valid", message);
    }
    if (at > certificate.notAfter) {
      this.#fail(certificate, "certificate.expired", `it expired at ${formatTime(certificate.notAfter)}`);
    }
    for (const extension of certificate.extensions) {
      if (!extension.critical) continue;
      const name = oidName(extension.oid) ?? extension.oid;
      if (!PROCESSED.has(extension.oid)) {
        this.#fail(certificate, "extension.unknown_critical", `it has the unknown critical extension ${name}`);
      } else if (!isWellFormed(extension)) {
        this.#fail(certificate, "extension.malformed", `its critical extension ${name} is malformed`);
      }
    }
  }

  #checkPurpose(certificate: Certificate, what: "certificate" | "CA"): void {
    const { purpose } = this.#options;
    const allowed = extKeyUsage(certificate);
    if (purpose === undefined || !allowed || allowed.includes(purpose) || allowed.includes(OID_KP_ANY)) return;
    this.#fail(
      certificate,
      "purpose.not_allowed",
      `the ${what} does not allow the purpose ${oidName(purpose) ?? purpose}`,
    );
  }

  #addNameConstraints(certificate: Certificate): void {
    const constraints = decodeFrom(certificate.extensions, nameConstraints);
    if (constraints) this.#names.add(constraints);
  }

  #report(certificate: Certificate, code: string, problems: readonly string[]): void {
    for (const problem of problems) this.#fail(certificate, code, problem);
  }

  #fail(certificate: Certificate, code: string, message: string): void {
    this.reasons.push(reasonAbout(certificate, code, message));
  }

  /** A malformed extension is a reason, not an error. */
  #guard(certificate: Certificate, check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof QpkiError)) throw error;
      this.#fail(certificate, "extension.malformed", error.message);
    }
  }
}
