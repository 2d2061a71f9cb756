import { InputError, OperationError } from "../errors.ts";
import { basicConstraints } from "../x509/certificate.ts";
import type { IssuingPath } from "../x509/issuing_path.ts";
import { formatName } from "../x509/name.ts";
import type { TbsFacts } from "../x509/tbs.ts";
import type { Certificate } from "../x509/types.ts";

/** X.509 version of what is issued. */
const VERSION = 3;

/** Most objections that a message lists. */
const MAX_SHOWN = 5;

/**
 * Throws when a certificate would not be valid because of what the CA's own certificate or one above it states (RFC 5280
 * section 6.1), however well it is signed.
 * @throws {OperationError} `ca.path_invalid` when no certificate below the CA can be valid.
 * @throws {InputError} `path_len.violated`, `name_constraints.violated`, `policy.required`.
 */
export function refuseForbidden(path: IssuingPath, tbs: TbsFacts, issuer: Certificate): void {
  const name = formatName(issuer.subject);
  const [broken] = path.reasons;
  if (broken) {
    throw new OperationError(
      `Cannot issue with the CA "${name}": the certificates above it do not allow it: "${broken.certificate}": ` +
        broken.message,
      { code: "ca.path_invalid", object: name, hint: "Renew the CA's certificate first" },
    );
  }
  checkPathLength(path, tbs, name);
  const objections = path.objections({ ...tbs, version: VERSION });
  if (objections.length === 0) return;
  const shown = objections.slice(0, MAX_SHOWN).map(({ message }) => message);
  const more = objections.length - shown.length;
  throw new InputError(
    `Cannot issue the certificate with the CA "${name}": ${shown.join("; ")}${more > 0 ? `; and ${more} more` : ""}`,
    { code: objections[0]!.code, object: name, hint: HINTS[objections[0]!.code] },
  );
}

const HINTS: Readonly<Record<string, string>> = {
  "name_constraints.violated": "Ask for names within the constraints, or use a CA that may certify these",
  "policy.required": "State a policy in the profile that every CA of the path states too",
};

/** RFC 5280 section 4.2.1.9: how many CAs may stand below this one, as it or one above it states. */
function checkPathLength({ limit }: IssuingPath, tbs: TbsFacts, issuer: string): void {
  const asked = basicConstraints(tbs);
  if (!limit || !asked?.ca) return;
  const { left, by, stated } = limit;
  const whose = by === issuer ? "its pathLenConstraint" : `the pathLenConstraint of "${by}" above it`;
  if (left <= 0) {
    throw new InputError(`Cannot make a CA below "${issuer}": ${whose} is ${stated}`, {
      code: "path_len.violated",
      object: issuer,
      hint: "Use a parent whose path length allows another CA",
    });
  }
  if (asked.pathLen !== undefined && asked.pathLen > left - 1) {
    throw new InputError(
      `Cannot make a CA with pathLen ${asked.pathLen} below "${issuer}": ${whose} ${stated} allows ${left - 1}`,
      { code: "path_len.violated", object: issuer, hint: `State pathLen ${left - 1} or less in the profile` },
    );
  }
}
