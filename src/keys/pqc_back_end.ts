import type { KeyRow } from "../alg/find.ts";
import { type Bytes, plainBytes, randomBytes, wipe } from "../bytes.ts";
import { type BackEnd, type SignFunction, wiping } from "./back_end_types.ts";
import { checkExpandedMlDsa } from "./ml_dsa_expanded.ts";
import { checkExpandedMlKem } from "./ml_kem_expanded.ts";
import { type MlDsa, mlDsaOf, type MlKem, mlKemOf, type SlhDsa, slhDsaOf } from "./pqc_noble.ts";
import { formOf, type PrivateKey } from "./private_key_codec.ts";
import { modernSubtle, type ModernUsage } from "./subtle.ts";

/** Secret material of ML-DSA, SLH-DSA and ML-KEM in both libraries. Signatures are hedged with fresh randomness. */

const SIGN: Usages = ["sign", "verify"];
const KEM: Usages = ["decapsulateBits", "encapsulateBits"];
/** What the private half does, and the public one. */
type Usages = readonly [ModernUsage, ModernUsage];

/** ML-DSA in WebCrypto; contexts and expanded keys, which it does not take, in noble. */
export function mlDsaWebCrypto(): BackEnd {
  const noble = mlDsaNoble();
  return {
    generate: (row) => generateNative(row, SIGN, "raw-seed"),
    derive: (row, material) => isSeed(row, material) ? deriveNative(row, SIGN, material) : noble.derive!(row, material),
    expand: noble.expand!,
    async signer(key, scheme, options = {}) {
      const isNative = formOf(key) === "seed" && !options.context?.length;
      return isNative ? await nativeSigner(key, "raw-seed") : await noble.signer!(key, scheme, options);
    },
  };
}

/** ML-DSA in noble. */
export function mlDsaNoble(): BackEnd {
  return {
    async generate(row) {
      const material = randomBytes(row.seedBytes!);
      return { row, material, publicKey: publicKeyOf(await mlDsaOf(row), material) };
    },
    async derive(row, material) {
      if (!isSeed(row, material)) return await checkExpandedMlDsa(row, material);
      return publicKeyOf(await mlDsaOf(row), material);
    },
    async expand(row, seed) {
      return plainBytes((await mlDsaOf(row)).keygen(seed).secretKey);
    },
    async signer({ row, material }, _scheme, { context } = {}) {
      const library = await mlDsaOf(row);
      const secretKey = isSeed(row, material) ? library.keygen(material).secretKey : material;
      const how = context ? { context } : {};
      return wiping((message) => Promise.resolve(plainBytes(library.sign(message, secretKey, how))), secretKey);
    },
  };
}

/** SLH-DSA in WebCrypto. Its raw private key is that of RFC 9909; its PKCS#8 is not, so that is never asked for. */
export function slhDsaWebCrypto(): BackEnd {
  return {
    generate: (row) => generateNative(row, SIGN, "raw-private"),
    async derive(row, material) {
      // the import computes PK.root anew and compares
      await modernSubtle().importKey("raw-private", material, named(row), false, ["sign"]);
      return material.slice(-row.publicKeyBytes);
    },
    signer: (key) => nativeSigner(key, "raw-private"),
  };
}

/** SLH-DSA in noble. */
export function slhDsaNoble(): BackEnd {
  return {
    async generate(row) {
      const { secretKey, publicKey } = (await slhDsaOf(row)).keygen();
      return { row, material: plainBytes(secretKey), publicKey: plainBytes(publicKey) };
    },
    async derive(row, material) {
      // all but PK.root, which follows from it
      const seed = material.subarray(0, material.length - row.publicKeyBytes / 2);
      return publicKeyOf(await slhDsaOf(row), seed);
    },
    async signer({ row, material }) {
      const library = await slhDsaOf(row);
      return (message) => Promise.resolve(plainBytes(library.sign(message, material)));
    },
  };
}

/** ML-KEM in WebCrypto; expanded keys, which it does not take, in noble. */
export function mlKemWebCrypto(): BackEnd {
  const noble = mlKemNoble();
  return {
    generate: (row) => generateNative(row, KEM, "raw-seed"),
    derive: (row, material) => isSeed(row, material) ? deriveNative(row, KEM, material) : noble.derive!(row, material),
    expand: noble.expand!,
    async decapsulate(key, ciphertext) {
      if (formOf(key) !== "seed") return await noble.decapsulate!(key, ciphertext);
      const how = named(key.row);
      const handle = await modernSubtle().importKey("raw-seed", key.material, how, false, ["decapsulateBits"]);
      return new Uint8Array(await modernSubtle().decapsulateBits(how, handle, ciphertext));
    },
  };
}

/** ML-KEM in noble. */
export function mlKemNoble(): BackEnd {
  return {
    async generate(row) {
      const material = randomBytes(row.seedBytes!);
      return { row, material, publicKey: publicKeyOf(await mlKemOf(row), material) };
    },
    async derive(row, material) {
      if (!isSeed(row, material)) return await checkExpandedMlKem(row, material);
      return publicKeyOf(await mlKemOf(row), material);
    },
    async expand(row, seed) {
      return plainBytes((await mlKemOf(row)).keygen(seed).secretKey);
    },
    async decapsulate({ row, material }, ciphertext) {
      const library = await mlKemOf(row);
      if (!isSeed(row, material)) return plainBytes(library.decapsulate(ciphertext, material));
      const { secretKey } = library.keygen(material);
      try {
        return plainBytes(library.decapsulate(ciphertext, secretKey));
      } finally {
        wipe(secretKey);
      }
    },
  };
}

/** Public key of a seed; the expanded key is forgotten. */
function publicKeyOf(library: MlDsa | MlKem | SlhDsa, seed: Bytes): Bytes {
  const { publicKey, secretKey } = library.keygen(seed);
  wipe(secretKey);
  return plainBytes(publicKey);
}

function isSeed(row: KeyRow, material: Bytes): boolean {
  return formOf({ row, material }) === "seed";
}

function named(row: KeyRow): { name: string } {
  return { name: row.webcrypto!.name };
}

async function generateNative(row: KeyRow, usages: Usages, form: "raw-seed" | "raw-private"): Promise<PrivateKey> {
  const subtle = modernSubtle();
  const { privateKey, publicKey } = await subtle.generateKey(named(row), true, usages);
  const [material, raw] = await Promise.all([
    subtle.exportKey(form, privateKey),
    subtle.exportKey("raw-public", publicKey),
  ]);
  return { row, material: new Uint8Array(material), publicKey: new Uint8Array(raw) };
}

async function deriveNative(row: KeyRow, [own, others]: Usages, seed: Bytes): Promise<Bytes> {
  const subtle = modernSubtle();
  const key = await subtle.importKey("raw-seed", seed, named(row), false, [own]);
  return new Uint8Array(await subtle.exportKey("raw-public", await subtle.getPublicKey(key, [others])));
}

async function nativeSigner(
  { row, material }: PrivateKey,
  form: "raw-seed" | "raw-private",
): Promise<SignFunction> {
  const how = named(row);
  const key = await modernSubtle().importKey(form, material, how, false, ["sign"]);
  return async (message) => new Uint8Array(await crypto.subtle.sign(how, key, message));
}
