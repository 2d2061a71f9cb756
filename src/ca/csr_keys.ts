import { type KeyRow, partsOf } from "../alg/find.ts";
import { OID_RSASSA_PSS } from "../asn1/oid.ts";
import type { Bytes } from "../bytes.ts";
import { InputError, QpkiError } from "../errors.ts";
import { describeSpki, type SpkiInfo } from "../keys/spki.ts";
import type { CompiledProfile } from "../profile/types.ts";
import {
  type Attestation,
  type CsrVerdict,
  type CsrVerifyOptions,
  requestedAlternative,
  verifyCsr,
} from "../x509/csr.ts";
import { encodeExtensions } from "../x509/extensions/mod.ts";
import { encodeName } from "../x509/name.ts";
import { attestationProblem } from "../x509/possession.ts";
import type { Csr } from "../x509/types.ts";

/** Smallest RSA modulus, in bits, and public exponent that are certified (NIST SP 800-57, CA/B BR 6.1.6). */
const MIN_RSA_BITS = 2048;
const MIN_RSA_EXPONENT = 65537n;
/** FIPS 186-5 section 5.4. */
const RSA_EXPONENT_LIMIT = 1n << 256n;

/** What a request asks a certificate for, checked. */
export interface RequestedKeys {
  readonly spki: Bytes;
  /** Of the alternative key, for a Catalyst certificate. */
  readonly alternativeSpki?: Bytes;
  /** Who answers for a key that cannot sign, in words (RFC 9883). */
  readonly attestation?: Attestation;
  readonly warnings: readonly string[];
}

/**
 * Checks a request before its keys are certified: the profile sets how many there are, their families and their least
 * strength; every signature in it must be good (proof of possession), and a key that cannot sign needs a statement of
 * possession whose certificate holds against `options.attestTrust`.
 * @throws {InputError} `csr.bad_signature`, `csr.weak_key`, `csr.key_unsupported`, `csr.key_mismatch`, `csr.possession`.
 */
export async function checkCsr(
  csr: Csr,
  profile: CompiledProfile,
  options: CsrVerifyOptions = {},
): Promise<RequestedKeys> {
  const alternative = requestedSpki(csr);
  const keys = [readKey(csr.spki), ...(alternative ? [readKey(alternative)] : [])];
  for (const key of keys) checkRsa(key);
  checkRows(keys, profile);
  const verdict = await verifyCsr(csr, options);
  if (!verdict.valid) throw refused(verdict);
  if (verdict.attestation) checkAttested(profile, verdict.attestation);
  return {
    spki: csr.spki,
    ...(alternative ? { alternativeSpki: alternative } : {}),
    ...(verdict.attestation ? { attestation: verdict.attestation } : {}),
    warnings: verdict.warnings,
  };
}

/** Each key of the request against the row at its place in the profile. */
function checkRows(keys: readonly SpkiInfo[], profile: CompiledProfile): void {
  const wanted = profile.rows.map((row) => row.label).join(" and ");
  const found = keys.map((key) => key.description).join(" and ");
  const unsupported = keys.find((key) => !key.row);
  if (unsupported) {
    throw new InputError(
      `Cannot issue for the request: its key is ${unsupported.description}, which is not supported`,
      {
        code: "csr.key_unsupported",
        hint: unsupported.algorithmOid === OID_RSASSA_PSS
          ? "Have an RSA key made without that restriction (rsaEncryption): it signs with PSS as well"
          : `Profile "${profile.name}" is for ${wanted}`,
      },
    );
  }
  if (keys.length !== profile.rows.length) {
    const [has, takes] = [keys, profile.rows].map((list) => list.length === 1 ? "one key" : "two (Catalyst)");
    throw mismatch(`it has ${has}, ${found}, and profile "${profile.name}" is for ${takes}, ${wanted}`);
  }
  if (keys.every(({ row }, i) => fits(row!, profile.rows[i]!))) return;
  const same = keys.every(({ row }, i) => row!.family === profile.rows[i]!.family);
  throw mismatch(
    `its key is ${found}, and profile "${profile.name}" is for ${wanted}${same ? " or stronger" : ""}`,
  );
}

