import { type Bytes, equalBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { authorityKeyId } from "../x509/certificate.ts";
import { parseCrl } from "../x509/crl.ts";
import type { CaCertificate } from "./certificates.ts";

/**
 * Name of a CRL file without its ending: `ca` for the active version, `ca.v1` for an archived one, and the algorithm behind
 * it in a version of several certificates.
 */
export function crlName({ name }: Pick<CaCertificate, "name">, version: { count: number; archived?: string }): string {
  const { count, archived } = version;
  return ["ca", ...(archived === undefined ? [] : [archived]), ...(count > 1 ? [name] : [])].join(".");
}

/** Whether a file's content is a CRL by the key with this identifier. */
export function isCrlOf(der: Uint8Array, keyId: Bytes | undefined): boolean {
  try {
    const wanted = authorityKeyId(parseCrl(der))?.keyId;
    return wanted === undefined || keyId === undefined || equalBytes(wanted, keyId);
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}
