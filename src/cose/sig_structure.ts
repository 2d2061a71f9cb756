import { type Bytes, concatBytes } from "../bytes.ts";
import { encodeCbor } from "./cbor.ts";
import { MAJOR, writeBytes, writeHead } from "./head.ts";
import { type Headers, signedBytes } from "./headers.ts";
import type { CoseMessage, SignerPart } from "./message.ts";
import type { Payload } from "./payload.ts";

/** Sig_structure (RFC 9052 section 4.4): what is signed. The payload comes last, so that it can be streamed. */

/** What a signature covers beside the payload. */
export interface Signed {
  /** The message's headers. */
  readonly body: Headers;
  /** The signer's own; absent in a COSE_Sign1. */
  readonly signer?: Headers;
  /** External additional authenticated data; none is the same as empty. */
  readonly aad?: Bytes | undefined;
}

/** Beginnings of the structure: the list, and the text that says what is signed. */
const WITH_SIGNER = concatBytes(writeHead(MAJOR.ARRAY, 5), encodeCbor("Signature"));
const ALONE = concatBytes(writeHead(MAJOR.ARRAY, 4), encodeCbor("Signature1"));
const NOTHING = new Uint8Array(0);

/** The bytes before the payload's own, its length included. */
export function sigPrefix({ body, signer, aad = NOTHING }: Signed, payloadLength: number): Bytes {
  return concatBytes(
    signer ? WITH_SIGNER : ALONE,
    writeBytes(signedBytes(body)),
    ...signer ? [writeBytes(signedBytes(signer))] : [],
    writeBytes(aad),
    writeHead(MAJOR.BYTES, payloadLength),
  );
}

/** What a part of a message covers. */
export function signedBy({ kind, headers }: CoseMessage, part: SignerPart, aad?: Bytes): Signed {
  return kind === "sign1" ? { body: headers, aad } : { body: headers, signer: part.headers, aad };
}

/** The whole structure piece by piece. */
export async function* sigPieces(prefix: Bytes, payload: Payload): AsyncGenerator<Uint8Array> {
  yield prefix;
  yield* payload.pieces();
}
