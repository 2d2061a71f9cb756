import { defaultScheme } from "../alg/find.ts";
import { audited } from "../audit/trail.ts";
import { encodePem } from "../bytes.ts";
import { pathExists, readFileText } from "../files.ts";
import type { CaStore } from "../store/ca.ts";
import { CA_CERTIFICATE_FILE, certificateFile, META_FILE } from "../store/layout.ts";
import { type CaMeta, type CaVersion, isAwaited, META_SCHEMA } from "../store/meta.ts";
import { readSchema } from "../store/migrations.ts";
import { alternativeSpki } from "../x509/certificate.ts";
import { decodeName } from "../x509/name.ts";
import { caFacts } from "./audit_facts.ts";
import { type CaCertificate, caCertificates, pinnedKeys, pinsOf } from "./certificates.ts";
import { changeOptions, type Deps } from "./deps.ts";
import { roleOf } from "./info.ts";
import { subjectFields } from "./new_meta.ts";

/** What an upgrade of the metadata did, or would do. */
export interface Upgrade {
  /** In words, one each; none when the metadata was up to date. */
  readonly changes: readonly string[];
}

/**
 * Brings the metadata of an older CA to the form that this program writes: versions, pins of the public keys, modes, schemes,
 * where each certificate is. Facts are taken from the certificates; fields that are not known stay, and no file is moved.
 * @throws {InputError} `ca.certificate_missing`, `ca.keys`; {OperationError} `ca.locked`, `file.write`.
 */
export async function upgradeCa(store: CaStore, options: { dryRun: boolean }, deps: Deps): Promise<Upgrade> {
  const changes: string[] = [];
  const files = new Map<string, string>();
  const schema = readSchema(await readFileText(store.path(META_FILE)));
  if (schema === 0) changes.push(`the one set of keys becomes version ${store.meta.active}`);
  const versions: Record<string, CaVersion> = {};
  for (const [id, version] of Object.entries(store.meta.versions)) {
    versions[id] = isAwaited(version) ? version : await upgradedVersion(store, id, { changes, files });
  }
  const meta = { ...await withFacts(store, changes), versions };
  if (meta.active !== "" && !await pathExists(store.path(CA_CERTIFICATE_FILE))) {
    files.set(CA_CERTIFICATE_FILE, pemOf(await store.certificates()));
  }
  for (const file of files.keys()) changes.push(`"${file}" is written`);
  if (changes.length === 0 || options.dryRun) return { changes };
  const work = () =>
    store.change("upgrade", async (change) => {
      for (const [path, text] of files) await change.writeFile(path, text, { overwrite: true });
      await change.writeMeta(meta);
    }, changeOptions(deps));
  await audited(deps.audit, { event: "ca.upgrade", ...caFacts(store), details: { changes } }, { work });
  return { changes };
}

interface Notes {
  readonly changes: string[];
  readonly files: Map<string, string>;
}

async function upgradedVersion(store: CaStore, id: string, { changes, files }: Notes): Promise<CaVersion> {
  const version = store.meta.versions[id]!;
  const own = await caCertificates(store, id);
  const upgraded: CaVersion = { ...version, keys: (await Promise.all(own.map(pinned))).flat() };
  const unpinned = version.keys.filter(({ spki_sha256: pin }) => pin === undefined).length;
  if (unpinned > 0) changes.push(`version ${id}: ${unpinned} public key${unpinned > 1 ? "s" : ""} pinned`);
  if (version.modes === undefined) {
    upgraded.modes = own.map(({ mode }) => mode);
    changes.push(`version ${id}: modes ${upgraded.modes.join(", ")}`);
  }
  if (version.schemes === undefined && own.every(({ row }) => row)) {
    upgraded.schemes = own.map(({ row }) => defaultScheme(row!).name);
    changes.push(`version ${id}: signs with ${upgraded.schemes.join(", ")}`);
  }
  if (version.certificates === undefined) {
    upgraded.certificates = [];
    for (const { name, certificate } of own) {
      const file = certificateFile(id, name);
      if (!await pathExists(store.path(file))) files.set(file, pemOf([certificate]));
      upgraded.certificates.push(file);
    }
    changes.push(`version ${id}: certificates named`);
  }
  return upgraded;
}

/** Entries of a certificate's keys, key files too, with their pins. */
async function pinned(own: CaCertificate) {
  const entries = await pinnedKeys(own);
  const { certificate } = own;
  const pins = await pinsOf({ spki: certificate.spki, alternative: alternativeSpki(certificate) });
  return entries.map((entry) => {
    const pin = entry.spki_sha256 ?? (entries.length === 1 ? Object.values(pins)[0] : pins[entry.id]);
    return pin === undefined ? entry : { ...entry, spki_sha256: pin };
  });
}

/** The metadata with what it says of the CA as a whole. */
async function withFacts(store: CaStore, changes: string[]): Promise<CaMeta> {
  const { meta } = store;
  const [certificate] = meta.active === "" ? [] : await store.certificates();
  const role = meta.role ?? roleOf(store, certificate);
  if (meta.role === undefined) changes.push(`role ${role}`);
  const named = Object.keys(meta.subject).length > 0 || !certificate;
  if (!named) changes.push("subject taken from the certificate");
  return {
    ...meta,
    schema: META_SCHEMA,
    role,
    subject: named ? meta.subject : subjectFields(decodeName(certificate.subject)),
  };
}

function pemOf(certificates: readonly { readonly der: Uint8Array }[]): string {
  return certificates.map(({ der }) => encodePem("CERTIFICATE", der)).join("");
}
