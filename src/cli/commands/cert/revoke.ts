import { generateCrl } from "../../../ca/crl.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { readReason, revokeCertificate } from "../../../ca/revoke.ts";
import { openAll } from "../../../ca/issuers.ts";
import { IssuingVersions } from "../../../ca/issuing_version.ts";
import { OperationError, QpkiError } from "../../../errors.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import { normalizeSerial } from "../../../x509/serial.ts";
import type { Command } from "../../command.ts";
import { givenDays } from "../../crl_input.ts";
import { CA_DIR, CA_PASSPHRASE, fromFlag, SERIAL_ARGUMENT } from "../../flags.ts";
import { CRL_DAYS, GEN_CRL, REASON } from "../../revoke_flags.ts";

/** `qpki cert revoke SERIAL`. */
const command: Command = {
  summary: "Revoke a certificate that a CA issued",
  details:
    "The revocation counts for others once a CRL says so: add --gen-crl, or run crl gen afterwards. The CRL is that of " +
    "the CA's version that issued the certificate.",
  args: [SERIAL_ARGUMENT],
  flags: [
    CA_DIR,
    REASON,
    GEN_CRL,
    CRL_DAYS,
    CA_PASSPHRASE,
  ],
  examples: [
    "qpki cert revoke 0x1A2B3C --ca-dir ./ca --reason keyCompromise",
    "qpki cert revoke 0x1A2B3C --ca-dir ./ca --reason superseded --gen-crl",
  ],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const reason = fromFlag(() => readReason(input.text(REASON.name)!));
    const days = givenDays(input, CRL_DAYS.name);
    const store = await CaStore.open(joinPath(ctx.cwd, folder));
    const versions = await IssuingVersions.open(store);
    const versionId = await versions.ofSerial(normalizeSerial(input.argument("serial")!));
    // the key first: a wrong passphrase must not leave half of the work done
    await using cas = input.on(GEN_CRL.name)
      ? await openAll(store, {
        deps: ctx,
        versionId,
        passphrase: ctx.passphrase(input.text(CA_PASSPHRASE.name), "Passphrase of the CA key", {
          flag: CA_PASSPHRASE.name,
        }),
      })
      : undefined;
    const revocation = await revokeCertificate(store, { serial: input.argument("serial")!, reason }, ctx);
    const { entry } = revocation;
    const data = {
      serial: entry.serial,
      subject: entry.subject,
      revoked_at: formatInstant(revocation.date),
      reason: revocation.reason ?? "unspecified",
    };
    const line = `Certificate ${data.serial} revoked (${data.reason})`;
    if (!cas) return { data, text: line };
    const crls = [];
    for (const ca of cas.open) {
      const { crl, path } = await generateCrl(ca, { days, versions }, ctx).catch((cause) => {
        throw cause instanceof QpkiError ? afterRevocation(entry.serial, folder, cause) : cause;
      });
      crls.push({ path: `${folder}/${path}`, number: crl.number, next_update: formatInstant(crl.nextUpdate!) });
    }
    return {
      data: { ...data, crl: crls[0], crls },
      text: [line, ...crls.map(({ number, path }) => `CRL ${number} written to ${path}`)].join("\n"),
    };
  },
};
export default command;

function afterRevocation(serial: string, folder: string, cause: QpkiError): OperationError {
  return new OperationError(`Cannot make the CRL, although certificate ${serial} is revoked: ${cause.message}`, {
    code: cause.code,
    hint: `Make the CRL with: qpki crl gen --ca-dir ${folder}`,
    cause,
  });
}
