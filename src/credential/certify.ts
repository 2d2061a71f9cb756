import { defaultScheme } from "../alg/find.ts";
import { attestOptions } from "../ca/attest.ts";
import { checkCsr } from "../ca/csr_keys.ts";
import { type Deps, wholeSecond } from "../ca/deps.ts";
import { signRequest } from "../ca/issue.ts";
import { issuerName, type Issuers } from "../ca/issuers.ts";
import type { ProfileKeys } from "../ca/profile_keys.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { buildCsr } from "../x509/csr.ts";
import { encodeExtensions } from "../x509/extensions/mod.ts";
import { encodeName } from "../x509/name.ts";
import { attestationProblem } from "../x509/possession.ts";
import type { Certificate } from "../x509/types.ts";
import type { EnrolledPart } from "./new_meta.ts";

/** One profile of a credential with its keys, before it has a certificate. */
export interface UncertifiedPart extends ProfileKeys {
  readonly profile: CompiledProfile;
  /** Middle of the name of its certificate file. */
  readonly name: string;
}

/**
 * Signs the certificate of every part, in their order; nothing is entered in the CA yet. Keys that sign come first: a key
 * that cannot is certified on the strength of one of them where the names agree, and has proved itself by a decapsulation in
 * any case when it was made.
 */
export async function certifyParts(
  issuers: Issuers,
  parts: readonly UncertifiedPart[],
  deps: Deps,
): Promise<EnrolledPart[]> {
  const done = new Map<UncertifiedPart, EnrolledPart>();
  for (const part of [...parts.filter(signs), ...parts.filter((one) => !signs(one))]) {
    const attestedBy = signs(part) ? undefined : await attest(issuers, part, { done, deps });
    const ca = issuers.for(part.profile);
    const [issuer, key] = [issuerName(ca), part.key];
    deps.progress(`Signing the certificate for ${part.profile.name}${issuer === undefined ? "" : ` with ${issuer}`}`);
    const keys = { spki: key.spki, ...(key.alternative ? { alternativeSpki: key.alternative.spki } : {}) };
    const certificate = await signRequest(ca, { profile: part.profile, ...keys }, deps);
    done.set(part, { ...part, certificate, ...(attestedBy ? { attestedBy } : {}) });
  }
  return parts.map((part) => done.get(part)!);
}

function signs({ key }: UncertifiedPart): boolean {
  return key.algorithm.kind === "signature";
}

/** Makes and checks the request that RFC 9883 describes, as for one from outside; returns the attesting certificate. */
async function attest(
  issuers: Issuers,
  { profile, key }: UncertifiedPart,
  { done, deps }: { done: ReadonlyMap<UncertifiedPart, EnrolledPart>; deps: Deps },
): Promise<Certificate | undefined> {
  const names = { subject: encodeName(profile.subject), extensions: encodeExtensions(profile.extensions) };
  const [attesting] = [...done.values()]
    .filter((one) => attestationProblem(names, one.certificate) === undefined)
    .sort((a, b) => b.key.algorithm.strength - a.key.algorithm.strength);
  if (!attesting) return undefined;
  const { certificate } = attesting;
  const csr = await buildCsr({
    subject: profile.subject,
    spki: key.spki,
    extensions: profile.extensions,
    possession: { certificate, include: false },
  }, attesting.key.signer(defaultScheme(attesting.key.algorithm)));
  const { warnings } = await checkCsr(
    csr,
    profile,
    await attestOptions(issuers.store, csr, { given: [certificate], at: wholeSecond(deps) }),
  );
  for (const warning of warnings) deps.warn(warning);
  return certificate;
}
