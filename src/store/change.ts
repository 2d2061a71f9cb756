import { encodePem } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { fileError, makeFolder, pathExists, readFileText, syncFolder, writeAll, writeFileDurably } from "../files.ts";
import { formatOneLine } from "../x509/name.ts";
import type { Certificate, RevocationReason } from "../x509/types.ts";
import { type ChangeSession, FolderChange } from "./folder_change.ts";
import { appendOffset, Index } from "./index_file.ts";
import { formatIndexLine, type IndexEntry, type IndexRow } from "./index_txt.ts";
import type { Journal } from "./journal.ts";
import {
  CRL_FOLDER,
  CRL_NUMBER_FILE,
  INDEX_FILE,
  ISSUED_FOLDER,
  issuedFiles,
  joinPath,
  META_FILE,
  REVOCATIONS_FILE,
} from "./layout.ts";
import type { CaMeta } from "./meta.ts";
import { formatMeta } from "./meta_check.ts";
import type { Settled } from "./open_intents.ts";

/** Certificate files written at the same time. */
const PARALLEL_WRITES = 8;

/**
 * Every write to a CA that exists, made while its lock is held; `CaStore.change` hands it out. All of it takes effect
 * together at the end; reads through it see what was written through it.
 */
export class CaChange extends FolderChange {
  /** Metadata as read under the lock, then as written. */
  #meta: CaMeta;
  #hasMeta = false;
  readonly #added: { readonly serial: string; readonly line: string }[] = [];
  readonly #files: string[] = [];
  /** The index with what this change did to it, once it was asked for. */
  #index: Index | undefined;
  readonly #revoked: string[] = [];

  constructor(session: ChangeSession, journal: Journal, meta: CaMeta) {
    super(session, journal);
    this.#meta = meta;
  }

  /** Metadata as read under the lock, or as written by this change. */
  get meta(): CaMeta {
    return this.#meta;
  }

  /**
   * Records issued certificates. Their files are durable when this returns; nobody knows of them before the change takes
   * effect.
   * @throws {OperationError} `serial.taken` when a file of that serial exists.
   */
  async addCertificates(certificates: readonly Certificate[]): Promise<void> {
    if (certificates.length === 0) return;
    const folder = joinPath(this.folder, ISSUED_FOLDER);
    await makeFolder(folder);
    await inParallel(certificates, PARALLEL_WRITES, async (certificate) => {
      const path = joinPath(this.folder, issuedFiles(certificate.serial)[0]);
      await createFile(path, encodePem("CERTIFICATE", certificate.der), () => this.#files.push(path));
    });
    await syncFolder(folder);
    for (const certificate of certificates) {
      const line = formatIndexLine(indexEntry(certificate));
      this.#added.push({ serial: certificate.serial, line });
      this.#index?.add(line);
    }
  }

  /** Every row of the index. @throws {InputError} `index.damaged`. */
  async rows(): Promise<IndexRow[]> {
    return (await this.#openIndex()).rows;
  }

  /**
   * Marks the certificate of a row (from {@link rows}) as revoked. Where OpenSSL has no word for the reason, it is kept in a
   * file beside the index.
   */
  async revoke(row: IndexRow, revocation: { date: Date; reason?: RevocationReason }): Promise<void> {
    (await this.#openIndex()).revoke(row, revocation);
    this.#revoked.push(row.entry.serial);
  }

  /**
   * A CRL number nobody else gets: the next one is durable before this one is returned, whatever becomes of the change.
   * @throws {InputError} `crlnumber.damaged`.
   */
  async takeCrlNumber(): Promise<string> {
    const path = joinPath(this.folder, CRL_NUMBER_FILE);
    if (!await pathExists(path) && await hasCrls(this.folder)) {
      throw new InputError(`Cannot read "${path}": no such file, and CRLs were made`, {
        code: "crlnumber.damaged",
        file: path,
        hint: "Write the next CRL number into it: one more than the last CRL's (qpki crl list)",
      });
    }
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
    const path = `${CRL_FOLDER}/${name}.crl`;
    await this.writeFile(path, encodePem("X509 CRL", der), { overwrite: true });
    await this.writeFile(`${path}.der`, der, { overwrite: true });
    return joinPath(this.folder, path);
  }

  /** Replaces the metadata; it takes effect last. */
  async writeMeta(meta: CaMeta): Promise<void> {
    await this.writeFile(META_FILE, formatMeta(meta), { overwrite: true });
    this.#hasMeta = true;
    this.#meta = meta;
  }

  override async abandon(): Promise<void> {
    if (this.transaction.isDecided) return;
    for (const path of this.#files) await Deno.remove(path).catch(() => {});
    await super.abandon();
  }

  protected override async prepare(): Promise<Settled> {
    const index = this.#index;
    if (index && this.#revoked.length > 0) {
      // an append cannot say it: the whole file is replaced
      await this.writeFile(INDEX_FILE, index.text, { overwrite: true });
      if (index.exactText !== undefined) await this.writeFile(REVOCATIONS_FILE, index.exactText, { overwrite: true });
    } else if (this.#added.length > 0) {
      const text = this.#added.map(({ line }) => line).join("");
      this.transaction.append({ offset: await appendOffset(this.folder), text });
    }
    return { serials: [...this.#added.map(({ serial }) => serial), ...this.#revoked], hasMeta: this.#hasMeta };
  }

  async #openIndex(): Promise<Index> {
    if (this.#index) return this.#index;
    const index = await Index.read(this.folder);
    for (const { line } of this.#added) index.add(line);
    return this.#index = index;
  }
}

/** Whether the folder of CRLs holds anything: then numbers were given out. */
async function hasCrls(folder: string): Promise<boolean> {
  const path = joinPath(folder, CRL_FOLDER);
  if (!await pathExists(path)) return false;
  for await (const _entry of Deno.readDir(path)) return true;
  return false;
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
    using file = await Deno.open(path, { write: true, createNew: true, mode: 0o644 });
    created();
    await writeAll(file, new TextEncoder().encode(text));
    await file.sync();
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
