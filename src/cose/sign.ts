import { type Bytes, concatBytes } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { digest } from "../keys/digest.ts";
import { verifyPieces } from "../keys/pieces.ts";
import type { Signer } from "../keys/types.ts";
import { verifyOwn } from "../keys/verify.ts";
import type { CoseScheme } from "./algorithm.ts";
import type { CborValue } from "./cbor.ts";
import { certificatesValue, CWT_CONTENT_FORMAT, type Headers, LABEL, makeHeaders } from "./headers.ts";
import { encodeMessage, type MessageKind, type SignerPart } from "./message.ts";
import type { Payload } from "./payload.ts";
import { type Signed, sigPieces, sigPrefix } from "./sig_structure.ts";
import { toCoseSignature } from "./signature.ts";

/** Making signed messages: one way for every algorithm and every place of a key. */

/** Who signs, and what the message says about it. */
export interface CoseSigner extends Pick<CoseScheme, "algorithm"> {
  readonly signer: Signer;
  /** Key identifier, unprotected. */
  readonly kid?: Bytes;
  /** DER; its SHA-256 goes into the protected headers (x5t). */
  readonly certificate?: Bytes;
  /** DER, the signer's own first; brought along where there are any (x5chain). */
  readonly chain?: readonly Bytes[];
  /** Made beforehand by {@link prepareSigner}, for many messages. */
  readonly prepared?: PreparedHeaders;
}

/** A signer's headers in a COSE_Sign or a message without further ones, and in a COSE_Sign1 that is a token. */
export interface PreparedHeaders {
  readonly plain: Headers;
  readonly token: Headers;
}

/** A message to be made. */
export interface SignRequest {
  readonly kind: MessageKind;
  readonly payload: Payload;
  /** The payload stays outside. */
  readonly detached?: boolean;
  /** Puts the tag of a CWT in front. */
  readonly cwt?: boolean;
  readonly contentType?: string | number;
  readonly aad?: Bytes;
  /** One for a COSE_Sign1. */
  readonly signers: readonly CoseSigner[];
}

/** typ: the tag of a CWT stands outside of what is signed, and whoever takes it away must not turn claims into data. */
const TOKEN: readonly (readonly [CborValue, CborValue])[] = [[LABEL.TYP, CWT_CONTENT_FORMAT]];

/** SHA-256 in the COSE registry (RFC 9054). */
const SHA_256 = -16;

/**
 * Signs and returns the message's bytes. Every signature is verified before.
 * @throws {InputError} `cose.whole_message` when the payload is not in memory and a signer needs it whole.
 * @throws {OperationError} `cose.unverified` when a signature is not good; {TokenError} when a token fails.
 */
export async function signMessage(request: SignRequest): Promise<Bytes> {
  const { kind, payload, signers, contentType, cwt = false } = request;
  const general = new Map<CborValue, CborValue>(cwt ? TOKEN : []);
  if (contentType !== undefined) general.set(LABEL.CONTENT_TYPE, contentType);
  const which = contentType !== undefined ? undefined : cwt && kind === "sign1" ? "token" : "plain";
  const own = await Promise.all(signers.map((signer) => {
    const prepared = which && signer.prepared?.[which];
    return prepared ?? signerHeaders(signer, kind === "sign1" ? general : undefined);
  }));
  const headers = kind === "sign1" ? own[0]! : makeHeaders(general);
  const parts = await Promise.all(signers.map(async (signer, i): Promise<SignerPart> => {
    const covers = { body: headers, aad: request.aad, ...(kind === "sign1" ? {} : { signer: own[i]! }) };
    return { headers: own[i]!, signature: await signPart(signer, covers, payload) };
  }));
  const content = request.detached ? undefined : payload.bytes;
  if (!request.detached && !content) throw new Error("A payload that is not in memory cannot be embedded");
  return encodeMessage({ kind, cwt, headers, payload: content, signers: parts });
}

/** A signer whose headers need not be made for each message. */
export async function prepareSigner(signer: CoseSigner): Promise<CoseSigner> {
  const [plain, token] = await Promise.all([signerHeaders(signer), signerHeaders(signer, new Map(TOKEN))]);
  return { ...signer, prepared: { plain, token } };
}

/** What a signer says about itself, and with `more` about the message. */
async function signerHeaders(
  { algorithm, kid, certificate, chain = [] }: CoseSigner,
  more: ReadonlyMap<CborValue, CborValue> = new Map(),
): Promise<Headers> {
  const signed = new Map<CborValue, CborValue>([[LABEL.ALG, algorithm.id], ...more]);
  if (certificate) signed.set(LABEL.X5T, [SHA_256, await digest("SHA-256", certificate)]);
  const unsigned = new Map<CborValue, CborValue>();
  if (kid) unsigned.set(LABEL.KID, kid);
  if (chain.length > 0) unsigned.set(LABEL.X5CHAIN, certificatesValue(chain));
  return makeHeaders(signed, unsigned);
}

async function signPart({ signer }: CoseSigner, covers: Signed, payload: Payload): Promise<Bytes> {
  const prefix = sigPrefix(covers, payload.length);
  const { algorithm: row, scheme, spki } = signer;
  let signature: Bytes;
  let good: boolean;
  if (payload.bytes) {
    const message = concatBytes(prefix, payload.bytes);
    signature = await signer.sign(message);
    good = await verifyOwn(signer, message, signature);
  } else {
    if (!signer.signPieces) throw needsWhole(signer, payload);
    signature = await signer.signPieces(sigPieces(prefix, payload));
    good = await verifyPieces({ spki, scheme, pieces: sigPieces(prefix, payload), signature });
  }
  if (good) return toCoseSignature(row, signature);
  throw new OperationError(`Cannot sign the COSE message: the ${scheme.label} signature does not verify`, {
    code: "cose.unverified",
    hint: "The payload changed meanwhile, or the key or its token is faulty; nothing was written",
  });
}

function needsWhole({ algorithm, scheme }: Signer, { length }: Payload): InputError {
  const reason = scheme.hash === null
    ? `${scheme.label} signs the message itself and not its hash, and this key takes it only as a whole`
    : "this key takes the message only as a whole";
  return new InputError(`Cannot sign ${length} bytes with a key of type ${algorithm.label}: ${reason}`, {
    code: "cose.whole_message",
    hint: "Large files are signed by ECDSA and RSA keys, and by ML-DSA keys in files; or sign the file's hash",
  });
}
