import { formatInstant } from "../../../ca/deps.ts";
import { IssuingVersions } from "../../../ca/issuing_version.ts";
import { statusOf } from "../../../ca/status.ts";
import { InputError } from "../../../errors.ts";
import { pathExists, readFileBytes } from "../../../files.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import { describeCertificate, readCertificates } from "../../../x509/certificate.ts";
import type { Certificate } from "../../../x509/types.ts";
import type { Command, Context } from "../../command.ts";
import { CA_DIR, SERIAL_ARGUMENT } from "../../flags.ts";

/** `qpki cert info SERIAL`. */
const command: Command = {
  summary: "Show a certificate",
  args: [{
    ...SERIAL_ARGUMENT,
    description: "serial number in hex (0x and colons are accepted), or a certificate file",
  }],
  flags: [CA_DIR],
  examples: ["qpki cert info 0x1A2B3C --ca-dir ./ca", "qpki cert info ./server.crt"],
  async run(input, ctx) {
    const what = input.argument("serial")!;
    if (/[/\\.]/.test(what) || !/^(0x)?[0-9a-f:]+$/i.test(what)) return await fileInfo(what, ctx);
    const store = await CaStore.open(joinPath(ctx.cwd, input.text(CA_DIR.name)!));
    const entry = await store.entry(what);
    const { certificate, path } = await store.issued(what);
    const status = statusOf(entry, ctx.now());
    const { json, text } = await describeCertificate(certificate);
    const revocation = entry.revocation
      ? { revoked_at: formatInstant(entry.revocation.date), reason: entry.revocation.reason ?? "unspecified" }
      : undefined;
    const versions = await IssuingVersions.open(store);
    const version = await versions.of(certificate);
    const lines = [
      ...(versions.ids.length > 1 && version !== undefined ? [`Issued by version: ${version}`] : []),
      `Status: ${status}${revocation ? ` since ${revocation.revoked_at} (${revocation.reason})` : ""}`,
      `File: ${path}`,
    ];
    return {
      data: { ...json, ...(version === undefined ? {} : { issuer_version: version }), status, ...revocation, path },
      text: `${text.trimEnd()}\n${lines.join("\n")}`,
    };
  },
};
export default command;

async function fileInfo(file: string, ctx: Context) {
  const path = joinPath(ctx.cwd, file);
  if (!/[/\\.]/.test(file) && !await pathExists(path)) {
    throw new InputError(`Cannot find the certificate "${file}": neither a serial number in hex nor a file`, {
      code: "serial.invalid",
      hint: "qpki cert list shows the serial numbers",
    });
  }
  const certificates: Certificate[] = readCertificates(await readFileBytes(path), file);
  const described = await Promise.all(certificates.map(describeCertificate));
  const json = described.map((one) => one.json);
  return {
    data: json.length === 1 ? json[0] : { certificates: json },
    text: described.map((one) => one.text.trimEnd()).join("\n\n"),
  };
}
