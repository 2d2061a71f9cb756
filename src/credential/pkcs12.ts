import { concatBytes, equalBytes, type Secret, wipe } from "../bytes.ts";
import { InputError, OperationError } from "../errors.ts";
import { readFileBytes } from "../files.ts";
import { encodePkcs12, type Pkcs12Entry } from "../keys/pkcs12.ts";
import { decodePrivateKey } from "../keys/pkcs8.ts";
import { joinCompositeMaterial, type PrivateKey } from "../keys/private_key.ts";
import { describeSpki, encodeSpki } from "../keys/spki.ts";
import type { PassphraseSource } from "../keys/types.ts";
import type { CredentialStore } from "../store/credential.ts";
import { type KeyGroup, keyGroups } from "../store/key_groups.ts";
import type { KeyEntry } from "../store/meta.ts";
import { alternativeSpki } from "../x509/certificate.ts";
import type { Certificate } from "../x509/types.ts";
import { exportCertificates, type ExportRequest, exportVersions } from "./export.ts";

/** What goes into the file, and what protects keys before and in it. */
export interface Pkcs12Request extends ExportRequest {
  /** Of the key files. */
  readonly passphrase?: PassphraseSource;
  /** Of the new file. */
  readonly exportPassphrase: Secret;
}

/** A PKCS#12 file. */
export interface Pkcs12Export {
  readonly der: Uint8Array;
  /** The credential's own certificates, then those above. */
  readonly certificates: readonly Certificate[];
  /** Private keys in it. */
  readonly keys: number;
}

/**
 * Certificates of a credential with their private keys as PKCS#12.
 * @throws {OperationError} `key.in_token`: such a key does not leave; `key.pin_mismatch`.
 * @throws {InputError} as `exportCertificates` and the readers of key files; `passphrase.empty`, `key.unknown`.
 */
export async function exportPkcs12(store: CredentialStore, request: Pkcs12Request): Promise<Pkcs12Export> {
  const certificates = await exportCertificates(store, request);
  const ids = exportVersions(store, request);
  for (const id of ids) for (const entry of store.version(id).version.keys) refuseToken(store, entry);
  const entries: Pkcs12Entry[] = [];
  try {
    for (const id of ids) entries.push(...await entriesOf(store, id, { ...request, isOneOfMany: ids.length > 1 }));
    const own = new Set(entries.map(({ certificate }) => certificate.toHex()));
    const others = certificates.map(({ der }) => der).filter((der) => !own.has(der.toHex()));
    const der = await encodePkcs12({ entries, others }, request.exportPassphrase);
    const keys = entries.flatMap(({ alternative }) => alternative ? [1, 1] : [1]).length;
    return { der, certificates, keys };
  } finally {
    for (const { key, alternative } of entries) {
      wipe(key.material);
      if (alternative) wipe(alternative.material);
    }
  }
}

function refuseToken({ meta }: CredentialStore, { storage }: KeyEntry): void {
  if (storage.type !== "pkcs11") return;
  throw new OperationError(
    `Cannot export the credential "${meta.id}" as PKCS#12: its key "${storage.label ?? storage.key_id}" is in the ` +
      `token of ${storage.config}, and never leaves it`,
    {
      code: "key.in_token",
      object: meta.id,
      hint: "Export the certificates with --format pem, and let the program use the key through PKCS#11",
    },
  );
}

async function entriesOf(
  store: CredentialStore,
  id: string,
  { passphrase, isOneOfMany }: { passphrase?: PassphraseSource; isOneOfMany: boolean },
): Promise<Pkcs12Entry[]> {
  const { version } = store.version(id);
  const groups = keyGroups(version.keys);
  const certificates = await store.certificates(id);
  const name = isOneOfMany ? `${store.meta.id} ${id}` : store.meta.id;
  const entries: Pkcs12Entry[] = [];
  for (const [i, certificate] of certificates.entries()) {
    const group = groups[i];
    if (!group || groups.length !== certificates.length) {
      throw new InputError(
        `Cannot export the credential "${store.meta.id}" as PKCS#12: its metadata does not say which keys are those of ` +
          `certificate 0x${certificate.serial}`,
        { code: "key.unknown", object: store.meta.id },
      );
    }
    const shown = certificates.length > 1 ? `${name} ${version.profiles[i] ?? i + 1}` : name;
    const keys = await readKeys(store, group, passphrase);
    entries.push({ name: shown, certificate: certificate.der, ...asOne(certificate, keys) });
  }
  return entries;
}

async function readKeys(
  store: CredentialStore,
  group: KeyGroup,
  passphrase: PassphraseSource | undefined,
): Promise<PrivateKey[]> {
  const keys: PrivateKey[] = [];
  for (const { storage } of group) {
    if (storage.type !== "software") continue;
    const file = await readFileBytes(store.path(storage.path));
    try {
      keys.push((await decodePrivateKey(file, passphrase)).key);
    } finally {
      wipe(file);
    }
  }
  return keys;
}

/** The keys of one certificate, compared with it: one, two that are one, or one with an alternative. */
function asOne(certificate: Certificate, keys: readonly PrivateKey[]): Pick<Pkcs12Entry, "key" | "alternative"> {
  const [first, second] = keys as readonly [PrivateKey, PrivateKey?];
  const { row } = describeSpki(certificate.spki);
  const alternative = alternativeSpki(certificate);
  const key = second && row?.parts
    ? {
      row,
      material: joinCompositeMaterial(row, { pqc: second.material, classical: first.material }),
      publicKey: concatBytes(second.publicKey, first.publicKey),
    }
    : first;
  const isOwn = equalBytes(encodeSpki(key.row, key.publicKey), certificate.spki) &&
    (!alternative || (second !== undefined && equalBytes(encodeSpki(second.row, second.publicKey), alternative)));
  if (isOwn) return { key, ...(alternative ? { alternative: second! } : {}) };
  throw new OperationError(
    `Cannot export the key of certificate 0x${certificate.serial}: its public key is not the one in the certificate`,
    { code: "key.pin_mismatch", hint: "Another key took its place: restore the right one" },
  );
}
