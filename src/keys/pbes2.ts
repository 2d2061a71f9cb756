import type { HashName } from "../alg/registry.ts";
import {
  DerFields,
  type DerNode,
  integer,
  nullDer,
  octetString,
  oid,
  readDer,
  readOctetString,
  readOid,
  readSmallInteger,
  sequence,
  TAG,
} from "../asn1/der.ts";
import * as names from "../asn1/oid.ts";
import { type Bytes, randomBytes, type Secret, wipe } from "../bytes.ts";
import { InputError } from "../errors.ts";

/**
 * Encryption of private keys: EncryptedPrivateKeyInfo (RFC 5958 section 3) with PBES2 (RFC 8018). Written: PBKDF2 with
 * HMAC-SHA-256 and AES-256-CBC, as every OpenSSL reads it. Read: also the other SHA-2 PRFs, SHA-1, scrypt, AES-128/192.
 */

/** PBKDF2 iterations that are written. */
export const PBKDF2_ITERATIONS = 600_000;

/** PBKDF2 iterations that are accepted on input: more than this is an attack or a mistake. */
export const MAX_PBKDF2_ITERATIONS = 10_000_000;

const SALT_BYTES = 16;
const BLOCK_BYTES = 16;
const MAX_SALT_BYTES = 1024;
const MAX_SCRYPT_MEMORY_BYTES = 256 * 1024 * 1024;
const MAX_SCRYPT_PARALLELIZATION = 16;

/** EncryptedPrivateKeyInfo, DER, of a PKCS#8 structure. @throws {InputError} `passphrase.empty`. */
export async function encryptPkcs8(
  plain: Bytes,
  passphrase: Secret,
  iterations: number = PBKDF2_ITERATIONS,
): Promise<Bytes> {
  if (passphrase.reveal() === "") {
    throw new InputError("Cannot encrypt the private key: the passphrase is empty", { code: "passphrase.empty" });
  }
  const { algorithm, encrypted } = await encryptPbes2(plain, passphrase, iterations);
  return sequence(algorithm, octetString(encrypted));
}

/** Something encrypted with a passphrase: AlgorithmIdentifier, DER, and what came out. */
export interface Pbes2Encrypted {
  readonly algorithm: Bytes;
  readonly encrypted: Bytes;
}

/** Encrypts anything: PBES2 with PBKDF2 (HMAC-SHA-256) and AES-256-CBC. */
export async function encryptPbes2(
  plain: Bytes,
  passphrase: Secret,
  iterations: number = PBKDF2_ITERATIONS,
): Promise<Pbes2Encrypted> {
  const salt = randomBytes(SALT_BYTES);
  const iv = randomBytes(BLOCK_BYTES);
  const key = await withPassphrase(
    passphrase,
    (password) => pbkdf2(password, { salt, iterations, hash: "SHA-256" }, 32),
  );
  const encrypted = await withKey(key, "encrypt", (aes) => crypto.subtle.encrypt({ name: "AES-CBC", iv }, aes, plain));
  const prf = sequence(oid(names.OID_HMAC_SHA256), nullDer());
  const derivation = sequence(oid(names.OID_PBKDF2), sequence(octetString(salt), integer(iterations), prf));
  const cipher = sequence(oid(names.OID_AES256_CBC), octetString(iv));
  return { algorithm: sequence(oid(names.OID_PBES2), sequence(derivation, cipher)), encrypted };
}

/**
 * The PKCS#8 structure inside an EncryptedPrivateKeyInfo; the caller wipes it.
 * @throws {InputError} `passphrase.wrong` (a damaged file looks the same), `key.encryption_unsupported`, `der.invalid`.
 */
export async function decryptPkcs8(der: Bytes, passphrase: Secret): Promise<Bytes> {
  const { derive, cipher, encrypted } = decodeEncrypted(der);
  const key = await withPassphrase(passphrase, derive);
  try {
    return await withKey(
      key,
      "decrypt",
      (aes) => crypto.subtle.decrypt({ name: "AES-CBC", iv: cipher.iv }, aes, encrypted),
    );
  } catch (cause) {
    throw wrongPassphrase(cause);
  }
}

