import type { KeyRow } from "../alg/find.ts";
import { oid, readDer } from "../asn1/der.ts";
import { OID_EC_PUBLIC_KEY, OID_RSA_ENCRYPTION } from "../asn1/oid.ts";
import { type Bytes, encodePem, equalBytes, Secret, wipe } from "../bytes.ts";
import { InputError, QpkiError } from "../errors.ts";
import { backEndOf } from "./back_end.ts";
import { findPrivateKey, type KeyContainer, type KeyFormat } from "./container.ts";
import { decryptPkcs8, encryptPkcs8, wrongPassphrase } from "./pbes2.ts";
import {
  type DecodedPrivateKey,
  decodeMaterial,
  decodePkcs8,
  decodeSec1,
  encodePkcs8,
  formOf,
  invalid,
  type KeyForm,
  type PrivateKey,
  unsupported,
} from "./private_key.ts";
import type { PassphraseSource } from "./types.ts";

/** Private key files: written as PKCS#8, read also as SEC1 and PKCS#1, PEM and DER. */

/** A passphrase, or who to ask when one is needed. */
export type Passphrase = Secret | PassphraseSource;

/** How {@link encodePrivateKey} writes. */
export interface EncodeOptions {
  /** Encrypts with it; without it the file is plain. */
  readonly passphrase?: Secret;
  /** PEM unless told. */
  readonly format?: "pem" | "der";
  /** PBKDF2 iterations; 600,000 unless told. */
  readonly iterations?: number;
}

/** Content of a private key file in PKCS#8; the caller wipes it when it is not encrypted. */
export async function encodePrivateKey(key: PrivateKey, options: EncodeOptions = {}): Promise<Bytes> {
  const plain = encodePkcs8(key);
  const { passphrase } = options;
  try {
    const der = passphrase ? await encryptPkcs8(plain, passphrase, options.iterations) : plain.slice();
    if (options.format === "der") return der;
    const pem = new TextEncoder().encode(encodePem(passphrase ? "ENCRYPTED PRIVATE KEY" : "PRIVATE KEY", der));
    wipe(der);
    return pem;
  } finally {
    wipe(plain);
  }
}

/** A private key with how its file was written. */
export interface PrivateKeyFile {
  readonly key: PrivateKey;
  readonly format: KeyFormat;
  readonly encoding: "PEM" | "DER";
  /** What the file has of a key that can be expanded from a seed; undefined for keys of one form. */
  readonly form?: KeyForm;
}

/**
 * Reads the one private key of a file and checks that its public half belongs to it.
 * @throws {InputError} `passphrase.missing`, `passphrase.wrong`, `key.mismatch` (public half of another key),
 * `key.invalid`, `algorithm.unsupported`, and what the container readers throw.
 */
export async function decodePrivateKey(file: Uint8Array, passphrase?: Passphrase): Promise<PrivateKeyFile> {
  const container = findPrivateKey(file);
  const decoded = await decodeContainer(container, passphrase);
  try {
    const key = await complete(decoded);
    const form = decoded.expanded ? "both" : formOf(key);
    return { key, format: container.format, encoding: container.encoding, ...(form ? { form } : {}) };
  } catch (error) {
    wipe(decoded.material);
    if (decoded.expanded) wipe(decoded.expanded);
    throw error;
  }
}

async function decodeContainer(container: KeyContainer, passphrase?: Passphrase): Promise<DecodedPrivateKey> {
  if (container.format !== "encrypted PKCS#8") return DECODERS[container.format](container.der);
  const secret = await ask(passphrase);
  const plain = await decryptPkcs8(container.der, secret);
  try {
    readDer(plain);
  } catch (cause) {
    // Padding that happens to fit: one wrong passphrase in 256 gets here.
    throw wrongPassphrase(cause);
  }
  try {
    return decodePkcs8(plain);
  } finally {
    wipe(plain);
  }
}

async function ask(passphrase: Passphrase | undefined): Promise<Secret> {
  const secret = passphrase instanceof Secret ? passphrase : await passphrase?.();
  if (secret) return secret;
  const given = (passphrase instanceof Secret ? undefined : passphrase?.given) ?? "--passphrase";
  throw new InputError("Cannot read the private key: it is encrypted, and no passphrase is given", {
    code: "passphrase.missing",
    hint: `Give one with ${given} env:NAME, file:PATH, fd:N, or - to be asked`,
  });
}

const DECODERS: Readonly<Record<Exclude<KeyFormat, "encrypted PKCS#8">, (der: Bytes) => DecodedPrivateKey>> = {
  "PKCS#8": decodePkcs8,
  "SEC1": decodeSec1File,
  "PKCS#1": (der) => decodeMaterial({ oid: OID_RSA_ENCRYPTION }, der),
};

function decodeSec1File(der: Bytes): DecodedPrivateKey {
  const { curve } = decodeSec1(der);
  if (curve === undefined) throw unsupported("EC without the name of its curve");
  return decodeMaterial({ oid: OID_EC_PUBLIC_KEY, parameters: oid(curve) }, der);
}

/** A seed and an expanded key side by side must be the same key (RFC 9881 section 8.2, RFC 9935 section 8). */
function requireSame(row: KeyRow, { fromSeed, inFile }: { fromSeed: Bytes; inFile: Bytes }): void {
  const isSame = equalBytes(fromSeed, inFile);
  wipe(fromSeed);
  wipe(inFile);
  if (!isSame) throw invalid(row.label, "its seed and its expanded key are two different keys");
}

/** Derives the public key and compares it with the one that the file carried. */
async function complete({ row, material, expanded, publicKey: stated }: DecodedPrivateKey): Promise<PrivateKey> {
  const { derive, expand } = backEndOf(row);
  if (!derive) return { row, material, publicKey: stated! };
  let publicKey: Bytes;
  try {
    publicKey = await derive(row, material);
  } catch (cause) {
    if (cause instanceof QpkiError) throw cause;
    throw invalid(row.label, "the secret is out of range");
  }
  if (expanded) requireSame(row, { fromSeed: await expand!(row, material), inFile: expanded });
  if (stated && !equalBytes(stated, publicKey)) {
    throw new InputError(
      `Cannot read the ${row.label} private key: the public key in the file belongs to another key`,
      {
        code: "key.mismatch",
      },
    );
  }
  return { row, material, publicKey };
}
