import type { KeyRow } from "../alg/find.ts";
import { encodeHex, encodePem, randomBytes } from "../bytes.ts";
import { checkInterrupted, type Deps, wholeSecond } from "../ca/deps.ts";
import { subjectFields } from "../ca/init.ts";
import { checkRequest, recordCertificates, signRequest } from "../ca/issue.ts";
import type { OpenCa } from "../ca/signer.ts";
import { InputError } from "../errors.ts";
import { writeFileDurably } from "../files.ts";
import type { KeyProvider, KeyRef, PassphraseSource, Pkcs11KeyRef } from "../keys/types.ts";
import type { CompiledProfile } from "../profile/types.ts";
import {
  checkCredentialFree,
  CREDENTIAL_META_FILE,
  credentialCertificateFile,
  credentialChainFile,
  credentialKeyFile,
  CredentialStaging,
} from "../store/credential.ts";
import { joinPath } from "../store/layout.ts";
import type { CredentialMeta } from "../store/meta.ts";
import { formatMeta } from "../store/meta_check.ts";
import type { Certificate } from "../x509/types.ts";
import { lintBeforeKey } from "./lint.ts";
import { type EnrolledPart, newMeta } from "./new_meta.ts";
import { makeKey } from "./new_key.ts";

/** Where the keys of a credential are made. */
export type CredentialKeys =
  | { readonly type: "software"; readonly passphrase?: PassphraseSource }
  /** With several profiles `-0`, `-1`, … are appended to the label; without a label one is made from the id. */
  | { readonly type: "pkcs11"; readonly ref: Pkcs11KeyRef };

/** A credential to be made: one key and one certificate a profile. */
export interface EnrollRequest {
  /** Folder of the credentials. */
  readonly credDir: string;
  /** Made from the common name and the date without one. */
  readonly id?: string;
  readonly profiles: readonly CompiledProfile[];
  readonly keys: CredentialKeys;
}

/** A credential that was made. */
export interface EnrollResult {
  readonly folder: string;
  readonly meta: CredentialMeta;
  readonly certificates: readonly Certificate[];
}

const VERSION = "v1";

/** One profile with where its key and certificate go. */
interface Part {
  readonly profile: CompiledProfile;
  readonly row: KeyRow;
  /** Middle of the file names. */
  readonly name: string;
  readonly ref: KeyRef;
  /** hsm.yaml as the operator wrote it. */
  readonly config?: string;
}

/**
 * Makes a credential, all or nothing: everything is checked before the first key is made, the folder is built beside its
 * place and moved there at the end, and keys made in a token are destroyed when a later step fails or Ctrl-C is pressed.
 * The certificates are entered in the CA's index together, just before the folder becomes visible.
 * @throws {OperationError} `file.exists`, `lint.refused`, `ca.expired`; {InputError} `profile.is_ca`, `profile.keys`,
 * `validity.beyond_issuer`; {InterruptedError}; what the key provider throws.
 */
export async function enroll(ca: OpenCa, request: EnrollRequest, deps: Deps): Promise<EnrollResult> {
  const now = wholeSecond(deps);
  const id = request.id ?? defaultId(request.profiles, now);
  await checkCredentialFree(request.credDir, id);
  for (const profile of request.profiles) {
    checkProfile(profile);
    checkRequest(ca, { profile, notBefore: now });
  }
  await using provider = await deps.openProvider(providerRequest(request.keys, deps));
  await lintBeforeKey(ca, request.profiles, now);
  await using staging = await CredentialStaging.create(request.credDir, id, VERSION);
  const parts = planParts(request, { id, staging }, deps);
  for (const part of parts) await provider.prepare(part.row, part.ref);
  await using undo = new AsyncDisposableStack();
  const made = await makeParts(ca, { parts, provider, undo, deps });
  const meta = await newMeta(made, { id, version: VERSION, created: now, caFolder: ca.store.folder, staging });
  await writeFiles(staging, made, { meta, chain: await ca.store.chain() });
  checkInterrupted(deps);
  const certificates = made.map((part) => part.certificate);
  await recordCertificates(ca, certificates, deps);
  const folder = await commit(staging, certificates, { caFolder: ca.store.folder, deps });
  undo.move();
  return { folder, meta, certificates };
}

