import type { KeyRow, SchemeRow } from "../alg/find.ts";
import type { Family, KeyAlgorithm } from "../alg/registry.ts";
import { type Bytes, concatBytes, plainBytes, wipe } from "../bytes.ts";
import type { BackEnd } from "./back_end_types.ts";
import { digest } from "./digest.ts";
import { encodeEcdsaSignature } from "./ecdsa.ts";
import { ecdsaCurve, edwardsCurve } from "./noble.ts";
import { jointBackEnd } from "./joint_back_end.ts";
import {
  mlDsaNoble,
  mlDsaWebCrypto,
  mlKemNoble,
  mlKemWebCrypto,
  slhDsaNoble,
  slhDsaWebCrypto,
} from "./pqc_back_end.ts";
import { decodePkcs8, encodePkcs8 } from "./private_key.ts";
import { rsaParameters } from "./verify.ts";

const BACK_ENDS: Readonly<Record<Family, Readonly<Partial<Record<KeyAlgorithm["software"], BackEnd>>>>> = {
  ecdsa: { webcrypto: webCryptoBackEnd({ sign: ecdsaParameters, encode: encodeEcdsaSignature }), noble: ecdsaNoble() },
  eddsa: { webcrypto: webCryptoBackEnd({ sign: (row) => row.webcrypto! }), noble: edwardsNoble() },
  rsa: { webcrypto: rsaWebCrypto() },
  "ml-dsa": { webcrypto: mlDsaWebCrypto(), noble: mlDsaNoble() },
  "slh-dsa": { webcrypto: slhDsaWebCrypto(), noble: slhDsaNoble() },
  "ml-kem": { webcrypto: mlKemWebCrypto(), noble: mlKemNoble() },
  composite: { parts: jointBackEnd((row) => backEndOf(row)) },
};

/** The back end that the row names (measured, see the table), or another one of its family. */
export function backEndOf(row: KeyRow, software: KeyAlgorithm["software"] = row.software): BackEnd {
  const backEnd = BACK_ENDS[row.family][software];
  if (!backEnd) throw new Error(`Row "${row.name}" names a back end that its family lacks`);
  return backEnd;
}

interface WebCryptoFamily {
  /** Parameters of `crypto.subtle.sign`. */
  sign(row: KeyRow, scheme: SchemeRow): { name: string; hash?: string };
  /** From WebCrypto's signature to the one X.509 carries. */
  encode?(signature: Uint8Array): Bytes;
}

function ecdsaParameters(row: KeyRow, scheme: SchemeRow): { name: string; hash: string } {
  return { name: row.webcrypto!.name, hash: scheme.hash! };
}

/** Curves in WebCrypto: ECDSA and Ed25519 differ in parameters only. */
function webCryptoBackEnd({ sign, encode }: WebCryptoFamily): BackEnd {
  return {
    async generate(row) {
      const pair = await crypto.subtle.generateKey(row.webcrypto!, true, ["sign", "verify"]) as CryptoKeyPair;
      const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
      return { row, material: await exportMaterial(pair.privateKey), publicKey };
    },
    async derive(row, material) {
      const key = await importMaterial({ row, material }, row.webcrypto!, true);
      const { x, y } = await crypto.subtle.exportKey("jwk", key);
      const coordinates = [x, y].filter((text) => text !== undefined).map((text) =>
        Uint8Array.fromBase64(text, { alphabet: "base64url" })
      );
      return y === undefined ? coordinates[0]! : concatBytes(Uint8Array.of(4), ...coordinates);
    },
    async signer({ row, material }, scheme) {
      const key = await importMaterial({ row, material }, row.webcrypto!, false);
      const how = sign(row, scheme);
      return async (message) => {
        const signature = new Uint8Array(await crypto.subtle.sign(how, key, message));
        return encode ? encode(signature) : signature;
      };
    },
  };
}

const RSA_EXPONENT = Uint8Array.of(1, 0, 1);

function rsaWebCrypto(): BackEnd {
  return {
    async generate(row) {
      const how = {
        name: "RSASSA-PKCS1-v1_5",
        hash: "SHA-256",
        modulusLength: row.modulusBits,
        publicExponent: RSA_EXPONENT,
      };
      const pair = await crypto.subtle.generateKey(how, true, ["sign", "verify"]);
      const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
      try {
        const { material, publicKey } = decodePkcs8(pkcs8);
        return { row, material, publicKey: publicKey! };
      } finally {
        wipe(pkcs8);
      }
    },
    async signer({ row, material }, scheme) {
      const how = rsaParameters(scheme);
      const key = await importMaterial({ row, material }, how, false);
      return async (message) => new Uint8Array(await crypto.subtle.sign(how, key, message));
    },
  };
}

async function importMaterial(
  key: { row: KeyRow; material: Bytes },
  how: { name: string; hash?: string; namedCurve?: string },
  extractable: boolean,
): Promise<CryptoKey> {
  const pkcs8 = encodePkcs8(key);
  try {
    return await crypto.subtle.importKey("pkcs8", pkcs8, how, extractable, ["sign"]);
  } finally {
    wipe(pkcs8);
  }
}

async function exportMaterial(key: CryptoKey): Promise<Bytes> {
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", key));
  try {
    return decodePkcs8(pkcs8).material;
  } finally {
    wipe(pkcs8);
  }
}

/** ECDSA with nonces of RFC 6979 hedged with fresh randomness (its section 3.6). */
function ecdsaNoble(): BackEnd {
  return {
    async generate(row) {
      const curve = await ecdsaCurve(row);
      const material = plainBytes(curve.utils.randomSecretKey());
      return { row, material, publicKey: plainBytes(curve.getPublicKey(material, false)) };
    },
    async derive(row, material) {
      return plainBytes((await ecdsaCurve(row)).getPublicKey(material, false));
    },
    async signer({ row, material }, scheme) {
      const curve = await ecdsaCurve(row);
      const how = { prehash: false, lowS: false, extraEntropy: true };
      return async (message) => encodeEcdsaSignature(curve.sign(await digest(scheme.hash!, message), material, how));
    },
  };
}

function edwardsNoble(): BackEnd {
  return {
    async generate(row) {
      const curve = await edwardsCurve(row);
      const material = plainBytes(curve.utils.randomSecretKey());
      return { row, material, publicKey: plainBytes(curve.getPublicKey(material)) };
    },
    async derive(row, material) {
      return plainBytes((await edwardsCurve(row)).getPublicKey(material));
    },
    async signer({ row, material }) {
      const curve = await edwardsCurve(row);
      return (message) => Promise.resolve(plainBytes(curve.sign(message, material)));
    },
  };
}
