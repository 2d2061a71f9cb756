import { defaultScheme, type KeyRow } from "../alg/find.ts";
import type { Bytes } from "../bytes.ts";
import { plainBytes } from "../bytes.ts";
import { compositeSpki, type Halves, labelOf, partSchemes, signWithBoth } from "./joint.ts";
import type { Key, Signer, SignerOptions } from "./types.ts";
import { requireContext } from "./verify.ts";

export { compositeSpki, type Halves, splitCompositeSpki } from "./joint.ts";

/**
 * One Signer out of two keys, wherever they live: in files, in tokens, or one in each. Each part signs with its own
 * mechanisms; nothing but public keys and signatures leaves them.
 */

/**
 * Signer of a composite row over its two keys. `options.context` is the application's; certificates have none.
 * @throws {InputError} `composite.parts` when a key is not of the row's part, `context.invalid`.
 * @throws {TokenError} `mechanism.absent` when a token lacks the mechanism of its part's scheme.
 */
export function compositeSigner(row: KeyRow, keys: Halves<Key>, { context }: SignerOptions = {}): Signer {
  const scheme = defaultScheme(row);
  requireContext(scheme, context);
  const spki = compositeSpki(row, keys.pqc.spki, keys.classical.spki);
  const schemes = partSchemes(scheme);
  const signers = {
    pqc: keys.pqc.signer(schemes.pqc, { context: labelOf(scheme) }),
    classical: keys.classical.signer(schemes.classical),
  };
  const sign = signWithBoth(scheme, { pqc: bound(signers.pqc), classical: bound(signers.classical) }, context);
  return { algorithm: row, scheme, spki, sign: (message) => sign(plainBytes(message)) };
}

function bound(signer: Signer): (message: Bytes) => Promise<Bytes> {
  return (message) => signer.sign(message);
}
