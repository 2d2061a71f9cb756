import { authorityInfoAccess } from "../x509/extensions/authority_info_access.ts";
import { OID_AD_OCSP } from "../asn1/oid.ts";
import { subjectAltNames } from "../x509/certificate.ts";
import { crlDistributionPoints } from "../x509/extensions/distribution_points.ts";
import { decodeFrom } from "../x509/extensions/mod.ts";
import { decodeName } from "../x509/name.ts";
import type { Certificate } from "../x509/types.ts";
import { onlyVariable } from "./templates.ts";
import type { ParsedProfile, Template, Variable } from "./types.ts";

/**
 * Values for the variables of a profile that would lead to the names of a certificate: those of its subject, its alternative
 * names and its addresses. For certificates of which nobody remembers what was given; a template with more than one variable
 * is passed over.
 */
export function recallVariables(profile: ParsedProfile, certificate: Certificate): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const take = (templates: readonly Template[], values: readonly string[]) => {
    for (const [i, template] of templates.entries()) {
      const name = onlyVariable(template);
      const variable = name === undefined ? undefined : profile.variables[name];
      if (name === undefined || !variable || Object.hasOwn(found, name)) continue;
      const own = isList(variable) && templates.length === 1 ? values : values.slice(i, i + 1);
      if (own.length > 0) found[name] = isList(variable) ? own : own[0];
    }
  };
  const subject = decodeName(certificate.subject).flat();
  for (const { type, values } of profile.subject) {
    take(values, subject.filter((attribute) => attribute.type === type).map(({ value }) => value));
  }
  const { subjectAltName, crlDistributionPoints: points, authorityInfoAccess: access } = profile.extensions;
  const names = subjectAltNames(certificate);
  for (const type of ["dns", "ip", "email", "uri"] as const) {
    take(subjectAltName?.[type] ?? [], names.flatMap((name) => name.type === type ? [name.value] : []));
  }
  const urls = decodeFrom(certificate.extensions, crlDistributionPoints)?.flatMap(({ fullName = [] }) =>
    fullName.flatMap((name) => name.type === "uri" ? [name.value] : [])
  );
  take(points?.urls ?? [], urls ?? []);
  const places = decodeFrom(certificate.extensions, authorityInfoAccess) ?? [];
  for (const [templates, isOcsp] of [[access?.ocsp, true], [access?.caIssuers, false]] as const) {
    const found = places.filter(({ method }) => (method === OID_AD_OCSP) === isOcsp);
    take(templates ?? [], found.flatMap(({ location }) => location.type === "uri" ? [location.value] : []));
  }
  return found;
}

function isList({ type }: Variable): boolean {
  return type === "list" || type === "ip_list" || type === "dns_names";
}
