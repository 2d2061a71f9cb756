import { lookUpKeyRow } from "../alg/find.ts";
import { wipe } from "../bytes.ts";
import { pathExists, readFileBytes } from "../files.ts";
import { describeKeyFile } from "../keys/key_files.ts";
import type { KeyInfo, KeyProvider, PassphraseSource } from "../keys/types.ts";
import { joinPath } from "../store/layout.ts";
import type { KeyEntry, KeyStorage } from "../store/meta.ts";
import type { LostKey } from "./check_journal.ts";
import { checkKeyModes } from "./check_modes.ts";
import type { Findings } from "./check_report.ts";
import type { Deps } from "./deps.ts";
import { resolveHsmConfig } from "./hsm_path.ts";

/** One key that metadata names. */
export interface CheckedKey {
  readonly entry: KeyEntry;
  /** SHA-256 of the public key that its certificate has, hex; unknown while there is no certificate. */
  readonly certified?: string;
  /** Whose it is, for messages: `version v1`. */
  readonly owner: string;
}

/** How keys are checked. */
export interface KeyCheckOptions {
  /** Folder of the metadata, absolute. */
  readonly folder: string;
  readonly findings: Findings;
  readonly deps: Deps;
  /** Whether tokens are looked into. */
  readonly token: boolean;
  /** Opens encrypted key files; without it they are only looked at from outside. */
  readonly passphrase?: PassphraseSource | undefined;
  /** Keys that interrupted commands may have made. */
  readonly lost?: readonly LostKey[];
  /** Notes that nothing is left of an intent: its key is in use, or not there. Says what it did. */
  settle?(lost: LostKey): Promise<string>;
  /** Looks at a token that is open for something else; what it throws is a finding. */
  lookInto?(token: KeyProvider): Promise<void>;
}

type TokenStorage = Extract<KeyStorage, { type: "pkcs11" }>;

/**
 * Checks that every key is where metadata says, is the one it pins and the certificate certifies, and is kept as it was made:
 * a file for its owner alone, a token key sensitive and not extractable. Nothing is signed.
 */
export async function checkKeys(keys: readonly CheckedKey[], options: KeyCheckOptions): Promise<void> {
  const files = keys.flatMap(({ entry: { storage } }) => storage.type === "software" ? [storage.path] : []);
  await checkKeyModes(files, options);
  for (const key of keys) {
    checkPin(key, options.findings);
    const { storage } = key.entry;
    if (storage.type === "software") await checkKeyFile(key, storage.path, options);
  }
  const inToken = keys.flatMap((key) => key.entry.storage.type === "pkcs11" ? [key] : []);
  const byConfig = Map.groupBy(inToken, ({ entry }) => (entry.storage as TokenStorage).config);
  const lost = Map.groupBy(options.lost ?? [], ({ key }) => key.config);
  for (const config of new Set([...byConfig.keys(), ...lost.keys()])) {
    const seen = { keys: byConfig.get(config) ?? [], lost: lost.get(config) ?? [] };
    if (options.token) await checkToken(config, seen, options);
    else skipToken(seen, options.findings);
  }
}

interface InToken {
  readonly keys: readonly CheckedKey[];
  readonly lost: readonly LostKey[];
}

function skipToken({ keys, lost }: InToken, findings: Findings): void {
  findings.count("keys_not_checked", keys.length);
  for (const one of lost) {
    findings.warning("leftover.key", `${lostName(one)} may be in the token`, {
      hint: "Look into it: without --no-token",
    });
  }
}

/** What metadata pins must be what the certificate says. */
function checkPin({ entry, certified, owner }: CheckedKey, findings: Findings): void {
  const pin = entry.spki_sha256?.toLowerCase();
  if (pin === undefined || certified === undefined || pin === certified) return;
  findings.error(
    "meta.pin",
    `The ${entry.id} key of ${owner} is pinned with SHA-256 ${pin}, and its certificate is for ${certified}`,
    { hint: "Restore metadata and certificate from one backup" },
  );
}

