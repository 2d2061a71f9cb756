import { lookUpKeyRow } from "../alg/find.ts";
import { encodePem, equalBytes } from "../bytes.ts";
import { pathExists, readFileBytes } from "../files.ts";
import type { CaStore } from "../store/ca.ts";
import { CA_CERTIFICATE_FILE, CHAIN_FILE } from "../store/layout.ts";
import type { CaMeta } from "../store/meta.ts";
import { checkIssued } from "../x509/alternative.ts";
import { isSelfIssued, readCertificates } from "../x509/certificate.ts";
import { formatName } from "../x509/name.ts";
import { preTbsCertificate } from "../x509/pre_tbs.ts";
import { normalizeSerial } from "../x509/serial.ts";
import type { Certificate } from "../x509/types.ts";
import { verifyCertificate } from "../x509/verify.ts";
import { type CaCertificate, caCertificates, pinsOf } from "./certificates.ts";
import type { CheckedKey } from "./check_keys.ts";
import type { Findings } from "./check_report.ts";
import { formatInstant } from "./deps.ts";
import { checkIssuer } from "./issue.ts";
import { roleOf } from "./info.ts";
import { alternativeSpki } from "../x509/certificate.ts";

/** A certificate of the CA's own, of any version. */
export interface VersionCertificate {
  readonly versionId: string;
  readonly active: boolean;
  readonly certificate: Certificate;
}

/** What a check of the versions leads to. */
export interface CheckedVersions {
  /** Every certificate that could be read, the active version's first. */
  readonly certificates: readonly VersionCertificate[];
  /** Every key that metadata names. */
  readonly keys: readonly CheckedKey[];
}

/** What checks look at, and when. */
export interface CheckScene {
  readonly store: CaStore;
  readonly findings: Findings;
  readonly now: Date;
}

/** An end this near is told, in milliseconds. */
const SOON_MS = 30 * 86_400_000;

/** Checks the versions that metadata lists: their statuses, certificates, pins, the chain above, and the copies of both. */
export async function checkVersions(scene: CheckScene): Promise<CheckedVersions> {
  const { meta } = scene.store;
  checkStatuses(meta, scene.findings);
  const certificates: VersionCertificate[] = [];
  const keys: CheckedKey[] = [];
  // the active one first: findings about it come first
  const ids = Object.keys(meta.versions).sort((a, b) => Number(b === meta.active) - Number(a === meta.active));
  for (const id of ids) {
    scene.findings.count("versions");
    const own = await versionCertificates(id, scene);
    const active = id === meta.active;
    for (const { certificate } of own) certificates.push({ versionId: id, active, certificate });
    keys.push(...await keysOf(id, own, scene));
    if (active && own.length > 0) await checkActive(own, scene);
    await checkLinks(id, scene);
  }
  await checkFolders(scene);
  return { certificates, keys };
}

/** Link certificates and the chain of a version lie where metadata says. */
async function checkLinks(id: string, { store, findings }: CheckScene): Promise<void> {
  const { chain, cross_certificates: links = [] } = store.meta.versions[id]!;
  const files = [...chain === undefined ? [] : [{ path: chain, serial: undefined }], ...links];
  for (const { path: file, serial } of files) {
    try {
      const found = readCertificates(await readFileBytes(store.path(file)), store.path(file));
      if (serial === undefined || found.some((one) => one.serial === normalizeSerial(serial))) continue;
      findings.error("link.serial", `"${file}" is not the link certificate ${serial} of version ${id}`, { file });
    } catch (error) {
      findings.caught(error, { file, hint: "Restore the file from a backup" });
    }
  }
}

/** Folders of versions that metadata does not know. They may hold the only copy of a key: nobody else decides about them. */
async function checkFolders({ store, findings }: CheckScene): Promise<void> {
  const folder = "versions";
  if (!await pathExists(store.path(folder))) return;
  for await (const { name, isDirectory } of Deno.readDir(store.path(folder))) {
    if (!isDirectory || Object.hasOwn(store.meta.versions, name)) continue;
    findings.warning("leftover.version", `The metadata does not know the folder "${folder}/${name}"`, {
      file: `${folder}/${name}`,
      hint: "Of an interrupted rotation nothing is lost: remove it. After a restore its keys may matter: keep it",
    });
  }
}

function checkStatuses({ versions, active }: CaMeta, findings: Findings): void {
  const all = Object.entries(versions);
  const hint = "Metadata was changed by hand, or a restore was not complete: restore it from a backup";
  if (all.length === 0) return findings.error("meta.versions", "The metadata lists no version", { hint });
  const marked = all.filter(([, { status }]) => status === "active").map(([id]) => id);
  if (active === "" && marked.length === 0 && all.every(([, { status }]) => status === "pending")) return;
  if (marked.length !== 1 || marked[0] !== active) {
    findings.error(
      "meta.active",
      `Exactly the version that "active" names must have the status active: it names ${
        active === "" ? "none" : active
      }, and ${marked.length === 0 ? "none has" : `${marked.join(", ")} ${marked.length > 1 ? "have" : "has"}`} it`,
      { hint },
    );
  }
}

async function versionCertificates(id: string, { store, findings }: CheckScene): Promise<readonly CaCertificate[]> {
  const version = store.meta.versions[id]!;
  if (version.status === "pending" && version.certificates === undefined) return [];
  try {
    const certificates = await caCertificates(store, id);
    findings.count("ca_certificates", certificates.length);
    return certificates;
  } catch (error) {
    findings.caught(error);
    return [];
  }
}