/** The error for a passphrase that does not open the key. */
export function wrongPassphrase(cause?: unknown): InputError {
  return new InputError("Cannot decrypt the private key: the passphrase is wrong, or the file is damaged", {
    code: "passphrase.wrong",
    cause,
  });
}

/** Checks without a passphrase that the encryption is one that can be undone. @throws {InputError} as decryptPkcs8. */
export function checkEncrypted(der: Bytes): void {
  decodeEncrypted(der);
}

type Derive = (password: Bytes) => Promise<Bytes>;

interface Cipher {
  readonly keyBytes: number;
  readonly iv: Bytes;
}

function decodeEncrypted(der: Bytes): { derive: Derive; cipher: Cipher; encrypted: Bytes } {
  const fields = new DerFields(readDer(der), "EncryptedPrivateKeyInfo");
  const algorithm = new DerFields(fields.next("encryptionAlgorithm"), "encryptionAlgorithm");
  const encrypted = readOctetString(fields.next("encryptedData"), "encryptedData");
  fields.end();
  const scheme = readOid(algorithm.next("algorithm"));
  if (scheme !== names.OID_PBES2) throw unsupportedEncryption(scheme);
  const parameters = new DerFields(algorithm.next("parameters"), "PBES2-params");
  algorithm.end();
  const derivation = new DerFields(parameters.next("keyDerivationFunc"), "keyDerivationFunc");
  const cipher = decodeCipher(parameters.next("encryptionScheme"));
  parameters.end();
  const kind = readOid(derivation.next("algorithm"));
  const derive = DERIVATIONS[kind]?.(derivation.next("parameters"), cipher.keyBytes);
  if (!derive) throw unsupportedEncryption(kind);
  derivation.end();
  if (encrypted.length === 0 || encrypted.length % BLOCK_BYTES !== 0) {
    throw damaged("the encrypted part is not a whole number of blocks");
  }
  return { derive, cipher, encrypted };
}

const CIPHERS: Readonly<Record<string, number>> = {
  [names.OID_AES128_CBC]: 16,
  [names.OID_AES192_CBC]: 24,
  [names.OID_AES256_CBC]: 32,
};

function decodeCipher(node: DerNode): Cipher {
  const fields = new DerFields(node, "encryptionScheme");
  const dotted = readOid(fields.next("algorithm"));
  const keyBytes = CIPHERS[dotted];
  if (keyBytes === undefined) throw unsupportedEncryption(dotted);
  const iv = readOctetString(fields.next("parameters"), "IV");
  fields.end();
  if (iv.length !== BLOCK_BYTES) throw damaged(`the IV has ${iv.length} bytes instead of ${BLOCK_BYTES}`);
  return { keyBytes, iv };
}

const DERIVATIONS: Readonly<Record<string, (parameters: DerNode, keyBytes: number) => Derive>> = {
  [names.OID_PBKDF2]: decodePbkdf2,
  [names.OID_SCRYPT]: decodeScrypt,
};

const PRFS: Readonly<Record<string, HashName | "SHA-1">> = {
  [names.OID_HMAC_SHA1]: "SHA-1",
  [names.OID_HMAC_SHA256]: "SHA-256",
  [names.OID_HMAC_SHA384]: "SHA-384",
  [names.OID_HMAC_SHA512]: "SHA-512",
};

function decodePbkdf2(node: DerNode, keyBytes: number): Derive {
  const fields = new DerFields(node, "PBKDF2-params");
  const salt = readSalt(fields);
  const iterations = readSmallInteger(fields.next("iterationCount"), "iterationCount", { min: 1 });
  if (iterations > MAX_PBKDF2_ITERATIONS) {
    throw damaged(`it asks for ${iterations} PBKDF2 iterations; at most ${MAX_PBKDF2_ITERATIONS} are accepted`);
  }
  readKeyLength(fields, keyBytes);
  let hash: HashName | "SHA-1" | undefined = "SHA-1"; // RFC 8018: the default when prf is absent
  const prf = fields.peek();
  if (prf) {
    const dotted = readOid(new DerFields(fields.next("prf"), "prf").next("algorithm"));
    hash = PRFS[dotted];
    if (!hash) throw unsupportedEncryption(dotted);
  }
  fields.end();
  const settings = { salt, iterations, hash };
  return (password) => pbkdf2(password, settings, keyBytes);
}

