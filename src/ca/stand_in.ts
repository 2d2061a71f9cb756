import { type KeyRow, partsOf } from "../alg/find.ts";
import { integer, sequence } from "../asn1/der.ts";
import type { Bytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { compositeSpki } from "../keys/joint.ts";
import { describeSpki, encodeSpki } from "../keys/spki.ts";
import type { KeyWishes } from "./key_parts.ts";

/** Public keys that stand in for those of a certificate there are no keys for yet, so that it can be linted. */
export async function standInKeys(
  { rows: [row, second] }: Pick<KeyWishes, "rows">,
): Promise<{ spki: Bytes; alternativeSpki?: Bytes }> {
  return {
    spki: await standInSpki(row!),
    ...(second ? { alternativeSpki: await standInSpki(second) } : {}),
  };
}

const RSA_EXPONENT = 65537;

/** Nobody has the private half; where any bytes will do none is even made. */
async function standInSpki(row: KeyRow): Promise<Bytes> {
  const parts = partsOf(row);
  if (parts) return compositeSpki(row, await standInSpki(parts.pqc), await standInSpki(parts.classical));
  const spki = encodeSpki(row, row.modulusBits > 0 ? standInRsa(row.modulusBits) : new Uint8Array(row.publicKeyBytes));
  if (isKey(spki)) return spki;
  // a point must be on its curve
  const { generateSoftwareKey } = await import("../keys/software.ts");
  using key = await generateSoftwareKey(row);
  return key.spki;
}

function standInRsa(bits: number): Bytes {
  return sequence(integer((1n << BigInt(bits - 1)) + 1n), integer(RSA_EXPONENT));
}

function isKey(spki: Bytes): boolean {
  try {
    return describeSpki(spki).row !== undefined;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}
