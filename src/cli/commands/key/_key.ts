import { TokenError } from "../../../errors.ts";
import { spkiFingerprint } from "../../../keys/spki.ts";
import type { Key, KeyInfo, KeyRef, Pkcs11KeyRef } from "../../../keys/types.ts";
import type { Context } from "../../command.ts";

/** How the key commands show keys. */

/** Where a key is, in the form the metadata files have too. */
export function storageJson(ref: KeyRef): Record<string, unknown> {
  return ref.type === "software"
    ? { type: ref.type, path: ref.path }
    : { type: ref.type, config: ref.config, label: ref.label ?? null, key_id: ref.keyId ?? null };
}

/** One key for `--json`. */
export function keyJson(info: KeyInfo): Record<string, unknown> {
  return {
    algorithm: info.algorithm?.name ?? null,
    description: info.description,
    spki_sha256: info.spkiSha256 ?? null,
    storage: storageJson(info.ref),
    attributes: info.attributes,
  };
}

/** One key as lines `Name: value`, names padded, below `indent`. */
export function keyLines(info: KeyInfo, indent = ""): string[] {
  const { ref } = info;
  const rows: [string, string][] = ref.type === "software"
    ? [["File", ref.path]]
    : [["Label", ref.label ?? "(none)"], ["ID", ref.keyId ?? "(none)"]];
  rows.push(["Algorithm", info.description], ["SPKI SHA-256", info.spkiSha256 ?? "(unknown)"]);
  for (const [name, value] of Object.entries(info.attributes)) rows.push([capitalized(name), shown(value)]);
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, value]) => `${indent}${`${name}:`.padEnd(width)}${value}`);
}

function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** A fact in words. */
export function shown(value: string | boolean): string {
  return typeof value === "string" ? value : value ? "yes" : "no";
}

/** How a key has just been written to a file: what reading it would tell. */
export function fileAttributes(
  key: { readonly form?: string | undefined },
  { encrypted, encoding }: { encrypted: boolean; encoding: "PEM" | "DER" },
): KeyInfo["attributes"] {
  const format = encrypted ? "encrypted PKCS#8" : "PKCS#8";
  return { format, encoding, encrypted, ...(key.form === undefined ? {} : { form: key.form }) };
}

/** An open key as a listing has it. */
export async function keyInfo(key: Key, attributes: KeyInfo["attributes"] = {}): Promise<KeyInfo> {
  return {
    ref: key.ref,
    algorithm: key.algorithm,
    description: key.algorithm.label,
    spki: key.spki,
    spkiSha256: await spkiFingerprint(key.spki),
    attributes,
  };
}

/**
 * The keys of a token that label and id select, without regard to their number.
 * @throws {TokenError} `key.not_found` when there is none, with what the token has as a hint.
 */
export async function findTokenKeys(ref: Pkcs11KeyRef, ctx: Context): Promise<[KeyInfo, ...KeyInfo[]]> {
  await using provider = await ctx.openProvider({ type: "pkcs11", config: ref.config });
  const all = await provider.list();
  const [first, ...more] = all.filter((info) => selects(ref, info.ref));
  if (first) return [first, ...more];
  throw new TokenError(`Cannot find a key with ${selection(ref)}: the token has none`, {
    code: "key.not_found",
    object: selection(ref),
    hint: all.length === 0
      ? "The token shows no private keys at all; is it the right one?"
      : `The token has: ${all.slice(0, MAX_CANDIDATES).map(candidate).join("; ")}${
        all.length > MAX_CANDIDATES ? `; and ${all.length - MAX_CANDIDATES} more` : ""
      }`,
  });
}

const MAX_CANDIDATES = 10;

function selects(wanted: Pkcs11KeyRef, found: KeyRef): boolean {
  return found.type === "pkcs11" && (wanted.label === undefined || wanted.label === found.label) &&
    (wanted.keyId === undefined || wanted.keyId.toLowerCase() === found.keyId?.toLowerCase());
}

/** Label and id as they were asked for. */
export function selection(ref: Pkcs11KeyRef): string {
  const parts = [
    ...(ref.label === undefined ? [] : [`label "${ref.label}"`]),
    ...(ref.keyId === undefined ? [] : [`id ${ref.keyId}`]),
  ];
  return parts.join(" and ") || "any label";
}

/** A key in one line, for lists of candidates. */
export function candidate(info: KeyInfo): string {
  const where = info.ref.type === "pkcs11" ? selection(info.ref) : info.ref.path;
  return `${where} (${info.description}, SPKI SHA-256 ${info.spkiSha256 ?? "unknown"})`;
}
