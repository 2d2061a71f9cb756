import type { IndexEntry } from "../store/index_txt.ts";
import { INDEX_FILE } from "../store/layout.ts";
import { readFileText } from "../files.ts";
import type { CheckedCrl } from "./check_crls.ts";
import { type LenientIndex, readLenientIndex } from "./check_index.ts";
import { type CheckedIssued, type IssuedCheck, lineOf, rowOf } from "./check_issued.ts";
import { type CheckScene, REPAIR } from "./check_versions.ts";

/** What a line is rebuilt from. */
export interface IndexFacts {
  readonly index: LenientIndex;
  readonly issued: IssuedCheck;
  readonly crls: readonly CheckedCrl[];
}

/**
 * Tells damaged lines and certificates without a line. A damaged line is rebuilt only where what is left of it fits exactly
 * one certificate that has no line, and says by itself whether that is revoked: a revocation must never be guessed away.
 */
export function checkIndexRepairs(scene: CheckScene, { index, issued, crls }: IndexFacts): void {
  const { findings, store } = scene;
  const loose = new Map(issued.orphans.map((serial) => [serial, issued.known.get(serial)!]));
  for (const { error, text } of index.damaged) {
    const entry = rebuild(text, [...loose.values()], crls);
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
    const revocation = listedIn(crls, orphan);
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
    const state = entry.revocation ? "revoked, as a CRL says" : "valid";
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
