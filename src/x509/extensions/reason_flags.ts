import { type DerNode, readDer, readNamedBits, TAG } from "../../asn1/der.ts";
import { concatBytes } from "../../bytes.ts";

/** ReasonFlags (RFC 5280 section 4.2.1.13): bit positions, a numbering of its own beside CRLReason. */
const FLAGS: readonly string[] = [
  "unused",
  "keyCompromise",
  "cACompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
  "certificateHold",
  "privilegeWithdrawn",
  "aACompromise",
];

/** Names of the flags set in an implicitly tagged ReasonFlags. @throws {InputError} `der.invalid`. */
export function readReasonFlags(node: DerNode): string[] {
  const bitString = readDer(concatBytes(Uint8Array.of(TAG.BIT_STRING), node.raw.subarray(1)));
  return readNamedBits(bitString, "reasons").map((bit) => FLAGS[bit] ?? `bit ${bit}`);
}
