import type { SignerTrust } from "../../../credential/cose_verify.ts";
import { InputError } from "../../../errors.ts";
import { readFileBytes } from "../../../files.ts";
import { joinPath } from "../../../store/layout.ts";
import { readCertificates } from "../../../x509/certificate.ts";
import type { CaStore } from "../../../store/ca.ts";
import type { Certificate } from "../../../x509/types.ts";
import type { Context } from "../../command.ts";
import { indexRevocation, readTrust } from "../../trust_input.ts";

/** What `--ca` names, as the verification of messages wants it; undefined without the flag. */
export async function signerTrust(path: string | undefined, ctx: Context): Promise<SignerTrust | undefined> {
  if (path === undefined) return undefined;
  const trust = await readTrust(path, ctx);
  const { store } = trust;
  return {
    ...trust,
    revoked: (certificate) => indexRevocation(trust, certificate),
    ...(store ? { issued: () => issuedBy(store) } : {}),
  };
}

/** Most certificates of a CA that are looked through for a signer's. */
const MAX_ISSUED = 20_000;

async function* issuedBy(store: CaStore): AsyncGenerator<Certificate> {
  for (const { serial } of (await store.entries()).toReversed().slice(0, MAX_ISSUED)) {
    try {
      yield (await store.issued(serial)).certificate;
    } catch (error) {
      // one that is gone or damaged is none that signed
      if (!(error instanceof InputError)) throw error;
    }
  }
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
