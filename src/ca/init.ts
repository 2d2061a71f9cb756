import { chooseScheme, defaultScheme, type KeyRow, type SchemeRow } from "../alg/find.ts";
import { encodePem } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { makeFolder, readFileBytes, writeFileDurably } from "../files.ts";
import { spkiFingerprint } from "../keys/spki.ts";
import type { Key, KeyProvider, KeyRef, PassphraseSource, Pkcs11KeyRef } from "../keys/types.ts";
import type { CompiledProfile } from "../profile/types.ts";
import {
  CA_CERTIFICATE_FILE,
  certificateFile,
  CHAIN_FILE,
  CRL_FOLDER,
  CRL_NUMBER_FILE,
  csrFile,
  INDEX_ATTR_FILE,
  INDEX_FILE,
  ISSUED_FOLDER,
  joinPath,
  keyFile,
  LOCK_FILE,
  META_FILE,
  parentFolder,
} from "../store/layout.ts";
import { type CaMeta, type CaVersion, type KeyEntry, type KeyStorage, META_SCHEMA } from "../store/meta.ts";
import { formatMeta } from "../store/meta_check.ts";
import { buildCsr } from "../x509/csr.ts";
import { lintTbs } from "../x509/lint.ts";
import { encodeName } from "../x509/name.ts";
import { generateSerial } from "../x509/serial.ts";
import { signCertificate } from "../x509/sign.ts";
import { buildTbsCertificate } from "../x509/tbs.ts";
import type { Certificate, Csr, Name } from "../x509/types.ts";
import { checkInterrupted, type Deps, formatInstant, wholeSecond } from "./deps.ts";
import { checkRequest, recordCertificates, signRequest } from "./issue.ts";
import type { OpenCa } from "./signer.ts";
import { stageCaFolder } from "./staging.ts";

/** The key of a new CA: made in a file, taken from a file, made in a token, or found there. */
export type CaKeyRequest =
  | { readonly type: "software"; readonly existing?: string; readonly passphrase?: PassphraseSource }
  | { readonly type: "pkcs11"; readonly ref: Pkcs11KeyRef; readonly existing: boolean };

/** A CA to be made. */
export interface InitRequest {
  /** Folder as the operator wrote it. */
  readonly folder: string;
  readonly profile: CompiledProfile;
  readonly key: CaKeyRequest;
  /** The CA above, open for signing; without it the CA is a root. */
  readonly parent?: OpenCa;
  /** Makes the key and a request, and leaves the certificate to another CA. */
  readonly csrOnly?: boolean;
  /** Instead of the profile's. */
  readonly validitySeconds?: number;
}

/** A CA that was made. */
export interface InitResult {
  readonly meta: CaMeta;
  readonly versionId: string;
  readonly key: KeyEntry;
  /** Present unless only a request was asked for. */
  readonly certificate?: Certificate;
  readonly csr?: Csr;
}

const VERSION = "v1";

/**
 * Makes a CA, all or nothing: everything is checked first, the folder is built beside its place and moved there at the end,
 * and a key that was made in a token is destroyed when a later step fails.
 * @throws {OperationError} `ca.exists`, `ca.expired`, `lint.refused`, `file.write`.
 * @throws {InputError} `profile.not_ca`, `key.algorithm_mismatch`, `validity.beyond_issuer`, `path_len.violated`.
 */
export async function initCa(request: InitRequest, deps: Deps): Promise<InitResult> {
  const { profile, parent } = request;
  const row = checkProfile(profile);
  if (parent) checkRequest(parent, { ...request, notBefore: wholeSecond(deps) });
  // the folder first: a place that cannot be written must not cost a key in the token
  await using staging = await stageCaFolder(joinPath(deps.cwd, request.folder));
  checkInterrupted(deps);
  await using made = await obtainKey(request, { row, staging: staging.folder }, deps);
  try {
    const scheme = ownScheme(row, profile);
    checkInterrupted(deps);
    const written = await certify(request, made.key, { scheme, deps });
    const entry = await keyEntry(request.key, made.key, row);
    const meta = newMeta(request, { entry, scheme, created: wholeSecond(deps) });
    await writeFiles(staging.folder, { meta, row, ...written });
    checkInterrupted(deps);
    // the parent must know the certificate before anybody can use it
    if (parent && written.certificate) await recordCertificates(parent, [written.certificate], deps);
    await staging.commit().catch((error) => {
      if (parent && written.certificate) {
        deps.warn(
          `The parent CA has recorded certificate ${written.certificate.serial}, which is now without a CA: revoke it`,
        );
      }
      throw error;
    });
    return { meta, versionId: VERSION, key: entry, ...written };
  } catch (error) {
    await made.undo();
    throw error;
  }
}

