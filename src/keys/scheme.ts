import { type SchemeRow, schemesByOid } from "../alg/find.ts";
import { DerFields, expectExplicit, nullDer, oid, readDer, readSmallInteger, sequence, TAG } from "../asn1/der.ts";
import { OID_MGF1, OID_RSASSA_PSS, OID_SHA1, oidName } from "../asn1/oid.ts";
import { type Bytes, decodeHex, equalBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { decodeAlgorithm } from "./spki.ts";

/** AlgorithmIdentifiers of signatures (RFC 5758, RFC 8410, RFC 4055). */

/** AlgorithmIdentifier of a scheme, DER. */
export function encodeScheme(scheme: SchemeRow): Bytes {
  const { parameters } = scheme;
  if (parameters === "absent") return sequence(oid(scheme.oid));
  return sequence(oid(scheme.oid), parameters === "null" ? nullDer() : decodeHex(parameters.der));
}

/**
 * The scheme that an AlgorithmIdentifier names, or undefined when no row has it. A missing NULL is accepted where RFC
 * 4055 demands one; PSS parameters are compared by meaning. Others sign PSS with salts of any length, so the row comes with
 * the one that is stated; ours are as long as the hash.
 * @throws {InputError} `der.invalid` when it is not an AlgorithmIdentifier.
 */
export function decodeScheme(der: Uint8Array): SchemeRow | undefined {
  const algorithm = decodeAlgorithm(der);
  const { parameters } = algorithm;
  const rows = schemesByOid(algorithm.oid);
  const row = rows.find((one) => sameParameters(one, parameters));
  if (row || algorithm.oid !== OID_RSASSA_PSS || parameters === undefined) return row;
  const { saltBytes, ...stated } = decodePss(parameters);
  const fitting = rows.find(({ parameters }) =>
    typeof parameters === "object" && samePss(stated, decodePss(decodeHex(parameters.der)))
  );
  return fitting && saltBytes >= 0 && saltBytes <= MAX_SALT_BYTES ? { ...fitting, saltBytes } : undefined;
}

/** More than fits beside the smallest hash into a signature of 16384 bits. */
const MAX_SALT_BYTES = 2048;

/** Why {@link decodeScheme} knows no scheme, to follow the name of the algorithm. */
export function unsupportedReason(der: Uint8Array): string {
  const { oid: dotted, parameters } = decodeAlgorithm(der);
  if (schemesByOid(dotted).length === 0) return "is not supported";
  if (dotted === OID_RSASSA_PSS) {
    const { hash, maskHash } = parameters ? decodePss(parameters) : { hash: OID_SHA1, maskHash: OID_SHA1 };
    const weak = hash === OID_SHA1 ? "" : "MGF1 with ";
    if (maskHash === OID_SHA1 || hash === OID_SHA1) {
      return `uses ${weak}SHA-1, which is broken: SHA-256 or longer is needed`;
    }
    if (hash !== maskHash) return "uses two hash algorithms, which is not supported";
  }
  return "has parameters that are not supported";
}

function sameParameters(row: SchemeRow, given: Bytes | undefined): boolean {
  if (row.parameters === "absent") return given === undefined;
  if (row.parameters === "null") return given === undefined || equalBytes(given, nullDer());
  if (given === undefined) return false;
  const wanted = decodeHex(row.parameters.der);
  if (equalBytes(given, wanted)) return true;
  if (row.oid !== OID_RSASSA_PSS) return false;
  const [own, other] = [decodePss(wanted), decodePss(given)];
  return samePss(own, other) && own.saltBytes === other.saltBytes;
}

/** RSASSA-PSS-params (RFC 4055 section 3.1) with the defaults filled in. */
interface PssParameters {
  readonly hash: string;
  readonly maskGenerator: string;
  readonly maskHash: string;
  readonly saltBytes: number;
  readonly trailer: number;
}

function samePss(a: Omit<PssParameters, "saltBytes">, b: Omit<PssParameters, "saltBytes">): boolean {
  return a.hash === b.hash && a.maskGenerator === b.maskGenerator && a.maskHash === b.maskHash &&
    a.trailer === b.trailer;
}

function decodePss(der: Uint8Array): PssParameters {
  const fields = new DerFields(readDer(der), "RSASSA-PSS-params");
  const hash = fields.optionalContext(0);
  const mask = fields.optionalContext(1);
  const salt = fields.optionalContext(2);
  const trailer = fields.optionalContext(3);
  fields.end();
  const generator = mask ? decodeAlgorithm(expectExplicit(mask, 1, "maskGenAlgorithm").raw) : undefined;
  return {
    hash: hash ? hashOid(expectExplicit(hash, 0, "hashAlgorithm").raw) : OID_SHA1,
    maskGenerator: generator?.oid ?? OID_MGF1,
    maskHash: generator ? hashOid(generator.parameters) : OID_SHA1,
    saltBytes: salt ? readSmallInteger(expectExplicit(salt, 2, "saltLength"), "saltLength") : 20,
    trailer: trailer ? readSmallInteger(expectExplicit(trailer, 3, "trailerField"), "trailerField") : 1,
  };
}

/** OID of a hash AlgorithmIdentifier, whose parameters are NULL or absent. */
function hashOid(der: Uint8Array | undefined): string {
  const algorithm = der && decodeAlgorithm(der);
  if (!algorithm || (algorithm.parameters && !readDer(algorithm.parameters).is(TAG.NULL))) {
    throw new InputError("Cannot read RSASSA-PSS-params: not a hash algorithm", { code: "der.invalid" });
  }
  return algorithm.oid;
}

/**
 * A signature AlgorithmIdentifier in words: the row's label, else the standard's name, else the dotted OID.
 * @throws {InputError} `der.invalid` when it is not an AlgorithmIdentifier.
 */
export function describeAlgorithm(der: Uint8Array): string {
  const scheme = decodeScheme(der);
  if (scheme) return scheme.label;
  const { oid: dotted } = decodeAlgorithm(der);
  return oidName(dotted) ?? dotted;
}
