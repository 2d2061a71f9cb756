import { InputError, OperationError } from "../errors.ts";
import { keyUsage, subjectKeyId } from "../x509/certificate.ts";
import { buildCrl, verifyCrl } from "../x509/crl.ts";
import type { Crl, RevokedCertificate } from "../x509/types.ts";
import { checkInterrupted, type Deps, formatInstant, wholeSecond } from "./deps.ts";
import { checkIssuer } from "./issue.ts";
import type { OpenCa } from "./signer.ts";

/** A CRL that was made. */
export interface GeneratedCrl {
  readonly crl: Crl;
  /** Path of the PEM file; the DER file has `.der` behind it. */
  readonly path: string;
}

/** When a CRL ends: so many days after it is made, or at a moment. */
export type CrlOptions = { readonly days: number } | { readonly nextUpdate: Date };

const MILLISECONDS_A_DAY = 86_400_000;

/**
 * Makes the next CRL of a CA: its number is durable before the signature exists, so that no number ever stands for two.
 * The lock is held all along: a later number always replaces an earlier one.
 * @throws {OperationError} `crl.not_allowed` when the CA's certificate forbids it, `ca.expired`, `ca.locked`.
 * @throws {InputError} `index.damaged`, `crlnumber.damaged`, `crl.next_update`.
 */
export async function generateCrl(ca: OpenCa, options: CrlOptions, deps: Deps): Promise<GeneratedCrl> {
  const authorityKeyId = checkCrlIssuer(ca, deps);
  return await ca.store.change("crl", async (change) => {
    checkInterrupted(deps);
    const thisUpdate = wholeSecond(deps);
    const nextUpdate = "days" in options
      ? new Date(thisUpdate.getTime() + options.days * MILLISECONDS_A_DAY)
      : options.nextUpdate;
    if (nextUpdate <= thisUpdate) {
      throw new InputError(`Cannot make a CRL until ${formatInstant(nextUpdate)}: that is past`, {
        code: "crl.next_update",
      });
    }
    const revoked = (await change.rows()).map((row) => row.entry).filter((entry) => entry.revocation !== undefined);
    const number = await change.takeCrlNumber();
    const crl = await buildCrl({
      issuer: ca.certificate.subject,
      authorityKeyId,
      thisUpdate,
      nextUpdate,
      number,
      revoked: revoked.map((entry): RevokedCertificate => ({
        serial: entry.serial,
        revocationDate: entry.revocation!.date,
        ...(entry.revocation!.reason === undefined ? {} : { reason: entry.revocation!.reason }),
      })),
    }, ca.signer);
    const verdict = await verifyCrl(crl, ca.certificate);
    if (!verdict.valid) {
      throw new OperationError(
        `Cannot make the CRL: the new signature does not verify (${verdict.reason ?? "invalid"})`,
        {
          code: "crl.unverified",
        },
      );
    }
    return { crl, path: await change.writeCrl(crl.der) };
  }, { signal: deps.signal });
}

function checkCrlIssuer(ca: OpenCa, deps: Deps) {
  checkIssuer(ca.certificate, wholeSecond(deps));
  const usage = keyUsage(ca.certificate);
  const authorityKeyId = subjectKeyId(ca.certificate);
  if ((usage && !usage.includes("cRLSign")) || !authorityKeyId) {
    throw new OperationError(
      `Cannot make a CRL of "${ca.store.folder}": its certificate ${
        authorityKeyId ? "lacks the key usage cRLSign" : "has no subjectKeyIdentifier"
      }`,
      { code: "crl.not_allowed", object: ca.store.folder },
    );
  }
  return authorityKeyId;
}
