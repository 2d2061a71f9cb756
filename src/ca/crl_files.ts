import { type Bytes, encodeHex, equalBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { readFileBytes } from "../files.ts";
import type { CaStore } from "../store/ca.ts";
import { authorityKeyId, subjectKeyId } from "../x509/certificate.ts";
import { parseCrl, readCrl } from "../x509/crl.ts";
import type { Crl } from "../x509/types.ts";
import type { CaCertificate } from "./certificates.ts";
import type { IssuingVersions } from "./issuing_version.ts";

/**
 * Name of a CRL file without its ending: `ca` for the active version, `ca.v1` for another one, and the algorithm behind it in
 * a version of several certificates.
 */
export function crlName({ name }: Pick<CaCertificate, "name">, version: { count: number; former?: string }): string {
  const { count, former } = version;
  return ["ca", ...(former === undefined ? [] : [former]), ...(count > 1 ? [name] : [])].join(".");
}

/** Whether a file's content is a CRL by the key with this identifier. */
export function isCrlOf(der: Uint8Array, keyId: Bytes | undefined): boolean {
  try {
    const wanted = authorityKeyId(parseCrl(der))?.keyId;
    return wanted === undefined || keyId === undefined || equalBytes(wanted, keyId);
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

/**
 * Removes earlier CRLs of the same key that lie under another name, from before its version was activated or archived. As
 * long as the active version has no CRL of its own, the one under the short name stays: it is still fetched there.
 */
export async function removeSuperseded(
  store: CaStore,
  versions: IssuingVersions,
  { crl, path }: { readonly crl: Crl; readonly path: string },
): Promise<void> {
  const keyId = authorityKeyId(crl)?.keyId;
  if (!keyId || versions.ids.length < 2) return;
  const found = await readable(await store.crlFiles());
  const { active } = store.meta;
  const own = versions.certificates.filter(({ versionId }) => versionId === active)
    .map(({ identity }) => keyText(subjectKeyId(identity.certificate)));
  if (!found.some((one) => own.includes(keyText(one.keyId)))) return;
  for (const { file, keyId: other, number } of found) {
    if (file === store.path(path) || keyText(other) !== encodeHex(keyId)) continue;
    if (BigInt(`0x${number ?? "0"}`) >= BigInt(`0x${crl.number ?? "0"}`)) continue;
    for (const name of [`${file}.der`, file]) await Deno.remove(name).catch(() => {});
  }
}

async function readable(files: readonly string[]) {
  const found: { file: string; keyId: Bytes | undefined; number: string | undefined }[] = [];
  for (const file of files) {
    try {
      const crl = readCrl(await readFileBytes(file), file);
      found.push({ file, keyId: authorityKeyId(crl)?.keyId, number: crl.number });
    } catch (error) {
      // somebody else's file: not ours to judge
      if (!(error instanceof InputError)) throw error;
    }
  }
  return found;
}

function keyText(keyId: Bytes | undefined): string {
  return keyId ? encodeHex(keyId) : "";
}
