import { equalBytes } from "../bytes.ts";
import { pathExists, readFileBytes } from "../files.ts";
import type { IndexEntry, IndexRow } from "../store/index_txt.ts";
import { CRL_NUMBER_FILE } from "../store/layout.ts";
import { authorityKeyId, subjectKeyId } from "../x509/certificate.ts";
import { readCrl, verifyCrl } from "../x509/crl.ts";
import type { Crl } from "../x509/types.ts";
import type { CheckedIssued } from "./check_issued.ts";
import { type CheckScene, REPAIR, type VersionCertificate } from "./check_versions.ts";
import { formatInstant } from "./deps.ts";

/** One CRL whose signature is good. */
export interface CheckedCrl {
  readonly crl: Crl;
  readonly file: string;
  readonly issuer: VersionCertificate;
}

/** What CRLs are compared with. */
export interface CrlFacts {
  /** Files in `crl/`, absolute. */
  readonly files: readonly string[];
  /** Text of `crlnumber`; undefined when it is not there. */
  readonly number: string | undefined;
  readonly rows: readonly IndexRow[];
  readonly known: ReadonlyMap<string, CheckedIssued>;
  readonly own: readonly VersionCertificate[];
}

/** Part of its time after which a CRL should have been renewed. */
const LATE = 0.8;

/**
 * Checks each CRL: signed by one of the CA's versions, its number given out, its DER twin the same, in force, and listing
 * what is revoked among the certificates of its issuer.
 */
export async function checkCrls(scene: CheckScene, facts: CrlFacts): Promise<readonly CheckedCrl[]> {
  const crls: CheckedCrl[] = [];
  for (const path of facts.files) {
    const crl = await checkSignature(path, scene, facts.own);
    if (crl) crls.push(crl);
  }
  checkNumbers(crls, scene, facts.number);
  for (const crl of crls) {
    checkTimes(crl, scene);
    checkEntries(crl, scene, facts);
  }
  checkMissing(crls, scene, facts);
  return crls;
}

async function checkSignature(
  path: string,
  scene: CheckScene,
  own: readonly VersionCertificate[],
): Promise<CheckedCrl | undefined> {
  const { findings, store } = scene;
  const file = path.slice(store.folder.length + 1);
  findings.count("crls");
  try {
    const crl = readCrl(await readFileBytes(path), path);
    await checkTwin(crl, file, scene);
    const keyId = authorityKeyId(crl)?.keyId;
    let reason = "none of the CA's versions has its key";
    for (const issuer of own) {
      const ownId = subjectKeyId(issuer.certificate);
      if (keyId && ownId && !equalBytes(keyId, ownId)) continue;
      const verdict = await verifyCrl(crl, issuer.certificate);
      if (verdict.valid) return { crl, file, issuer };
      reason = verdict.reason ?? reason;
    }
    findings.error("crl.signature", `The CRL "${file}" is not signed by any version of this CA: ${reason}`, {
      file,
      hint: "Make a new one: qpki crl gen",
    });
  } catch (error) {
    findings.caught(error, { file, hint: "Make a new one: qpki crl gen" });
  }
  return undefined;
}

async function checkTwin({ der }: Crl, file: string, { findings, store }: CheckScene): Promise<void> {
  const twin = `${file}.der`;
  const fix = async () => {
    await store.change("repair", (change) => change.writeFile(twin, der, { overwrite: true }));
    return `"${twin}" written from "${file}"`;
  };
  if (!await pathExists(store.path(twin))) {
    findings.error("crl.twin_missing", `"${twin}" is not there`, { file: twin, fix, hint: REPAIR });
  } else if (!equalBytes(await readFileBytes(store.path(twin)), der)) {
    findings.error("crl.twin_differs", `"${twin}" and "${file}" are not the same CRL`, {
      file: twin,
      fix,
      hint: REPAIR,
    });
  }
}

