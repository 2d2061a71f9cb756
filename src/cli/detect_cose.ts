import { CborTag, type CborValue, decodeCbor } from "../cose/cbor.ts";
import { InputError } from "../errors.ts";

/** COSE and CWT messages by their CBOR tags (RFC 9052 section 2, RFC 8392 section 6). */
const COSE_TAGS: Readonly<Record<number, { name: string; elements: number }>> = {
  16: { name: "COSE_Encrypt0", elements: 3 },
  17: { name: "COSE_Mac0", elements: 4 },
  18: { name: "COSE_Sign1", elements: 4 },
  96: { name: "COSE_Encrypt", elements: 4 },
  97: { name: "COSE_Mac", elements: 5 },
  98: { name: "COSE_Sign", elements: 4 },
};

const CWT_TAG = 61;
const SELF_DESCRIBED_TAG = 55799;
/** Major type of a tag, which every such message begins with. */
const TAG = 6;

/**
 * The name of the COSE message that `bytes` are as a whole (`COSE_Sign1`, `COSE_Sign1 in a CWT`), or undefined when they
 * are none: other or no tag, a wrong number of elements, cut off, or followed by more.
 */
export function describeCose(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0 || bytes[0]! >> 5 !== TAG) return undefined;
  let value = decoded(bytes);
  if (value instanceof CborTag && value.tag === SELF_DESCRIBED_TAG) value = value.value;
  const isCwt = value instanceof CborTag && value.tag === CWT_TAG;
  if (value instanceof CborTag && isCwt) value = value.value;
  if (!(value instanceof CborTag)) return undefined;
  const tag = COSE_TAGS[Number(value.tag)];
  if (!tag || !Array.isArray(value.value) || value.value.length !== tag.elements) return undefined;
  return isCwt ? `${tag.name} in a CWT` : tag.name;
}

function decoded(bytes: Uint8Array): CborValue {
  try {
    return decodeCbor(bytes);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}
