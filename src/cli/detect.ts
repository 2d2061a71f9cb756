import { type DerNode, readDer, readSmallInteger, TAG } from "../asn1/der.ts";
import { type Bytes, decodePem, looksLikePem, type PemBlock, plainBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { describeCose } from "./detect_cose.ts";

/** What an object is, by its structure. */
export type ObjectType =
  | "certificate"
  | "csr"
  | "crl"
  | "public_key"
  | "rsa_public_key"
  | "private_key"
  | "encrypted_private_key"
  | "ec_private_key"
  | "rsa_private_key"
  | "pkcs12"
  | "cms"
  | "ocsp_response"
  | "cose";

/** One object found in a file. */
export interface DetectedObject {
  readonly type: ObjectType;
  readonly encoding: "pem" | "der" | "cbor";
  /** Label of the PEM block. */
  readonly label?: string;
  /** Legacy encryption (RFC 1421 headers): the content is not readable without the passphrase. */
  readonly legacyEncryption?: string;
  readonly bytes: Bytes;
  /** More in words where the type alone says too little, for example `COSE_Sign1 in a CWT`. */
  readonly note?: string;
}

/** Name of a type for people. */
export const TYPE_TITLES: Readonly<Record<ObjectType, string>> = Object.freeze({
  certificate: "X.509 certificate",
  csr: "Certificate signing request (PKCS #10)",
  crl: "Certificate revocation list",
  public_key: "Public key (SubjectPublicKeyInfo)",
  rsa_public_key: "RSA public key (PKCS #1)",
  private_key: "Private key (PKCS #8)",
  encrypted_private_key: "Encrypted private key (PKCS #8)",
  ec_private_key: "EC private key (SEC 1)",
  rsa_private_key: "RSA private key (PKCS #1)",
  pkcs12: "PKCS #12 file",
  cms: "CMS message (PKCS #7)",
  ocsp_response: "OCSP response",
  cose: "COSE message",
});

/** Labels of RFC 7468 and the older spellings, with what must be inside. */
const LABELS: Readonly<Record<string, ObjectType>> = {
  "CERTIFICATE": "certificate",
  "X509 CERTIFICATE": "certificate",
  "CERTIFICATE REQUEST": "csr",
  "NEW CERTIFICATE REQUEST": "csr",
  "X509 CRL": "crl",
  "PUBLIC KEY": "public_key",
  "RSA PUBLIC KEY": "rsa_public_key",
  "PRIVATE KEY": "private_key",
  "ENCRYPTED PRIVATE KEY": "encrypted_private_key",
  "EC PRIVATE KEY": "ec_private_key",
  "RSA PRIVATE KEY": "rsa_private_key",
  "CMS": "cms",
  "PKCS7": "cms",
};

/**
 * Shapes of the outermost SEQUENCE and of its first element, one letter an element: S SEQUENCE, I INTEGER, B BIT STRING,
 * O OCTET STRING, D OBJECT IDENTIFIER, T a time, E ENUMERATED, a digit for a context tag, ? for the rest.
 */
const SHAPES: readonly { type: ObjectType; outer: RegExp; first?: RegExp }[] = [
  { type: "certificate", outer: /^SSB$/, first: /^0?ISSSSS[123]*$/ },
  { type: "csr", outer: /^SSB$/, first: /^ISS0?$/ },
  { type: "crl", outer: /^SSB$/, first: /^I?SST{1,2}S?0?$/ },
  { type: "public_key", outer: /^SB$/, first: /^D/ },
  { type: "private_key", outer: /^ISO0?1?$/ },
  { type: "encrypted_private_key", outer: /^SO$/, first: /^D/ },
  { type: "ec_private_key", outer: /^IO0?1?$/ },
  { type: "rsa_private_key", outer: /^I{9}S?$/ },
  { type: "rsa_public_key", outer: /^II$/ },
  { type: "pkcs12", outer: /^ISS?$/ },
  { type: "cms", outer: /^D0$/ },
  { type: "ocsp_response", outer: /^E0?$/ },
];

/** Elements that a shape looks at: more than any of the structures has. */
const MAX_SHAPE = 16;

/**
 * Every object in `input`: one for DER or CBOR, one a block for PEM.
 * @throws {InputError} `inspect.unknown` when it is none of the known kinds, `inspect.mismatch` when a PEM label and its
 * content disagree, and what the readers of DER and PEM throw.
 */
export function detectObjects(input: Uint8Array): DetectedObject[] {
  const bytes = plainBytes(input);
  if (bytes.length === 0) throw unknown("it is empty");
  // what it signs may well be PEM
  const cose = describeCose(bytes);
  if (cose !== undefined) return [{ type: "cose", encoding: "cbor", bytes, note: cose }];
  if (!spansSequence(bytes) && looksLikePem(bytes)) return detectPem(bytes);
  if (bytes[0] !== 0x30) throw unknown("it is neither PEM nor DER nor COSE");
  return [{ encoding: "der", bytes, type: detectDer(bytes) }];
}

/**
 * What a DER structure is.
 * @throws {InputError} `inspect.unknown`, or `der.invalid` when it is not DER.
 */
export function detectDer(bytes: Bytes): ObjectType {
  const lenient = detectIndefinite(bytes);
  if (lenient) return lenient;
  const root = readDer(bytes);
  const outer = shape(root);
  const first = root.children[0] ? shape(root.children[0]) : "";
  const found = SHAPES.find((row) => row.outer.test(outer) && (row.first?.test(first) ?? true));
  if (!found || (found.type === "pkcs12" && !isPkcs12(root))) {
    throw unknown("its DER structure is of no kind known here");
  }
  return found.type;
}

function detectPem(bytes: Bytes): DetectedObject[] {
  const blocks = decodePem(new TextDecoder().decode(bytes));
  return blocks.map((block, i) => {
    try {
      return detectBlock(block);
    } catch (cause) {
      if (!(cause instanceof InputError) || blocks.length === 1) throw cause;
      throw new InputError(`PEM block ${i + 1} of ${blocks.length} ("${block.label}"): ${cause.message}`, {
        code: cause.code,
        ...(cause.hint === undefined ? {} : { hint: cause.hint }),
        cause,
      });
    }
  });
}

function detectBlock(block: PemBlock): DetectedObject {
  const { label, bytes } = block;
  const stated = LABELS[label];
  const encryption = block.headers.find((line) => /^DEK-Info:/i.test(line));
  if (encryption !== undefined && stated?.endsWith("private_key")) {
    const cipher = encryption.replace(/^DEK-Info:\s*/i, "").replace(/,.*$/, "").trim();
    return { type: stated, encoding: "pem", label, bytes, legacyEncryption: cipher };
  }
  const type = detectDer(bytes);
  if (stated !== undefined && type !== stated) {
    throw new InputError(
      `Cannot inspect the PEM block "${label}": its content is of another kind (${TYPE_TITLES[type]})`,
      { code: "inspect.mismatch" },
    );
  }
  return { type, encoding: "pem", label, bytes };
}

/** Whether the first octets read as a SEQUENCE header and not as text that happens to begin with the digit 0. */
function spansSequence(bytes: Bytes): boolean {
  const length = bytes[1] ?? 0;
  return bytes[0] === 0x30 && (length >= 0x80 || length + 2 === bytes.length);
}

/** CMS and PKCS #12 are often written with indefinite lengths, which is BER and no DER: told by their first octets. */
function detectIndefinite(bytes: Bytes): ObjectType | undefined {
  if (bytes[1] !== 0x80) return undefined;
  const head = bytes.subarray(2, 12).toHex();
  if (head.startsWith("06092a864886f70d0107")) return "cms";
  return /^02010330(80|8[1-4])/.test(head) ? "pkcs12" : undefined;
}

function isPkcs12(root: DerNode): boolean {
  const [version, content] = root.children;
  return readSmallInteger(version, "version", { max: 255 }) === 3 && content !== undefined && shape(content) === "D0";
}

function shape(node: DerNode): string {
  return node.is(TAG.SEQUENCE) ? node.children.slice(0, MAX_SHAPE).map(letter).join("") : "";
}

const LETTERS: Readonly<Record<number, string>> = {
  [TAG.SEQUENCE]: "S",
  [TAG.INTEGER]: "I",
  [TAG.BIT_STRING]: "B",
  [TAG.OCTET_STRING]: "O",
  [TAG.OID]: "D",
  [TAG.ENUMERATED]: "E",
  [TAG.UTC_TIME]: "T",
  [TAG.GENERALIZED_TIME]: "T",
};

function letter(node: DerNode): string {
  if (node.tagClass === "context" && node.tag < 10) return String(node.tag);
  return node.tagClass === "universal" ? LETTERS[node.tag] ?? "?" : "?";
}

function unknown(reason: string): InputError {
  return new InputError(`Cannot recognise any object: ${reason}`, {
    code: "inspect.unknown",
    hint: "Known are certificates, requests, CRLs, keys, CMS, PKCS #12 and COSE messages, in PEM or DER (COSE: CBOR)",
  });
}
