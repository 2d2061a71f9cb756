import { readFileBytes } from "../files.ts";
import { joinPath } from "../store/layout.ts";
import { readCertificates } from "../x509/certificate.ts";
import type { Certificate } from "../x509/types.ts";
import type { Context, Flag, Input } from "./command.ts";

/** The certificate whose holder answers for a key that cannot sign (RFC 9883). */
export const ATTEST_CERT: Flag = {
  name: "attest-cert",
  value: "FILE",
  description: "signature certificate of the same holder, who states possession of a key that cannot sign (ML-KEM)",
  complete: "file",
};

/** Certificates that --attest-cert names; none without it. @throws {InputError} for a file that holds none. */
export async function attestCertificates(input: Input, ctx: Context): Promise<Certificate[]> {
  const file = input.text(ATTEST_CERT.name);
  return file === undefined ? [] : readCertificates(await readFileBytes(joinPath(ctx.cwd, file)), file);
}
