import {
  derError,
  type DerNode,
  expectExplicit,
  readBitOctets,
  readDer,
  readSmallInteger,
  readTime,
} from "../asn1/der.ts";
import { type Bytes, equalBytes, plainBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { type CrlEntries, readEntries, shifted } from "./crl_entries.ts";
import { DerScan } from "./der_scan.ts";
import { crlNumber } from "./extensions/crl_extensions.ts";
import { decodeFrom, readExtensionList } from "./extensions/list.ts";
import { readName } from "./name_codec.ts";
import { checkAlgorithm, parsing } from "./structure.ts";
import type { Crl } from "./types.ts";

/** Largest CRL read: several million entries. */
const MAX_CRL_BYTES = 512 * 1024 * 1024;

const INTEGER = 0x02;
const SEQUENCE = 0x30;

/** Fields of one SEQUENCE in turn, over a scan: small ones become nodes, the list of entries does not. */
class CrlFields {
  readonly #scan: DerScan;
  readonly #bytes: Bytes;
  readonly #limit: number;
  #at: number;

  constructor(bytes: Bytes, start: number, limit: number, what: string) {
    this.#bytes = bytes;
    this.#scan = new DerScan(bytes);
    this.#scan.expect(SEQUENCE, start, limit, what);
    this.#at = this.#scan.content;
    this.#limit = this.#scan.end;
  }

  get end(): number {
    return this.#limit;
  }

  get at(): number {
    return this.#at;
  }

  /** Identifier octet of the next field; undefined at the end. */
  get tag(): number | undefined {
    return this.#at < this.#limit ? this.#bytes[this.#at] : undefined;
  }

  /** Extent of the next field, which is taken. */
  skip(what: string): { start: number; content: number; end: number } {
    if (this.#at >= this.#limit) throw derError(`${what} is missing`, this.#at);
    this.#scan.enter(this.#at, this.#limit);
    const { start, content, end } = this.#scan;
    this.#at = end;
    return { start, content, end };
  }

  /** Reads the next field as a node; offsets in errors count from the beginning of the CRL. */
  read<T>(what: string, read: (node: DerNode) => T): T {
    const { start, end } = this.skip(what);
    return shifted(start, () => read(readDer(this.#bytes.subarray(start, end))));
  }

  done(what: string): void {
    if (this.#at < this.#limit) throw derError(`${what} has an unexpected field`, this.#at);
  }
}

/**
 * Reads one CRL (RFC 5280 section 5.1), DER, in linear time.
 * @throws {InputError} `crl.invalid`, with the byte offset where there is one.
 */
export function parseCrl(bytes: Uint8Array): Crl {
  return parsing("a CRL", "crl.invalid", () => {
    if (bytes.length > MAX_CRL_BYTES) {
      throw new InputError(`Cannot read a CRL: ${bytes.length} bytes are more than ${MAX_CRL_BYTES}`);
    }
    const der = plainBytes(bytes);
    const outer = new CrlFields(der, 0, der.length, "CertificateList");
    if (outer.end < der.length) throw derError("bytes follow the end of the CRL", outer.end);
    const tbs = outer.skip("tbsCertList");
    const signatureAlgorithm = outer.read("signatureAlgorithm", (n) => checkAlgorithm(n, "signatureAlgorithm"));
    const signature = outer.read("signatureValue", (n) => readBitOctets(n, "signatureValue"));
    outer.done("CertificateList");
    const { inner, ...fields } = readTbs(der, tbs.start, tbs.end);
    if (!equalBytes(inner, signatureAlgorithm)) {
      throw derError("signatureAlgorithm differs inside and outside tbsCertList", tbs.start);
    }
    return { der, tbs: der.subarray(tbs.start, tbs.end), signatureAlgorithm, signature, ...fields };
  });
}

function readTbs(der: Bytes, start: number, end: number) {
  const fields = new CrlFields(der, start, end, "tbsCertList");
  const version = fields.tag === INTEGER ? fields.read("version", readVersion) : 1;
  const inner = fields.read("signature", (n) => checkAlgorithm(n, "signature"));
  const issuer = fields.read("issuer", (n) => (readName(n, "issuer"), n.raw));
  const thisUpdate = fields.read("thisUpdate", (n) => readTime(n, "thisUpdate"));
  const hasNext = fields.tag === 0x17 || fields.tag === 0x18;
  const nextUpdate = hasNext ? fields.read("nextUpdate", (n) => readTime(n, "nextUpdate")) : undefined;
  const entries = readList(der, fields);
  const extensions = fields.tag === 0xa0
    ? fields.read("crlExtensions", (n) => readExtensionList(expectExplicit(n, 0, "crlExtensions"), "crlExtensions"))
    : [];
  fields.done("tbsCertList");
  if (extensions.length > 0 && version !== 2) throw derError("a version 1 CRL has extensions", start);
  const number = decodeFrom(extensions, crlNumber);
  return {
    inner,
    issuer,
    thisUpdate,
    ...(nextUpdate ? { nextUpdate } : {}),
    ...(number === undefined ? {} : { number }),
    ...(entries.unsupportedExtension === undefined ? {} : { unsupportedEntryExtension: entries.unsupportedExtension }),
    revoked: entries.revoked,
    extensions,
  };
}

/** v2 is the only version that is written. */
function readVersion(node: DerNode): number {
  const version = readSmallInteger(node, "version", { max: 255 }) + 1;
  if (version !== 2) throw derError(`version ${version} is not known or not written so`, node.offset);
  return version;
}

/** An empty list, which should have been left out, is read as none. */
function readList(der: Bytes, fields: CrlFields): CrlEntries {
  if (fields.tag !== SEQUENCE) return { revoked: [] };
  const { content, end } = fields.skip("revokedCertificates");
  return readEntries(der, content, end);
}
