import {
  DerFields,
  type DerNode,
  expectSequence,
  expectTag,
  readDer,
  readOid,
  readSmallInteger,
  TAG,
} from "../../asn1/der.ts";
import {
  OID_CE_INHIBIT_ANY_POLICY,
  OID_CE_POLICY_CONSTRAINTS,
  OID_CE_POLICY_MAPPINGS,
  oidName,
} from "../../asn1/oid.ts";
import { concatBytes } from "../../bytes.ts";
import { InputError } from "../../errors.ts";
import { type ExtensionReader, nonEmpty, readContent } from "./codec.ts";

/** Content of policyConstraints: how many certificates may follow before each rule holds. */
export interface PolicyConstraints {
  readonly requireExplicitPolicy?: number;
  readonly inhibitPolicyMapping?: number;
}

/** policyConstraints, RFC 5280 section 4.2.1.11. Read only: no profile writes it. */
export const policyConstraints: ExtensionReader<PolicyConstraints> = {
  oid: OID_CE_POLICY_CONSTRAINTS,
  decode(der) {
    const fields = new DerFields(readContent(der), "policyConstraints");
    const requireExplicit = fields.optionalContext(0);
    const inhibitMapping = fields.optionalContext(1);
    fields.end();
    if (!requireExplicit && !inhibitMapping) {
      throw new InputError("Cannot read policyConstraints: it is empty", { code: "extension.invalid" });
    }
    return {
      ...(requireExplicit ? { requireExplicitPolicy: readSkipCerts(requireExplicit) } : {}),
      ...(inhibitMapping ? { inhibitPolicyMapping: readSkipCerts(inhibitMapping) } : {}),
    };
  },
  show({ requireExplicitPolicy, inhibitPolicyMapping }) {
    return {
      json: { require_explicit_policy: requireExplicitPolicy, inhibit_policy_mapping: inhibitPolicyMapping },
      text: [
        ...(requireExplicitPolicy === undefined ? [] : [`Require Explicit Policy:${requireExplicitPolicy}`]),
        ...(inhibitPolicyMapping === undefined ? [] : [`Inhibit Policy Mapping:${inhibitPolicyMapping}`]),
      ],
    };
  },
};

/** An implicitly tagged INTEGER. */
function readSkipCerts(node: DerNode): number {
  return readSmallInteger(readDer(concatBytes(Uint8Array.of(TAG.INTEGER), node.raw.subarray(1))), "SkipCerts");
}

/** inhibitAnyPolicy, RFC 5280 section 4.2.1.14. */
export const inhibitAnyPolicy: ExtensionReader<number> = {
  oid: OID_CE_INHIBIT_ANY_POLICY,
  decode: (der) => readSmallInteger(expectTag(readContent(der), TAG.INTEGER, "inhibitAnyPolicy"), "inhibitAnyPolicy"),
  show: (value) => ({ json: value, text: [String(value)] }),
};

/** One pair of policyMappings. */
export interface PolicyMapping {
  readonly issuerDomain: string;
  readonly subjectDomain: string;
}

/** policyMappings, RFC 5280 section 4.2.1.5. */
export const policyMappings: ExtensionReader<readonly PolicyMapping[]> = {
  oid: OID_CE_POLICY_MAPPINGS,
  decode(der) {
    return nonEmpty(expectSequence(readContent(der), "policyMappings"), "policyMappings").map((node) => {
      const fields = new DerFields(node, "policy mapping");
      const issuerDomain = readOid(fields.next("issuerDomainPolicy"));
      const subjectDomain = readOid(fields.next("subjectDomainPolicy"));
      fields.end();
      return { issuerDomain, subjectDomain };
    });
  },
  show(mappings) {
    return {
      json: mappings.map(({ issuerDomain, subjectDomain }) => ({ issuer: issuerDomain, subject: subjectDomain })),
      text: mappings.map((m) => `${oidName(m.issuerDomain) ?? m.issuerDomain}:${m.subjectDomain}`),
    };
  },
};
