import { findSchemeRow } from "../alg/find.ts";
import { equalBytes } from "../bytes.ts";
import { InputError, OperationError, QpkiError } from "../errors.ts";
import { sha256Hex } from "../keys/digest.ts";
import { spkiFingerprint } from "../keys/spki.ts";
import { compileProfile } from "../profile/compile.ts";
import { loadProfile } from "../profile/load.ts";
import type { CompiledProfile, Profile } from "../profile/types.ts";
import type { CaStore } from "../store/ca.ts";
import { readJournal } from "../store/journal_read.ts";
import type { CertificateIntent, JournalRecord } from "../store/journal_record.ts";
import { alternativeSpki, authorityKeyId, subjectKeyId } from "../x509/certificate.ts";
import { altSignatureValue } from "../x509/extensions/alt_signature_value.ts";
import { decodeName, encodeName } from "../x509/name.ts";
import { buildTbsCertificate, encodeTbs, type Tbs } from "../x509/tbs.ts";
import type { Certificate } from "../x509/types.ts";
import type { Deps } from "./deps.ts";
import { type ExplainedField, explainFields } from "./explain_fields.ts";

/** What the journal says about how a certificate came to be, and whether it can be made again from that. */
export interface Explanation {
  readonly certificate: Certificate;
  readonly record: JournalRecord;
  readonly intent: CertificateIntent;
  /** The profile as it is now; undefined when it is gone or there was none. */
  readonly profile?: Profile;
  /** Whether the profile's text is the one of then; undefined when that cannot be told. */
  readonly profileUnchanged?: boolean;
  /** Whether the to-be-signed bytes, made again from what the journal keeps, are those of the certificate. */
  readonly identical: boolean;
  /** Whether the certificate has the bytes that were journalled before it was signed. */
  readonly journalled: boolean;
  /** Why nothing could be made again. */
  readonly obstacle?: string;
  readonly fields: readonly ExplainedField[];
}

/**
 * Makes the to-be-signed bytes of a certificate again from what the journal keeps, and says where each field comes from.
 * @throws {OperationError} `journal.unknown` when the journal knows nothing of it; {InputError} `journal.damaged`.
 */
export async function explainCertificate(store: CaStore, certificate: Certificate, deps: Deps): Promise<Explanation> {
  const { record, intent } = await findIntent(store, certificate);
  const { profile, obstacle: noProfile } = await profileOf(store, intent, deps);
  let rebuilt: Tbs | undefined;
  let obstacle = noProfile;
  if (profile) {
    try {
      rebuilt = await rebuild(store, { certificate, record, intent, profile });
    } catch (error) {
      if (!(error instanceof QpkiError)) throw error;
      obstacle = error.message;
    }
  }
  const bytes = certificateTbs(certificate, intent);
  const then = intent["profile_sha256"];
  return {
    certificate,
    record,
    intent,
    ...(profile ? { profile } : {}),
    ...(profile && typeof then === "string" ? { profileUnchanged: then === profile.sha256 } : {}),
    identical: rebuilt !== undefined && equalBytes(rebuilt.der, bytes),
    journalled: await sha256Hex(bytes) === intent.tbs_sha256,
    ...(obstacle === undefined ? {} : { obstacle }),
    fields: explainFields({ certificate, intent, profile, rebuilt }),
  };
}

async function findIntent(
  store: CaStore,
  certificate: Certificate,
): Promise<{ record: JournalRecord; intent: CertificateIntent }> {
  const pin = await spkiFingerprint(certificate.spki);
  for await (const { record } of readJournal(store.folder)) {
    if (record.state !== "intent") continue;
    const intent = record.certificates?.find(({ serial }) => serial === certificate.serial);
    if (intent && intent["spki_sha256"] === pin) return { record, intent };
  }
  throw new OperationError(`Cannot explain the certificate ${certificate.serial}: the journal does not know it`, {
    code: "journal.unknown",
    object: certificate.serial,
    hint: "It was issued before there was a journal, by another program, or by another CA",
  });
}

