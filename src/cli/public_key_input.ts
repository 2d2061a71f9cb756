import { type Bytes, decodePem, encodePem, looksLikePem } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { describeSpki } from "../keys/spki.ts";

/** Public keys in files: PEM, DER, or a COSE_Key. */

/** A public key, and the identifier that came with it. */
export interface PublicKeyFile {
  readonly spki: Bytes;
  readonly kid?: Bytes;
}

/**
 * The public key in a file; of a private COSE_Key its public half. Undefined when the file holds none of these.
 * @throws {InputError} `cose.key`, `key.invalid`, `der.invalid` for one that is malformed.
 */
export async function findPublicKey(file: Bytes): Promise<PublicKeyFile | undefined> {
  const { decodeCoseKey, looksLikeCoseKey } = await import("../cose/cose_key.ts");
  if (looksLikeCoseKey(file)) {
    const { spki, pkcs8, kid } = decodeCoseKey(file);
    pkcs8?.fill(0);
    return { spki, ...(kid ? { kid } : {}) };
  }
  const spki = looksLikePem(file) ? pemKey(file) : file;
  return spki && isSpki(spki) ? { spki } : undefined;
}

/** As {@link findPublicKey}. @throws {InputError} `key.invalid` also when there is none. */
export async function readPublicKey(file: Bytes): Promise<PublicKeyFile> {
  const found = await findPublicKey(file);
  if (found) return found;
  throw new InputError("Cannot read the public key: it is neither PEM nor DER (SubjectPublicKeyInfo) nor a COSE_Key", {
    code: "key.invalid",
  });
}

/** A public key as PEM. */
export function publicKeyPem(spki: Bytes): string {
  return encodePem("PUBLIC KEY", spki);
}

function pemKey(file: Bytes): Bytes | undefined {
  return decodePem(new TextDecoder().decode(file)).find(({ label }) => label === "PUBLIC KEY")?.bytes;
}

/** A private key's structure begins with a number, that of a public key with an algorithm. */
function isSpki(der: Bytes): boolean {
  try {
    describeSpki(der);
    return true;
  } catch (error) {
    if (error instanceof InputError && error.code === "der.invalid") return false;
    throw error;
  }
}
