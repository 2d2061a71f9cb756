import type { KeyRow } from "../alg/find.ts";
import type { Bytes } from "../bytes.ts";
import { type OpenCa, schemeFor } from "../ca/signer.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { subjectKeyId } from "../x509/certificate.ts";
import { lintTbs } from "../x509/lint.ts";
import { generateSerial } from "../x509/serial.ts";
import { buildTbsCertificate } from "../x509/tbs.ts";

/**
 * Lints the certificates that profiles will lead to while there is no key yet: a throw-away key of the same algorithm
 * stands in, so that a refusal costs no key in a token.
 * @throws {OperationError} `lint.refused`; {InputError} `scheme.mismatch`.
 */
export async function lintBeforeKey(
  ca: OpenCa,
  profiles: readonly CompiledProfile[],
  notBefore: Date,
): Promise<void> {
  const authorityKeyId = subjectKeyId(ca.certificate);
  const standIns = new Map<KeyRow, Bytes>();
  for (const profile of profiles) {
    const row = profile.rows[0]!;
    const spki = standIns.get(row) ?? await throwAwaySpki(row);
    standIns.set(row, spki);
    const tbs = await buildTbsCertificate({
      serial: generateSerial(),
      issuer: ca.certificate.subject,
      subject: profile.subject,
      notBefore,
      notAfter: new Date(notBefore.getTime() + profile.validitySeconds * 1000),
      spki,
      scheme: schemeFor(ca, profile.signature),
      extensions: profile.extensions,
      ...(authorityKeyId ? { authorityKeyId } : {}),
    });
    lintTbs(tbs);
  }
}

async function throwAwaySpki(row: KeyRow): Promise<Bytes> {
  const { generateSoftwareKey } = await import("../keys/software.ts");
  return (await generateSoftwareKey(row)).spki;
}
