import { OID_ANY_POLICY } from "../asn1/oid.ts";
import type { HasExtensions } from "./certificate_fields.ts";
import { certificatePolicies } from "./extensions/certificate_policies.ts";
import { decodeFrom } from "./extensions/list.ts";
import { inhibitAnyPolicy, policyConstraints, policyMappings } from "./extensions/policy_constraints.ts";

/**
 * Policy processing (RFC 5280 section 6.1 as RFC 9618 restates it) with any policy acceptable to the user. What matters
 * then is only whether some policy is valid along the whole path where one is required, so each level is kept as the set
 * of policies expected below it: the graph of RFC 9618 without its edges, and never larger than one certificate's list.
 */
export class PolicyState {
  /** Policies that certificates below must name; empty when no policy is valid any more. */
  #expected: ReadonlySet<string> = new Set([OID_ANY_POLICY]);
  #explicitPolicy: number;
  #policyMapping: number;
  #inhibitAny: number;

  /** @param length number of certificates below the trust anchor. */
  constructor(length: number) {
    this.#explicitPolicy = length + 1;
    this.#policyMapping = length + 1;
    this.#inhibitAny = length + 1;
  }

  /** The same state, to go on with independently. */
  copy(): PolicyState {
    const copy = new PolicyState(0);
    copy.#expected = this.#expected;
    copy.#explicitPolicy = this.#explicitPolicy;
    copy.#policyMapping = this.#policyMapping;
    copy.#inhibitAny = this.#inhibitAny;
    return copy;
  }

  /**
   * Processes the policies of the next certificate (6.1.3 d to f).
   * @returns what is wrong, in words.
   * @throws {InputError} when certificatePolicies is malformed.
   */
  enter(certificate: HasExtensions, position: { readonly selfIssued: boolean; readonly leaf: boolean }): string[] {
    const policies = decodeFrom(certificate.extensions, certificatePolicies)?.map(({ oid }) => oid) ?? [];
    const anyAllowed = this.#inhibitAny > 0 || (position.selfIssued && !position.leaf);
    this.#expected = this.#surviving(policies, anyAllowed && policies.includes(OID_ANY_POLICY));
    return this.#verdict(this.#explicitPolicy);
  }

  #surviving(policies: readonly string[], any: boolean): ReadonlySet<string> {
    if (any) {
      // anyPolicy carries on whatever was expected, and what is named on top of it where anything was.
      const named = this.#expected.has(OID_ANY_POLICY) ? policies : [];
      return new Set([...this.#expected, ...named]);
    }
    const everything = this.#expected.has(OID_ANY_POLICY);
    return new Set(policies.filter((oid) => oid !== OID_ANY_POLICY && (everything || this.#expected.has(oid))));
  }

  #verdict(explicitPolicy: number): string[] {
    if (explicitPolicy > 0 || this.#expected.size > 0) return [];
    return ["a certificate policy is required and none is valid for the whole path"];
  }

  /**
   * Takes over what a CA certificate states for those below it (6.1.4 a, b, h to j).
   * @returns what is wrong, in words.
   * @throws {InputError} when one of its policy extensions is malformed.
   */
  descend(certificate: HasExtensions, position: { readonly selfIssued: boolean }): string[] {
    const problems = this.#map(certificate);
    if (!position.selfIssued) {
      this.#explicitPolicy = Math.max(0, this.#explicitPolicy - 1);
      this.#policyMapping = Math.max(0, this.#policyMapping - 1);
      this.#inhibitAny = Math.max(0, this.#inhibitAny - 1);
    }
    this.restrict(certificate);
    return problems;
  }

  /** Applies policyConstraints and inhibitAnyPolicy, of a CA certificate or of the trust anchor. @throws {InputError} */
  restrict(certificate: HasExtensions): void {
    const constraints = decodeFrom(certificate.extensions, policyConstraints);
    this.#explicitPolicy = Math.min(this.#explicitPolicy, constraints?.requireExplicitPolicy ?? Infinity);
    this.#policyMapping = Math.min(this.#policyMapping, constraints?.inhibitPolicyMapping ?? Infinity);
    this.#inhibitAny = Math.min(this.#inhibitAny, decodeFrom(certificate.extensions, inhibitAnyPolicy) ?? Infinity);
  }

  #map(certificate: HasExtensions): string[] {
    const mappings = decodeFrom(certificate.extensions, policyMappings) ?? [];
    if (mappings.length === 0) return [];
    if (mappings.some((m) => m.issuerDomain === OID_ANY_POLICY || m.subjectDomain === OID_ANY_POLICY)) {
      return ["policyMappings maps anyPolicy, which is forbidden"];
    }
    const mapped = new Set(mappings.map(({ issuerDomain }) => issuerDomain));
    const next = new Set([...this.#expected].filter((oid) => !mapped.has(oid)));
    if (this.#policyMapping > 0) {
      const any = this.#expected.has(OID_ANY_POLICY);
      for (const { issuerDomain, subjectDomain } of mappings) {
        if (any || this.#expected.has(issuerDomain)) next.add(subjectDomain);
      }
    }
    this.#expected = next;
    return [];
  }

  /** The last word about the leaf (6.1.5 a, b, g). @throws {InputError} when its policyConstraints is malformed. */
  finish(leaf: HasExtensions): string[] {
    const required = decodeFrom(leaf.extensions, policyConstraints)?.requireExplicitPolicy === 0;
    return this.#verdict(required ? 0 : Math.max(0, this.#explicitPolicy - 1));
  }
}
