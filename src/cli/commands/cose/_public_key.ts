import { type Bytes, decodePem, looksLikePem } from "../../../bytes.ts";
import { InputError } from "../../../errors.ts";
import { describeSpki } from "../../../keys/spki.ts";

/**
 * SubjectPublicKeyInfo of a public key file: PEM or DER.
 * @throws {InputError} `key.invalid`, `der.invalid`.
 */
export function readPublicKey(file: Bytes): Bytes {
  const spki = looksLikePem(file) ? pemKey(file) : file;
  describeSpki(spki);
  return spki;
}

function pemKey(file: Bytes): Bytes {
  const block = decodePem(new TextDecoder().decode(file)).find(({ label }) => label === "PUBLIC KEY");
  if (block) return block.bytes;
  throw new InputError("Cannot read the public key: there is no PUBLIC KEY block", { code: "key.invalid" });
}
