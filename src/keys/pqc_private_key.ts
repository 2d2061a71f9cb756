import type { KeyRow } from "../alg/find.ts";
import { type DerNode, implicit, octetString, readDer, readOctetString, TAG } from "../asn1/der.ts";
import { type Bytes, wipe } from "../bytes.ts";
import {
  type DecodedPrivateKey,
  type EncodableKey,
  formOf,
  invalid,
  type PrivateKeyCodec,
} from "./private_key_codec.ts";

/** Private keys of ML-DSA, ML-KEM and SLH-DSA inside PKCS#8. */

/**
 * ML-DSA (RFC 9881 section 6) and ML-KEM (RFC 9935 section 6): a CHOICE of the seed, the expanded key, or both, told
 * apart by tag. The seed is written; an expanded key is, where there is no seed.
 */
export const SEEDED_KEYS: PrivateKeyCodec = {
  encode: (key) => {
    const inner = octetString(key.material);
    if (formOf(key) !== "seed") return inner;
    const tagged = implicit(0, inner);
    wipe(inner);
    return tagged;
  },
  decode: ([row], content) => decodeSeeded(row!, readDer(content)),
};

function decodeSeeded(row: KeyRow, node: DerNode): DecodedPrivateKey {
  if (node.isContext(0)) {
    if (node.constructed) throw invalid(row.label, "its seed is no primitive OCTET STRING");
    return { row, material: seed(row, node.content) };
  }
  if (node.is(TAG.OCTET_STRING)) return { row, material: expanded(row, node.content) };
  if (!node.is(TAG.SEQUENCE)) throw invalid(row.label, "it is neither seed, expanded key nor both");
  const [first, second, third] = node.children;
  if (third) throw invalid(row.label, "it has more than a seed and an expanded key");
  return {
    row,
    material: seed(row, readOctetString(first, "seed")),
    expanded: expanded(row, readOctetString(second, "expandedKey")),
  };
}

function seed(row: KeyRow, content: Bytes): Bytes {
  return sized(row, content, { what: "seed", bytes: row.seedBytes! });
}

function expanded(row: KeyRow, content: Bytes): Bytes {
  return sized(row, content, { what: "expanded key", bytes: row.expandedBytes! });
}

function sized(row: KeyRow, content: Bytes, { what, bytes }: { what: string; bytes: number }): Bytes {
  if (content.length !== bytes) throw invalid(row.label, `its ${what} has ${content.length} bytes instead of ${bytes}`);
  return content.slice();
}

/** SLH-DSA (RFC 9909 section 7): SK.seed, SK.prf, PK.seed and PK.root side by side, without any structure. */
export const RAW_KEYS: PrivateKeyCodec = {
  encode: ({ material }: EncodableKey) => material.slice(),
  decode: ([row], content) => {
    const material = expanded(row!, content);
    return { row: row!, material, publicKey: material.slice(-row!.publicKeyBytes) };
  },
};
