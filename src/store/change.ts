import { encodePem } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import {
  fileError,
  makeFolder,
  pathExists,
  readFileText,
  syncFolder,
  writeFileDurably,
  type WriteOptions,
} from "../files.ts";
import { formatOneLine } from "../x509/name.ts";
import type { Certificate, RevocationReason } from "../x509/types.ts";
import { appendIndex, markRevoked, readIndexRows } from "./index_file.ts";
import type { IndexEntry, IndexRow } from "./index_txt.ts";
import {
  CRL_FOLDER,
  CRL_NUMBER_FILE,
  ISSUED_FOLDER,
  issuedFiles,
  joinPath,
  META_FILE,
  parentFolder,
} from "./layout.ts";
import type { CaMeta } from "./meta.ts";
import { formatMeta } from "./meta_check.ts";

/** Certificate files written at the same time. */
const PARALLEL_WRITES = 8;

/**
 * Every write to a CA that exists, made while its lock is held; `CaStore.change` hands it out. The order inside each method
 * is such that a crash at any point loses nothing that was acknowledged and repeats no number.
 */
export class CaChange {
  readonly folder: string;
  /** Metadata as read under the lock. */
  readonly meta: CaMeta;

  constructor(folder: string, meta: CaMeta) {
    this.folder = folder;
    this.meta = meta;
  }

  /**
   * Records issued certificates: their files first, then the index in one append. All or none.
   * @throws {OperationError} `serial.taken` when a file of that serial exists.
   */
  async addCertificates(certificates: readonly Certificate[]): Promise<void> {
    const folder = joinPath(this.folder, ISSUED_FOLDER);
    await makeFolder(folder);
    const written: string[] = [];
    try {
      await inParallel(certificates, PARALLEL_WRITES, async (certificate) => {
        const path = joinPath(this.folder, issuedFiles(certificate.serial)[0]);
        await createFile(path, encodePem("CERTIFICATE", certificate.der), () => written.push(path));
      });
      await syncFolder(folder);
      await appendIndex(this.folder, certificates.map(indexEntry));
    } catch (error) {
      for (const path of written) await Deno.remove(path).catch(() => {});
      throw error;
    }
  }

  /** Every row of the index, read under the lock. */
  rows(): Promise<IndexRow[]> {
    return readIndexRows(this.folder);
  }

  /** Marks the certificate of a row (from {@link rows}) as revoked. */
  revoke(row: IndexRow, revocation: { date: Date; reason?: RevocationReason }): Promise<void> {
    return markRevoked(this.folder, { row, ...revocation });
  }

  /**
   * A CRL number nobody else gets: the next one is durable before this one is returned.
   * @throws {InputError} `crlnumber.damaged`.
   */
  async takeCrlNumber(): Promise<string> {
    const path = joinPath(this.folder, CRL_NUMBER_FILE);
    const text = await pathExists(path) ? (await readFileText(path)).trim() : "01";
    if (!/^([0-9A-Fa-f]{2}){1,20}$/.test(text)) {
      throw new InputError(`Cannot read "${path}": not an even number of hex digits`, {
        code: "crlnumber.damaged",
        file: path,
        line: 1,
        hint: "Write the next CRL number into it: one more than the last CRL's (qpki crl list)",
      });
    }
    const next = (BigInt(`0x${text}`) + 1n).toString(16).toUpperCase();
    await writeFileDurably(path, `${next.length % 2 ? "0" : ""}${next}\n`, { overwrite: true });
    return text.toUpperCase().replace(/^(00)+(?=..)/, "");
  }

  /** Replaces the CRL, PEM and DER; returns the path of the PEM file. `name` is `ca`, or `ca.ALGORITHM` with several. */
  async writeCrl(der: Uint8Array, name = "ca"): Promise<string> {
    await makeFolder(joinPath(this.folder, CRL_FOLDER));
    const path = joinPath(this.folder, `${CRL_FOLDER}/${name}.crl`);
    await writeFileDurably(path, encodePem("X509 CRL", der), { overwrite: true });
    await writeFileDurably(`${path}.der`, der, { overwrite: true });
    return path;
  }

  /** Writes a file of the CA (`path` relative to its folder), folders included. */
  async writeFile(path: string, content: Uint8Array | string, options: WriteOptions = {}): Promise<void> {
    const absolute = joinPath(this.folder, path);
    await makeFolder(parentFolder(absolute));
    await writeFileDurably(absolute, content, options);
  }

  /** Replaces the metadata: what makes a change of versions take effect, so it comes last. */
  async writeMeta(meta: CaMeta): Promise<void> {
    await writeFileDurably(joinPath(this.folder, META_FILE), formatMeta(meta), { overwrite: true });
  }
}

/** The row of a certificate that is valid from now on. */
function indexEntry(certificate: Certificate): IndexEntry {
  return {
    status: "V",
    notAfter: certificate.notAfter,
    serial: certificate.serial,
    subject: formatOneLine(certificate.subject),
  };
}

/** Makes a durable file; nobody looks for it before the index names it, so it needs no temporary name. */
async function createFile(path: string, text: string, created: () => void): Promise<void> {
  try {
    const file = await Deno.open(path, { write: true, createNew: true, mode: 0o644 });
    created();
    try {
      const bytes = new TextEncoder().encode(text);
      let at = 0;
      while (at < bytes.length) at += await file.write(bytes.subarray(at));
      await file.sync();
    } finally {
      file.close();
    }
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) {
      throw new OperationError(`Cannot write "${path}": a certificate with this serial number exists`, {
        code: "serial.taken",
        object: path,
        cause,
      });
    }
    throw fileError("write", path, cause);
  }
}

async function inParallel<T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await work(items[next++]!);
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, worker));
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}