function checkProfile(profile: CompiledProfile): KeyRow {
  const [row, ...others] = profile.rows;
  if (!row || others.length > 0) {
    throw new InputError(`Cannot make a CA with profile "${profile.name}": it asks for ${profile.rows.length} keys`, {
      code: "profile.keys",
    });
  }
  if (!profile.isCa) {
    throw new InputError(`Cannot make a CA with profile "${profile.name}": it is not the profile of a CA`, {
      code: "profile.not_ca",
      hint: "Use a profile with basicConstraints ca: true, for example ec/root-ca or ec/issuing-ca",
    });
  }
  return row;
}

/** What the new CA will sign with: its profile's wish where its key can, else the key's default. */
function ownScheme(row: KeyRow, profile: CompiledProfile): SchemeRow {
  try {
    return chooseScheme(row, profile.signature);
  } catch {
    return defaultScheme(row);
  }
}

/** The CA's key, with what takes it back. */
interface MadeKey extends AsyncDisposable {
  readonly key: Key;
  undo(): Promise<void>;
}

async function obtainKey(
  request: InitRequest,
  to: { row: KeyRow; staging: string },
  deps: Deps,
): Promise<MadeKey> {
  const { row } = to;
  const wanted = request.key;
  const ref = await targetRef(request, to, deps);
  const provider = await deps.openProvider(
    wanted.type === "pkcs11"
      ? { type: "pkcs11", config: joinPath(deps.cwd, wanted.ref.config) }
      : { type: "software", ...(wanted.passphrase ? { passphrase: wanted.passphrase } : {}) },
  );
  try {
    if (wanted.existing) {
      const key = await provider.open(ref);
      checkAlgorithm(key, row, request.profile);
      return { key, undo: () => Promise.resolve(), [Symbol.asyncDispose]: () => provider[Symbol.asyncDispose]() };
    }
    await provider.prepare(row, ref, ownScheme(row, request.profile));
    checkInterrupted(deps);
    deps.progress(`Generating a ${row.label} key`);
    const key = await provider.generate(row, ref);
    return {
      key,
      undo: () => destroyKey(provider, key, { wanted, deps }),
      [Symbol.asyncDispose]: () => provider[Symbol.asyncDispose](),
    };
  } catch (error) {
    await provider[Symbol.asyncDispose]();
    throw error;
  }
}

/** Where the key goes or is; an existing key file is copied into the CA. */
async function targetRef(request: InitRequest, to: { row: KeyRow; staging: string }, deps: Deps): Promise<KeyRef> {
  const wanted = request.key;
  if (wanted.type === "pkcs11") {
    const config = joinPath(deps.cwd, wanted.ref.config);
    if (wanted.existing || wanted.ref.label !== undefined) return { ...wanted.ref, config };
    const label = commonNameOf(request.profile.subject);
    return { ...wanted.ref, config, ...(label === undefined ? {} : { label }) };
  }
  const path = `${to.staging}/${keyFile(VERSION, to.row.name)}`;
  await makeFolder(parentFolder(parentFolder(path)));
  await makeFolder(parentFolder(path), 0o700);
  if (wanted.existing !== undefined) {
    await writeFileDurably(path, await readFileBytes(joinPath(deps.cwd, wanted.existing)), { mode: 0o600 });
  }
  return { type: "software", path };
}

function checkAlgorithm(key: Key, row: KeyRow, profile: CompiledProfile): void {
  if (key.algorithm.name === row.name) return;
  throw new InputError(
    `Cannot use the existing key: it is ${key.algorithm.label}, and profile "${profile.name}" asks for ${row.label}`,
    { code: "key.algorithm_mismatch", hint: `Choose a profile for ${key.algorithm.label}, or another key` },
  );
}

/** Takes back a key in a token; a key file goes with the staging folder. */
async function destroyKey(
  provider: KeyProvider,
  key: Key,
  about: { wanted: CaKeyRequest; deps: Deps },
): Promise<void> {
  if (key.ref.type !== "pkcs11") return;
  try {
    await provider.delete(key.ref);
  } catch {
    const { label, keyId } = key.ref;
    const config = about.wanted.type === "pkcs11" ? about.wanted.ref.config : key.ref.config;
    about.deps.warn(
      `The new key "${label ?? keyId}" could not be removed from the token; remove it with: ` +
        `qpki key delete --hsm-config ${config} --key-label "${label ?? ""}" --key-id ${keyId ?? ""} --yes`,
    );
  }
}

async function certify(
  request: InitRequest,
  key: Key,
  { scheme, deps }: { scheme: SchemeRow; deps: Deps },
): Promise<{ certificate?: Certificate; csr?: Csr; chain: readonly Certificate[] }> {
  const { profile, parent } = request;
  if (request.csrOnly) {
    const spec = { subject: profile.subject, spki: key.spki, extensions: profile.extensions };
    return { csr: await buildCsr(spec, key.signer(scheme)), chain: [] };
  }
  if (parent) {
    const certificate = await signRequest(parent, { ...request, spki: key.spki }, deps);
    return { certificate, chain: [certificate, ...await parent.store.chain()] };
  }
  // a root's own signature: here the profile must fit the key
  const certificate = await selfSign(request, key.signer(chooseScheme(key.algorithm, profile.signature)), deps);
  return { certificate, chain: [] };
}

