import {
  boolean,
  DerFields,
  type DerNode,
  expectSequence,
  octetString,
  oid,
  readBoolean,
  readOctetString,
  readOid,
  sequence,
  sequenceOf,
  TAG,
} from "../../asn1/der.ts";
import { oidName } from "../../asn1/oid.ts";
import type { Bytes } from "../../bytes.ts";
import { InputError } from "../../errors.ts";
import type { Extension } from "../types.ts";
import type { ExtensionReader } from "./codec.ts";

/** Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension (RFC 5280 section 4.1), of certificates, CRLs and requests. */

/** Most extensions read from one object. */
const MAX_EXTENSIONS = 200;

/** DER of one Extension; `critical FALSE` is the DEFAULT and left out. */
export function encodeExtension(extension: Extension): Bytes {
  const critical = extension.critical ? [boolean(true)] : [];
  return sequence(oid(extension.oid), ...critical, octetString(extension.value));
}

/** DER of Extensions. The list must not be empty: the field around it is left out then. */
export function encodeExtensionList(extensions: readonly Extension[]): Bytes {
  return sequenceOf(extensions.map(encodeExtension));
}

/**
 * Reads Extensions.
 * @throws {InputError} `der.invalid`, or `extension.invalid` for an empty list or an extension that is there twice.
 */
export function readExtensionList(node: DerNode, what = "Extensions"): Extension[] {
  const parts = expectSequence(node, what);
  if (parts.length === 0 || parts.length > MAX_EXTENSIONS) {
    throw listError(parts.length === 0 ? `${what} is empty` : `${what} has ${parts.length} entries`, node.offset);
  }
  const seen = new Set<string>();
  return parts.map((part) => {
    const extension = readExtension(part);
    if (seen.has(extension.oid)) {
      throw listError(`the extension ${oidName(extension.oid) ?? extension.oid} is there twice`, part.offset);
    }
    seen.add(extension.oid);
    return extension;
  });
}

function readExtension(node: DerNode): Extension {
  const fields = new DerFields(node, "Extension");
  const type = readOid(fields.next("extnID"), "extnID");
  // An explicit FALSE is not DER, but many issuers wrote it; it says what leaving it out says.
  const critical = fields.optional(TAG.BOOLEAN);
  const value = readOctetString(fields.next("extnValue"), "extnValue");
  fields.end();
  return { oid: type, critical: critical !== undefined && readBoolean(critical), value };
}

function listError(reason: string, offset: number): InputError {
  return new InputError(`Cannot read DER at offset ${offset}: ${reason}`, { code: "extension.invalid", offset });
}

/** The extension with an OID, or undefined. */
export function findExtension(extensions: readonly Extension[], dotted: string): Extension | undefined {
  return extensions.find((extension) => extension.oid === dotted);
}

/**
 * Decoded content of an extension, or undefined when it is absent.
 * @throws {InputError} when it is there and malformed.
 */
export function decodeFrom<T>(extensions: readonly Extension[], reader: ExtensionReader<T>): T | undefined {
  const extension = findExtension(extensions, reader.oid);
  return extension === undefined ? undefined : reader.decode(extension.value);
}
