import { type Bytes, concatBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { CborTag, type CborValue, decodeCbor, encodeCbor, type ReadOptions } from "./cbor.ts";
import { certificatesOf, type Headers, readHeaders, saysToken } from "./headers.ts";
import { MAJOR, writeBytes, writeHead } from "./head.ts";

/** COSE_Sign1 and COSE_Sign as structures (RFC 9052 section 4), with the tag of a CWT (RFC 8392 section 6). */

/** Which structure: one signature, or a list of signers. */
export type MessageKind = "sign1" | "sign";

const TAGS: Readonly<Record<MessageKind, number>> = { sign1: 18, sign: 98 };
const TITLES: Readonly<Record<MessageKind, string>> = { sign1: "COSE_Sign1", sign: "COSE_Sign" };
const CWT_TAG = 61;
const SELF_DESCRIBED_TAG = 55799;
/** Most signers of a message: each costs a verification. */
const MAX_SIGNERS = 32;

/** One signature and what it says of itself. In a COSE_Sign1 the headers are the message's. */
export interface SignerPart {
  readonly headers: Headers;
  readonly signature: Bytes;
}

/** A message. */
export interface CoseMessage {
  readonly kind: MessageKind;
  /** Whether it has its tag; without it the context must say what it is. */
  readonly tagged: boolean;
  /** Whether it is a CWT: by its tag, or by its headers. */
  readonly cwt: boolean;
  readonly headers: Headers;
  /** Undefined when it is detached. */
  readonly payload: Bytes | undefined;
  readonly signers: readonly SignerPart[];
}

/** The structure's name in RFC 9052. */
export function titleOf({ kind }: Pick<CoseMessage, "kind">): string {
  return TITLES[kind];
}

/**
 * Reads a message. The tags 61 (CWT) and 55799 (CBOR) may stand before its own; `expected` says what it is to be, and only
 * with it may the tag be missing.
 * @throws {InputError} `cose.tag`, `cose.structure`, `cose.untagged`, and what `readHeaders` and `decodeCbor` throw.
 */
export function parseMessage(
  bytes: Uint8Array,
  { expected, ...options }: ReadOptions & { readonly expected?: MessageKind } = {},
): CoseMessage {
  let value = decodeCbor(bytes, options);
  if (value instanceof CborTag && value.tag === SELF_DESCRIBED_TAG) value = value.value;
  const cwt = value instanceof CborTag && value.tag === CWT_TAG;
  if (value instanceof CborTag && cwt) value = value.value;
  const tag = value instanceof CborTag ? value.tag : undefined;
  const kind = (["sign1", "sign"] as const).find((one) => TAGS[one] === tag) ??
    (tag === undefined ? expected : undefined);
  if (tag !== undefined && !kind) throw wrongTag(`tag ${tag} is not that of a signed message (18 or 98)`);
  if (!kind || (cwt && tag === undefined)) {
    throw cwt ? wrongTag("tag 61 stands on a message without tag") : untagged(value);
  }
  if (expected && kind !== expected) throw wrongTag(`it is a ${TITLES[kind]}, and a ${TITLES[expected]} is expected`);
  const fields = value instanceof CborTag ? value.value : value;
  const read = readFields(kind, fields, options);
  return { tagged: tag !== undefined, ...read, cwt: cwt || saysToken(read.headers) };
}

function readFields(
  kind: MessageKind,
  fields: CborValue,
  options: ReadOptions,
): Pick<CoseMessage, "kind" | "headers" | "payload" | "signers"> {
  if (!Array.isArray(fields) || fields.length !== 4) throw structure(`a ${TITLES[kind]} is a list of 4`);
  const [bytes, unprotected, payload, last] = fields as readonly CborValue[];
  const headers = readHeaders(bytes, unprotected, options);
  if (payload !== null && !(payload instanceof Uint8Array)) throw structure("its payload is neither bytes nor nil");
  const content = payload === null ? undefined : payload as Bytes;
  if (kind === "sign1") {
    return { kind, headers, payload: content, signers: [{ headers, signature: signatureOf(last) }] };
  }
  if (!Array.isArray(last) || last.length === 0) throw structure("it has no signers");
  if (last.length > MAX_SIGNERS) throw structure(`it has ${last.length} signers, and ${MAX_SIGNERS} are the most`);
  const signers = last.map((signer: CborValue) => {
    if (!Array.isArray(signer) || signer.length !== 3) throw structure("a signer is a list of 3");
    return { headers: readHeaders(signer[0], signer[1], options), signature: signatureOf(signer[2]) };
  });
  return { kind, headers, payload: content, signers };
}

function signatureOf(value: CborValue): Bytes {
  if (value instanceof Uint8Array) return value as Bytes;
  throw structure("a signature is not bytes");
}

/** The bytes of a message with its tags, deterministic. */
export function encodeMessage({ kind, cwt, headers, payload, signers }: Omit<CoseMessage, "tagged">): Bytes {
  const parts = kind === "sign1" ? [writeBytes(signers[0]!.signature)] : [
    writeHead(MAJOR.ARRAY, signers.length),
    ...signers.flatMap(({ headers: own, signature }) => [
      writeHead(MAJOR.ARRAY, 3),
      writeBytes(own.bytes),
      encodeCbor(own.unprotected),
      writeBytes(signature),
    ]),
  ];
  return concatBytes(
    ...[...cwt ? [CWT_TAG] : [], TAGS[kind]].map((tag) => writeHead(MAJOR.TAG, tag)),
    writeHead(MAJOR.ARRAY, 4),
    writeBytes(headers.bytes),
    encodeCbor(headers.unprotected),
    ...payload === undefined ? [encodeCbor(null)] : [writeHead(MAJOR.BYTES, payload.length), payload],
    ...parts,
  );
}

/** Certificates that a signer brings along, DER, each bucket of its own and of the message; the chain comes first. */
export function broughtCertificates(message: CoseMessage, { headers }: SignerPart, label: number): Bytes[] {
  const buckets = headers === message.headers ? [headers] : [headers, message.headers];
  return buckets.flatMap((one) => certificatesOf(one.protected.get(label) ?? one.unprotected.get(label)));
}

function wrongTag(reason: string): InputError {
  return new InputError(`Cannot read the COSE message: ${reason}`, { code: "cose.tag" });
}

function structure(reason: string): InputError {
  return new InputError(`Cannot read the COSE message: ${reason}`, { code: "cose.structure" });
}

function untagged(value: CborValue): InputError {
  if (!Array.isArray(value) || value.length !== 4) return structure("it is neither a COSE_Sign1 nor a COSE_Sign");
  return new InputError("Cannot read the COSE message: it has no tag that says what it is", {
    code: "cose.untagged",
    hint: "Say what it is: --type sign1, or --type sign",
  });
}
