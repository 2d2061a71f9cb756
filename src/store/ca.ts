import { encodeHex, equalBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { pathExists, readFileBytes, readFileText } from "../files.ts";
import { normalizeSerial } from "../x509/serial.ts";
import type { Certificate, Crl } from "../x509/types.ts";
import { CaChange } from "./change.ts";
import { changeFolder, type ChangeOptions, type ChangeSession } from "./folder_change.ts";
import { readIndexRows } from "./index_file.ts";
import type { IndexEntry } from "./index_txt.ts";
import type { Journal, JournalHead } from "./journal.ts";
import type { Intent } from "./journal_record.ts";
import { keyGroups } from "./key_groups.ts";
import {
  CA_CERTIFICATE_FILE,
  certificateFile,
  CHAIN_FILE,
  CRL_FOLDER,
  issuedFiles,
  joinPath,
  LOCK_FILE,
  META_FILE,
} from "./layout.ts";
import { type CaMeta, type CaVersion, isAwaited } from "./meta.ts";
import { checkCaMeta } from "./meta_check.ts";
import { CA_MIGRATIONS, readMetaObject } from "./migrations.ts";
import { OpenIntents } from "./open_intents.ts";

/** The folder of a CA: reads it, and hands out {@link CaChange} for every write. Knows no keys and makes no signature. */
export class CaStore {
  readonly folder: string;
  /** Metadata as read when the store was opened. */
  readonly meta: CaMeta;
  readonly #intents: OpenIntents;

  constructor(folder: string, meta: CaMeta) {
    this.folder = folder;
    this.meta = meta;
    this.#intents = new OpenIntents(folder);
  }

  /**
   * Opens the CA in `folder`. Older metadata is raised in memory.
   * @throws {InputError} `ca.not_found`, `meta.invalid`, `meta.newer`.
   */
  static async open(folder: string): Promise<CaStore> {
    return new CaStore(folder, await readCaMeta(folder));
  }

  /** Absolute or process-relative path of a file that metadata names. */
  path(relative: string): string {
    return joinPath(this.folder, relative);
  }

  /**
   * A version by id (`v2`, or `2`), the active one without.
   * @throws {InputError} `version.unknown`; `ca.pending` when no version is active yet.
   */
  version(wanted?: string): { id: string; version: CaVersion } {
    const ids = Object.keys(this.meta.versions);
    if (wanted === undefined && this.meta.active === "") {
      throw new InputError(`Cannot use the CA "${this.folder}": its certificate is still missing`, {
        code: "ca.pending",
        object: this.folder,
        hint: `Have its request signed, then run: qpki ca accept FILE --ca-dir ${this.folder}`,
      });
    }
    const id = ids.find((name) => name === (wanted ?? this.meta.active) || name === `v${wanted}`);
    const version = id === undefined ? undefined : this.meta.versions[id];
    if (id === undefined || !version) {
      throw new InputError(`Cannot find version "${wanted}" of the CA "${this.folder}"`, {
        code: "version.unknown",
        object: wanted ?? this.folder,
        hint: `Versions: ${ids.join(", ") || "none"}`,
      });
    }
    return { id, version };
  }

  /**
   * Certificates of a version, one per profile; the active version without an id.
   * @throws {InputError} `ca.certificate_missing` when no file is there.
   */
  async certificates(versionId?: string): Promise<[Certificate, ...Certificate[]]> {
    const { id, version } = this.version(versionId);
    const files = version.certificates ?? await this.#olderCertificateFiles(id, version);
    const found: Certificate[] = [];
    for (const file of files) found.push(...await readCertificateFile(this.path(file)));
    const [first, ...others] = found;
    if (!first) {
      throw new InputError(`Cannot find the certificate of the CA "${this.folder}" version ${id}`, {
        code: "ca.certificate_missing",
        object: this.folder,
        hint: version.status === "pending" ? `Run: qpki ca accept FILE --ca-dir ${this.folder}` : "Restore it",
      });
    }
    return [first, ...others];
  }

  /**
   * A certificate of a version (the first without one; of the active version without an id), its issuers after it, the root
   * last; a root CA has only itself.
   */
  async chain(certificate?: Certificate, versionId?: string): Promise<[Certificate, ...Certificate[]]> {
    const { id, version } = this.version(versionId);
    const own = await this.certificates(id);
    const first = certificate ?? own[0];
    const file = id === this.meta.active ? CHAIN_FILE : version.chain;
    if (file === undefined || !await pathExists(this.path(file))) return [first];
    const path = this.path(file);
    const others = await readCertificateFile(path);
    // with one certificate the file is its chain, whatever the names in it
    if (own.length === 1) return [first, ...others.filter((other) => !sameCertificate(other, first))];
    const { issuersOf } = await import("./chain.ts");
    return [first, ...issuersOf(first, others)];
  }

  /**
   * Every certificate of every version that has some, the active version's first, those above them, and the link certificates
   * between versions; each once.
   */
  async knownCertificates(): Promise<[Certificate, ...Certificate[]]> {
    const [first, ...all] = await this.certificates();
    const files = [CHAIN_FILE];
    for (const [id, version] of Object.entries(this.meta.versions)) {
      if (id !== this.meta.active && !isAwaited(version)) all.push(...await this.certificates(id));
      const { chain, cross_certificates: links = [] } = version;
      files.push(...chain === undefined ? [] : [chain], ...links.map(({ path }) => path));
    }
    for (const path of files.map((file) => this.path(file))) {
      if (await pathExists(path)) all.push(...await readCertificateFile(path));
    }
    const seen = new Set([encodeHex(first.der)]);
    return [first, ...all.filter(({ der }) => seen.size < seen.add(encodeHex(der)).size)];
  }

  /** Every entry of the index, in order of issue. @throws {InputError} `index.damaged`. */
  async entries(): Promise<IndexEntry[]> {
    return (await readIndexRows(this.folder)).map((row) => row.entry);
  }

  /**
   * The index entry of a serial (hex as the operator writes it).
   * @throws {InputError} `serial.invalid`, `serial.unknown`.
   */
  async entry(serial: string): Promise<IndexEntry> {
    const wanted = normalizeSerial(serial);
    const entry = (await this.entries()).find((candidate) => candidate.serial === wanted);
    if (!entry) throw unknownSerial(serial, this.folder);
    return entry;
  }

  /**
   * An issued certificate by serial (hex as the operator writes it).
   * @throws {InputError} `serial.invalid`, `serial.unknown`.
   */
  async issued(serial: string): Promise<{ certificate: Certificate; path: string }> {
    const wanted = normalizeSerial(serial);
    for (const file of issuedFiles(wanted)) {
      const path = this.path(file);
      if (!await pathExists(path)) continue;
      const certificate = (await readCertificateFile(path)).find((candidate) => candidate.serial === wanted);
      if (certificate) return { certificate, path };
    }
    throw unknownSerial(serial, this.folder);
  }

  /** CRL files of the CA, PEM, sorted by name. */
  async crlFiles(): Promise<string[]> {
    const folder = this.path(CRL_FOLDER);
    if (!await pathExists(folder)) return [];
    const files: string[] = [];
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile && name.endsWith(".crl")) files.push(`${folder}/${name}`);
    }
    return files.sort();
  }

  /** CRLs of the CA as they lie in its folder. */
  async crls(): Promise<Crl[]> {
    const { readCrl } = await import("../x509/crl.ts");
    const crls: Crl[] = [];
    for (const path of await this.crlFiles()) crls.push(readCrl(await readFileBytes(path), path));
    return crls;
  }

  /**
   * Changes the CA: waits for its lock, finishes or undoes what an interrupted command left, reads the metadata again, and
   * lets `work` write through the {@link CaChange}. What it writes takes effect together when it returns, or not at all.
   * `action` is one word for those who wait and for the journal.
   * @throws {OperationError} `ca.locked`; `file.write` for a folder that cannot be written; `store.unfinished`.
   * @throws {InputError} `journal.damaged`, `store.lost`.
   */
  async change<T>(action: string, work: (change: CaChange) => Promise<T>, options: ChangeOptions = {}): Promise<T> {
    const place = { folder: this.folder, lockPath: this.path(LOCK_FILE), action, intents: this.#intents };
    const open = async (session: ChangeSession, journal: Journal) =>
      new CaChange(session, journal, await readCaMeta(this.folder));
    return await changeFolder({ ...place, open }, work, options);
  }

  /**
   * Journals what is about to be signed or made outside of a change; durable on return. It ends when a later
   * {@link CaStore.change} records the certificates or writes metadata that names the keys, or by {@link undoIntents}. Returns
   * the end of the journal that has it.
   */
  async intend(intent: Intent, options: ChangeOptions = {}): Promise<JournalHead> {
    return await this.change(intent.op, async (change) => {
      await change.intend(intent, { isKept: true });
      return change.journalHead;
    }, options);
  }

  /** Notes that what was intended and not recorded came to nothing. */
  async undoIntents(action: string, options: ChangeOptions = {}): Promise<void> {
    if (this.#intents.all.length === 0) return;
    try {
      await this.change(action, (change) => change.undo(this.#intents.all), options);
    } finally {
      await this.#intents.release();
    }
  }

  /** Where the older tool, whose metadata names no certificate file, puts it. */
  async #olderCertificateFiles(id: string, version: CaVersion): Promise<string[]> {
    const perAlgorithm: string[] = [];
    for (const algorithm of [...hybridNames(version), ...version.algos]) {
      const file = certificateFile(id, algorithm);
      if (await pathExists(this.path(file))) perAlgorithm.push(file);
    }
    const groups = keyGroups(version.keys).length;
    if (perAlgorithm.length > 0) return perAlgorithm.slice(0, Math.max(groups, 1));
    if (id !== this.meta.active) return [];
    for (const file of [CA_CERTIFICATE_FILE, "cert.pem"]) {
      if (await pathExists(this.path(file))) return [file];
    }
    return [];
  }
}

/** What the older tool calls the one certificate of a hybrid, after both of its algorithms. */
function hybridNames({ algos, keys }: CaVersion): string[] {
  const part = (id: string) => keys.find((key) => key.id === id)?.algorithm.replace(/^ml-(dsa|kem)-/, "ml$1");
  const [classical, pqc] = [part("classical"), part("pqc")];
  const names = algos.length > 1 ? [algos.join("-")] : [];
  if (classical === undefined || pqc === undefined) return names;
  return [...names, `catalyst-${classical}-${pqc}`, `composite-${pqc}-${classical}`];
}

/** Whether `folder` holds a CA. */
export function isCaFolder(folder: string): Promise<boolean> {
  return pathExists(joinPath(folder, META_FILE));
}

/** The error for a serial that the CA never issued. */
export function unknownSerial(serial: string, folder: string): InputError {
  return new InputError(`Cannot find certificate ${serial} in the CA "${folder}"`, {
    code: "serial.unknown",
    object: serial,
    hint: `List the certificates with: qpki cert list --ca-dir ${folder}`,
  });
}

async function readCaMeta(folder: string): Promise<CaMeta> {
  const path = joinPath(folder, META_FILE);
  if (!await pathExists(path)) {
    const { findLeftovers } = await import("./leftovers.ts");
    const left = await findLeftovers(folder).catch(() => []);
    throw new InputError(`Cannot open the CA "${folder}": there is no ${META_FILE}`, {
      code: "ca.not_found",
      file: path,
      hint: left.length > 0
        ? `A command was interrupted. Run: qpki ca check --repair --ca-dir ${folder}`
        : "Name the folder of the CA with --ca-dir, or make a CA with: qpki ca init",
    });
  }
  return checkCaMeta(readMetaObject(await readFileText(path), path, CA_MIGRATIONS), path);
}

function sameCertificate(a: Certificate, b: Certificate): boolean {
  return equalBytes(a.der, b.der);
}

async function readCertificateFile(path: string): Promise<Certificate[]> {
  const { readCertificates } = await import("../x509/certificate.ts");
  return readCertificates(await readFileBytes(path), path);
}
