import type { SignerTrust } from "../../../credential/cose_verify.ts";
import { InputError } from "../../../errors.ts";
import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { readCertificates } from "../../../x509/certificate.ts";
import type { Certificate } from "../../../x509/types.ts";
import type { Context } from "../../command.ts";
import { indexRevocation, readTrust } from "../../trust_input.ts";

/** What `--ca` names, as the verification of messages wants it; undefined without the flag. */
export async function signerTrust(path: string | undefined, ctx: Context): Promise<SignerTrust | undefined> {
  if (path === undefined) return undefined;
  const trust = await readTrust(path, ctx);
  return { ...trust, revoked: (certificate) => indexRevocation(trust, certificate) };
}

/** Every certificate of these files. @throws {InputError} for a file without. */
export async function certificatesOf(files: readonly string[], ctx: Context): Promise<Certificate[]> {
  const found: Certificate[] = [];
  for (const file of files) {
    const certificates = readCertificates(await readFileBytes(joinPath(ctx.cwd, file)), file);
    if (certificates.length === 0) {
      throw new InputError(`Cannot use "${file}": it holds no certificate`, { code: "certificate.invalid", file });
    }
    found.push(...certificates);
  }
  return found;
}
