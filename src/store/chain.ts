import { equalBytes } from "../bytes.ts";
import { authorityKeyId, isSelfSigned, subjectKeyId } from "../x509/certificate.ts";
import type { Certificate } from "../x509/types.ts";

/**
 * The certificates above one, nearest first, picked from a pool by names and key identifiers; nothing is verified. Ends at a
 * self-signed certificate or where the pool has no issuer.
 */
export function issuersOf(certificate: Certificate, pool: readonly Certificate[]): Certificate[] {
  const above: Certificate[] = [];
  for (let at = certificate; !isSelfSigned(at);) {
    const issuer = pool.find((one) => isIssuer(one, at) && !above.includes(one));
    if (!issuer) break;
    above.push(issuer);
    at = issuer;
  }
  return above;
}

function isIssuer(issuer: Certificate, certificate: Certificate): boolean {
  if (!equalBytes(issuer.subject, certificate.issuer)) return false;
  const [wanted, own] = [authorityKeyId(certificate)?.keyId, subjectKeyId(issuer)];
  return wanted === undefined || own === undefined || equalBytes(wanted, own);
}
