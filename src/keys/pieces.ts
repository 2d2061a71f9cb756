import type { KeyRow, SchemeRow } from "../alg/find.ts";
import type { Family, HashName } from "../alg/registry.ts";
import { type Bytes, plainBytes, randomBytes, wipe } from "../bytes.ts";
import { decodeEcdsaSignature, encodeEcdsaSignature } from "./ecdsa.ts";
import { MU_BYTES, muPrefix } from "./external_mu.ts";
import { ecdsaCurve } from "./noble.ts";
import { mlDsaOf } from "./pqc_noble.ts";
import { encodePkcs8, formOf, type PrivateKey } from "./private_key.ts";
import { describeSpki } from "./spki.ts";
import type { Pieces, SignerOptions } from "./types.ts";
import { rsaParameters, type SignatureToVerify } from "./verify.ts";

/**
 * Signatures over messages too long for memory, with keys in files, and their verification: for schemes that begin with a
 * hash of the message. EdDSA and SLH-DSA read the message twice, composite schemes are not used so.
 */

/** Signs a message in pieces. */
export type SignPieces = (pieces: Pieces) => Promise<Bytes>;

interface PiecewiseFamily {
  sign(key: PrivateKey, scheme: SchemeRow, options: SignerOptions): SignPieces;
  verify(key: VerificationKey, pieces: Pieces, signature: Bytes): Promise<boolean>;
}

interface VerificationKey {
  readonly row: KeyRow;
  readonly scheme: SchemeRow;
  readonly spki: Bytes;
  readonly publicKey: Bytes;
  readonly options: SignerOptions;
}

const FAMILIES: Readonly<Partial<Record<Family, PiecewiseFamily>>> = {
  ecdsa: { sign: signEcdsa, verify: verifyEcdsa },
  rsa: { sign: signRsa, verify: verifyRsa },
  "ml-dsa": { sign: signMlDsa, verify: verifyMlDsa },
};

/** A signer in pieces of a key in memory; undefined where the scheme needs the message as a whole. */
export function piecesSigner(key: PrivateKey, scheme: SchemeRow, options: SignerOptions = {}): SignPieces | undefined {
  return FAMILIES[key.row.family]?.sign(key, scheme, options);
}

/** Whether signatures of such keys can be verified over a message in pieces. */
export function verifiesPieces(row: KeyRow): boolean {
  return FAMILIES[row.family] !== undefined;
}

/**
 * As `verifySignature`, for a message in pieces. Only what the pieces themselves throw is thrown.
 * @throws {InputError} `der.invalid`, `key.invalid` for what is no key; {Error} for a row that {@link verifiesPieces} denies.
 */
export async function verifyPieces(
  { spki, scheme, pieces, signature, context }: Omit<SignatureToVerify, "message"> & { readonly pieces: Pieces },
): Promise<boolean> {
  const { row, publicKey } = describeSpki(spki);
  const family = row && FAMILIES[row.family];
  if (!family) throw new Error("Keys of this kind do not verify in pieces");
  if (!row.schemes.includes(scheme.name)) return false;
  const key = { row, scheme, spki: plainBytes(spki), publicKey, options: context ? { context } : {} };
  return await family.verify(key, pieces, plainBytes(signature));
}

/** Hash of a message in pieces. */
export async function digestPieces(hash: HashName, pieces: Pieces): Promise<Bytes> {
  const { createHash } = await import("node:crypto");
  const state = createHash(hash.replace("-", "").toLowerCase());
  for await (const piece of pieces) state.update(piece);
  return new Uint8Array(state.digest());
}

/** As `externalMu`, for a message in pieces and a raw public key. */
export async function muOfPieces(publicKey: Uint8Array, pieces: Pieces, options: SignerOptions = {}): Promise<Bytes> {
  const { createHash } = await import("node:crypto");
  const state = createHash("shake256", { outputLength: MU_BYTES });
  state.update(await muPrefix(publicKey, options));
  for await (const piece of pieces) state.update(piece);
  return new Uint8Array(state.digest());
}

function signEcdsa({ row, material }: PrivateKey, scheme: SchemeRow): SignPieces {
  return async (pieces) => {
    const curve = await ecdsaCurve(row);
    const hash = await digestPieces(scheme.hash!, pieces);
    return encodeEcdsaSignature(curve.sign(hash, material, { prehash: false, lowS: false, extraEntropy: true }));
  };
}

async function verifyEcdsa(
  { row, scheme, publicKey }: VerificationKey,
  pieces: Pieces,
  signature: Bytes,
): Promise<boolean> {
  const curve = await ecdsaCurve(row);
  const hash = await digestPieces(scheme.hash!, pieces);
  const raw = decodeEcdsaSignature(signature, row.scalarBytes);
  return raw !== undefined && goodOrNot(() => curve.verify(raw, hash, publicKey, { prehash: false, lowS: false }));
}

function signRsa(key: PrivateKey, scheme: SchemeRow): SignPieces {
  return async (pieces) => {
    const { createPrivateKey, createSign } = await import("node:crypto");
    const state = createSign(nodeName(scheme));
    for await (const piece of pieces) state.update(piece);
    const der = encodePkcs8(key);
    try {
      const handle = createPrivateKey({ key: der as unknown as Buffer, format: "der", type: "pkcs8" });
      return new Uint8Array(state.sign({ key: handle, ...await padding(scheme) }));
    } finally {
      wipe(der);
    }
  };
}

async function verifyRsa(
  { row, scheme, spki }: VerificationKey,
  pieces: Pieces,
  signature: Bytes,
): Promise<boolean> {
  const { createPublicKey, createVerify } = await import("node:crypto");
  const state = createVerify(nodeName(scheme));
  for await (const piece of pieces) state.update(piece);
  if (signature.length * 8 !== row.modulusBits) return false;
  const how = await padding(scheme);
  return goodOrNot(() => {
    const key = createPublicKey({ key: spki as unknown as Buffer, format: "der", type: "spki" });
    return state.verify({ key, ...how }, signature);
  });
}

function nodeName(scheme: SchemeRow): string {
  return scheme.hash!.replace("-", "").toLowerCase();
}

async function padding(scheme: SchemeRow): Promise<{ padding: number; saltLength?: number }> {
  const { constants } = await import("node:crypto");
  const { saltLength } = rsaParameters(scheme);
  return saltLength === undefined
    ? { padding: constants.RSA_PKCS1_PADDING }
    : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
}

function signMlDsa({ row, material, publicKey }: PrivateKey, _scheme: SchemeRow, options: SignerOptions): SignPieces {
  return async (pieces) => {
    const library = await mlDsaOf(row);
    const mu = await muOfPieces(publicKey, pieces, options);
    const expanded = formOf({ row, material }) === "seed" ? library.keygen(material).secretKey : undefined;
    try {
      const how = { externalMu: true, extraEntropy: randomBytes(32) };
      return plainBytes(library.internal.sign(mu, expanded ?? material, how));
    } finally {
      if (expanded) wipe(expanded);
    }
  };
}

async function verifyMlDsa(
  { row, publicKey, options }: VerificationKey,
  pieces: Pieces,
  signature: Bytes,
): Promise<boolean> {
  const library = await mlDsaOf(row);
  const mu = await muOfPieces(publicKey, pieces, options);
  return goodOrNot(() => library.internal.verify(signature, mu, publicKey, { externalMu: true }));
}

/** A library that throws on a malformed signature or point says no. */
function goodOrNot(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}
