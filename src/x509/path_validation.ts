import { PathWalk } from "./path_walk.ts";
import type { RevocationChecker } from "./revocation.ts";
import type { Certificate } from "./types.ts";
import type { VerdictReason, VerifyOptions } from "./verdict.ts";

/**
 * Validation of one path (RFC 5280 section 6.1) whose signatures and names were found to chain already. All that is wrong
 * is collected, from the anchor down.
 */

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
