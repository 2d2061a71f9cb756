import { schemeRows } from "../alg/find.ts";
import { isQuantumSafe } from "../alg/quantum.ts";
import type { CheckedSignature } from "../x509/verdict.ts";

/**
 * Lines that say which signatures were checked and are good. Where all of them are single classical ones that is no news,
 * and there are none.
 */
export function signaturesText(signatures: readonly CheckedSignature[]): string[] {
  if (!signatures.some(isNews)) return [];
  return signatures.map((signature) => `  ${signature.subject || "(empty name)"}: ${signatureText(signature)}`);
}

/** The schemes of one signature, or of two. */
export function signatureText({ scheme, alternative }: Omit<CheckedSignature, "subject">): string {
  return alternative === undefined ? scheme : `${scheme} and ${alternative ?? "no alternative signature"}`;
}

function isNews({ scheme, alternative }: CheckedSignature): boolean {
  return alternative !== undefined || schemeRows().some((row) => row.label === scheme && isQuantumSafe(row));
}
