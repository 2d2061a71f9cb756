import type { CheckedSignature } from "../x509/verdict.ts";

/** Lines that say which signatures were checked and are good. */
export function signaturesText(signatures: readonly CheckedSignature[]): string[] {
  return signatures.map((signature) => `  ${signature.subject || "(empty name)"}: ${signatureText(signature)}`);
}

/** The schemes of one signature, or of two. */
export function signatureText({ scheme, alternative }: Omit<CheckedSignature, "subject">): string {
  return alternative === undefined ? scheme : `${scheme} and ${alternative ?? "no alternative signature"}`;
}
