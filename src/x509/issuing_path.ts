import { isCa } from "./certificate_fields.ts";
import { type PathLimit, type PathMember, PathWalk } from "./path_walk.ts";
import type { VerdictReason } from "./verdict.ts";

/**
 * The path from a trust anchor down to a CA, walked once (RFC 5280 section 6.1), to ask what the CA may not issue because
 * a CA above it, or its own certificate, forbids it: what a verifier would refuse is not to be signed in the first place.
 */
export class IssuingPath {
  readonly #walk: PathWalk;

  /** @param chain the issuing CA's certificate first, the highest one that is known last. */
  constructor(chain: readonly [PathMember, ...PathMember[]]) {
    const anchor = chain.at(-1)!;
    this.#walk = new PathWalk(chain.length, {});
    this.#walk.anchor(anchor, { issues: true });
    for (const certificate of chain.slice(0, -1).reverse()) this.#walk.certificate(certificate, { leaf: false });
  }

  /** What is wrong with the path itself, its times left aside: nothing below it can be valid. */
  get reasons(): readonly VerdictReason[] {
    return this.#walk.reasons;
  }

  /** How many CAs may stand below this one; undefined when nobody limits it. */
  get limit(): PathLimit | undefined {
    return this.#walk.limit;
  }

  /** What the path forbids about a certificate that the CA shall issue: names, a further CA, missing policies. */
  objections(certificate: PathMember): readonly VerdictReason[] {
    const walk = this.#walk.fork();
    walk.constrain(certificate, { leaf: !isCa(certificate) });
    return walk.reasons;
  }
}
