import {
  DerFields,
  type DerNode,
  expectSequence,
  ia5String,
  oid,
  readOid,
  readString,
  sequence,
  sequenceOf,
  TAG,
  utf8String,
} from "../../asn1/der.ts";
import { OID_CE_CERTIFICATE_POLICIES, OID_QT_CPS, OID_QT_UNOTICE, oidName } from "../../asn1/oid.ts";
import { type Bytes, encodeHex } from "../../bytes.ts";
import { type ExtensionCodec, extensionError, nonEmpty, readContent } from "./codec.ts";
import { printable } from "./general_name.ts";
import { absoluteUri } from "./host_names.ts";

/** A policy to write. */
export interface WrittenPolicy {
  readonly oid: string;
  /** URI of the certification practice statement. */
  readonly cps?: string;
  /** explicitText of a user notice, at most 200 characters. */
  readonly userNotice?: string;
}

/** A policy as it was read. */
export interface ReadPolicy {
  readonly oid: string;
  readonly qualifiers: readonly PolicyQualifier[];
}

/** One qualifier: its text where it is a CPS or has an explicit text, its DER otherwise. */
export interface PolicyQualifier {
  readonly oid: string;
  readonly text?: string;
  readonly der: Bytes;
}

/** Most characters of an explicitText (RFC 5280 section 4.2.1.4). */
const MAX_NOTICE = 200;

/** certificatePolicies, RFC 5280 section 4.2.1.4. */
export const certificatePolicies: ExtensionCodec<readonly ReadPolicy[], readonly WrittenPolicy[]> = {
  oid: OID_CE_CERTIFICATE_POLICIES,
  encode(policies) {
    if (policies.length === 0) throw extensionError("certificatePolicies", "it has no policy");
    return sequenceOf(policies.map(encodePolicy));
  },
  decode(der) {
    const parts = expectSequence(readContent(der), "certificatePolicies");
    return nonEmpty(parts, "certificatePolicies").map(readPolicy);
  },
  show(policies) {
    return { json: policies.map(policyJson), text: policies.flatMap(policyText) };
  },
};

function encodePolicy(policy: WrittenPolicy): Bytes {
  const qualifiers: Bytes[] = [];
  if (policy.cps !== undefined) qualifiers.push(sequence(oid(OID_QT_CPS), ia5String(absoluteUri(policy.cps))));
  if (policy.userNotice !== undefined) {
    const length = [...policy.userNotice].length;
    if (length < 1 || length > MAX_NOTICE) {
      throw extensionError("certificatePolicies", `a user notice has ${length} characters, not 1 to ${MAX_NOTICE}`);
    }
    qualifiers.push(sequence(oid(OID_QT_UNOTICE), sequence(utf8String(policy.userNotice))));
  }
  return sequence(oid(policy.oid), ...(qualifiers.length === 0 ? [] : [sequenceOf(qualifiers)]));
}

function readPolicy(node: DerNode): ReadPolicy {
  const fields = new DerFields(node, "PolicyInformation");
  const policy = readOid(fields.next("policyIdentifier"), "policyIdentifier");
  const qualifiers = fields.optional(TAG.SEQUENCE);
  fields.end();
  return { oid: policy, qualifiers: qualifiers?.children.map(readQualifier) ?? [] };
}

function readQualifier(node: DerNode): PolicyQualifier {
  const fields = new DerFields(node, "PolicyQualifierInfo");
  const type = readOid(fields.next("policyQualifierId"), "policyQualifierId");
  const value = fields.next("qualifier");
  fields.end();
  const text = qualifierText(type, value);
  return { oid: type, der: value.raw, ...(text === undefined ? {} : { text }) };
}

function qualifierText(type: string, value: DerNode): string | undefined {
  if (type === OID_QT_CPS) return readString(value, "cPSuri");
  if (type !== OID_QT_UNOTICE) return undefined;
  const parts = expectSequence(value, "UserNotice");
  const text = parts.findLast((part) => !part.constructed);
  return text === undefined ? undefined : readString(text, "explicitText");
}

function policyJson({ oid: policy, qualifiers }: ReadPolicy): Record<string, unknown> {
  const name = oidName(policy);
  return {
    oid: policy,
    ...(name === undefined ? {} : { name }),
    qualifiers: qualifiers.map(({ oid: type, text, der }) => ({
      type: QUALIFIER_NAMES[type] ?? type,
      value: text ?? encodeHex(der),
    })),
  };
}

function policyText({ oid: policy, qualifiers }: ReadPolicy): string[] {
  const name = oidName(policy);
  return [
    `Policy: ${policy}${name === undefined ? "" : ` (${name})`}`,
    ...qualifiers.map(({ oid: type, text, der }) => {
      const value = text === undefined ? encodeHex(der) : printable(text);
      return `  ${QUALIFIER_LABELS[type] ?? type}: ${value}`;
    }),
  ];
}

const QUALIFIER_NAMES: Readonly<Record<string, string>> = { [OID_QT_CPS]: "cps", [OID_QT_UNOTICE]: "user_notice" };
const QUALIFIER_LABELS: Readonly<Record<string, string>> = { [OID_QT_CPS]: "CPS", [OID_QT_UNOTICE]: "User Notice" };
