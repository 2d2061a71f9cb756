import type { Bytes } from "../bytes.ts";

/**
 * What Deno's WebCrypto does beyond the type declarations at hand: raw formats and key encapsulation of the "modern
 * algorithms" draft. The shapes below are the draft's.
 */
interface ModernSubtle {
  importKey(
    format: "raw-seed" | "raw-private" | "raw-public",
    data: Bytes,
    algorithm: { name: string },
    extractable: boolean,
    usages: readonly ModernUsage[],
  ): Promise<CryptoKey>;
  exportKey(format: "raw-seed" | "raw-private" | "raw-public", key: CryptoKey): Promise<ArrayBuffer>;
  generateKey(
    algorithm: { name: string },
    extractable: boolean,
    usages: readonly ModernUsage[],
  ): Promise<CryptoKeyPair>;
  getPublicKey(key: CryptoKey, usages: readonly ModernUsage[]): Promise<CryptoKey>;
  encapsulateBits(
    algorithm: { name: string },
    key: CryptoKey,
  ): Promise<{ ciphertext: ArrayBuffer; sharedKey: ArrayBuffer }>;
  decapsulateBits(algorithm: { name: string }, key: CryptoKey, ciphertext: Bytes): Promise<ArrayBuffer>;
}

/** Uses of keys, those of KEMs included. */
export type ModernUsage = "sign" | "verify" | "encapsulateBits" | "decapsulateBits";

/** WebCrypto with the draft's operations. */
export function modernSubtle(): ModernSubtle {
  return crypto.subtle as unknown as ModernSubtle;
}
