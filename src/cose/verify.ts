import type { SchemeRow } from "../alg/find.ts";
import type { CoseAlgorithm } from "../alg/registry.ts";
import { type Bytes, concatBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { verifiesPieces, verifyPieces } from "../keys/pieces.ts";
import { describeSpki } from "../keys/spki.ts";
import { verifySignature } from "../keys/verify.ts";
import { matchAlgorithm } from "./algorithm.ts";
import { header, LABEL } from "./headers.ts";
import type { CoseMessage, SignerPart } from "./message.ts";
import { bytesPayload, type Payload } from "./payload.ts";
import { signedBy, sigPieces, sigPrefix } from "./sig_structure.ts";
import { fromCoseSignature } from "./signature.ts";

/** What one signature is checked with. */
export interface SignatureCheck {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Bytes;
  readonly payload: Payload;
  readonly aad?: Bytes | undefined;
  /** Takes an `alg` that is not protected, which whoever relays the message can change. */
  readonly allowUnprotectedAlgorithm?: boolean;
}

/** Answer about one signature with one key. */
export interface SignatureAnswer {
  readonly valid: boolean;
  /** Why not: a stable name, and words. */
  readonly code?: string;
  readonly reason?: string;
  readonly algorithm?: CoseAlgorithm;
  readonly scheme?: SchemeRow;
  /** Whether hash and curve are of the usual pair; true where there is none to make. */
  readonly paired?: boolean;
}

/**
 * Whether a signature of a message is good with a key. A bad one is an answer, never an error.
 * @throws {InputError} `der.invalid`, `key.invalid`, `algorithm.unsupported` for what is no key that is known here;
 * `cose.whole_message` when the payload is not in memory and the key's kind needs it whole.
 */
export async function checkSignature(
  message: CoseMessage,
  part: SignerPart,
  check: SignatureCheck,
): Promise<SignatureAnswer> {
  const { row, description } = describeSpki(check.spki);
  if (!row) {
    throw new InputError(`Cannot verify with a key of type ${description}: not supported`, {
      code: "algorithm.unsupported",
    });
  }
  const isProtected = part.headers.protected.has(LABEL.ALG);
  const alg = header(part.headers, LABEL.ALG);
  if (alg === undefined) return no("cose.algorithm_missing", "it names no algorithm");
  if (!isProtected && !check.allowUnprotectedAlgorithm) {
    return no("cose.algorithm_unprotected", "its algorithm is not among the protected headers");
  }
  const match = matchAlgorithm(alg, row);
  if ("reason" in match) return no(match.code, match.reason);
  const { scheme, algorithm, paired } = match;
  const facts = { scheme, algorithm, paired };
  const invalid = { valid: false, code: "cose.signature_invalid", reason: "the signature does not verify", ...facts };
  const signature = fromCoseSignature(row, part.signature);
  if (!signature) return invalid;
  const { spki, payload } = check;
  const prefix = sigPrefix(signedBy(message, part, check.aad), payload.length);
  if (!payload.bytes && !verifiesPieces(row)) throw needsWhole(scheme, payload);
  const good = payload.bytes
    ? await verifySignature({ spki, scheme, message: concatBytes(prefix, payload.bytes), signature })
    : await verifyPieces({ spki, scheme, pieces: sigPieces(prefix, payload), signature });
  return good ? { valid: true, ...facts } : invalid;
}

function no(code: string, reason: string): SignatureAnswer {
  return { valid: false, code, reason };
}

function needsWhole(scheme: SchemeRow, { length }: Payload): InputError {
  return new InputError(`Cannot verify ${length} bytes signed with ${scheme.label}: it needs them as a whole`, {
    code: "cose.whole_message",
  });
}

/**
 * The payload that signatures of a message cover: its own, or the content given for a detached one.
 * @throws {InputError} `cose.detached` when there is neither.
 */
export function payloadOf({ payload }: CoseMessage, content?: Payload): Payload {
  if (payload !== undefined) return bytesPayload(payload);
  if (content) return content;
  throw new InputError("Cannot verify the COSE message: its payload is detached, and no content is given", {
    code: "cose.detached",
    hint: "Name the file that was signed with --data",
  });
}

/** Whether content that is given is the payload, wherever that one is. */
export async function isContent({ payload }: CoseMessage, content: Payload): Promise<boolean> {
  if (payload === undefined) return true;
  if (payload.length !== content.length) return false;
  let at = 0;
  for await (const piece of content.pieces()) {
    for (const octet of piece) if (payload[at++] !== octet) return false;
  }
  return at === payload.length;
}
