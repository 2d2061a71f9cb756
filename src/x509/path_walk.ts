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
import { formatTime } from "./time_text.ts";
import type { Certificate } from "./types.ts";
import { nameOf, reasonAbout, type VerdictReason, type VerifyOptions } from "./verdict.ts";

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

/** What of a certificate a path is judged by: one that is not signed yet has it too. */
export type PathMember = Pick<
  Certificate,
  "version" | "serial" | "issuer" | "subject" | "notBefore" | "notAfter" | "extensions"
>;

/** What a path is walked with; without `at` times are not looked at. */
export interface WalkOptions extends Pick<VerifyOptions, "purpose"> {
  readonly at?: Date;
}

/** How many CAs may still come below, and who says so. */
export interface PathLimit {
  readonly left: number;
  /** Name of the CA with the pathLenConstraint. */
  readonly by: string;
  readonly stated: number;
}

/** State of RFC 5280 section 6.1.2 while a path is walked down. */
export class PathWalk {
  readonly reasons: VerdictReason[] = [];
  readonly #options: WalkOptions;
  #names = new NameConstraintSet();
  #policies: PolicyState;
  #limit: PathLimit | undefined;

  /** @param length number of certificates below the trust anchor. */
  constructor(length: number, options: WalkOptions) {
    this.#options = options;
    this.#policies = new PolicyState(length);
  }

  /** The same state to go on from, with no reasons yet. */
  fork(): PathWalk {
    const fork = new PathWalk(0, this.#options);
    fork.#names = this.#names.copy();
    fork.#policies = this.#policies.copy();
    fork.#limit = this.#limit;
    return fork;
  }

  /** The path length that is left below the last CA; undefined when none limits it. */
  get limit(): PathLimit | undefined {
    return this.#limit;
  }

  /** The trust anchor: current, without unknown critical extensions, and its own constraints in force. */
  anchor(anchor: PathMember, { issues }: { issues: boolean }): void {
    this.#guard(anchor, () => {
      this.#checkCommon(anchor);
      if (!issues) return this.#checkPurpose(anchor, "certificate");
      // A version 1 anchor has no way to say that it is a CA; trusting it says so.
      if (anchor.version === 3) this.#checkIssuer(anchor);
      this.#limitPath(anchor);
      this.#policies.restrict(anchor);
      this.#addNameConstraints(anchor);
    });
  }

  /** The next certificate of the path, which ends with the leaf. */
  certificate(certificate: PathMember, { leaf }: { leaf: boolean }): void {
    this.#guard(certificate, () => {
      this.#checkCommon(certificate);
      this.#checkPurpose(certificate, leaf ? "certificate" : "CA");
    });
    this.constrain(certificate, { leaf });
  }

  /** What the CAs above say of a certificate, and nothing of what it is by itself. */
  constrain(certificate: PathMember, { leaf }: { leaf: boolean }): void {
    this.#guard(certificate, () => {
      const selfIssued = isSelfIssued(certificate);
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
  #descend(certificate: PathMember, selfIssued: boolean): void {
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
      if (this.#limit && this.#limit.left <= 0) {
        const { by, stated } = this.#limit;
        this.#fail(
          certificate,
          "ca.path_length",
          `"${by}" above it allows no further CA (pathLenConstraint ${stated})`,
        );
      }
      if (this.#limit) this.#limit = { ...this.#limit, left: this.#limit.left - 1 };
    }
    this.#limitPath(certificate);
  }

  #limitPath(certificate: PathMember): void {
    const stated = basicConstraints(certificate)?.pathLen;
    if (stated === undefined || (this.#limit && this.#limit.left < stated)) return;
    this.#limit = { left: stated, by: nameOf(certificate), stated };
  }

  #checkIssuer(certificate: PathMember): void {
    if (basicConstraints(certificate)?.ca !== true) {
      this.#fail(certificate, "ca.not_a_ca", "it is not a CA (basicConstraints)");
    }
    const usage = keyUsage(certificate);
    if (usage && !usage.includes("keyCertSign")) {
      this.#fail(certificate, "ca.key_usage", "it may not sign certificates (keyUsage without keyCertSign)");
    }
  }

  #checkCommon(certificate: PathMember): void {
    const { at } = this.#options;
    if (at && at < certificate.notBefore) {
      const message = `it is not valid before ${formatTime(certificate.notBefore)}`;
      this.#fail(certificate, "certificate.not_yet_valid", message);
    }
    if (at && at > certificate.notAfter) {
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

  #checkPurpose(certificate: PathMember, what: "certificate" | "CA"): void {
    const { purpose } = this.#options;
    const allowed = extKeyUsage(certificate);
    if (purpose === undefined || !allowed || allowed.includes(purpose) || allowed.includes(OID_KP_ANY)) return;
    this.#fail(
      certificate,
      "purpose.not_allowed",
      `the ${what} does not allow the purpose ${oidName(purpose) ?? purpose}`,
    );
  }

  #addNameConstraints(certificate: PathMember): void {
    const constraints = decodeFrom(certificate.extensions, nameConstraints);
    if (constraints) this.#names.add(constraints, nameOf(certificate));
  }

  #report(certificate: PathMember, code: string, problems: readonly string[]): void {
    for (const problem of problems) this.#fail(certificate, code, problem);
  }

  #fail(certificate: PathMember, code: string, message: string): void {
    this.reasons.push(reasonAbout(certificate, code, message));
  }

  /** A malformed extension is a reason, not an error. */
  #guard(certificate: PathMember, check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof QpkiError)) throw error;
      this.#fail(certificate, "extension.malformed", error.message);
    }
  }
}
