import { allowsScheme } from "../alg/find.ts";
import { isQuantumSafeScheme } from "../alg/quantum.ts";
import { OID_CE_AUTHORITY_KEY_IDENTIFIER } from "../asn1/oid.ts";
import { equalBytes } from "../bytes.ts";
import { encodeScheme } from "../keys/scheme.ts";
import { altSignatureAlgorithm } from "./extensions/alt_signature_algorithm.ts";
import { altSignatureValue } from "./extensions/alt_signature_value.ts";
import { findExtension } from "./extensions/list.ts";
import { subjectAltPublicKeyInfo } from "./extensions/subject_alt_public_key_info.ts";
import { type LintRule, type LintSubject, when } from "./lint_subject.ts";

/**
 * Rules about alternative keys and signatures (X.509 clause 9.8). The three extensions come from the issuer's and subject's
 * keys; a profile that writes one as it likes, or a certificate that says something else than will be signed, is stopped.
 */

/** Whether an extension is there with this content; undefined content means that it must be absent. */
function isAsMeant({ facts }: LintSubject, oid: string, content: Uint8Array | undefined): boolean {
  const extension = findExtension(facts.extensions, oid);
  if (!extension || !content) return !extension && !content;
  return equalBytes(extension.value, content);
}

/** A certificate that its own key will sign. */
function isSelfSigned({ facts, selfIssued }: LintSubject): boolean {
  return selfIssued && findExtension(facts.extensions, OID_CE_AUTHORITY_KEY_IDENTIFIER) === undefined;
}

/** Rules for {@link RFC5280_RULES}. */
export const ALTERNATIVE_RULES: readonly LintRule[] = [
  {
    id: "alternative.key",
    severity: "error",
    reference: "X.509 clause 9.8.2",
    check: (s) => {
      const isRight = isAsMeant(s, subjectAltPublicKeyInfo.oid, s.facts.alternative?.key?.spki);
      return when(!isRight, "subjectAltPublicKeyInfo is not the subject's alternative key");
    },
  },
  {
    id: "alternative.algorithm",
    severity: "error",
    reference: "X.509 clause 9.8.3",
    check: (s) => {
      const scheme = s.facts.alternative?.scheme;
      const isRight = isAsMeant(s, altSignatureAlgorithm.oid, scheme && encodeScheme(scheme));
      return when(!isRight, "altSignatureAlgorithm is not what the issuer's alternative key signs with");
    },
  },
  {
    id: "alternative.value",
    severity: "error",
    reference: "X.509 clause 9.8.4",
    check: (s) =>
      when(!isAsMeant(s, altSignatureValue.oid, undefined), "altSignatureValue is there before anything was signed"),
  },
  {
    id: "alternative.key_vouched",
    severity: "error",
    reference: "X.509 clause 9.8.2",
    check: ({ facts: { alternative, scheme } }) =>
      when(
        alternative?.key !== undefined && !alternative.scheme && !isQuantumSafeScheme(scheme),
        "an alternative key is to be certified without an alternative signature, by a classical one",
      ),
  },
  {
    id: "alternative.key_unknown",
    severity: "error",
    reference: "algorithm table",
    check: ({ facts }) => {
      const key = facts.alternative?.key;
      return when(
        key !== undefined && key.row === undefined,
        `an alternative key of type ${key?.description} is not supported`,
      );
    },
  },
  {
    id: "alternative.key_signs",
    severity: "error",
    reference: "X.509 clause 9.8.2",
    check: ({ facts }) => {
      const row = facts.alternative?.key?.row;
      return when(
        row !== undefined && row.schemes.length === 0,
        `an alternative key of type ${row?.label} cannot sign`,
      );
    },
  },
  {
    id: "alternative.scheme",
    severity: "error",
    reference: "X.509 clause 9.8.3",
    check: (s) => {
      const { key, scheme } = s.facts.alternative ?? {};
      if (!scheme || !isSelfSigned(s)) return [];
      if (!key) return ["it is to sign itself twice, and has no alternative key"];
      const isAllowed = key.row !== undefined && allowsScheme(key.row, scheme.name);
      return when(!isAllowed, `its alternative key of type ${key.description} does not sign with ${scheme.label}`);
    },
  },
  {
    id: "alternative.key_usage",
    severity: "warning",
    reference: "RFC 9881 section 5",
    check: ({ facts, keyUsage }) => {
      const row = facts.alternative?.key?.row;
      if (!row || !keyUsage) return [];
      return keyUsage.value
        .filter((bit) => !row.keyUsage.includes(bit))
        .map((bit) => `keyUsage ${bit} does not hold for the alternative key of type ${row.label}`);
    },
  },
];