/** Id from the common name, the date and three random bytes: `server-example-com-20250102-a1b2c3`. */
export function defaultId(profiles: readonly CompiledProfile[], now: Date): string {
  const commonName = profiles.map((profile) => subjectFields(profile.subject).common_name).find((cn) =>
    cn !== undefined
  );
  const slug = (commonName ?? "").normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "").replace(/[^a-z0-9]+/g, "-");
  const name = slug.slice(0, 48).replace(/^-+|-+$/g, "") || "credential";
  return `${name}-${now.toISOString().slice(0, 10).replaceAll("-", "")}-${encodeHex(randomBytes(3))}`;
}

function checkProfile(profile: CompiledProfile): void {
  if (profile.isCa) {
    throw new InputError(`Cannot enroll a credential with profile "${profile.name}": it is the profile of a CA`, {
      code: "profile.is_ca",
      hint: "Make a CA with: qpki ca init",
    });
  }
  if (profile.rows.length !== 1) {
    throw new InputError(
      `Cannot enroll a credential with profile "${profile.name}": it asks for ${profile.rows.length} keys`,
      { code: "profile.keys" },
    );
  }
}

function providerRequest(keys: CredentialKeys, deps: Deps) {
  if (keys.type === "pkcs11") return { type: "pkcs11", config: joinPath(deps.cwd, keys.ref.config) } as const;
  return { type: "software", ...(keys.passphrase ? { passphrase: keys.passphrase } : {}) } as const;
}

function planParts(
  request: EnrollRequest,
  to: { id: string; staging: CredentialStaging },
  deps: Deps,
): Part[] {
  const { keys, profiles } = request;
  const { id, staging } = to;
  const used = new Map<string, number>();
  return profiles.map((profile, i) => {
    const row = profile.rows[0]!;
    const before = used.get(row.name) ?? 0;
    used.set(row.name, before + 1);
    const name = before === 0 ? row.name : `${row.name}-${before}`;
    if (keys.type === "software") {
      return { profile, row, name, ref: { type: "software", path: staging.path(credentialKeyFile(VERSION, name)) } };
    }
    const { label = id, config } = keys.ref;
    const numbered = profiles.length > 1 || keys.ref.label === undefined;
    const ref: KeyRef = { ...keys.ref, config: joinPath(deps.cwd, config), label: numbered ? `${label}-${i}` : label };
    return { profile, row, name, ref, config };
  });
}

/** Makes every key, then signs every certificate; nothing is entered in the CA yet. */
async function makeParts(
  ca: OpenCa,
  work: { parts: readonly Part[]; provider: KeyProvider; undo: AsyncDisposableStack; deps: Deps },
): Promise<EnrolledPart[]> {
  const { parts, provider, undo, deps } = work;
  const keys = [];
  for (const { row, ref } of parts) {
    checkInterrupted(deps);
    keys.push(await makeKey({ provider, row, ref }, deps, undo));
  }
  const made: EnrolledPart[] = [];
  for (const [i, part] of parts.entries()) {
    const { key } = keys[i]!;
    deps.progress(`Signing the certificate for ${part.profile.name}`);
    const certificate = await signRequest(ca, { profile: part.profile, spki: key.spki }, deps);
    made.push({ ...part, key, certificate });
  }
  return made;
}

async function writeFiles(
  staging: CredentialStaging,
  made: readonly EnrolledPart[],
  content: { meta: CredentialMeta; chain: readonly Certificate[] },
): Promise<void> {
  for (const { name, certificate } of made) {
    const path = staging.path(credentialCertificateFile(VERSION, name));
    await writeFileDurably(path, encodePem("CERTIFICATE", certificate.der));
  }
  const chain = content.chain.map((one) => encodePem("CERTIFICATE", one.der)).join("");
  await writeFileDurably(staging.path(credentialChainFile(VERSION)), chain);
  await writeFileDurably(staging.path(CREDENTIAL_META_FILE), formatMeta(content.meta));
}

async function commit(
  staging: CredentialStaging,
  certificates: readonly Certificate[],
  { caFolder, deps }: { caFolder: string; deps: Deps },
): Promise<string> {
  try {
    return await staging.commit();
  } catch (error) {
    // the CA has issued them for good, and nobody has their keys
    for (const { serial } of certificates) {
      deps.warn(
        `Certificate 0x${serial} was issued though the credential could not be written; revoke it with: ` +
          `qpki cert revoke ${serial} --ca-dir ${caFolder}`,
      );
    }
    throw error;
  }
}
