import { InputError, withArticle } from "../errors.ts";
import { describeSpki } from "../keys/spki.ts";
import { checkAlternativeSignature, partialReason } from "./alternative.ts";
import { preRequestInfo, requestedAlternative } from "./csr_attributes.ts";
import { formatName } from "./name_text.ts";
import {
  attestationProblem,
  isNamedBy,
  isWeakAttestation,
  type PossessionStatement,
  possessionStatement,
} from "./possession.ts";
import { checkSignature } from "./signature.ts";
import { reasonOf } from "./structure.ts";
import type { Certificate, Csr } from "./types.ts";
import type { CheckedSignature, VerifyOptions } from "./verdict.ts";
import { verifyCertificate } from "./verify.ts";

/** What a request is checked against. */
export interface CsrVerifyOptions {
  /** Certificates among which the attesting one is looked for when the request does not include it. */
  readonly attestCertificates?: readonly Certificate[];
  /**
   * What the path of the attesting certificate is validated against. `caller`: whoever asks does that, with
   * `verdict.attestation.certificate`. Without it no attestation is accepted.
   */
  readonly attestTrust?: VerifyOptions | "caller";
}

/** Who says that the private key is where it belongs (RFC 9883). */
export interface Attestation {
  /** The signature certificate, whose key signed the request. */
  readonly certificate: Certificate;
  /** Whether its path was validated here. */
  readonly trusted: boolean;
  /** In words, for people and logs: an assertion by whom, and no proof. */
  readonly statement: string;
}

/** Answer about a request. */
export interface CsrVerdict {
  readonly valid: boolean;
  /** Stable name when not valid: `signature.invalid`, `alternative.…`, `possession.…`. */
  readonly code?: string;
  readonly reason?: string;
  /** The signatures that were checked and are good: one entry. */
  readonly signatures: readonly CheckedSignature[];
  /** Whether the sender is known to hold the private key: by a signature of it, or by somebody's word. */
  readonly possession: "proved" | "asserted" | "none";
  readonly attestation?: Attestation;
  readonly warnings: readonly string[];
}

/**
 * Whether a request is signed by the key it holds, and by its alternative key if it has one: the proof of possession. A
 * request for a key that cannot sign needs a statement of possession (RFC 9883), which a key that can sign must not have.
 * Never throws for a bad request.
 */
export async function verifyCsr(csr: Csr, options: CsrVerifyOptions = {}): Promise<CsrVerdict> {
  try {
    const statement = possessionStatement(csr);
    const { row, description } = describeSpki(csr.spki);
    if (row?.kind === "kem") {
      if (statement) return await verifyAttested(csr, statement, options);
      const reason =
        `${withArticle(description)} key cannot sign its own request, and there is no statement of possession ` +
        "(RFC 9883) signed with a certified signature key";
      return refusal("possession.missing", reason);
    }
    if (statement) {
      const reason =
        `${withArticle(description)} key must sign its own request: a statement of possession (RFC 9883) is only for ` +
        "keys that cannot";
      return refusal("possession.not_allowed", reason);
    }
    return await verifyOwn(csr);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const reason = reasonOf(error);
    return refusal("request.malformed", reason.slice(0, 1).toLowerCase() + reason.slice(1));
  }
}

function refusal(code: string, reason: string, warnings: readonly string[] = []): CsrVerdict {
  return { valid: false, code, reason, signatures: [], possession: "none", warnings };
}

async function verifyOwn(csr: Csr): Promise<CsrVerdict> {
  const parts = requestedAlternative(csr);
  const { spki, algorithm, signature } = parts;
  const hasNone = !spki && !algorithm && !signature;
  const partial = hasNone ? undefined : partialReason(parts) ??
    (spki ? undefined : "it has an alternative signature but no alternative key (subjectAltPublicKeyInfo)");
  if (partial !== undefined) return refusal("alternative.incomplete", partial);
  const native = await checkSignature({ ...carriedBy(csr), spki: csr.spki });
  if (!native.valid) return refusal(native.code!, native.reason!);
  const checked = { subject: formatName(csr.subject), scheme: native.scheme!.label };
  if (!spki || !algorithm || !signature) return proved(checked);
  const message = preRequestInfo(csr.info);
  const alternative = await checkAlternativeSignature({ spki, message, algorithm, signature });
  if (!alternative.valid) return refusal(alternative.code!, alternative.reason!);
  return proved({ ...checked, alternative: alternative.scheme!.label });
}

function proved(signature: CheckedSignature): CsrVerdict {
  return { valid: true, signatures: [signature], possession: "proved", warnings: [] };
}

function carriedBy({ info: message, signatureAlgorithm: algorithm, signature }: Csr) {
  return { message, algorithm, signature };
}

async function verifyAttested(
  csr: Csr,
  statement: PossessionStatement,
  options: CsrVerifyOptions,
): Promise<CsrVerdict> {
  const parts = requestedAlternative(csr);
  if (parts.spki || parts.algorithm || parts.signature) {
    return refusal("possession.not_allowed", "a key that cannot sign cannot have an alternative key either");
  }
  const { certificate: included, serial } = statement;
  if (included && !isNamedBy(included, statement)) {
    return refusal(
      "possession.foreign",
      "the certificate in its statement of possession is not the one that this names",
    );
  }
  const certificate = included ?? options.attestCertificates?.find((one) => isNamedBy(one, statement));
  if (!certificate) {
    const given = options.attestCertificates?.length ? "is not the one given" : "is neither included nor given";
    const name = `serial ${serial} of "${formatName(statement.issuer)}"`;
    return refusal("possession.no_certificate", `the attesting certificate, ${name}, ${given}`);
  }
  const problem = attestationProblem(csr, certificate);
  if (problem !== undefined) return refusal("possession.foreign", problem);
  const verdict = await checkSignature({ ...carriedBy(csr), spki: certificate.spki });
  if (!verdict.valid) {
    return refusal(verdict.code!, `it is not signed with the attesting certificate's key: ${verdict.reason}`);
  }
  const untrusted = await pathProblem(certificate, options.attestTrust);
  if (untrusted !== undefined) return refusal("possession.untrusted", untrusted);
  const statementText = `Possession of the private key is asserted, not proved, by the holder of certificate ` +
    `${serial} "${formatName(certificate.subject)}" (RFC 9883)`;
  return {
    valid: true,
    signatures: [{ subject: formatName(csr.subject), scheme: verdict.scheme!.label }],
    possession: "asserted",
    attestation: { certificate, trusted: options.attestTrust !== "caller", statement: statementText },
    warnings: isWeakAttestation(csr.spki, certificate) ? [weakness(csr, certificate)] : [],
  };
}

function weakness(csr: Csr, certificate: Certificate): string {
  const [attested, attesting] = [csr, certificate].map(({ spki }) => describeSpki(spki).description);
  return `The ${attesting} key that attests is weaker than the ${attested} key it attests to`;
}

async function pathProblem(
  certificate: Certificate,
  trust: CsrVerifyOptions["attestTrust"],
): Promise<string | undefined> {
  if (trust === "caller") return undefined;
  if (!trust) return "nothing was given to validate the attesting certificate against";
  const { valid, reasons } = await verifyCertificate(certificate, trust);
  if (valid) return undefined;
  const list = reasons.map((
    { message, certificate: name },
  ) => (name === undefined ? message : `"${name}": ${message}`));
  return `the attesting certificate is not valid: ${list.join("; ")}`;
}
