import { acceptCertificate } from "../../../ca/accept.ts";
import { formatInstant } from "../../../ca/deps.ts";
import { readFileBytes } from "../../../files.ts";
import { CaStore } from "../../../store/ca.ts";
import { joinPath } from "../../../store/layout.ts";
import { readCertificates } from "../../../x509/certificate.ts";
import { formatName } from "../../../x509/name.ts";
import type { Command } from "../../command.ts";
import { CA_DIR, FILE_ARGUMENT } from "../../flags.ts";

/** `qpki ca accept FILE`. */
const command: Command = {
  summary: "Take the certificate for a CA or version that was made with --csr-only",
  details:
    "The first version of a CA becomes active at once; that of ca rotate --csr-only is pending until ca activate. " +
    "The certificate is checked against the waiting key: same public key, a CA certificate, valid now, and signed " +
    "by its issuer where the issuer's certificate is in the file or in --parent-cert. One that was accepted without its " +
    "issuer may be given again with --parent-cert: that completes the chain.",
  args: [{ ...FILE_ARGUMENT, description: "certificate from the issuing CA, alone or with its chain" }],
  flags: [CA_DIR, {
    name: "parent-cert",
    value: "FILE",
    description: "certificates of the issuing CA and those above it",
    complete: "file",
  }],
  examples: [
    "qpki ca accept issuing-ca.pem --ca-dir ./issuing-ca",
    "qpki ca accept issuing-ca.pem --ca-dir ./issuing-ca --parent-cert root.pem",
  ],
  async run(input, ctx) {
    const folder = input.text(CA_DIR.name)!;
    const file = input.argument("file")!;
    const parentFile = input.text("parent-cert");
    const read = async (path: string) => readCertificates(await readFileBytes(joinPath(ctx.cwd, path)), path);
    const certificates = await read(file);
    const issuers = parentFile === undefined ? [] : await read(parentFile);
    const store = await CaStore.open(joinPath(ctx.cwd, folder));
    const accepted = await acceptCertificate(store, { certificates, issuers }, ctx);
    const { certificate } = accepted;
    const statusBefore = store.meta.versions[accepted.versionId]!.status;
    const data = {
      path: folder,
      version: accepted.versionId,
      subject: formatName(certificate.subject),
      issuer: formatName(certificate.issuer),
      serial: certificate.serial,
      not_before: formatInstant(certificate.notBefore),
      not_after: formatInstant(certificate.notAfter),
      chain: accepted.issuers.map((one) => formatName(one.subject)),
      status: accepted.isActive ? "active" : accepted.isCompletion ? statusBefore : "pending",
      completed: accepted.isCompletion,
      certificate: `${folder}/${accepted.isActive ? "ca.crt" : accepted.path}`,
    };
    const text = [
      accepted.isCompletion
        ? `Chain completed, version ${accepted.versionId} of ${folder} has its issuers`
        : `Certificate accepted, version ${accepted.versionId} of ${folder} is ${data.status}`,
      `  Subject:     ${data.subject}`,
      `  Issuer:      ${data.issuer}`,
      `  Serial:      ${data.serial}`,
      `  Valid until: ${data.not_after}`,
      ...(data.status !== "pending"
        ? []
        : [`  Then:        qpki ca activate --version ${data.version} --ca-dir ${folder}`]),
    ].join("\n");
    return { data, text };
  },
};
export default command;
