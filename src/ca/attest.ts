import { equalBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import type { CaStore } from "../store/ca.ts";
import { type CsrVerifyOptions, possessionStatement } from "../x509/csr.ts";
import type { Certificate, Csr } from "../x509/types.ts";
import { formatInstant } from "./deps.ts";

/**
 * How a CA judges the statement of possession in a request (RFC 9883 section 4): the attesting certificate comes from this CA
 * or one above it and is valid now. It is the one in the request, one of `given`, or one that this CA issued.
 */
export async function attestOptions(
  store: CaStore,
  csr: Csr,
  { given, at }: { given: readonly Certificate[]; at: Date },
): Promise<CsrVerifyOptions> {
  const anchors = await store.knownCertificates();
  return {
    attestCertificates: [...given, ...await namedCertificates(store, csr)],
    attestTrust: { anchors, intermediates: anchors, at },
  };
}

async function namedCertificates(store: CaStore, csr: Csr): Promise<Certificate[]> {
  try {
    const statement = possessionStatement(csr);
    return statement ? [(await store.issued(statement.serial)).certificate] : [];
  } catch (error) {
    // another CA issued it, or the statement is malformed, which the verification tells
    if (error instanceof InputError) return [];
    throw error;
  }
}

/**
 * Throws when the CA's own index says that an attesting certificate is revoked: a CRL may not say so yet.
 * @throws {InputError} `csr.possession`.
 */
export async function checkNotRevoked(store: CaStore, certificate: Certificate): Promise<void> {
  const own = await store.certificates();
  if (!own.some(({ subject }) => equalBytes(subject, certificate.issuer))) return;
  const entry = (await store.entries()).find(({ serial }) => serial === certificate.serial);
  if (!entry?.revocation) return;
  throw new InputError(
    `Cannot issue for the request: the attesting certificate ${certificate.serial} was revoked on ${
      formatInstant(entry.revocation.date)
    }`,
    { code: "csr.possession", object: certificate.serial },
  );
}
