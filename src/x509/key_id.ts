import { DerFields, readBitOctets, readDer } from "../asn1/der.ts";
import type { Bytes } from "../bytes.ts";
import { digest } from "../keys/digest.ts";

/**
 * Key identifier of a SubjectPublicKeyInfo: the leftmost 160 bits of SHA-256 over the content of its BIT STRING
 * (RFC 7093 section 2, method 1).
 * @throws {InputError} `der.invalid` when it is not a SubjectPublicKeyInfo.
 */
export async function keyIdentifier(spki: Uint8Array): Promise<Bytes> {
  const fields = new DerFields(readDer(spki), "SubjectPublicKeyInfo");
  fields.next("algorithm");
  const publicKey = readBitOctets(fields.next("subjectPublicKey"), "subjectPublicKey");
  return (await digest("SHA-256", publicKey)).slice(0, 20);
}