function readSalt(fields: DerFields): Bytes {
  const salt = readOctetString(fields.next("salt"), "salt");
  if (salt.length > MAX_SALT_BYTES) throw damaged(`the salt has ${salt.length} bytes`);
  return salt;
}

function readKeyLength(fields: DerFields, keyBytes: number): void {
  const stated = fields.optional(TAG.INTEGER);
  if (stated && readSmallInteger(stated, "keyLength") !== keyBytes) throw damaged("keyLength is not the cipher's");
}

async function pbkdf2(
  password: Bytes,
  { salt, iterations, hash }: { salt: Bytes; iterations: number; hash: HashName | "SHA-1" },
  keyBytes: number,
): Promise<Bytes> {
  const base = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
  return new Uint8Array(
    await crypto.subtle.deriveBits({ name: "PBKDF2", hash, salt, iterations }, base, keyBytes * 8),
  );
}

/** scrypt (RFC 7914 section 7), within 256 MiB. */
function decodeScrypt(node: DerNode, keyBytes: number): Derive {
  const fields = new DerFields(node, "scrypt-params");
  const salt = readSalt(fields);
  const cost = readSmallInteger(fields.next("costParameter"), "costParameter", { min: 2 });
  const blockSize = readSmallInteger(fields.next("blockSize"), "blockSize", { min: 1 });
  const parallelization = readSmallInteger(fields.next("parallelizationParameter"), "parallelizationParameter", {
    min: 1,
  });
  readKeyLength(fields, keyBytes);
  fields.end();
  const memory = 128 * cost * blockSize;
  if (memory > MAX_SCRYPT_MEMORY_BYTES || parallelization > MAX_SCRYPT_PARALLELIZATION || Math.log2(cost) % 1 !== 0) {
    throw damaged(`it asks for scrypt with N=${cost}, r=${blockSize}, p=${parallelization}, which is not accepted`);
  }
  const limits = { N: cost, r: blockSize, p: parallelization, maxmem: 2 * MAX_SCRYPT_MEMORY_BYTES };
  return async (password) => {
    // WebCrypto has no scrypt; the runtime's own one comes without a further library.
    const { scrypt } = await import("node:crypto");
    return await new Promise((resolve, reject) =>
      scrypt(password, salt, keyBytes, limits, (error, key) => error ? reject(error) : resolve(new Uint8Array(key)))
    );
  };
}

async function withPassphrase(passphrase: Secret, derive: Derive): Promise<Bytes> {
  const password = passphrase.bytes();
  try {
    return await derive(password);
  } finally {
    wipe(password);
  }
}

async function withKey(
  key: Bytes,
  usage: "encrypt" | "decrypt",
  work: (aes: CryptoKey) => Promise<ArrayBuffer>,
): Promise<Bytes> {
  try {
    return new Uint8Array(await work(await crypto.subtle.importKey("raw", key, "AES-CBC", false, [usage])));
  } finally {
    wipe(key);
  }
}

function damaged(reason: string): InputError {
  return new InputError(`Cannot decrypt the private key: ${reason}`, { code: "key.encryption_invalid" });
}

function unsupportedEncryption(dotted: string): InputError {
  return new InputError(
    `Cannot decrypt the private key: encryption ${names.oidName(dotted) ?? dotted} is not supported`,
    {
      code: "key.encryption_unsupported",
      hint: CONVERT_HINT,
    },
  );
}

/** How a key file in an older encryption is brought into one that is read. */
export const CONVERT_HINT =
  "Convert it with: openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in FILE -out NEW";
