import type { KeyUsageBit } from "../alg/registry.ts";
import { oidName } from "../asn1/oid.ts";
import { subjectAltName } from "./extensions/alt_name.ts";
import { authorityInfoAccess } from "./extensions/authority_info_access.ts";
import { type BasicConstraints, basicConstraints } from "./extensions/basic_constraints.ts";
import { certificatePolicies, type ReadPolicy } from "./extensions/certificate_policies.ts";
import type { ExtensionReader } from "./extensions/codec.ts";
import { crlDistributionPoints } from "./extensions/distribution_points.ts";
import { extKeyUsage } from "./extensions/ext_key_usage.ts";
import type { ReadGeneralName } from "./extensions/general_name.ts";
import { keyUsage } from "./extensions/key_usage.ts";
import { findExtension } from "./extensions/list.ts";
import { type NameConstraints, nameConstraints } from "./extensions/name_constraints.ts";
import { type QcStatement, qcStatements } from "./extensions/qc_statements.ts";
import { decodeName } from "./name_codec.ts";
import { sameName } from "./name_match.ts";
import type { TbsFacts } from "./tbs.ts";
import type { Extension, Name } from "./types.ts";

/** How grave a finding is: an error stops issuance. */
export type Severity = "error" | "warning";

/** One rule: what it is called, where it comes from, and what it finds. */
export interface LintRule {
  /** Stable name: `basic_constraints.not_critical`. */
  readonly id: string;
  readonly severity: Severity;
  /** Document and section. */
  readonly reference: string;
  /** What is wrong, one message each; nothing when all is well. */
  check(subject: LintSubject): readonly string[];
}

/** Criticality and content of one extension. */
export interface Decoded<T> {
  readonly critical: boolean;
  readonly value: T;
}

/** A certificate taken apart for the rules. A malformed extension is absent here and reported once. */
export interface LintSubject {
  readonly facts: TbsFacts;
  readonly ca: boolean;
  readonly selfIssued: boolean;
  readonly subject: Name;
  readonly basicConstraints?: Decoded<BasicConstraints>;
  readonly keyUsage?: Decoded<readonly KeyUsageBit[]>;
  readonly extKeyUsage?: Decoded<readonly string[]>;
  readonly subjectAltName?: Decoded<readonly ReadGeneralName[]>;
  readonly nameConstraints?: Decoded<NameConstraints>;
  readonly policies?: Decoded<readonly ReadPolicy[]>;
  readonly qcStatements?: Decoded<readonly QcStatement[]>;
  readonly crlDistributionPoints: boolean;
  /** Methods of authorityInfoAccess, dotted OIDs. */
  readonly accessMethods: readonly string[];
  readonly malformed: readonly string[];
}

/** Decodes what the rules look at, once. */
export function lintSubject(facts: TbsFacts): LintSubject {
  const malformed: string[] = [];
  const read = <T>(reader: ExtensionReader<T>) => decode(facts.extensions, reader, malformed);
  const constraints = read(basicConstraints);
  const usage = read(keyUsage);
  const purposes = read(extKeyUsage);
  const names = read(subjectAltName);
  const subtrees = read(nameConstraints);
  const policies = read(certificatePolicies);
  const statements = read(qcStatements);
  const access = read(authorityInfoAccess);
  return {
    facts,
    ca: constraints?.value.ca === true,
    selfIssued: sameName(facts.issuer, facts.subject),
    subject: decodeName(facts.subject),
    ...(constraints ? { basicConstraints: constraints } : {}),
    ...(usage ? { keyUsage: usage } : {}),
    ...(purposes ? { extKeyUsage: purposes } : {}),
    ...(names ? { subjectAltName: names } : {}),
    ...(subtrees ? { nameConstraints: subtrees } : {}),
    ...(policies ? { policies } : {}),
    ...(statements ? { qcStatements: statements } : {}),
    crlDistributionPoints: read(crlDistributionPoints) !== undefined,
    accessMethods: access?.value.map(({ method }) => method) ?? [],
    malformed,
  };
}

function decode<T>(
  extensions: readonly Extension[],
  reader: ExtensionReader<T>,
  malformed: string[],
): Decoded<T> | undefined {
  const extension = findExtension(extensions, reader.oid);
  if (!extension) return undefined;
  try {
    return { critical: extension.critical, value: reader.decode(extension.value) };
  } catch (error) {
    malformed.push(`${oidName(reader.oid)}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** `message` as the only finding when `failed`. */
export function when(failed: boolean, message: string): readonly string[] {
  return failed ? [message] : [];
}