async function checkKeyFile(key: CheckedKey, file: string, options: KeyCheckOptions): Promise<void> {
  const { folder, findings, passphrase } = options;
  const path = joinPath(folder, file);
  if (!await pathExists(path)) {
    return findings.error("key.missing", `The private key file "${file}" of ${key.owner} is not there`, {
      file,
      hint: "Restore it from a backup",
    });
  }
  try {
    const bytes = await readFileBytes(path);
    try {
      let info = await describeKeyFile(file, bytes);
      const secret = info.attributes["encrypted"] === true ? await passphrase?.() : undefined;
      if (secret) info = await describeKeyFile(file, bytes, secret);
      if (info.spkiSha256 === undefined && info.attributes["encrypted"] === true) {
        return findings.count("keys_not_opened");
      }
      findings.count("keys");
      checkPublicKey(key, info, { findings, file });
    } finally {
      wipe(bytes);
    }
  } catch (error) {
    findings.caught(error, { file, hint: "Restore the key file from a backup" });
  }
}

/** The key that was found against the one that should be there. */
function checkPublicKey(
  key: CheckedKey,
  info: KeyInfo,
  { findings, file }: { findings: Findings; file?: string },
): void {
  const { entry, owner } = key;
  const place = file === undefined ? {} : { file };
  const wanted = wantedKey(key);
  const found = info.spkiSha256;
  if (found === undefined) {
    return findings.error(
      "key.public_missing",
      `The public half of key ${describe(entry)} of ${owner} cannot be read (${info.description})`,
      place,
    );
  }
  if (wanted !== undefined && wanted !== found) {
    findings.error(
      "key.replaced",
      `The key ${describe(entry)} of ${owner} is another one: its public key has SHA-256 ${found} instead of ${wanted}`,
      { ...place, hint: "Another key took its place: restore the right one" },
    );
  }
  const row = lookUpKeyRow(entry.algorithm);
  if (row && info.algorithm && row.name !== info.algorithm.name) {
    findings.error(
      "key.algorithm",
      `The key ${describe(entry)} of ${owner} is ${info.algorithm.label}, and the metadata says ${row.label}`,
      place,
    );
  }
}

/** SHA-256 of the public key that a key must have: the pinned one, for older metadata that of the certificate. */
function wantedKey({ entry, certified }: CheckedKey): string | undefined {
  return entry.spki_sha256?.toLowerCase() ?? certified;
}

async function checkToken(config: string, { keys, lost }: InToken, options: KeyCheckOptions): Promise<void> {
  const { deps, folder, findings } = options;
  let infos: KeyInfo[];
  let path: string;
  try {
    path = await resolveHsmConfig(config, { cwd: deps.cwd, folder });
    deps.progress(`Looking into the token of ${config}`);
    await using provider = await deps.openProvider({ type: "pkcs11", config: path });
    infos = await provider.list();
    await options.lookInto?.(provider).catch((error) => findings.caught(error, { file: config }));
  } catch (error) {
    return findings.caught(error, { file: config });
  }
  for (const key of keys) {
    const info = selectKey(key, infos, findings);
    if (!info) continue;
    findings.count("token_keys");
    checkPublicKey(key, info, { findings });
    checkAttributes(key, info, findings);
  }
  const named = new Set(keys.map(({ entry }) => (entry.storage as TokenStorage).key_id?.toLowerCase()));
  for (const one of lost) tellLost(one, { infos, named, path }, options);
}

/** A key that an interrupted command began: there or not, named by metadata or not. It is never deleted from here. */
function tellLost(
  lost: LostKey,
  { infos, named, path }: { infos: readonly KeyInfo[]; named: ReadonlySet<string | undefined>; path: string },
  { findings, settle }: KeyCheckOptions,
): void {
  const { label, key_id: id } = lost.key;
  const found = infos.find(({ ref }) =>
    ref.type === "pkcs11" && (label === undefined || label === ref.label) &&
    (id === undefined || id.toLowerCase() === ref.keyId?.toLowerCase())
  );
  if (found && found.ref.type === "pkcs11" && !named.has(found.ref.keyId?.toLowerCase())) {
    const { label: itsLabel, keyId } = found.ref;
    const select = [
      ...(itsLabel === undefined ? [] : [`--key-label ${quoted(itsLabel)}`]),
      ...(keyId === undefined ? [] : [`--key-id ${keyId}`]),
    ];
    return findings.warning("leftover.key", `${lostName(lost)} is in the token, and no metadata names it`, {
      hint: `If nobody uses it: qpki key delete --hsm-config ${quoted(path)} ${select.join(" ")}`,
    });
  }
  findings.warning("leftover.intent", `${lostName(lost)} is ${found ? "in use" : "not in the token"}`, {
    hint: "Settle it: qpki ca check --repair",
    ...(settle ? { fix: () => settle(lost) } : {}),
  });
}

