import { equalBytes } from "../bytes.ts";
import { readFileBytes } from "../files.ts";
import { formatIndexLine, type IndexEntry, type IndexRow } from "../store/index_txt.ts";
import { issuedFiles } from "../store/layout.ts";
import { checkIssued } from "../x509/alternative.ts";
import { authorityKeyId, readCertificates, subjectKeyId } from "../x509/certificate.ts";
import { formatName, formatOneLine } from "../x509/name.ts";
import { sameName } from "../x509/name_match.ts";
import { preTbsCertificate } from "../x509/pre_tbs.ts";
import type { Certificate } from "../x509/types.ts";
import type { CheckScene, VersionCertificate } from "./check_versions.ts";
import { checkInterrupted, type Deps, formatInstant } from "./deps.ts";

/** An issued certificate that was found, and the certificate of the CA that signed it. */
export interface CheckedIssued {
  readonly certificate: Certificate;
  readonly file: string;
  readonly issuer: VersionCertificate;
}

/** What the check of the certificates leads to. */
export interface IssuedCheck {
  /** By serial: every certificate whose signature is good, in the index or not. */
  readonly known: ReadonlyMap<string, CheckedIssued>;
  /** Serials of files without a row. */
  readonly orphans: readonly string[];
}

/** What is compared. */
export interface IssuedFacts {
  readonly rows: readonly IndexRow[];
  /** Names of the files in `issued/` and, in directories of the older tool, `certs/`, relative to the CA. */
  readonly files: readonly string[];
  readonly own: readonly VersionCertificate[];
  readonly deps: Deps;
}

/** Certificates looked at together: signatures are verified beside the main thread. */
const PARALLEL = 16;

/** Checks that rows and files correspond, say the same, and that one of the CA's versions signed each certificate. */
export async function checkIssuedFiles(scene: CheckScene, facts: IssuedFacts): Promise<IssuedCheck> {
  const { findings } = scene;
  const present = new Set(facts.files);
  const known = new Map<string, CheckedIssued>();
  const claimed = new Set<string>();
  const look = async (file: string, row?: IndexRow) => {
    const checked = await checkFile(file, row, { scene, facts });
    if (checked) known.set(checked.certificate.serial, checked);
    return checked;
  };
  await inChunks(facts.rows, facts.deps, async (row) => {
    const file = issuedFiles(row.entry.serial).find((name) => present.has(name));
    findings.count("certificates");
    if (file !== undefined) {
      claimed.add(file);
      await look(file, row);
      return;
    }
    findings.error("issued.missing", `The certificate ${row.entry.serial} of index.txt:${row.line} is not there`, {
      file: issuedFiles(row.entry.serial)[0],
      hint: "Restore the file from a backup; its holder has a copy too",
    });
  });
  const orphans: string[] = [];
  const loose = facts.files.filter((file) => !claimed.has(file));
  await inChunks(loose, facts.deps, async (file) => {
    const checked = await look(file);
    if (checked) orphans.push(checked.certificate.serial);
  });
  return { known, orphans };
}

async function checkFile(
  file: string,
  row: IndexRow | undefined,
  { scene, facts }: { scene: CheckScene; facts: IssuedFacts },
): Promise<CheckedIssued | undefined> {
  const { findings, store } = scene;
  let certificate: Certificate;
  try {
    const all = readCertificates(await readFileBytes(store.path(file)), store.path(file));
    certificate = all.find(({ serial }) => serial === row?.entry.serial) ?? all[0]!;
  } catch (error) {
    findings.caught(error, {
      file,
      hint: row ? "Restore the file from a backup" : "It was not written to its end: qpki ca check --repair",
    });
    return undefined;
  }
  // the older tool keeps the CA's own certificate among the issued ones
  if (!row && facts.own.some((one) => equalBytes(one.certificate.der, certificate.der))) return undefined;
  if (row) compareRow(certificate, row, { file, scene });
  else if (!issuedFiles(certificate.serial).includes(file)) {
    findings.error("issued.name", `"${file}" holds the certificate ${certificate.serial}`, { file });
  }
  const issuer = await issuerAmong(certificate, facts.own);
  if (typeof issuer !== "string") return { certificate, file, issuer };
  // a version that was discarded before it was active signed it: revoked for good, and nobody relies on it
  if (row?.entry.revocation && facts.own.some((one) => sameName(one.certificate.subject, certificate.issuer))) {
    return undefined;
  }
  findings.error("issued.signature", `"${file}" is not signed by any version of this CA: ${issuer}`, {
    file,
    hint: "Somebody put it there, or a version of the CA is missing",
  });
  return undefined;
}

function compareRow(
  certificate: Certificate,
  { entry, line }: IndexRow,
  { file, scene: { findings } }: { file: string; scene: CheckScene },
): void {
  if (certificate.serial !== entry.serial) {
    return findings.error("issued.serial", `"${file}" holds the certificate ${certificate.serial}`, { file });
  }
  if (certificate.notAfter.getTime() !== entry.notAfter.getTime()) {
    findings.error(
      "issued.dates",
      `"${file}" ends ${formatInstant(certificate.notAfter)}, and index.txt:${line} says ${
        formatInstant(entry.notAfter)
      }`,
      { file },
    );
  }
  if (saysSubject(entry.subject, certificate.subject)) return;
  findings.error(
    "issued.subject",
    `"${file}" is for "${formatOneLine(certificate.subject)}", and index.txt:${line} says "${entry.subject}"`,
    { file },
  );
}

/** OpenSSL's one line, or the comma-separated text of the older tool, in either order. */
function saysSubject(text: string, subject: Uint8Array): boolean {
  if (text === formatOneLine(subject)) return true;
  if (text.startsWith("/")) return false;
  return parts(text) === parts(formatName(subject));
}

function parts(text: string): string {
  return text.split(/(?<!\\)[,+]/).map((part) => part.trim()).sort().join(",");
}

/** The certificate of the CA that signed one, or why none of them did. */
async function issuerAmong(
  certificate: Certificate,
  own: readonly VersionCertificate[],
): Promise<VersionCertificate | string> {
  let reason = "its issuer is another one";
  const keyId = authorityKeyId(certificate)?.keyId;
  for (const one of own) {
    if (!sameName(one.certificate.subject, certificate.issuer)) continue;
    const ownId = subjectKeyId(one.certificate);
    if (keyId && ownId && !equalBytes(keyId, ownId)) continue;
    const verdict = await checkIssued(certificate, one.certificate, preTbsCertificate);
    if (verdict.valid) return one;
    reason = verdict.reason ?? reason;
  }
  return reason;
}

async function inChunks<T>(items: readonly T[], deps: Deps, work: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += PARALLEL) {
    checkInterrupted(deps);
    if (at % (PARALLEL * 50) === 0 && at > 0) deps.progress(`${at} of ${items.length} certificates checked`);
    await Promise.all(items.slice(at, at + PARALLEL).map(work));
  }
}

/** The row that a certificate without one should have. */
export function rowOf({ certificate }: CheckedIssued, revocation?: IndexEntry["revocation"]): IndexEntry {
  return {
    status: revocation ? "R" : "V",
    notAfter: certificate.notAfter,
    serial: certificate.serial,
    subject: formatOneLine(certificate.subject),
    ...(revocation ? { revocation } : {}),
  };
}

/** The text of such a row, without its newline. */
export function lineOf(entry: IndexEntry): string {
  return formatIndexLine(entry).slice(0, -1);
}
