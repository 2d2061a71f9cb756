import { chooseScheme, defaultScheme, type KeyRow, type SchemeRow } from "../alg/find.ts";
import { InputError } from "../errors.ts";
import type { Key, Signer } from "../keys/types.ts";
import type { CompiledProfile } from "../profile/types.ts";
import { joinPath } from "../store/layout.ts";
import type { CaMeta, KeyEntry } from "../store/meta.ts";
import { writeNewCa } from "../store/new_ca.ts";
import { stageCaFolder, type Staging } from "../store/staging.ts";
import { buildCsr } from "../x509/csr.ts";
import { lintTbs } from "../x509/lint.ts";
import { encodeName } from "../x509/name.ts";
import { generateSerial } from "../x509/serial.ts";
import { signCertificate } from "../x509/sign.ts";
import { buildTbsCertificate } from "../x509/tbs.ts";
import type { Certificate, Csr } from "../x509/types.ts";
import { type CaKeyRequest, obtainCaKey } from "./ca_key.ts";
import { checkInterrupted, type Deps, formatInstant, wholeSecond } from "./deps.ts";
import { checkRequest, recordCertificates, signRequest } from "./issue.ts";
import { newCaMeta } from "./new_meta.ts";
import type { OpenCa } from "./signer.ts";

export type { CaKeyRequest } from "./ca_key.ts";
export { subjectFields } from "./new_meta.ts";

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
 * @throws {InputError} `profile.not_ca`, `scheme.mismatch`, `key.algorithm_mismatch`, `validity.beyond_issuer`,
 * `path_len.violated`.
 */
export async function initCa(request: InitRequest, deps: Deps): Promise<InitResult> {
  const { profile, parent, csrOnly = false } = request;
  const row = checkProfile(profile);
  const scheme = ownScheme(request, row);
  if (parent) checkRequest(parent, { ...request, notBefore: wholeSecond(deps) });
  // the folder first: a place that cannot be written must not cost a key in the token
  await using staging = await stageCaFolder(joinPath(deps.cwd, request.folder));
  checkInterrupted(deps);
  const plan = { row, scheme, profile, versionId: VERSION, folder: staging.folder };
  await using made = await obtainCaKey(request.key, plan, deps);
  try {
    checkInterrupted(deps);
    const { chain, ...written } = await certify(request, made.key, { scheme, deps });
    const meta = newCaMeta({
      versionId: VERSION,
      profileName: profile.name,
      subject: profile.subject,
      role: csrOnly || parent ? "subordinate" : "root",
      row,
      key: made.entry,
      scheme,
      pending: csrOnly,
      created: formatInstant(wholeSecond(deps)),
    });
    await writeNewCa(staging.folder, { meta, versionId: VERSION, algorithm: row.name, chain, ...written });
    checkInterrupted(deps);
    await publish(staging, request, { ...written, deps });
    return { meta, versionId: VERSION, key: made.entry, ...written };
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

/**
 * What the CA will sign with. The profile's wish is about the signature on the CA's own certificate: a root makes that one
 * itself and must fit; below a parent it holds for the CA only as far as its key can.
 */
function ownScheme(request: InitRequest, row: KeyRow): SchemeRow {
  const wish = request.profile.signature;
  if (!request.parent && !request.csrOnly) return chooseScheme(row, wish);
  try {
    return chooseScheme(row, wish);
  } catch {
    return defaultScheme(row);
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
  if (!parent) return { certificate: await selfSign(request, key.signer(scheme), deps), chain: [] };
  const certificate = await signRequest(parent, { ...request, spki: key.spki }, deps);
  return { certificate, chain: [certificate, ...await parent.store.chain()] };
}

async function selfSign(request: InitRequest, signer: Signer, deps: Deps): Promise<Certificate> {
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

/** The parent must know the certificate before anybody can use it; then the folder becomes visible. */
async function publish(
  staging: Staging,
  { parent }: InitRequest,
  { certificate, deps }: { certificate?: Certificate; deps: Deps },
): Promise<void> {
  if (!parent || !certificate) return await staging.commit();
  await recordCertificates(parent, [certificate], deps);
  try {
    await staging.commit();
  } catch (error) {
    deps.warn(`The parent CA has recorded certificate ${certificate.serial}, which is now without a CA: revoke it`);
    throw error;
  }
}
