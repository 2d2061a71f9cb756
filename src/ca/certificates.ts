import type { KeyRow } from "../alg/find.ts";
import { isQuantumSafe } from "../alg/quantum.ts";
import type { Bytes } from "../bytes.ts";
import { InputError } from "../errors.ts";
import { splitCompositeSpki } from "../keys/joint.ts";
import { describeSpki, spkiFingerprint } from "../keys/spki.ts";
import type { CaStore } from "../store/ca.ts";
import { FileNames } from "../store/file_names.ts";
import { type KeyGroup, keyGroups } from "../store/key_groups.ts";
import type { KeyEntry, KeyMode } from "../store/meta.ts";
import { alternativeSpki } from "../x509/certificate.ts";
import type { Certificate } from "../x509/types.ts";
import { keysName, type KeyWishes } from "./key_parts.ts";

/** One certificate of a CA version with what metadata says of it. A CA made with several profiles has several. */
export interface CaCertificate {
  /** Position in the metadata. */
  readonly index: number;
  /** Its algorithm as file names have it, two for a Catalyst certificate; differs from those of the other certificates. */
  readonly name: string;
  readonly certificate: Certificate;
  readonly mode: KeyMode;
  /** Row of the key in subjectPublicKeyInfo; undefined for an algorithm without row. */
  readonly row?: KeyRow;
  /** Row of the alternative key of a Catalyst certificate. */
  readonly alternativeRow?: KeyRow;
  readonly keys: KeyGroup;
  readonly profile?: string;
  /** Name of the scheme it signs with; metadata of the older tool states none. */
  readonly scheme?: string;
}

/**
 * The certificates of a version, the active one without an id.
 * @throws {InputError} `ca.certificate_missing`, `ca.pending`, `ca.keys` when keys and certificates do not correspond.
 */
export async function caCertificates(
  store: CaStore,
  versionId?: string,
): Promise<readonly [CaCertificate, ...CaCertificate[]]> {
  const { version } = store.version(versionId);
  const certificates = await store.certificates(versionId);
  const groups = keyGroups(version.keys);
  if (groups.length !== certificates.length) {
    throw new InputError(
      `Cannot use the CA "${store.folder}": its metadata lists keys for ${groups.length} certificates, and it has ` +
        `${certificates.length}`,
      { code: "ca.keys", object: store.folder },
    );
  }
  const names = new FileNames();
  return certificates.map((certificate, index): CaCertificate => {
    const mode = version.modes?.[index] ?? modeOf(certificate);
    const row = describeSpki(certificate.spki).row;
    const alternative = alternativeSpki(certificate);
    const alternativeRow = alternative && describeSpki(alternative).row;
    const [profile, scheme] = [version.profiles[index], version.schemes?.[index]];
    return {
      index,
      name: names.next(row ? keysName({ rows: alternativeRow ? [row, alternativeRow] : [row] }) : "unknown"),
      certificate,
      mode,
      keys: groups[index]!,
      ...(row ? { row } : {}),
      ...(alternativeRow ? { alternativeRow } : {}),
      ...(profile === undefined ? {} : { profile }),
      ...(scheme === undefined ? {} : { scheme }),
    };
  }) as [CaCertificate, ...CaCertificate[]];
}

/** How the keys behind a certificate work together, as it shows itself. */
export function modeOf(certificate: Certificate): KeyMode {
  if (describeSpki(certificate.spki).row?.parts) return "composite";
  return alternativeSpki(certificate) ? "catalyst" : "simple";
}

/**
 * Fingerprints of the public keys that metadata pins, by id: those of the certificate's key and its alternative one, or of
 * both parts of a composite one.
 */
export async function pinsOf(keys: { spki: Bytes; alternative?: Bytes | undefined }): Promise<Record<string, string>> {
  const { row } = describeSpki(keys.spki);
  if (row?.parts) {
    const { classical, pqc } = splitCompositeSpki(keys.spki);
    return { classical: await spkiFingerprint(classical), pqc: await spkiFingerprint(pqc) };
  }
  const own = await spkiFingerprint(keys.spki);
  if (!keys.alternative) return { default: own };
  return { classical: own, pqc: await spkiFingerprint(keys.alternative) };
}

/**
 * Entries of a certificate's keys, each with a pin: metadata of the older tool has none, and its label may become that of a
 * later version's key too.
 */
export async function pinnedKeys({ certificate, keys }: CaCertificate): Promise<KeyEntry[]> {
  if (keys.every(({ spki_sha256: pin, storage }) => pin !== undefined || storage.type === "software")) return [...keys];
  const pins = await pinsOf({ spki: certificate.spki, alternative: alternativeSpki(certificate) });
  return keys.map((entry) => {
    const pin = entry.spki_sha256 ?? (keys.length === 1 ? pins["default"] : pins[entry.id]);
    return pin === undefined ? entry : { ...entry, spki_sha256: pin };
  });
}

/** Whether the keys are those that entries pin; an entry without a pin fits every key. */
export function fitsPins(entries: readonly KeyEntry[], pins: Readonly<Record<string, string>>): boolean {
  if (entries.length !== Object.keys(pins).length) return false;
  return entries.every(({ id, spki_sha256: pin }) => {
    const found = entries.length === 1 ? Object.values(pins)[0] : pins[id];
    return found !== undefined && (pin === undefined || pin.toLowerCase() === found);
  });
}

/**
 * The certificate that issues for a profile: one of the same family if there is one, a Catalyst one for a Catalyst profile;
 * else a post-quantum one for a post-quantum key; else the first.
 */
export function issuingCertificate(
  all: readonly [CaCertificate, ...CaCertificate[]],
  { mode, rows }: KeyWishes,
): CaCertificate {
  const wanted = rows[0];
  const safe = mode === "catalyst" || (wanted !== undefined && isQuantumSafe(wanted));
  function rank(one: CaCertificate): number {
    const isSafe = one.mode === "catalyst" || (one.row !== undefined && isQuantumSafe(one.row));
    return (mode === "catalyst" && one.mode === mode ? 8 : 0) + (one.row?.family === wanted?.family ? 4 : 0) +
      (isSafe === safe ? 2 : 0) + (one.mode === mode ? 1 : 0);
  }
  return all.reduce((best, one) => rank(one) > rank(best) ? one : best);
}