/** The next number must be above every one that was used; two CRLs of one key never share one. */
function checkNumbers(crls: readonly CheckedCrl[], scene: CheckScene, text: string | undefined): void {
  const { findings, store } = scene;
  const file = CRL_NUMBER_FILE;
  const used = crls.map(({ crl }) => BigInt(`0x${crl.number ?? "0"}`));
  const highest = used.reduce((a, b) => a > b ? a : b, 0n);
  const next = (highest + 1n).toString(16).toUpperCase();
  const repaired = `${next.length % 2 ? "0" : ""}${next}`;
  const fix = async () => {
    await store.change("repair", (change) => change.writeFile(file, `${repaired}\n`, { overwrite: true }));
    return `"${file}" set to ${repaired}, one more than the highest CRL's`;
  };
  if (text === undefined) {
    if (highest > 0n) findings.error("crlnumber.missing", `"${file}" is not there`, { file, fix, hint: REPAIR });
  } else if (!/^([0-9A-Fa-f]{2}){1,20}$/.test(text.trim())) {
    findings.error("crlnumber.damaged", `"${file}" is not an even number of hex digits`, { file, fix, hint: REPAIR });
  } else if (BigInt(`0x${text.trim()}`) <= highest) {
    findings.error(
      "crl.number",
      `The next CRL number is ${text.trim().toUpperCase()}, and a CRL has ${
        highest.toString(16).toUpperCase()
      } already`,
      { file, fix, hint: REPAIR },
    );
  }
}

function checkTimes({ crl, file, issuer }: CheckedCrl, { findings, now }: CheckScene): void {
  // nobody waits for the CRL of a version all of whose certificates are past
  if (!issuer.active && issuer.certificate.notAfter < now) return;
  const hint = `Make a new one: qpki crl gen`;
  const { thisUpdate, nextUpdate } = crl;
  if (!nextUpdate) return findings.warning("crl.endless", `The CRL "${file}" has no nextUpdate`, { file, hint });
  if (nextUpdate < now) {
    findings.error("crl.expired", `The CRL "${file}" ended ${formatInstant(nextUpdate)}`, { file, hint });
  } else if (now.getTime() > thisUpdate.getTime() + LATE * (nextUpdate.getTime() - thisUpdate.getTime())) {
    findings.warning("crl.expiring", `The CRL "${file}" ends ${formatInstant(nextUpdate)}`, { file, hint });
  }
}

/**
 * Everything that its issuer issued and the index calls revoked must be in it, and nothing that the index does not call
 * revoked. Where one version has several certificates, each one's CRL may list all that is revoked.
 */
function checkEntries({ crl, file, issuer }: CheckedCrl, { findings }: CheckScene, { rows, known }: CrlFacts): void {
  const revoked = new Map(rows.flatMap(({ entry }) => entry.revocation ? [[entry.serial, entry] as const] : []));
  const listed = new Set(crl.revoked.map(({ serial }) => serial));
  const lost = [...listed].filter((serial) => !revoked.has(serial));
  for (const serial of lost) {
    findings.error("crl.unknown", `The CRL "${file}" lists ${serial}, and the index does not say that it is revoked`, {
      file,
      hint: `A revocation was lost: qpki cert revoke ${serial}`,
    });
  }
  const own = [...revoked.values()].filter(({ serial }) => known.get(serial)?.issuer === issuer);
  const missing = own.filter(({ serial }) => !listed.has(serial));
  const late = missing.filter((entry) => dateOf(entry) >= crl.thisUpdate);
  if (late.length > 0) {
    findings.warning(
      "crl.behind",
      `${late.length} certificate${late.length > 1 ? "s were" : " was"} revoked since the CRL "${file}" was made`,
      { file, hint: "Publish it: qpki crl gen" },
    );
  }
  for (const entry of missing.filter((one) => !late.includes(one))) {
    findings.error(
      "crl.incomplete",
      `The CRL "${file}" does not list ${entry.serial}, revoked ${formatInstant(dateOf(entry))}`,
      { file, hint: "Make a new one: qpki crl gen" },
    );
  }
}

function dateOf(entry: IndexEntry): Date {
  return entry.revocation!.date;
}

/** Revocations that no CRL has told anybody yet. */
function checkMissing(crls: readonly CheckedCrl[], { findings }: CheckScene, { rows, known, own }: CrlFacts): void {
  for (const issuer of own) {
    if (crls.some((one) => one.issuer === issuer)) continue;
    const count = rows.filter(({ entry }) => entry.revocation && known.get(entry.serial)?.issuer === issuer).length;
    if (count === 0) continue;
    findings.warning(
      "crl.missing",
      `${count} certificate${count > 1 ? "s" : ""} of version ${issuer.versionId} ${
        count > 1 ? "are" : "is"
      } revoked, and there is no CRL of it`,
      { hint: "Make one: qpki crl gen" },
    );
  }
}