/** Whether a key may stand where a profile wants one: of the same family and not weaker; a composite one part by part. */
function fits(row: KeyRow, wanted: KeyRow): boolean {
  if (row.name === wanted.name) return true;
  const [own, other] = [partsOf(row), partsOf(wanted)];
  if (own && other) return fits(own.classical, other.classical) && fits(own.pqc, other.pqc);
  return row.family === wanted.family && row.strength >= wanted.strength;
}

function mismatch(reason: string): InputError {
  return new InputError(`Cannot issue for the request: ${reason}`, {
    code: "csr.key_mismatch",
    hint: "Choose a profile for this kind of key: qpki profile list",
  });
}

function refused({ code = "", reason = "it is not valid" }: CsrVerdict): InputError {
  if (code.startsWith("possession.")) {
    return new InputError(`Cannot issue for the request: ${reason}`, {
      code: "csr.possession",
      hint: POSSESSION_HINTS[code] ?? "Make the request with: qpki csr gen --attest-cert",
    });
  }
  if (code === "signature.unsupported") {
    return new InputError(`Cannot issue for the request: its signature cannot be checked (${reason})`, {
      code: "csr.bad_signature",
      hint:
        "Have the request made with a key and a signature of: RSA (rsaEncryption) with SHA-256 or longer, ECDSA, EdDSA, " +
        "ML-DSA or SLH-DSA",
    });
  }
  const incomplete = code === "alternative.incomplete" || code === "alternative.malformed";
  return new InputError(
    `Cannot issue for the request: ${incomplete ? reason : `its signature does not verify (${reason})`}`,
    { code: "csr.bad_signature", hint: "The request was changed after it was signed, or signed with another key" },
  );
}

/** Who attests answers for the names in the request, and for no others that the operator may have put in their place. */
function checkAttested({ subject, extensions }: CompiledProfile, { certificate }: Attestation): void {
  const issued = { subject: encodeName(subject), extensions: encodeExtensions(extensions) };
  const reason = attestationProblem(issued, certificate);
  if (reason === undefined) return;
  throw refused({ valid: false, code: "possession.foreign", reason, signatures: [], possession: "none", warnings: [] });
}

const POSSESSION_HINTS: Readonly<Record<string, string>> = {
  "possession.no_certificate": "Give the certificate with --attest-cert",
  "possession.foreign": "The request must come from the holder of the attesting certificate, under the same names",
  "possession.untrusted": "The attesting certificate must be valid and from this CA or one above it",
};

function requestedSpki(csr: Csr): Bytes | undefined {
  try {
    return requestedAlternative(csr).spki;
  } catch (cause) {
    if (!(cause instanceof QpkiError)) throw cause;
    throw new InputError(`Cannot issue for the request: ${cause.message.replace(/^Cannot [^:]*: /, "")}`, {
      code: "csr.bad_signature",
      cause,
    });
  }
}

function readKey(spki: Bytes): SpkiInfo {
  try {
    return describeSpki(spki);
  } catch (cause) {
    if (!(cause instanceof QpkiError)) throw cause;
    throw new InputError(`Cannot issue for the request: ${cause.message.replace(/^Cannot [^:]*: /, "")}`, {
      code: "csr.weak_key",
      cause,
    });
  }
}

function checkRsa({ rsa }: SpkiInfo): void {
  if (!rsa) return;
  const { modulusBits, exponent } = rsa;
  const shown = exponent.toString().length > 20 ? `0x${exponent.toString(16).slice(0, 16)}…` : exponent.toString();
  const reason = modulusBits < MIN_RSA_BITS
    ? `its RSA key has ${modulusBits} bits, less than ${MIN_RSA_BITS}`
    : exponent % 2n === 0n || exponent < MIN_RSA_EXPONENT || exponent >= RSA_EXPONENT_LIMIT
    ? `its RSA public exponent is ${shown}, which is not an odd number from ${MIN_RSA_EXPONENT}`
    : undefined;
  if (reason === undefined) return;
  throw new InputError(`Cannot issue for the request: ${reason}`, {
    code: "csr.weak_key",
    hint: "Have a new key made: RSA from 2048 bits with exponent 65537, or an elliptic curve",
  });
}