async function selfSign(request: InitRequest, signer: ReturnType<Key["signer"]>, deps: Deps): Promise<Certificate> {
  const { profile } = request;
  const notBefore = wholeSecond(deps);
  const name = encodeName(profile.subject);
  const tbs = await buildTbsCertificate({
    serial: generateSerial(),
    issuer: name,
    subject: name,
    notBefore,
    notAfter: new Date(notBefore.getTime() + (request.validitySeconds ?? profile.validitySeconds) * 1000),
    spki: signer.spki,
    scheme: signer.scheme,
    extensions: profile.extensions,
  });
  return await signCertificate(lintTbs(tbs), signer);
}

async function keyEntry(wanted: CaKeyRequest, key: Key, row: KeyRow): Promise<KeyEntry> {
  return {
    id: "default",
    algorithm: row.name,
    storage: storageOf(wanted, key, row),
    spki_sha256: await spkiFingerprint(key.spki),
  };
}

function storageOf(wanted: CaKeyRequest, key: Key, row: KeyRow): KeyStorage {
  if (wanted.type === "software") return { type: "software", path: keyFile(VERSION, row.name) };
  if (key.ref.type !== "pkcs11") throw new OperationError("Cannot use the key: it is not in the token");
  const { label, keyId } = key.ref;
  return {
    type: "pkcs11",
    config: wanted.ref.config,
    ...(label === undefined ? {} : { label }),
    ...(keyId === undefined ? {} : { key_id: keyId }),
  };
}

function newMeta(
  request: InitRequest,
  facts: { entry: KeyEntry; scheme: SchemeRow; created: Date },
): CaMeta {
  const { entry, scheme } = facts;
  const created = formatInstant(facts.created);
  const pending = request.csrOnly === true;
  const version: CaVersion = {
    profiles: [request.profile.name],
    algos: [entry.algorithm],
    status: pending ? "pending" : "active",
    created,
    keys: [entry],
    schemes: [scheme.name],
    ...(pending ? { csr: csrFile(VERSION) } : { certificates: [certificateFile(VERSION, entry.algorithm)] }),
  };
  return {
    schema: META_SCHEMA,
    subject: subjectFields(request.profile.subject),
    role: pending || request.parent ? "subordinate" : "root",
    created,
    active: pending ? "" : VERSION,
    versions: { [VERSION]: version },
  };
}

async function writeFiles(
  folder: string,
  content: {
    meta: CaMeta;
    row: KeyRow;
    certificate?: Certificate;
    csr?: Csr;
    chain: readonly Certificate[];
  },
): Promise<void> {
  const files: [string, string][] = [
    [INDEX_FILE, ""],
    [INDEX_ATTR_FILE, "unique_subject = no\n"],
    [CRL_NUMBER_FILE, "01\n"],
    [LOCK_FILE, ""],
  ];
  if (content.certificate) {
    const pem = encodePem("CERTIFICATE", content.certificate.der);
    files.push([certificateFile(VERSION, content.row.name), pem], [CA_CERTIFICATE_FILE, pem]);
  }
  if (content.csr) files.push([csrFile(VERSION), encodePem("CERTIFICATE REQUEST", content.csr.der)]);
  if (content.chain.length > 0) {
    files.push([CHAIN_FILE, content.chain.map((one) => encodePem("CERTIFICATE", one.der)).join("")]);
  }
  files.push([META_FILE, formatMeta(content.meta)]);
  await makeFolder(`${folder}/${ISSUED_FOLDER}`);
  await makeFolder(`${folder}/${CRL_FOLDER}`);
  for (const [name, text] of files) {
    await makeFolder(parentFolder(`${folder}/${name}`));
    await writeFileDurably(`${folder}/${name}`, text);
  }
}

/** What metadata repeats of the subject, for people. */
export function subjectFields(subject: Name): CaMeta["subject"] {
  const fields: Record<string, string | string[]> = {};
  for (const [oid, name] of [["2.5.4.10", "organization"], ["2.5.4.6", "country"]] as const) {
    const values = subject.flat().filter((attribute) => attribute.type === oid).map((attribute) => attribute.value);
    if (values.length > 0) fields[name] = values;
  }
  const commonName = commonNameOf(subject);
  return { ...(commonName === undefined ? {} : { common_name: commonName }), ...fields };
}

function commonNameOf(subject: Name): string | undefined {
  return subject.flat().find((attribute) => attribute.type === "2.5.4.3")?.value;
}
