import type { HashName } from "../alg/registry.ts";
import { type Bytes, encodeHex, plainBytes } from "../bytes.ts";

/** Hash of `bytes` (FIPS 180-4). SHA-1 is here for formats that name it (OCSP, older key files), never for signatures. */
export async function digest(hash: HashName | "SHA-1", bytes: Uint8Array): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest(hash, plainBytes(bytes)));
}

/** SHA-256 of `bytes` in lower-case hex. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return encodeHex(await digest("SHA-256", bytes));
}
