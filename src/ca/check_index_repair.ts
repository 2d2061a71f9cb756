import type { IndexEntry } from "../store/index_txt.ts";
import { INDEX_FILE } from "../store/layout.ts";
import { readFileText } from "../files.ts";
import type { CheckedCrl } from "./check_crls.ts";
import type { RecordedState } from "./check_journal.ts";
import { type LenientIndex, readLenientIndex } from "./check_index.ts";
import { type CheckedIssued, type IssuedCheck, lineOf, rowOf } from "./check_issued.ts";
import { type CheckScene, REPAIR } from "./check_versions.ts";

/** What a line is rebuilt from. */
export interface IndexFacts {
  readonly index: LenientIndex;
  readonly issued: IssuedCheck;
  readonly crls: readonly CheckedCrl[];
  /** What the journal says became of each serial number. */
  readonly recorded: ReadonlyMap<string, RecordedState>;
}

/**
 * Tells damaged lines and certificates without a line. A damaged line is rebuilt only where what is left of it fits exactly
 * one certificate that has no line, and it, a CRL or the journal says whether that is revoked: a revocation must never be
 * guessed away.
 */
export function checkIndexRepairs(scene: CheckScene, facts: IndexFacts): void {
  const { findings, store } = scene;
  const { index, issued, crls } = facts;
  const loose = new Map(issued.orphans.map((serial) => [serial, issued.known.get(serial)!]));
  for (const { error, text } of index.damaged) {
    const candidates = [...loose.values()];
    const entry = rebuild(text, candidates, crls) ?? rebuildFromJournal(text, candidates, facts);
    if (entry) loose.delete(entry.serial);
    findings.error("index.damaged", error.message, {
      file: INDEX_FILE,
      hint: entry
        ? `It fits the certificate ${entry.serial}. ${REPAIR}`
        : "Restore the line from a backup, or rewrite it from the certificate in issued/",
      ...(entry ? { fix: () => replaceLine(error.line!, { text, line: lineOf(entry) }) } : {}),
    });
  }
  for (const orphan of loose.values()) {
    const revocation = revocationOf(orphan, facts);
    // a damaged line may be the one of this certificate
    const certain = index.damaged.length === 0 && !index.missing;
    findings.error("issued.orphan", `"${orphan.file}" is signed by this CA and has no line in "${INDEX_FILE}"`, {
      file: orphan.file,
      hint: certain ? REPAIR : `Set "${INDEX_FILE}" right first`,
      ...(certain ? { fix: () => addLine(rowOf(orphan, revocation)) } : {}),
    });
  }

  async function replaceLine(number: number, change: { text: string; line: string }): Promise<string> {
    await store.change("repair", async (write) => {
      const lines = (await readFileText(store.path(INDEX_FILE))).split("\n");
      if (lines[number - 1] !== change.text) throw new Error("index.txt changed since it was checked");
      lines[number - 1] = change.line;
      if (number === lines.length) lines.push("");
      await write.writeFile(INDEX_FILE, lines.join("\n"), { overwrite: true });
    });
    return `Line ${number} of "${INDEX_FILE}" rebuilt: "${change.text}" is now "${change.line}"`;
  }

  async function addLine(entry: IndexEntry): Promise<string> {
    await store.change("repair", async (write) => {
      const text = await readFileText(store.path(INDEX_FILE));
      await write.writeFile(INDEX_FILE, `${text}${lineOf(entry)}\n`, { overwrite: true });
    });
    const state = entry.revocation ? "revoked" : "valid";
    return `Line added to "${INDEX_FILE}" for ${entry.serial} (${state})`;
  }
}

/** The entry that a damaged line was, if exactly one certificate can be meant and its status is beyond doubt. */
function rebuild(
  text: string,
  loose: readonly CheckedIssued[],
  crls: readonly CheckedCrl[],
): IndexEntry | undefined {
  const columns = text.split("\t");
  // the status column must be whole: something follows it
  if (columns.length < 2 || columns.length > COLUMNS) return undefined;
  const fitting = loose.flatMap((one) => {
    const whole = lineOf(rowOf(one, listedIn(crls, one))).split("\t");
    // a whole revocation column is as good as a CRL
    if (columns[0] === "R" && columns.length > REVOCATION + 1) {
      [whole[0], whole[REVOCATION]] = ["R", columns[REVOCATION]!];
    }
    return isPartOf(columns, whole) ? parsed(whole.join("\t")) : [];
  });
  return fitting.length === 1 ? fitting[0] : undefined;
}

const COLUMNS = 6;
const REVOCATION = 2;
const SERIAL = 3;

/** The same where the line does not say itself whether it was revoked, and the journal does. */
function rebuildFromJournal(text: string, loose: readonly CheckedIssued[], facts: IndexFacts): IndexEntry | undefined {
  const columns = text.split("\t");
  const isAlone = facts.index.damaged.length === 1 && loose.length === 1;
  const fitting = loose.filter((one) => {
    const { serial } = one.certificate;
    if (!facts.recorded.has(serial)) return false;
    return isAlone || (columns.length > SERIAL + 1 && columns[SERIAL]!.toUpperCase() === serial);
  });
  const [only, ...others] = fitting;
  return only && others.length === 0 ? rowOf(only, revocationOf(only, facts)) : undefined;
}

/** That a certificate was revoked, as a CRL or the journal knows. */
function revocationOf(one: CheckedIssued, { crls, recorded }: IndexFacts): IndexEntry["revocation"] {
  const date = recorded.get(one.certificate.serial)?.revoked;
  return listedIn(crls, one) ?? (date ? { date: new Date(Math.floor(date.getTime() / 1000) * 1000) } : undefined);
}

function parsed(line: string): IndexEntry[] {
  return readLenientIndex(`${line}\n`, INDEX_FILE).rows.map(({ entry }) => entry);
}

/** Whether what is left of a line fits: its last column may be cut, the others are whole. */
function isPartOf(found: readonly string[], whole: readonly string[]): boolean {
  if (found.length > whole.length) return false;
  return found.every((column, i) => {
    const wanted = whole[i]!;
    if (i === found.length - 1) return wanted.toLowerCase().startsWith(column.toLowerCase());
    return wanted.toLowerCase() === column.toLowerCase();
  });
}

function listedIn(crls: readonly CheckedCrl[], { certificate, issuer }: CheckedIssued): IndexEntry["revocation"] {
  for (const { crl, issuer: signer } of crls) {
    if (signer.versionId !== issuer.versionId) continue;
    const found = crl.revoked.find(({ serial }) => serial === certificate.serial);
    if (found) return { date: found.revocationDate, ...(found.reason ? { reason: found.reason } : {}) };
  }
  return undefined;
}
