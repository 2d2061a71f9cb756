import {
  DerFields,
  type DerNode,
  expectExplicit,
  expectSequence,
  explicit,
  implicit,
  sequence,
  sequenceOf,
} from "../../asn1/der.ts";
import { OID_CE_CRL_DISTRIBUTION_POINTS, OID_CE_FRESHEST_CRL } from "../../asn1/oid.ts";
import { type Bytes, encodeHex } from "../../bytes.ts";
import { InputError } from "../../errors.ts";
import { type ExtensionCodec, extensionError, type ExtensionReader, nonEmpty, readContent } from "./codec.ts";
import {
  encodeGeneralName,
  formatGeneralName,
  generalNameJson,
  type ReadGeneralName,
  readGeneralName,
} from "./general_name.ts";
import { readReasonFlags } from "./reason_flags.ts";

/** DistributionPointName: full names, or the DER of a name relative to the CRL issuer. */
export interface DistributionPointName {
  readonly fullName?: readonly ReadGeneralName[];
  readonly relativeName?: Bytes;
}

/** One DistributionPoint as read. */
export interface DistributionPoint extends DistributionPointName {
  readonly reasons?: readonly string[];
  readonly crlIssuer?: readonly ReadGeneralName[];
}

/**
 * cRLDistributionPoints, RFC 5280 section 4.2.1.13: one DistributionPoint for each URL. A DistributionPointName is a
 * CHOICE, so the tag around it is EXPLICIT.
 */
export const crlDistributionPoints: ExtensionCodec<readonly DistributionPoint[], readonly string[]> = {
  oid: OID_CE_CRL_DISTRIBUTION_POINTS,
  encode(urls) {
    if (urls.length === 0) throw extensionError("crlDistributionPoints", "it has no URL");
    return sequenceOf([...new Set(urls)].map((url) => {
      const names = implicit(0, sequence(encodeGeneralName({ type: "uri", value: url })));
      return sequence(explicit(0, names));
    }));
  },
  decode: decodePoints,
  show: showPoints,
};

/** freshestCRL, RFC 5280 sections 4.2.1.15 and 5.2.6. */
export const freshestCrl: ExtensionReader<readonly DistributionPoint[]> = {
  oid: OID_CE_FRESHEST_CRL,
  decode: decodePoints,
  show: showPoints,
};

function decodePoints(der: Uint8Array): DistributionPoint[] {
  const parts = expectSequence(readContent(der), "distribution points");
  return nonEmpty(parts, "distribution points").map(readPoint);
}

function readPoint(node: DerNode): DistributionPoint {
  const fields = new DerFields(node, "DistributionPoint");
  const name = fields.optionalContext(0);
  const reasons = fields.optionalContext(1);
  const issuer = fields.optionalContext(2);
  fields.end();
  if (!name && !issuer) {
    throw new InputError(`Cannot read DER at offset ${node.offset}: a DistributionPoint has neither name nor issuer`, {
      code: "extension.invalid",
      offset: node.offset,
    });
  }
  return {
    ...(name ? readPointName(expectExplicit(name, 0, "distributionPoint")) : {}),
    ...(reasons ? { reasons: readReasonFlags(reasons) } : {}),
    ...(issuer ? { crlIssuer: nonEmpty(issuer.children, "cRLIssuer").map((part) => readGeneralName(part)) } : {}),
  };
}

/** Reads a DistributionPointName. @throws {InputError} */
export function readPointName(node: DerNode): DistributionPointName {
  if (node.isContext(0) && node.constructed) {
    return { fullName: nonEmpty(node.children, "fullName").map((part) => readGeneralName(part)) };
  }
  if (node.isContext(1) && node.constructed) return { relativeName: node.raw };
  throw new InputError(`Cannot read DER at offset ${node.offset}: ${node.name} is no DistributionPointName`, {
    code: "der.invalid",
    offset: node.offset,
  });
}

function showPoints(points: readonly DistributionPoint[]) {
  return { json: points.map(pointJson), text: points.flatMap(pointText) };
}

/** A distribution point as JSON. */
export function pointJson(point: DistributionPoint): Record<string, unknown> {
  return {
    ...(point.fullName ? { full_name: point.fullName.map(generalNameJson) } : {}),
    ...(point.relativeName ? { relative_name: encodeHex(point.relativeName) } : {}),
    ...(point.reasons ? { reasons: point.reasons } : {}),
    ...(point.crlIssuer ? { crl_issuer: point.crlIssuer.map(generalNameJson) } : {}),
  };
}

/** A distribution point as lines. */
export function pointText(point: DistributionPoint): string[] {
  return [
    ...(point.fullName ?? []).map((name) => `Full Name: ${formatGeneralName(name)}`),
    ...(point.relativeName ? [`Relative Name: ${encodeHex(point.relativeName)}`] : []),
    ...(point.reasons ? [`Reasons: ${point.reasons.join(", ")}`] : []),
    ...(point.crlIssuer ?? []).map((name) => `CRL Issuer: ${formatGeneralName(name)}`),
  ];
}
