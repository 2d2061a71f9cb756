import {
  bmpBytes,
  bmpString,
  explicit,
  implicit,
  integer,
  nullDer,
  octetString,
  oid,
  sequence,
  setOf,
} from "../asn1/der.ts";
import * as names from "../asn1/oid.ts";
import { type Bytes, concatBytes, randomBytes, type Secret, wipe } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { digest } from "./digest.ts";
import { hmacSha256 } from "./mac.ts";
import { encryptPbes2, encryptPkcs8, PBKDF2_ITERATIONS } from "./pbes2.ts";
import { encodePkcs8, type PrivateKey } from "./private_key.ts";

/**
 * PKCS#12 (RFC 7292): private keys with their certificates behind one passphrase. Written only, in the form that OpenSSL,
 * GnuTLS, NSS and Java read without settings: PBES2 with AES-256-CBC around keys and certificates, HMAC-SHA-256 around all.
 */

/** One certificate with its private key. */
export interface Pkcs12Entry {
  /** Name that programs show and ask by. */
  readonly name: string;
  /** Certificate, DER. */
  readonly certificate: Bytes;
  readonly key: PrivateKey;
  /** Alternative key of a Catalyst certificate: it follows under a name of its own, because no program looks for two. */
  readonly alternative?: PrivateKey;
}

/** What a file holds. */
export interface Pkcs12Content {
  readonly entries: readonly Pkcs12Entry[];
  /** Further certificates, DER: those above. */
  readonly others: readonly Bytes[];
}

const VERSION = 3;
const SALT_BYTES = 16;
/** Bytes that SHA-256 puts out and works on. */
const HASH_BYTES = 32;
const BLOCK_BYTES = 64;
/** Purpose of derived bytes: the key of the MAC (RFC 7292 appendix B.3). */
const MAC_KEY = 3;

/**
 * A PFX, DER. Keys and certificates that belong together are found by localKeyId.
 * @throws {InputError} `passphrase.empty`.
 */
export async function encodePkcs12(
  { entries, others }: Pkcs12Content,
  passphrase: Secret,
  iterations: number = PBKDF2_ITERATIONS,
): Promise<Bytes> {
  if (passphrase.reveal() === "") {
    throw new InputError("Cannot make the PKCS#12 file: the passphrase is empty", { code: "passphrase.empty" });
  }
  const keyBags: Bytes[] = [];
  const certificateBags: Bytes[] = [];
  for (const { name, certificate, key, alternative } of entries) {
    const id = await digest("SHA-256", certificate);
    keyBags.push(await keyBag(key, { name, id }, { passphrase, iterations }));
    if (alternative) {
      keyBags.push(await keyBag(alternative, { name: `${name} (alternative)` }, { passphrase, iterations }));
    }
    certificateBags.push(certificateBag(certificate, { name, id }));
  }
  certificateBags.push(...others.map((certificate) => certificateBag(certificate, {})));
  const safe = sequence(
    await encryptedContent(sequence(...certificateBags), passphrase, iterations),
    content(names.OID_DATA, octetString(sequence(...keyBags))),
  );
  return sequence(
    integer(VERSION),
    content(names.OID_DATA, octetString(safe)),
    await macData(safe, passphrase, iterations),
  );
}

/** Attributes of a bag. */
interface BagNames {
  readonly name?: string;
  readonly id?: Bytes;
}

async function keyBag(
  key: PrivateKey,
  bag: BagNames,
  { passphrase, iterations }: { passphrase: Secret; iterations: number },
): Promise<Bytes> {
  const plain = encodePkcs8(key);
  try {
    return safeBag(names.OID_SHROUDED_KEY_BAG, await encryptPkcs8(plain, passphrase, iterations), bag);
  } finally {
    wipe(plain);
  }
}

function certificateBag(certificate: Bytes, bag: BagNames): Bytes {
  const value = sequence(oid(names.OID_X509_CERTIFICATE), explicit(0, octetString(certificate)));
  return safeBag(names.OID_CERT_BAG, value, bag);
}

function safeBag(type: string, value: Bytes, { name, id }: BagNames): Bytes {
  const attributes = [
    ...(name === undefined ? [] : [sequence(oid(names.OID_FRIENDLY_NAME), setOf(bmpString(name)))]),
    ...(id === undefined ? [] : [sequence(oid(names.OID_LOCAL_KEY_ID), setOf(octetString(id)))]),
  ];
  return sequence(oid(type), explicit(0, value), ...(attributes.length > 0 ? [setOf(...attributes)] : []));
}

/** ContentInfo. */
function content(type: string, value: Bytes): Bytes {
  return sequence(oid(type), explicit(0, value));
}

async function encryptedContent(plain: Bytes, passphrase: Secret, iterations: number): Promise<Bytes> {
  const { algorithm, encrypted } = await encryptPbes2(plain, passphrase, iterations);
  const info = sequence(oid(names.OID_DATA), algorithm, implicit(0, octetString(encrypted)));
  return content(names.OID_ENCRYPTED_DATA, sequence(integer(0), info));
}

async function macData(safe: Bytes, passphrase: Secret, iterations: number): Promise<Bytes> {
  const salt = randomBytes(SALT_BYTES);
  const key = await deriveMacKey(passphrase, salt, iterations);
  try {
    const algorithm = sequence(oid(names.OID_SHA256), nullDer());
    const mac = sequence(algorithm, octetString(await hmacSha256(key, safe)));
    return sequence(mac, octetString(salt), integer(iterations));
  } finally {
    wipe(key);
  }
}

/** The derivation of RFC 7292 appendix B.2 with SHA-256, for one hash of output: the passphrase as UTF-16 with a final zero. */
async function deriveMacKey(passphrase: Secret, salt: Bytes, iterations: number): Promise<Bytes> {
  // hundreds of thousands of short hashes, each waiting for the one before: WebCrypto would take many times as long
  const { createHash } = await import("node:crypto");
  const password = bmpBytes(`${passphrase.reveal()}\0`);
  const input = concatBytes(new Uint8Array(BLOCK_BYTES).fill(MAC_KEY), repeated(salt), repeated(password));
  let key = createHash("sha256").update(input).digest();
  for (let i = 1; i < iterations; i++) key = createHash("sha256").update(key).digest();
  wipe(password);
  wipe(input);
  return new Uint8Array(key.subarray(0, HASH_BYTES));
}

/** Copies up to a whole number of blocks. */
function repeated(bytes: Bytes): Bytes {
  const length = Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES;
  return Uint8Array.from({ length }, (_, i) => bytes[i % bytes.length]!);
}
