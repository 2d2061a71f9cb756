import { equalBytes } from "../../../bytes.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { EXIT, InputError } from "../../../errors.ts";
import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { authorityKeyId, readCertificates } from "../../../x509/certificate.ts";
import { readCrl } from "../../../x509/crl.ts";
import { formatName } from "../../../x509/name.ts";
import type { Certificate, Crl } from "../../../x509/types.ts";
import { nameOf } from "../../../x509/verdict.ts";
import {
  type CheckedRevocation,
  type VerdictReason,
  verifyCertificate,
  type VerifyOptions,
} from "../../../x509/verify.ts";
import type { Command, Context } from "../../command.ts";
import { parseInstant } from "../../crl_input.ts";
import { FILE_ARGUMENT, required } from "../../flags.ts";
import { signaturesText } from "../../signature_text.ts";
import { ALTERNATIVE, alternativePolicy, indexRevocation, readTrust, TRUST, type Trust } from "../../trust_input.ts";

/** `qpki cert verify FILE`. */
const command: Command = {
  summary: "Verify a certificate up to a trusted one",
  details:
    "Prints VALID, or INVALID with every reason (exit 1). The file may hold intermediates after the certificate. " +
    "With --crl the certificate must be covered by a current CRL of its issuer, and a CA above it that is not brings a " +
    "warning; a CA's folder given to --ca brings its own, and what its index knows to be revoked is not valid. " +
    "Composite signatures are good when both parts are, and below a Catalyst CA both signatures must be; what was " +
    "checked is printed.",
  args: [{ ...FILE_ARGUMENT, description: "certificate, PEM or DER, with or without its chain" }],
  flags: [
    required(TRUST),
    { name: "crl", value: "FILE", repeat: true, description: "CRL that must cover the certificate", complete: "file" },
    ALTERNATIVE,
    { name: "at", value: "TIME", description: "verify as of this time, for example 2026-01-02T10:30:00Z" },
  ],
  examples: [
    "qpki cert verify server.crt --ca ./ca",
    "qpki cert verify server.crt --ca root.pem --crl ca.crl",
  ],
  async run(input, ctx) {
    const file = input.argument("file")!;
    const [leaf, ...others] = readCertificates(await readFileBytes(joinPath(ctx.cwd, file)), file);
    if (!leaf) {
      throw new InputError(`Cannot verify "${file}": it holds no certificate`, { code: "certificate.invalid" });
    }
    const trust = await readTrust(input.text(TRUST.name)!, ctx);
    const at = input.text("at");
    const time = at === undefined ? ctx.now() : parseInstant(at, "at");
    const given = await readCrls(input.list("crl"), ctx);
    const own = trust.crls.filter((crl) => isCurrent(crl, time));
    warnOfOutdated(trust.crls.filter((crl) => !own.includes(crl)), leaf, ctx);
    const options = {
      anchors: trust.anchors,
      intermediates: [...others, ...trust.intermediates],
      crls: [...given, ...own],
      at: time,
      alternative: alternativePolicy(input),
    };
    const verdict = await verifyCertificate(leaf, options);
    const missing = verdict.valid && options.crls.length > 0
      ? uncovered(verdict.revocation, { isRequired: given.length > 0 }, ctx)
      : [];
    const revoked = verdict.valid ? await knownRevocations(leaf, options, trust) : [];
    const reasons = [...verdict.reasons, ...missing, ...revoked];
    const valid = reasons.length === 0;
    const data = {
      valid,
      subject: formatName(leaf.subject),
      serial: leaf.serial,
      at: formatInstant(time),
      crl_checked: verdict.revocation[0]?.covered === true,
      revocation: verdict.revocation,
      chain: verdict.chain.map((one) => formatName(one.subject)),
      signatures: verdict.signatures,
      reasons,
      warnings: verdict.warnings,
    };
    for (const { message, certificate } of verdict.warnings) {
      ctx.warn(certificate === undefined ? message : `"${certificate}": ${message}`);
    }
    if (valid) return { data, text: ["VALID", ...signaturesText(verdict.signatures)].join("\n") };
    const lines = reasons.map(({ certificate, message }) =>
      `  ${certificate === undefined ? "" : `${certificate}: `}${message}`
    );
    return { data, text: ["INVALID", ...lines].join("\n"), exit: EXIT.FAILED };
  },
};
export default command;

/** The reason when no CRL covers the certificate itself although one must; else a warning is enough. */
function uncovered(
  revocation: readonly CheckedRevocation[],
  { isRequired }: { isRequired: boolean },
  ctx: Context,
): VerdictReason[] {
  const reasons: VerdictReason[] = [];
  for (const [i, { subject, covered }] of revocation.entries()) {
    if (covered) continue;
    if (i > 0) ctx.warn(`No CRL says whether the CA "${subject}" was revoked`);
    else if (isRequired) {
      const message = "there is no CRL of its issuer that covers it";
      reasons.push({ code: "crl.missing", message, certificate: subject });
    } else ctx.warn(`No CRL says whether "${subject}" was revoked`);
  }
  return reasons;
}

/**
 * Revocations that no current CRL tells of: an outdated CRL of the CA's folder does, since nobody takes a revocation back,
 * or the CA's own index, before the next CRL is made.
 */
async function knownRevocations(leaf: Certificate, options: VerifyOptions, trust: Trust): Promise<VerdictReason[]> {
  if (!trust.store) return [];
  const outdated = await verifyCertificate(leaf, { ...options, crls: trust.crls });
  const revoked = outdated.reasons.filter(({ code }) => code === "certificate.revoked");
  const message = revoked.length > 0 ? undefined : await indexRevocation(trust, leaf);
  return message === undefined ? revoked : [{ code: "certificate.revoked", message, certificate: nameOf(leaf) }];
}

async function readCrls(files: readonly string[], ctx: Context): Promise<Crl[]> {
  const crls: Crl[] = [];
  for (const file of files) crls.push(readCrl(await readFileBytes(joinPath(ctx.cwd, file)), file));
  return crls;
}

/** A CRL that merely lies in the CA's folder is used as long as it is current. */
function isCurrent(crl: Crl, at: Date): boolean {
  return crl.thisUpdate <= at && (!crl.nextUpdate || at <= crl.nextUpdate);
}

/** CRLs of other keys of the CA say nothing of this certificate: an archived version may need none any more. */
function warnOfOutdated(crls: readonly Crl[], leaf: Certificate, ctx: Context): void {
  for (const crl of crls) {
    const [wanted, own] = [keyIdOf(leaf), keyIdOf(crl)];
    if (wanted && own && !equalBytes(wanted, own)) continue;
    ctx.warn(`The CRL of the CA's folder is not current (nextUpdate ${nextUpdate(crl)}) and was not used`);
  }
}

/** Key identifier of the issuer; a malformed one tells nothing. */
function keyIdOf(issued: Crl | Certificate): Uint8Array | undefined {
  try {
    return authorityKeyId(issued)?.keyId;
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

function nextUpdate(crl: Crl): string {
  return crl.nextUpdate ? formatInstant(crl.nextUpdate) : "absent";
}
