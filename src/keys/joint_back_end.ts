import { type KeyRow, partsOf } from "../alg/find.ts";
import { type Bytes, concatBytes, wipe } from "../bytes.ts";
import { type BackEnd, wiping } from "./back_end_types.ts";
import { labelOf, partSchemes, signWithBoth } from "./joint.ts";
import { joinCompositeMaterial, splitCompositeMaterial } from "./private_key.ts";
import type { DecodedPrivateKey, PrivateKey } from "./private_key_codec.ts";

/** Composite keys in memory: each part does its work in its own back end, which `of` finds. */
export function jointBackEnd(of: (row: KeyRow) => BackEnd): BackEnd {
  async function complete({ row, material, publicKey }: DecodedPrivateKey): Promise<PrivateKey> {
    return { row, material, publicKey: await of(row).derive?.(row, material) ?? publicKey! };
  }
  return {
    async generate(row) {
      const parts = partsOf(row)!;
      const [pqc, classical] = await Promise.all([
        of(parts.pqc).generate(parts.pqc),
        of(parts.classical).generate(parts.classical),
      ]);
      try {
        const material = joinCompositeMaterial(row, { pqc: pqc.material, classical: classical.material });
        return { row, material, publicKey: concatBytes(pqc.publicKey, classical.publicKey) };
      } finally {
        wipe(pqc.material);
        wipe(classical.material);
      }
    },
    async derive(row, material): Promise<Bytes> {
      const parts = splitCompositeMaterial(row, material);
      try {
        const [pqc, classical] = await Promise.all([complete(parts.pqc), complete(parts.classical)]);
        return concatBytes(pqc.publicKey, classical.publicKey);
      } finally {
        wipe(parts.pqc.material);
        wipe(parts.classical.material);
      }
    },
    async signer({ row, material }, scheme, { context } = {}) {
      const parts = splitCompositeMaterial(row, material);
      const schemes = partSchemes(scheme);
      const [pqc, classical] = await Promise.all([complete(parts.pqc), complete(parts.classical)]);
      const both = {
        pqc: await of(pqc.row).signer!(pqc, schemes.pqc, { context: labelOf(scheme) }),
        classical: await of(classical.row).signer!(classical, schemes.classical),
      };
      return wiping(signWithBoth(scheme, both, context), pqc.material, classical.material);
    },
  };
}
