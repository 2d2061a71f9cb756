import { allowsScheme, type KeyRow, type SchemeRow } from "../alg/find.ts";
import type { Family } from "../alg/registry.ts";
import { type Bytes, plainBytes, randomBytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { digest } from "./digest.ts";
import { decodeEcdsaSignature } from "./ecdsa.ts";
import { compositeMessage, labelOf, partSchemes, splitPublicKey, splitSignature } from "./joint.ts";
import { ecdsaCurve, edwardsCurve } from "./noble.ts";
import { mlDsaOf, slhDsaOf } from "./pqc_noble.ts";
import { describeSpki, encodeSpki } from "./spki.ts";
import { modernSubtle } from "./subtle.ts";
import type { Signer, SignerOptions } from "./types.ts";

/**
 * Verification in software, for every key wherever it lives. WebCrypto does the work where it can: it runs beside the
 * main thread, so concurrent verifications use all cores, and importing a key costs 1 % of using it.
 */

/** One signature to check. */
export interface SignatureToVerify {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  readonly scheme: SchemeRow;
  readonly message: Uint8Array;
  /** As X.509 carries it: DER for ECDSA, raw otherwise. */
  readonly signature: Uint8Array;
  /** Context that the signer used, for schemes that take one. */
  readonly context?: Uint8Array;
}

/** Checks signatures of one key with one scheme; never throws. */
export type Verifier = (message: Uint8Array, signature: Uint8Array) => Promise<boolean>;

/**
 * Whether the signature is good. A wrong, malformed or foreign signature, and a scheme the key does not do, are false.
 * @throws {InputError} `algorithm.unsupported` when the key has no row; `der.invalid`, `key.invalid` when it is no key;
 * `context.invalid` when the scheme takes no such context.
 */
export async function verifySignature(
  { spki, scheme, message, signature, context }: SignatureToVerify,
): Promise<boolean> {
  const verifier = await verifierFor(spki, scheme, context ? { context } : {});
  return await verifier(message, signature);
}

/**
 * A verifier for many signatures of one key.
 * @throws {InputError} as {@link verifySignature}.
 */
export async function verifierFor(
  spki: Uint8Array,
  scheme: SchemeRow,
  options: SignerOptions = {},
): Promise<Verifier> {
  requireContext(scheme, options.context);
  const { row, description, publicKey } = describeSpki(spki);
  if (!row) {
    throw new InputError(`Cannot verify with a key of type ${description}: not supported`, {
      code: "algorithm.unsupported",
    });
  }
  if (!allowsScheme(row, scheme.name)) return refuse;
  const key = { row, scheme, spki: encodeSpki(row, publicKey), publicKey };
  const check = await BACK_ENDS[row.family](options.context?.length ? { ...key, context: options.context } : key);
  return async (message, signature) => {
    try {
      return await check(plainBytes(message), plainBytes(signature));
    } catch {
      // A library that throws on a malformed signature or point says no.
      return false;
    }
  };
}

function refuse(): Promise<boolean> {
  return Promise.resolve(false);
}

/**
 * A signer with the verifier of its public key at hand, for many signatures. The class stays in this file, so that nobody
 * else can say what verifies.
 */
class CheckedSigner implements Signer {
  readonly algorithm: KeyRow;
  readonly scheme: SchemeRow;
  readonly spki: Bytes;
  readonly #signer: Signer;
  readonly #verifier: Verifier;

  constructor(signer: Signer, verifier: Verifier) {
    this.algorithm = signer.algorithm;
    this.scheme = signer.scheme;
    this.spki = signer.spki;
    this.#signer = signer;
    this.#verifier = verifier;
  }

  get signPieces(): NonNullable<Signer["signPieces"]> | undefined {
    return this.#signer.signPieces;
  }

  sign(message: Uint8Array): Promise<Bytes> {
    return this.#signer.sign(message);
  }

  static verify(signer: Signer, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    if (#verifier in signer) return signer.#verifier(message, signature);
    return verifySignature({ spki: signer.spki, scheme: signer.scheme, message, signature });
  }
}

/** `signer`, whose signatures {@link verifyOwn} then checks without reading its public key anew each time. */
export async function checkedSigner(signer: Signer): Promise<Signer> {
  return new CheckedSigner(signer, await verifierFor(signer.spki, signer.scheme));
}

/** Whether a signature that `signer` made is good, in software. @throws {InputError} as {@link verifySignature}. */
export async function verifyOwn(signer: Signer, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  return await CheckedSigner.verify(signer, message, signature);
}

/**
 * Signs a random challenge and checks the signature in software.
 * @throws {OperationError} `key.proof_failed` when the signature does not verify.
 */
export async function proveSigner(signer: Signer): Promise<void> {
  const message = randomBytes(64);
  const signature = await signer.sign(message);
  if (await verifySignature({ spki: signer.spki, scheme: signer.scheme, message, signature })) return;
  throw new OperationError(
    `Cannot use the ${signer.algorithm.label} key: its signature does not verify with its public key`,
    { code: "key.proof_failed" },
  );
}

interface VerificationKey {
  readonly row: KeyRow;
  readonly scheme: SchemeRow;
  /** Encoded anew, so that what was lenient on input (a missing NULL) does not reach the library. */
  readonly spki: Bytes;
  readonly publicKey: Bytes;
  /** Absent rather than empty. */
  readonly context?: Uint8Array;
}

type Check = (message: Bytes, signature: Bytes) => Promise<boolean> | boolean;

const BACK_ENDS: Readonly<Record<Family, (key: VerificationKey) => Promise<Check>>> = {
  ecdsa: ecdsaCheck,
  eddsa: edwardsCheck,
  rsa: rsaCheck,
  "ml-dsa": mlDsaCheck,
  "slh-dsa": slhDsaCheck,
  "ml-kem": () => Promise.resolve(() => false),
  composite: compositeCheck,
};

async function ecdsaCheck({ row, scheme, spki, publicKey }: VerificationKey): Promise<Check> {
  if (!row.webcrypto) return await ecdsaNobleCheck(row, scheme, publicKey);
  const key = await crypto.subtle.importKey("spki", spki, row.webcrypto!, false, ["verify"]);
  const how = { name: row.webcrypto!.name, hash: scheme.hash! };
  return (message, signature) => {
    const raw = decodeEcdsaSignature(signature, row.scalarBytes);
    return raw !== undefined && crypto.subtle.verify(how, key, raw, message);
  };
}

async function ecdsaNobleCheck(row: KeyRow, scheme: SchemeRow, publicKey: Bytes): Promise<Check> {
  const curve = await ecdsaCurve(row);
  const how = { prehash: false, lowS: false };
  return async (message, signature) => {
    const raw = decodeEcdsaSignature(signature, row.scalarBytes);
    return raw !== undefined && curve.verify(raw, await digest(scheme.hash!, message), publicKey, how);
  };
}

async function edwardsCheck({ row, publicKey }: VerificationKey): Promise<Check> {
  if (row.webcrypto) {
    const key = await crypto.subtle.importKey("raw", publicKey, row.webcrypto, false, ["verify"]);
    return (message, signature) => crypto.subtle.verify(row.webcrypto!, key, signature, message);
  }
  const curve = await edwardsCurve(row);
  return (message, signature) => curve.verify(signature, message, publicKey);
}

async function rsaCheck({ row, scheme, spki }: VerificationKey): Promise<Check> {
  const how = rsaParameters(scheme);
  const key = await crypto.subtle.importKey("spki", spki, how, false, ["verify"]);
  return (message, signature) =>
    signature.length * 8 === row.modulusBits && crypto.subtle.verify(how, key, signature, message);
}

async function mlDsaCheck({ row, publicKey, context }: VerificationKey): Promise<Check> {
  if (!context) return await nativeCheck(row, publicKey);
  const library = await mlDsaOf(row);
  return (message, signature) => library.verify(signature, message, publicKey, { context });
}

async function slhDsaCheck({ row, publicKey }: VerificationKey): Promise<Check> {
  if (row.software === "webcrypto") return await nativeCheck(row, publicKey);
  const library = await slhDsaOf(row);
  return (message, signature) => library.verify(signature, message, publicKey);
}

async function nativeCheck(row: KeyRow, publicKey: Bytes): Promise<Check> {
  const how = { name: row.webcrypto!.name };
  const key = await modernSubtle().importKey("raw-public", publicKey, how, false, ["verify"]);
  return (message, signature) => crypto.subtle.verify(how, key, signature, message);
}

/** Both signatures must be good; each is checked as one of its own. */
async function compositeCheck({ row, scheme, publicKey, context }: VerificationKey): Promise<Check> {
  const [keys, schemes] = [splitPublicKey(row, publicKey), partSchemes(scheme)];
  const pqc = await verifierFor(keys.pqc, schemes.pqc, { context: labelOf(scheme) });
  const classical = await verifierFor(keys.classical, schemes.classical);
  return async (message, signature) => {
    const halves = splitSignature(scheme, signature);
    if (!halves) return false;
    const together = await compositeMessage(scheme, message, context);
    const verdicts = await Promise.all([pqc(together, halves.pqc), classical(together, halves.classical)]);
    return verdicts.every((good) => good);
  };
}

/** Throws unless the scheme takes this context. @throws {InputError} `context.invalid`. */
export function requireContext(scheme: SchemeRow, context: Uint8Array | undefined): void {
  const most = scheme.contextBytes ?? 0;
  if (!context || context.length <= most) return;
  const reason = most === 0 ? "the scheme takes none" : `it has ${context.length} bytes, and ${most} is the most`;
  throw new InputError(`Cannot use a context with ${scheme.label}: ${reason}`, { code: "context.invalid" });
}

/** WebCrypto's algorithm of an RSA scheme: PSS where the scheme has a salt. */
export function rsaParameters(scheme: SchemeRow): { name: string; hash: string; saltLength?: number } {
  const hash = scheme.hash!;
  return scheme.saltBytes === undefined
    ? { name: "RSASSA-PKCS1-v1_5", hash }
    : { name: "RSA-PSS", hash, saltLength: scheme.saltBytes };
}