async function profileOf(
  store: CaStore,
  intent: CertificateIntent,
  deps: Deps,
): Promise<{ profile?: Profile; obstacle?: string }> {
  const { profile: name, profile_source: source } = intent;
  if (typeof name !== "string") return { obstacle: "it was not made from a profile: it repeats another certificate" };
  const isPath = typeof source === "string" && source !== "default" && !source.startsWith("custom");
  try {
    const places = source === "default" ? { cwd: deps.cwd } : { caDir: store.folder, cwd: deps.cwd };
    return { profile: await loadProfile(isPath ? source : name, places) };
  } catch (error) {
    if (!(error instanceof QpkiError)) throw error;
    return { obstacle: `its profile cannot be read: ${error.message}` };
  }
}

/** What was signed, as far as it was known before: an alternative signature is no part of it. */
function certificateTbs(certificate: Certificate, intent: CertificateIntent): Uint8Array {
  const extensions = certificate.extensions.filter(({ oid }) => oid !== altSignatureValue.oid);
  if (extensions.length === certificate.extensions.length) return certificate.tbs;
  return encodeTbs({ ...certificate, scheme: findSchemeRow(String(intent["scheme"])), extensions });
}

async function rebuild(
  store: CaStore,
  { certificate, record, intent, profile }: {
    certificate: Certificate;
    record: JournalRecord;
    intent: CertificateIntent;
    profile: Profile;
  },
): Promise<Tbs> {
  const { not_before: start, alternative_scheme: alternative } = intent;
  const keyId = authorityKeyId(certificate)?.keyId;
  const issuer = keyId === undefined ? undefined : await issuerOf(store, keyId);
  if (keyId !== undefined && !issuer) {
    throw new OperationError("the version of the CA that issued it is gone", { code: "version.unknown" });
  }
  const compiled = compileAgain(profile, { certificate, record, intent });
  const notBefore = new Date(String(start));
  const secondKey = alternativeSpki(certificate);
  return await buildTbsCertificate({
    serial: certificate.serial,
    issuer: issuer ? issuer.subject : certificate.subject,
    subject: compiled.subject,
    notBefore,
    notAfter: new Date(notBefore.getTime() + compiled.validitySeconds * 1000),
    spki: certificate.spki,
    scheme: findSchemeRow(String(intent["scheme"])),
    extensions: compiled.extensions,
    ...(issuer ? { authorityKeyId: keyId! } : {}),
    ...(typeof alternative === "string"
      ? { alternative: { scheme: findSchemeRow(alternative), ...(secondKey ? { spki: secondKey } : {}) } }
      : {}),
  });
}

/** A rotated CA or credential keeps the name that it has, whatever the profile would make of it. */
function compileAgain(
  profile: Profile,
  { certificate, record, intent }: { certificate: Certificate; record: JournalRecord; intent: CertificateIntent },
): CompiledProfile {
  const variables = (intent["variables"] ?? {}) as Readonly<Record<string, unknown>>;
  const { validity } = intent;
  const options = typeof validity === "string" ? { validity } : {};
  const kept = () => compileProfile(profile, variables, { ...options, subject: decodeName(certificate.subject) });
  let compiled: CompiledProfile;
  try {
    compiled = compileProfile(profile, variables, options);
  } catch (error) {
    if (!(error instanceof InputError) || error.code !== "variable.missing") throw error;
    return kept();
  }
  const isSame = equalBytes(encodeName(compiled.subject), certificate.subject);
  return isSame || record.op === "issue" ? compiled : kept();
}

async function issuerOf(store: CaStore, keyId: Uint8Array): Promise<Certificate | undefined> {
  return (await store.knownCertificates()).find((one) => {
    const own = subjectKeyId(one);
    return own !== undefined && equalBytes(own, keyId);
  });
}
