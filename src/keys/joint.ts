import { findSchemeRow, type KeyRow, partsOf, type SchemeRow } from "../alg/find.ts";
import type { CompositeFacts } from "../alg/registry.ts";
import { type Bytes, concatBytes } from "../bytes.ts";
import { InputError, withArticle } from "../errors.ts";
import type { SignFunction } from "./back_end_types.ts";
import { prehash } from "./digest.ts";
import { describeSpki, encodeSpki } from "./spki.ts";

/**
 * Two keys as one: composite ML-DSA (draft-ietf-lamps-pq-composite-sigs-19). Keys and signatures are the parts side by
 * side, ML-DSA first, whose length is fixed.
 */

/** The ML-DSA part and the classical one of something. */
export interface Halves<T> {
  readonly pqc: T;
  readonly classical: T;
}

/** ASCII "CompositeAlgorithmSignatures2025", which begins everything that is signed (section 2.2). */
const PREFIX = new TextEncoder().encode("CompositeAlgorithmSignatures2025");

/** The label of a composite scheme: part of what is signed, and the context of its ML-DSA signature. */
export function labelOf(scheme: SchemeRow): Bytes {
  return new TextEncoder().encode(factsOf(scheme).label);
}

/** What both parts sign in place of `message`: prefix, label, application context with its length, hash of the message. */
export async function compositeMessage(
  scheme: SchemeRow,
  message: Bytes,
  context: Uint8Array = new Uint8Array(),
): Promise<Bytes> {
  const hash = await prehash(factsOf(scheme).prehash, message);
  return concatBytes(PREFIX, labelOf(scheme), Uint8Array.of(context.length), context, hash);
}

/** Schemes with which the two parts of a composite scheme sign. */
export function partSchemes(scheme: SchemeRow): Halves<SchemeRow> {
  const { pqc, classical } = factsOf(scheme);
  return { pqc: findSchemeRow(pqc), classical: findSchemeRow(classical) };
}

/** Signs with both parts; the ML-DSA one has been prepared with the label as its context. */
export function signWithBoth(scheme: SchemeRow, parts: Halves<SignFunction>, context?: Uint8Array): SignFunction {
  async function sign(message: Bytes): Promise<Bytes> {
    const together = await compositeMessage(scheme, message, context);
    const [pqc, classical] = await Promise.all([parts.pqc(together), parts.classical(together)]);
    return concatBytes(pqc, classical);
  }
  return Object.assign(sign, {
    wipe() {
      parts.pqc.wipe?.();
      parts.classical.wipe?.();
    },
  });
}

/** Both signatures inside a composite one; undefined when it is too short for two. */
export function splitSignature(scheme: SchemeRow, signature: Bytes): Halves<Bytes> | undefined {
  const length = partSchemes(scheme).pqc.signatureBytes!;
  return signature.length > length
    ? { pqc: signature.subarray(0, length), classical: signature.subarray(length) }
    : undefined;
}

/** SubjectPublicKeyInfo of a composite key from those of its parts. @throws {InputError} `composite.parts` when they are not. */
export function compositeSpki(row: KeyRow, pqcSpki: Uint8Array, classicalSpki: Uint8Array): Bytes {
  const wanted = mustHaveParts(row);
  const given = { pqc: describeSpki(pqcSpki), classical: describeSpki(classicalSpki) };
  for (const half of ["pqc", "classical"] as const) {
    if (given[half].row === wanted[half]) continue;
    throw new InputError(
      `Cannot make ${withArticle(row.label)} key: its part is to be ${wanted[half].label}, and is ${
        given[half].description
      }`,
      { code: "composite.parts" },
    );
  }
  return encodeSpki(row, concatBytes(given.pqc.publicKey, given.classical.publicKey));
}

/**
 * SubjectPublicKeyInfos of both parts of a composite one.
 * @throws {InputError} `composite.parts` when it is of another kind; `der.invalid`, `key.invalid` when it is no key.
 */
export function splitCompositeSpki(spki: Uint8Array): Halves<Bytes> & { readonly row: KeyRow } {
  const { row, description, publicKey } = describeSpki(spki);
  if (!row?.parts) {
    throw new InputError(`Cannot take ${withArticle(description)} key apart: it is one key`, {
      code: "composite.parts",
    });
  }
  return { row, ...splitPublicKey(row, publicKey) };
}

/** As {@link splitCompositeSpki}, for the content of its BIT STRING. */
export function splitPublicKey(row: KeyRow, publicKey: Uint8Array): Halves<Bytes> {
  const { pqc, classical } = mustHaveParts(row);
  return {
    pqc: encodeSpki(pqc, publicKey.subarray(0, pqc.publicKeyBytes)),
    classical: encodeSpki(classical, publicKey.subarray(pqc.publicKeyBytes)),
  };
}

function mustHaveParts(row: KeyRow): Halves<KeyRow> {
  const parts = partsOf(row);
  if (!parts) throw new Error(`Row "${row.name}" is not composite`);
  return parts;
}

function factsOf(scheme: SchemeRow): CompositeFacts {
  if (!scheme.composite) throw new Error(`Scheme "${scheme.name}" is not composite`);
  return scheme.composite;
}
