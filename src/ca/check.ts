import { InputError } from "../errors.ts";
import { pathExists, readFileText } from "../files.ts";
import type { PassphraseSource } from "../keys/types.ts";
import { CaStore, isCaFolder } from "../store/ca.ts";
import {
  CA_CERTIFICATE_FILE,
  CRL_FOLDER,
  CRL_NUMBER_FILE,
  INDEX_FILE,
  ISSUED_FOLDER,
  LOCK_FILE,
  META_FILE,
} from "../store/layout.ts";
import { acquireLock } from "../store/lock.ts";
import { readSchema } from "../store/migrations.ts";
import { Anchor } from "./anchor.ts";
import { checkCrls } from "./check_crls.ts";
import { type LenientIndex, readLenientIndex } from "./check_index.ts";
import { checkIssuedFiles } from "./check_issued.ts";
import { checkJournal, type JournalCheck } from "./check_journal.ts";
import { checkKeys } from "./check_keys.ts";
import { checkStaged, checkTemporary } from "./check_leftovers.ts";
import { checkWritable } from "./check_modes.ts";
import { Findings } from "./check_report.ts";
import { type CheckScene, checkVersions, type VersionCertificate } from "./check_versions.ts";
import { checkIndexRepairs } from "./check_index_repair.ts";
import type { Deps } from "./deps.ts";

/** What a check of a CA looks at besides its folder. */
export interface CaCheckOptions {
  /** Whether tokens are looked into. */
  readonly token: boolean;
  /** Opens encrypted key files. */
  readonly passphrase?: PassphraseSource | undefined;
}

/**
 * Checks a CA: whether metadata, index, files, chain, CRLs and keys agree. What is wrong becomes a finding, never an error;
 * nothing is changed. Takes the CA's lock for the moment in which it reads what changes.
 * @throws {InputError} `ca.not_found` when there is neither a CA nor what an interrupted command left of one, `meta.newer`; {OperationError} `ca.locked`; {InterruptedError}.
 */
export async function checkCa(folder: string, options: CaCheckOptions, deps: Deps): Promise<Findings> {
  const findings = new Findings();
  await checkStaged(folder, { ...options, findings, deps });
  if (!await isCaFolder(folder) && findings.list.length > 0) return findings;
  await checkTemporary(folder, findings);
  const journal = await checkJournal(folder, findings, deps);
  const now = deps.now();
  const seen = await takeSnapshot(folder, deps, findings);
  if (!seen) return findings;
  const { store } = seen;
  const scene = { store, findings, now };
  const { certificates: own, keys } = await checkVersions(scene);
  // half of a change that is decided is no fair picture of the rest
  if (!journal.unfinished) await checkRecords(scene, { seen, own, journal, deps });
  await checkKeys(keys, {
    ...options,
    folder,
    findings,
    deps,
    lost: journal.keys,
    async lookInto({ notes }) {
      // opening compares the journal with what the token remembers of it
      if (notes) await Anchor.open(store, notes, deps);
    },
    async settle({ seq, origin }) {
      await store.change("repair", (change) => change.undo([seq]));
      return `Settled in the journal: ${origin}`;
    },
  });
  await checkWritable([".", META_FILE, INDEX_FILE, CRL_NUMBER_FILE, ISSUED_FOLDER, CRL_FOLDER, CA_CERTIFICATE_FILE], {
    folder,
    findings,
  });
  return findings;
}

/**
 * Finishes or undoes what interrupted commands left in the folder of a CA, telling each step.
 * @throws {InputError} `meta.invalid`, `journal.damaged`, `store.lost`; {OperationError} `ca.locked`, `file.write`.
 */
export async function recoverCa(folder: string, deps: Deps, tell: (text: string) => void): Promise<void> {
  // what was never seen has no journal of its own yet
  if (!await isCaFolder(folder)) return;
  const store = await CaStore.open(folder);
  await store.change("repair", () => Promise.resolve(), { warn: tell, signal: deps.signal });
}

