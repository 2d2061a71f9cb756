import { checkJournal } from "../ca/check_journal.ts";
import { type CheckedKey, checkKeys } from "../ca/check_keys.ts";
import { checkStaged, checkTemporary } from "../ca/check_leftovers.ts";
import { Findings } from "../ca/check_report.ts";
import { pinsOf } from "../ca/certificates.ts";
import { type Deps, formatInstant } from "../ca/deps.ts";
import { equalBytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { pathExists } from "../files.ts";
import type { PassphraseSource } from "../keys/types.ts";
import { CaStore, isCaFolder } from "../store/ca.ts";
import { credentialIds, CredentialStore } from "../store/credential.ts";
import { CREDENTIAL_META_FILE, joinPath } from "../store/layout.ts";
import type { CredentialVersion } from "../store/meta.ts";
import { alternativeSpki, fingerprint, isSelfIssued } from "../x509/certificate.ts";
import { verifyCertificate } from "../x509/verify.ts";
import { type CertificateState, credentialState, RevocationLookup } from "./status.ts";

/** How credentials are checked. */
export interface CredentialCheckOptions {
  readonly token: boolean;
  readonly passphrase?: PassphraseSource | undefined;
  /** CA that issued, in place of the one that metadata names. */
  readonly caFolder?: string | undefined;
  /** CA for metadata that names none. */
  readonly usual?: string | undefined;
}

/** An end this near is told, in milliseconds. */
const SOON_MS = 30 * 86_400_000;

/**
 * Checks the credentials below a folder: metadata, certificates, keys, and what their CA knows of them. What is wrong becomes
 * a finding, never an error; nothing is changed.
 * @param id one credential alone.
 * @throws {InputError} `credential.not_found` for `id`, `meta.newer`, `file.read`.
 */
export async function checkCredentials(
  credDir: string,
  id: string | undefined,
  { deps, ...options }: CredentialCheckOptions & { readonly deps: Deps },
): Promise<Findings> {
  const all = new Findings();
  for (const one of id === undefined ? await idsIn(credDir) : [id]) {
    const findings = new Findings();
    await checkCredential(credDir, one, { ...options, findings, deps });
    all.merge(findings, one);
  }
  return all;
}

/** Ids of the credentials, and of those that an interrupted command was about to make. */
async function idsIn(credDir: string): Promise<string[]> {
  const ids = new Set(await credentialIds(credDir));
  if (!await pathExists(credDir)) return [];
  for await (const { name, isDirectory } of Deno.readDir(credDir)) {
    const begun = isDirectory ? /^\.(.+)\.[0-9a-f]{8}\.tmp$/.exec(name)?.[1] : undefined;
    if (begun !== undefined) ids.add(begun);
  }
  return [...ids].sort();
}

/** Finishes or undoes what interrupted commands left of credentials, telling each step. */
export async function recoverCredentials(
  credDir: string,
  id: string | undefined,
  { deps, tell }: { deps: Deps; tell(text: string): void },
): Promise<void> {
  for (const one of id === undefined ? await credentialIds(credDir) : [id]) {
    if (!await pathExists(joinPath(joinPath(credDir, one), CREDENTIAL_META_FILE))) continue;
    const store = await CredentialStore.open(credDir, one);
    const warn = (text: string) => tell(`${one}: ${text}`);
    await store.change("repair", () => Promise.resolve(), { warn, signal: deps.signal });
  }
}

interface Scene extends CredentialCheckOptions {
  readonly findings: Findings;
  readonly deps: Deps;
}

async function checkCredential(credDir: string, id: string, scene: Scene): Promise<void> {
  const { findings, deps } = scene;
  const folder = joinPath(credDir, id);
  await checkStaged(folder, scene);
  if (!await pathExists(joinPath(folder, CREDENTIAL_META_FILE)) && findings.list.length > 0) return;
  const store = await openStore(credDir, id, findings);
  if (!store) return;
  findings.count("credentials");
  await checkTemporary(folder, findings);
  const journal = await checkJournal(folder, findings, deps);
  checkMeta(store, findings);
  const keys: CheckedKey[] = [];
  const lookup = new RevocationLookup({
    ...(scene.caFolder === undefined ? {} : { caFolder: scene.caFolder }),
    ...(scene.usual === undefined ? {} : { usual: scene.usual }),
  });
  for (const [versionId, version] of Object.entries(store.meta.versions)) {
    findings.count("versions");
    if (version.certificates.length === 0 && version.status === "pending") {
      keys.push(...version.keys.map((entry) => ({ entry, owner: `version ${versionId}` })));
      continue;
    }
    try {
      const { certificates } = await credentialState(store, { now: deps.now(), lookup, versionId });
      findings.count("certificates", certificates.length);
      for (const state of certificates) {
        keys.push(...await keysOf(state, versionId, findings));
        await checkCertificate(state, { store, versionId, version, scene });
      }
    } catch (error) {
      findings.caught(error);
      keys.push(...version.keys.map((entry) => ({ entry, owner: `version ${versionId}` })));
    }
  }
  await checkKeys(keys, {
    folder,
    findings,
    deps,
    token: scene.token,
    passphrase: scene.passphrase,
    lost: journal.keys,
    async settle({ seq, origin }) {
      await store.change("repair", (change) => change.undo([seq]));
      return `Settled in the journal: ${origin}`;
    },
  });
}

async function openStore(credDir: string, id: string, findings: Findings): Promise<CredentialStore | undefined> {
  try {
    return await CredentialStore.open(credDir, id);
  } catch (error) {
    if (error instanceof InputError && ["credential.not_found", "credential.id", "meta.newer"].includes(error.code)) {
      throw error;
    }
    findings.caught(error, { file: CREDENTIAL_META_FILE, hint: "Restore the metadata from a backup" });
    return undefined;
  }
}

function checkMeta({ meta }: CredentialStore, findings: Findings): void {
  const file = CREDENTIAL_META_FILE;
  const marked = Object.entries(meta.versions).filter(([, { status }]) => status === "active").map(([id]) => id);
  if (marked.length !== 1 || marked[0] !== meta.active) {
    findings.error(
      "meta.active",
      `"active" names ${meta.active}, and the versions with that status are: ${marked.join(", ") || "none"}`,
      { file, hint: "Metadata was changed by hand: restore it from a backup" },
    );
  }
  const serials = (entries: readonly { serial: string }[]) => entries.map(({ serial }) => serial.toUpperCase()).join();
  const active = meta.versions[meta.active];
  // the older tool does not repeat them
  if (active && meta.certificates.length > 0 && serials(meta.certificates) !== serials(active.certificates)) {
    findings.error("meta.copy", `The certificates at the top are not those of the active version ${meta.active}`, {
      file,
    });
  }
}

/** The keys of a certificate with the public keys that it certifies. */
async function keysOf(
  { certificate, keys }: CertificateState,
  versionId: string,
  findings: Findings,
): Promise<CheckedKey[]> {
  const owner = `version ${versionId}`;
  const pins = await pinsOf({ spki: certificate.spki, alternative: alternativeSpki(certificate) });
  if (keys.length > 0 && Object.keys(pins).length !== keys.length) {
    findings.error(
      "credential.keys",
      `The certificate 0x${certificate.serial} is for ${
        Object.keys(pins).length
      } keys, and the metadata lists ${keys.length}`,
    );
  }
  return keys.map((entry) => {
    const certified = keys.length === 1 ? Object.values(pins)[0] : pins[entry.id];
    return { entry, owner, ...(certified === undefined ? {} : { certified }) };
  });
}

async function checkCertificate(
  state: CertificateState,
  { store, versionId, version, scene }: {
    store: CredentialStore;
    versionId: string;
    version: CredentialVersion;
    scene: Scene;
  },
): Promise<void> {
  const { certificate, entry, status } = state;
  const { findings, deps } = scene;
  const name = `The certificate 0x${certificate.serial} of version ${versionId}`;
  const found = await fingerprint(certificate);
  // the older tool writes another number there
  if (/^[0-9A-F]{64}$/i.test(entry.fingerprint) && entry.fingerprint.toUpperCase() !== found) {
    findings.error("certificate.fingerprint", `${name} is not the one that the metadata names`, {
      hint: "Restore it from the CA's folder issued/",
    });
  }
  await checkChain(state, name, { store, versionId, findings });
  await checkWithCa(state, name, { store, versionId, scene });
  if (version.status !== "active") return;
  const renew = `Renew it: qpki credential rotate ${store.meta.id}`;
  if (status === "revoked") findings.warning("certificate.revoked", `${name} is revoked`, { hint: renew });
  else if (status === "expired") {
    findings.warning("certificate.expired", `${name} expired ${formatInstant(certificate.notAfter)}`, { hint: renew });
  } else if (certificate.notAfter.getTime() - deps.now().getTime() < SOON_MS) {
    findings.warning("certificate.expiring", `${name} expires ${formatInstant(certificate.notAfter)}`, { hint: renew });
  }
}

/** The certificates that were kept with it lead from it to a root. */
async function checkChain(
  { certificate }: CertificateState,
  name: string,
  { store, versionId, findings }: { store: CredentialStore; versionId: string; findings: Findings },
): Promise<void> {
  const chain = await store.chain(versionId);
  const last = chain.at(-1);
  if (!last) return;
  const roots = chain.filter(isSelfIssued);
  const verdict = await verifyCertificate(certificate, {
    intermediates: chain,
    anchors: roots.length > 0 ? roots : [last],
    // whether it was right from the start; what became of it since is another question
    at: certificate.notBefore,
  });
  for (const { message, certificate: about } of verdict.reasons) {
    findings.error(
      "chain.invalid",
      `${name} does not verify with the chain beside it: ${about ?? ""} ${message}`.trim(),
    );
  }
}

async function checkWithCa(
  { certificate, revocationChecked }: CertificateState,
  name: string,
  { store, versionId, scene }: { store: CredentialStore; versionId: string; scene: Scene },
): Promise<void> {
  const { findings } = scene;
  const folder = scene.caFolder ?? store.caFolderOf(versionId) ?? scene.usual;
  if (folder === undefined || !await isCaFolder(folder)) {
    return findings.warning(
      "ca.absent",
      `The CA of ${name.slice(4)} is not at hand: nobody knows whether it is revoked`,
      {
        hint: "Name it with --ca-dir",
      },
    );
  }
  if (!revocationChecked) {
    return findings.error("certificate.unknown", `${name} is not in the index of the CA "${folder}"`, {
      hint: "It is another CA's, or the CA lost it: qpki ca check",
    });
  }
  const issued = await (await CaStore.open(folder)).issued(certificate.serial).catch(() => undefined);
  if (issued && !equalBytes(issued.certificate.der, certificate.der)) {
    findings.error(
      "certificate.differs",
      `${name} is not the one that the CA "${folder}" issued with this serial number`,
    );
  }
}