/** Each key with the public key that its certificate has. */
async function keysOf(id: string, own: readonly CaCertificate[], scene: CheckScene): Promise<CheckedKey[]> {
  const owner = `version ${id}`;
  const version = scene.store.meta.versions[id]!;
  if (own.length === 0) return version.keys.map((entry) => ({ entry, owner }));
  const keys: CheckedKey[] = [];
  for (const one of own) {
    const { certificate } = one;
    const pins = await pinsOf({ spki: certificate.spki, alternative: alternativeSpki(certificate) });
    checkAlgorithms(one, owner, scene.findings);
    if (Object.keys(pins).length !== one.keys.length) {
      scene.findings.error(
        "ca.keys",
        `A certificate of ${owner} is for ${Object.keys(pins).length} keys, and the metadata lists ${one.keys.length}`,
      );
    }
    for (const entry of one.keys) {
      const certified = one.keys.length === 1 ? Object.values(pins)[0] : pins[entry.id];
      keys.push({ entry, owner, ...(certified === undefined ? {} : { certified }) });
    }
  }
  return keys;
}

function checkAlgorithms({ row, alternativeRow, keys, mode }: CaCertificate, owner: string, findings: Findings): void {
  if (!row || mode === "composite") return;
  const rows = alternativeRow ? [row, alternativeRow] : [row];
  for (const [i, entry] of keys.entries()) {
    const stated = lookUpKeyRow(entry.algorithm);
    if (!stated || !rows[i] || stated.name === rows[i].name) continue;
    findings.error(
      "meta.algorithm",
      `The metadata says that the ${entry.id} key of ${owner} is ${stated.label}, and its certificate says ${
        rows[i].label
      }`,
    );
  }
}

async function checkActive(own: readonly CaCertificate[], scene: CheckScene): Promise<void> {
  const { findings, now } = scene;
  for (const { certificate } of own) {
    try {
      checkIssuer(certificate, now);
      if (certificate.notAfter.getTime() - now.getTime() < SOON_MS) {
        findings.warning("ca.expiring", `The CA's certificate expires on ${formatInstant(certificate.notAfter)}`, {
          hint: "Rotate the CA: qpki ca rotate",
        });
      }
    } catch (error) {
      findings.caught(error);
    }
  }
  const certificates = own.map(({ certificate }) => certificate);
  await checkCopy(certificates, scene);
  for (const certificate of certificates) await checkChain(certificate, scene);
}

/** `ca.crt` is where scripts look. The older tool has other places for it. */
async function checkCopy(certificates: readonly Certificate[], { store, findings }: CheckScene): Promise<void> {
  const path = store.path(CA_CERTIFICATE_FILE);
  const file = CA_CERTIFICATE_FILE;
  const text = certificates.map(({ der }) => encodePem("CERTIFICATE", der)).join("");
  const fix = async () => {
    await store.change("repair", (change) => change.writeFile(file, text, { overwrite: true }));
    return `"${file}" written from the active version`;
  };
  if (!await pathExists(path)) {
    if (store.version().version.certificates === undefined) return;
    return findings.error("ca.copy_missing", `"${file}" is not there`, { file, fix, hint: REPAIR });
  }
  try {
    const found = readCertificates(await readFileBytes(path), file);
    const isSame = found.length === certificates.length &&
      found.every(({ der }, i) => equalBytes(der, certificates[i]!.der));
    if (isSame) return;
    findings.error("ca.copy_differs", `"${file}" is not the certificate of the active version`, {
      file,
      fix,
      hint: REPAIR,
    });
  } catch (error) {
    findings.caught(error, { file, fix, hint: REPAIR });
  }
}

/** What sets a finding right that needs no decision. */
export const REPAIR = "Run: qpki ca check --repair";

async function checkChain(certificate: Certificate, { store, findings, now }: CheckScene): Promise<void> {
  const name = formatName(certificate.subject);
  const role = roleOf(store, certificate);
  if (isSelfIssued(certificate) && role === "root") {
    const { valid, reason } = await checkIssued(certificate, certificate, preTbsCertificate);
    if (!valid) findings.error("ca.signature", `The CA's certificate "${name}" is not signed by itself: ${reason}`);
    return;
  }
  const file = CHAIN_FILE;
  if (role === "subordinate" && !await pathExists(store.path(file))) {
    return findings.error("chain.missing", `"${file}" of the subordinate CA is not there`, {
      file,
      hint: "Take it in again with: qpki ca accept, or restore it from a backup",
    });
  }
  try {
    const [, ...above] = await store.chain(certificate);
    const anchor = above.at(-1);
    if (!anchor) {
      return findings.warning("chain.incomplete", `The issuer of "${name}" is not in "${file}"`, {
        file,
        hint: "Nobody can verify up to the root with this file alone: add the issuer's certificate",
      });
    }
    const verdict = await verifyCertificate(certificate, {
      intermediates: above.slice(0, -1),
      anchors: [anchor],
      at: now,
    });
    for (const { message, certificate: about } of verdict.reasons) {
      findings.error("chain.invalid", `The chain of "${name}" does not verify: ${about ?? name}: ${message}`, { file });
    }
    if (!isSelfIssued(anchor)) {
      findings.warning("chain.incomplete", `"${file}" ends below a root, at "${formatName(anchor.subject)}"`, { file });
    }
  } catch (error) {
    findings.caught(error, { file });
  }
}
