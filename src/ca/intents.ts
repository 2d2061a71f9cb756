import type { SchemeRow } from "../alg/find.ts";
import { sha256Hex } from "../keys/digest.ts";
import { spkiFingerprint } from "../keys/spki.ts";
import type { Signer } from "../keys/types.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { VERSION } from "../resources.ts";
import type { CertificateIntent, Intent } from "../store/journal_record.ts";
import { formatName } from "../x509/name.ts";
import type { Tbs } from "../x509/tbs.ts";
import { formatInstant } from "./deps.ts";

/** What is journalled before a signature exists: enough to know of it if the command ends here, and to make its bytes again. */

/** Journals what is about to happen, durable when it returns: a change of a store, or a folder under construction. */
export interface Announcer {
  intend(intent: Intent): Promise<unknown>;
}

/** Where a certificate comes from, beside what it says. */
export interface CertificateOrigin {
  /** What it was made from; none for one that repeats another certificate. */
  readonly profile?: CompiledProfile;
  /** The same for all that an issuer signs: its key identifier is in the certificate, its version is not. */
  readonly issuerVersion?: string;
}

/** The intent of a certificate about to be signed. */
export async function certificateIntent(
  tbs: Tbs,
  { profile, issuerVersion }: CertificateOrigin,
): Promise<CertificateIntent> {
  const { inputs } = profile ?? {};
  const { alternative } = tbs;
  return {
    serial: tbs.serial,
    tbs_sha256: await sha256Hex(tbs.der),
    ...(profile ? { profile: profile.name } : {}),
    ...(inputs?.sha256 === undefined ? {} : { profile_sha256: inputs.sha256 }),
    ...(inputs?.source === undefined ? {} : { profile_source: inputs.source }),
    ...(inputs ? { variables: inputs.variables } : {}),
    ...(inputs?.validity === undefined ? {} : { validity: inputs.validity }),
    subject: formatName(tbs.subject),
    not_before: formatInstant(tbs.notBefore),
    not_after: formatInstant(tbs.notAfter),
    spki_sha256: await spkiFingerprint(tbs.spki),
    ...(alternative?.key ? { alternative_spki_sha256: await spkiFingerprint(alternative.key.spki) } : {}),
    scheme: tbs.scheme.name,
    ...(alternative?.scheme ? { alternative_scheme: alternative.scheme.name } : {}),
    ...(issuerVersion === undefined ? {} : { issuer_version: issuerVersion }),
  };
}

/** Journals certificates about to be signed; one record for all of them. */
export async function announceCertificates(
  announcer: Announcer,
  op: string,
  certificates: readonly CertificateIntent[],
): Promise<void> {
  await announcer.intend({ op, tool: VERSION, certificates });
}

/** A CRL about to be signed. */
export interface CrlFacts {
  readonly number: string;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  /** How many certificates it lists. */
  readonly revoked: number;
  readonly issuerVersion: string;
}

/**
 * The signers of a CRL, where the one that signs first journals the bytes before it does: with an alternative key those are
 * what the alternative signature covers.
 */
export function announcingCrl<S extends { signer: Signer; altSigner?: Signer }>(
  signers: S,
  announcer: Announcer,
  facts: CrlFacts,
): { signer: Signer; altSigner?: Signer } {
  const { signer, altSigner } = signers;
  const announce = async (message: Uint8Array, scheme: SchemeRow) => {
    const crl = {
      number: facts.number,
      tbs_sha256: await sha256Hex(message),
      this_update: formatInstant(facts.thisUpdate),
      next_update: formatInstant(facts.nextUpdate),
      revoked: facts.revoked,
      scheme: scheme.name,
      issuer_version: facts.issuerVersion,
    };
    await announcer.intend({ op: "crl", tool: VERSION, crl });
  };
  if (altSigner) return { signer, altSigner: telling(altSigner, announce) };
  return { signer: telling(signer, announce) };
}

function telling(signer: Signer, tell: (message: Uint8Array, scheme: SchemeRow) => Promise<void>): Signer {
  const { algorithm, scheme, spki } = signer;
  return {
    algorithm,
    scheme,
    spki,
    async sign(message) {
      await tell(message, scheme);
      return await signer.sign(message);
    },
  };
}
