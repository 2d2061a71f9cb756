import { equalBytes } from "../../../bytes.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { IssuingVersions } from "../../../ca/issuing_version.ts";
import { EXIT } from "../../../errors.ts";
import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { authorityKeyId, subjectKeyId } from "../../../x509/certificate.ts";
import { type CrlVerdict, readCrl, verifyCrl } from "../../../x509/crl.ts";
import { formatName, sameName } from "../../../x509/name.ts";
import type { Certificate, Crl } from "../../../x509/types.ts";
import type { AlternativePolicy } from "../../../x509/verdict.ts";
import type { Command } from "../../command.ts";
import { FILE_ARGUMENT, required } from "../../flags.ts";
import { signaturesText } from "../../signature_text.ts";
import { ALTERNATIVE, alternativePolicy, readTrust, TRUST, type Trust } from "../../trust_input.ts";

/** `qpki crl verify FILE`. */
const command: Command = {
  summary: "Verify the signature of a certificate revocation list",
  details:
    "Prints VALID, or INVALID with the reason (exit 1). With a CA's folder that CA itself must have issued it, in any of " +
    "its versions, and not one above it. A Catalyst CA must have signed it with both keys.",
  args: [{ ...FILE_ARGUMENT, description: "CRL, PEM or DER" }],
  flags: [
    required({ ...TRUST, description: "certificates one of which issued it, or the folder of the CA that issued it" }),
    ALTERNATIVE,
    { name: "check-expiry", description: "not valid when nextUpdate is past" },
  ],
  examples: ["qpki crl verify ./ca/crl/ca.crl --ca ./ca", "qpki crl verify ca.crl --ca ca.crt --check-expiry"],
  async run(input, ctx) {
    const file = input.argument("file")!;
    const crl = readCrl(await readFileBytes(joinPath(ctx.cwd, file)), file);
    const issuers = await possibleIssuers(await readTrust(input.text(TRUST.name)!, ctx));
    const verdict = await crlVerdict(crl, issuers, alternativePolicy(input));
    const late = input.on("check-expiry") ? timeProblem(crl, ctx.now()) : undefined;
    const reason = verdict.valid ? late : verdict.reason;
    const data = {
      valid: reason === undefined,
      issuer: formatName(crl.issuer),
      number: crl.number,
      this_update: formatInstant(crl.thisUpdate),
      ...(crl.nextUpdate ? { next_update: formatInstant(crl.nextUpdate) } : {}),
      signatures: verdict.signatures,
      ...(reason === undefined ? {} : { reason }),
    };
    if (reason === undefined) return { data, text: ["VALID", ...signaturesText(verdict.signatures)].join("\n") };
    return { data, text: `INVALID: ${reason}`, exit: EXIT.FAILED };
  },
};
export default command;

/** The CA of a folder, in any of its versions, is not those above it; a file says nothing of that. */
async function possibleIssuers({ store, intermediates, anchors }: Trust): Promise<Certificate[]> {
  if (!store) return [...intermediates, ...anchors];
  return (await IssuingVersions.open(store)).certificates.map(({ identity }) => identity.certificate);
}

async function crlVerdict(
  crl: Crl,
  certificates: readonly Certificate[],
  alternative: AlternativePolicy,
): Promise<CrlVerdict> {
  const issuers = certificates.filter((one) => sameName(one.subject, crl.issuer));
  const reason = `none of the certificates has the CRL's issuer "${formatName(crl.issuer)}"`;
  let verdict: CrlVerdict = { valid: false, reason, signatures: [] };
  // a CA with several keys has several certificates of one name
  for (
    const issuer of [
      ...issuers.filter((one) => hasKeyOf(one, crl)),
      ...issuers.filter((one) => !hasKeyOf(one, crl)),
    ]
  ) {
    const found = await verifyCrl(crl, issuer, { alternative });
    if (found.valid) return found;
    if (verdict.reason === reason) verdict = found;
  }
  return verdict;
}

function hasKeyOf(issuer: Certificate, crl: Crl): boolean {
  const [wanted, own] = [authorityKeyId(crl)?.keyId, subjectKeyId(issuer)];
  return wanted !== undefined && own !== undefined && equalBytes(wanted, own);
}

function timeProblem(crl: Crl, now: Date): string | undefined {
  if (crl.thisUpdate > now) return `it is not valid before ${formatInstant(crl.thisUpdate)}`;
  if (crl.nextUpdate && crl.nextUpdate < now) return `it expired on ${formatInstant(crl.nextUpdate)}`;
  return undefined;
}