/** The index against the certificates and both against the CRLs. */
async function checkRecords(
  scene: CheckScene,
  { seen, own, journal, deps }: {
    seen: Snapshot;
    own: readonly VersionCertificate[];
    journal: JournalCheck;
    deps: Deps;
  },
): Promise<void> {
  const { index: { rows }, crls: files, crlNumber: number } = seen;
  const isBegun = (file: string) => journal.interrupted.has(file.replace(/^.*\/|\.[a-z]+$/g, ""));
  const certificates = seen.issued.filter((file) =>
    !isBegun(file) || rows.some(({ entry }) => file.includes(entry.serial))
  );
  const issued = await checkIssuedFiles(scene, { rows, files: certificates, own, deps });
  const crls = await checkCrls(scene, { files, number, rows, known: issued.known, own });
  checkIndexRepairs(scene, { index: seen.index, issued, crls, recorded: journal.recorded });
}

/** What changes while a CA works, read at one moment. */
interface Snapshot {
  readonly store: CaStore;
  readonly index: LenientIndex;
  /** Names of certificate files, relative to the CA. */
  readonly issued: readonly string[];
  /** Absolute. */
  readonly crls: readonly string[];
  readonly crlNumber: string | undefined;
}

async function takeSnapshot(folder: string, deps: Deps, findings: Findings): Promise<Snapshot | undefined> {
  await using _lock = await lockIfPossible(folder, deps);
  const store = await openStore(folder, findings);
  if (!store) return undefined;
  return {
    store,
    index: await readIndex(store, findings),
    issued: await certificateFiles(store),
    crls: await store.crlFiles(),
    crlNumber: await readIfThere(store.path(CRL_NUMBER_FILE)),
  };
}

/** A medium that cannot be written has no writer to wait for, nor has a CA that nobody has changed with this program. */
async function lockIfPossible(folder: string, deps: Deps): Promise<AsyncDisposable | undefined> {
  if (!await pathExists(`${folder}/${LOCK_FILE}`)) return undefined;
  try {
    return await acquireLock(`${folder}/${LOCK_FILE}`, "check", { signal: deps.signal });
  } catch (error) {
    if (error instanceof Error && (error as { code?: unknown }).code === "file.write") return undefined;
    throw error;
  }
}

async function openStore(folder: string, findings: Findings): Promise<CaStore | undefined> {
  try {
    const store = await CaStore.open(folder);
    const schema = readSchema(await readFileText(store.path(META_FILE)));
    if (schema === 0) {
      findings.warning("meta.older", "The metadata has the older form, without versions", {
        file: META_FILE,
        hint: "It is used as it is; bring it up to date with: qpki ca upgrade",
      });
    }
    return store;
  } catch (error) {
    // no CA at all, or one that this program must not judge
    if (error instanceof InputError && (error.code === "ca.not_found" || error.code === "meta.newer")) throw error;
    findings.caught(error, { file: META_FILE, hint: "Restore the metadata from a backup: qpki ca restore" });
    return undefined;
  }
}

async function readIndex(store: CaStore, findings: Findings): Promise<LenientIndex> {
  const path = store.path(INDEX_FILE);
  const none: LenientIndex = { rows: [], damaged: [], missing: true };
  const text = await readIfThere(path);
  if (text === undefined) {
    findings.error("index.missing", `"${INDEX_FILE}" is not there: nobody knows what was revoked`, {
      file: INDEX_FILE,
      hint: "Restore it from a backup",
    });
    return none;
  }
  try {
    return readLenientIndex(text, path);
  } catch (error) {
    findings.caught(error, { file: INDEX_FILE });
    return none;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  return await pathExists(path) ? await readFileText(path) : undefined;
}

/** Certificate files in `issued/`, and in `certs/` of the older tool. */
async function certificateFiles(store: CaStore): Promise<string[]> {
  const files: string[] = [];
  for (const [folder, end] of [[ISSUED_FOLDER, ".pem"], ["certs", ".crt"]] as const) {
    if (!await pathExists(store.path(folder))) continue;
    for await (const { name, isDirectory } of Deno.readDir(store.path(folder))) {
      if (!isDirectory && name.endsWith(end) && !name.startsWith(".")) files.push(`${folder}/${name}`);
    }
  }
  return files.sort();
}
