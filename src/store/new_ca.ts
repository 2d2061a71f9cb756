import { encodePem } from "../bytes.ts";
import { makeFolder, writeFileDurably } from "../files.ts";
import type { Certificate, Csr } from "../x509/types.ts";
import {
  CA_CERTIFICATE_FILE,
  CHAIN_FILE,
  CRL_FOLDER,
  CRL_NUMBER_FILE,
  csrFile,
  INDEX_ATTR_FILE,
  INDEX_FILE,
  ISSUED_FOLDER,
  META_FILE,
  parentFolder,
} from "./layout.ts";
import type { CaMeta } from "./meta.ts";
import { formatMeta } from "./meta_check.ts";

/** What a new CA begins with, besides its key. */
export interface NewCa {
  /** Names the files of the certificates in `certificates`. */
  readonly meta: CaMeta;
  readonly versionId: string;
  /** In the order of the metadata; none while a request is out. */
  readonly certificates: readonly Certificate[];
  readonly csr?: Csr;
  /** Every certificate with its issuers, each once, the root last; empty for a root. */
  readonly chain: readonly Certificate[];
}

/** Writes every file of a new CA but its key into `folder`, which nobody looks at yet. */
export async function writeNewCa(folder: string, content: NewCa): Promise<void> {
  const { versionId, certificates, csr, chain } = content;
  const files: [path: string, text: string][] = [
    [INDEX_FILE, ""],
    [INDEX_ATTR_FILE, "unique_subject = no\n"],
    [CRL_NUMBER_FILE, "01\n"],
  ];
  const paths = content.meta.versions[versionId]?.certificates ?? [];
  for (const [i, certificate] of certificates.entries()) files.push([paths[i]!, pemOf([certificate])]);
  if (certificates.length > 0) files.push([CA_CERTIFICATE_FILE, pemOf(certificates)]);
  if (csr) files.push([csrFile(versionId), encodePem("CERTIFICATE REQUEST", csr.der)]);
  if (chain.length > 0) files.push([CHAIN_FILE, pemOf(chain)]);
  files.push([META_FILE, formatMeta(content.meta)]);
  for (const name of [ISSUED_FOLDER, CRL_FOLDER]) await makeFolder(`${folder}/${name}`);
  for (const [path, text] of files) {
    await makeFolder(parentFolder(`${folder}/${path}`));
    await writeFileDurably(`${folder}/${path}`, text);
  }
}

function pemOf(certificates: readonly Certificate[]): string {
  return certificates.map((one) => encodePem("CERTIFICATE", one.der)).join("");
}