function lostName({ key, origin }: LostKey): string {
  const id = key.key_id === undefined ? "" : ` (id ${key.key_id})`;
  return `The key "${key.label ?? ""}"${id} that ${origin} began to make`;
}

/** A word for a shell. */
function quoted(text: string): string {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The one key that metadata means, or undefined after a finding. */
function selectKey(key: CheckedKey, infos: readonly KeyInfo[], findings: Findings): KeyInfo | undefined {
  const { entry, owner } = key;
  const storage = entry.storage as TokenStorage;
  const named = infos.filter(({ ref }) =>
    ref.type === "pkcs11" && (storage.label === undefined || storage.label === ref.label) &&
    (storage.key_id === undefined || storage.key_id.toLowerCase() === ref.keyId?.toLowerCase())
  );
  const wanted = wantedKey(key);
  const row = lookUpKeyRow(entry.algorithm)?.name;
  const exact = wanted === undefined
    ? named.filter(({ algorithm }) => row === undefined || algorithm?.name === row)
    : named.filter(({ spkiSha256 }) => spkiSha256 === wanted);
  if (exact.length > 1) {
    findings.error("key.ambiguous", `${exact.length} keys in the token fit ${describe(entry)} of ${owner}`, {
      hint: `They are: ${list(exact)}`,
    });
    return undefined;
  }
  if (exact[0]) return exact[0];
  if (named.length === 1) return named[0]; // told as replaced
  const elsewhere = wanted === undefined ? undefined : infos.find(({ spkiSha256 }) => spkiSha256 === wanted);
  if (named.length > 1) {
    findings.error("key.replaced", `None of the ${named.length} keys ${describe(entry)} is the one of ${owner}`, {
      hint: `They are: ${list(named)}`,
    });
  } else if (elsewhere) {
    findings.error("key.renamed", `The key ${describe(entry)} of ${owner} has another name in the token`, {
      hint: `It is now ${list([elsewhere])}: give it back its label and id, for example with pkcs11-tool`,
    });
  } else {
    findings.error("key.missing", `The key ${describe(entry)} of ${owner} is not in the token`, {
      hint: infos.length === 0
        ? "The token shows no private keys: is it the right one?"
        : `The token has: ${list(infos)}`,
    });
  }
  return undefined;
}

/** A key that was sensitive once stays so in an honest token; one that is not was replaced, imported or made elsewhere. */
function checkAttributes({ entry, owner }: CheckedKey, { attributes, algorithm }: KeyInfo, findings: Findings): void {
  const name = `The key ${describe(entry)} of ${owner}`;
  const sensitive = attributes["CKA_SENSITIVE"] !== false;
  const extractable = attributes["CKA_EXTRACTABLE"] === true;
  const hint = "Whoever has the PIN can copy it: rotate to a new key";
  if (!sensitive) findings.error("key.not_sensitive", `${name} is not sensitive (CKA_SENSITIVE is false)`, { hint });
  if (extractable) findings.error("key.extractable", `${name} is extractable (CKA_EXTRACTABLE is true)`, { hint });
  if (
    sensitive && !extractable &&
    (attributes["CKA_ALWAYS_SENSITIVE"] === false || attributes["CKA_NEVER_EXTRACTABLE"] === false)
  ) {
    findings.warning("key.once_readable", `${name} could be read once: it was imported, or extractable before`, {
      hint: "A copy may exist outside of the token",
    });
  }
  if (algorithm?.kind === "signature" && attributes["CKA_SIGN"] === false) {
    findings.error("key.cannot_sign", `${name} may not sign (CKA_SIGN is false)`);
  }
}

const MOST_LISTED = 5;

function list(infos: readonly KeyInfo[]): string {
  const texts = infos.slice(0, MOST_LISTED).map(({ ref, description, spkiSha256 }) => {
    const where = ref.type === "pkcs11" ? `label "${ref.label ?? ""}" id ${ref.keyId ?? "(none)"}` : ref.path;
    return `${where} (${description}, SHA-256 ${spkiSha256 ?? "unknown"})`;
  });
  if (infos.length > MOST_LISTED) texts.push(`and ${infos.length - MOST_LISTED} more`);
  return texts.join("; ");
}

function describe({ storage }: KeyEntry): string {
  if (storage.type === "software") return `"${storage.path}"`;
  const id = storage.key_id === undefined ? "" : ` (id ${storage.key_id})`;
  return `"${storage.label ?? ""}"${id} in the token of ${storage.config}`;
}
