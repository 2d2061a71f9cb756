import { type DerNode, readDer, TAG } from "../asn1/der.ts";
import { type Bytes, decodePem, looksLikePem, type PemBlock, plainBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { CONVERT_HINT } from "./pbes2.ts";

/** Kinds of private key files. */
export type KeyFormat = "PKCS#8" | "encrypted PKCS#8" | "SEC1" | "PKCS#1";

/** A private key found in a file, still encoded. */
export interface KeyContainer {
  readonly format: KeyFormat;
  readonly encoding: "PEM" | "DER";
  readonly der: Bytes;
}

/** PEM labels that hold a private key (RFC 7468 sections 10 and 11, RFC 5915 section 4, RFC 8017). */
const LABELS: Readonly<Record<string, KeyFormat>> = {
  "PRIVATE KEY": "PKCS#8",
  "ENCRYPTED PRIVATE KEY": "encrypted PKCS#8",
  "EC PRIVATE KEY": "SEC1",
  "RSA PRIVATE KEY": "PKCS#1",
};

/** PEM labels of private keys in formats that are not read, with what to do. */
const FOREIGN_LABELS: Readonly<Record<string, string>> = {
  "OPENSSH PRIVATE KEY": "Convert a copy with: ssh-keygen -p -m PKCS8 -f FILE",
  "DSA PRIVATE KEY": "DSA keys are not supported",
};

/**
 * The one private key of a file, PEM (other blocks such as certificates are passed over) or DER.
 * @throws {InputError} `key.none`, `key.ambiguous`, `key.format_unsupported`, `key.legacy_encryption`, `pem.*`, `der.invalid`.
 */
export function findPrivateKey(file: Uint8Array): KeyContainer {
  return looksLikePem(file) ? fromPem(file) : fromDer(plainBytes(file));
}

/** Whether the bytes may hold a private key; cheap, and without false negatives. */
export function mayHoldPrivateKey(file: Uint8Array): boolean {
  if (!looksLikePem(file)) return file[0] === 0x30;
  return /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(new TextDecoder("latin1").decode(file));
}

function fromPem(file: Uint8Array): KeyContainer {
  const blocks = decodePem(new TextDecoder("latin1").decode(file));
  const foreign = blocks.find((block) => FOREIGN_LABELS[block.label] !== undefined);
  if (foreign) {
    throw new InputError(`Cannot read the private key: format "${foreign.label}" is not supported`, {
      code: "key.format_unsupported",
      hint: FOREIGN_LABELS[foreign.label]!,
    });
  }
  const keys = blocks.filter((block) => LABELS[block.label] !== undefined);
  const [key] = keys;
  if (!key) throw none(blocks.map((block) => `"${block.label}"`).join(", ") || "nothing that is PEM");
  if (keys.length > 1) {
    throw new InputError(`Cannot read the private key: the file holds ${keys.length} of them`, {
      code: "key.ambiguous",
    });
  }
  refuseLegacyEncryption(key);
  return { format: LABELS[key.label]!, encoding: "PEM", der: key.bytes };
}

/** The RFC 1421 form derives its key by one pass of MD5: weaker than no encryption, because it looks like some. */
function refuseLegacyEncryption(block: PemBlock): void {
  if (!block.headers.some((header) => /^(Proc-Type:.*ENCRYPTED|DEK-Info:)/.test(header))) return;
  throw new InputError("Cannot read the private key: it is encrypted in the legacy PEM form (Proc-Type: 4,ENCRYPTED)", {
    code: "key.legacy_encryption",
    hint: CONVERT_HINT,
  });
}

function fromDer(file: Bytes): KeyContainer {
  const root = readDer(file);
  const format = root.is(TAG.SEQUENCE) ? formatOf(root.children) : undefined;
  if (!format) throw none("DER of another kind");
  return { format, encoding: "DER", der: file };
}

/** Tells the four structures apart by the types of their first fields. */
function formatOf([first, second, third]: readonly DerNode[]): KeyFormat | undefined {
  if (first?.is(TAG.SEQUENCE)) return second?.is(TAG.OCTET_STRING) && !third ? "encrypted PKCS#8" : undefined;
  if (!first?.is(TAG.INTEGER)) return undefined;
  if (second?.is(TAG.SEQUENCE) && third?.is(TAG.OCTET_STRING)) return "PKCS#8";
  if (second?.is(TAG.OCTET_STRING)) return "SEC1";
  return second?.is(TAG.INTEGER) && third?.is(TAG.INTEGER) ? "PKCS#1" : undefined;
}

function none(found: string): InputError {
  return new InputError(`Cannot read the private key: the file holds ${found}`, { code: "key.none" });
}
