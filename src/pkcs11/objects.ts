import type { KeyRow } from "../alg/find.ts";
import { decodeHex, encodeHex, equalBytes } from "../bytes.ts";
import { TokenError, UsageError, withArticle } from "../errors.ts";
import type { KeyInfo, Pkcs11KeyRef } from "../keys/types.ts";
import { type Attributes, BOOLEAN_ATTRIBUTES, type Template } from "./attributes.ts";
import { constantBytes } from "./codec.ts";
import type { CKO } from "./constants.ts";
import type { TokenContext } from "./context.ts";
import { isStaleHandle } from "./errors.ts";
import { constantName } from "./names.ts";
import { privateHalfAttributes, publicHalfAttributes, type PublicKeyFacts, readPublicKey } from "./public_key.ts";
import type { ObjectHandle, Session } from "./session.ts";

/** A private key in the token, as found. */
export interface PrivateKeyObject extends PublicKeyFacts {
  readonly handle: ObjectHandle;
  readonly label: string;
  /** CKA_ID in lower-case hex; empty when the key has none. */
  readonly id: string;
  /** CKK_ number. */
  readonly keyType?: number | undefined;
  readonly attributes: Attributes;
}

/** One object of any class, for listings. */
export interface ObjectInfo {
  /** `CKO_PRIVATE_KEY`, or a number as hex. */
  readonly class: string;
  readonly label?: string | undefined;
  readonly id?: string | undefined;
  /** `CKK_EC`, … for keys. */
  readonly keyType?: string | undefined;
  /** Every boolean attribute that the object has. */
  readonly attributes: Readonly<Record<string, boolean>>;
}

const DESCRIPTION = ["CKA_CLASS", "CKA_KEY_TYPE", "CKA_LABEL", "CKA_ID"] as const;

/** Most candidates that a message lists. */
const MAX_CANDIDATES = 20;

/** What selects keys, in the token's form. */
export interface KeyFilter {
  readonly label?: string | undefined;
  readonly id?: Uint8Array | undefined;
}

/** Label and id of a reference. @throws {InputError} for an id that is not hex. */
export function keyFilter(ref: Pkcs11KeyRef): KeyFilter {
  return { label: ref.label, id: ref.keyId === undefined ? undefined : decodeHex(ref.keyId) };
}

/** Template that finds the objects of a class with a filter. */
function searchTemplate(ctx: TokenContext, objectClass: keyof typeof CKO, filter: KeyFilter): Template {
  return {
    CKA_CLASS: constantBytes(ctx.slot.module.ffi, objectClass),
    ...(filter.label === undefined ? {} : { CKA_LABEL: new TextEncoder().encode(filter.label) }),
    ...(filter.id === undefined ? {} : { CKA_ID: filter.id }),
  };
}

/** Handles of the objects of a class that match. */
export async function findObjects(
  ctx: TokenContext,
  session: Session,
  search: { readonly class: keyof typeof CKO; readonly filter?: KeyFilter },
): Promise<ObjectHandle[]> {
  return await session.find(searchTemplate(ctx, search.class, search.filter ?? {}), {
    action: `look for keys in token "${ctx.label}"`,
    batch: ctx.driver.findBatch,
  });
}

function publicKeyNames(ctx: TokenContext): string[] {
  return [...DESCRIPTION, ...publicHalfAttributes(ctx.driver)];
}

/** Attributes of an object that was found; undefined when another process has destroyed it since. */
async function presentAttributes(
  session: Session,
  handle: ObjectHandle,
  { names, action }: { names: readonly string[]; action: string },
): Promise<Attributes | undefined> {
  try {
    return await session.attributes(handle, names, action);
  } catch (error) {
    if (isStaleHandle(error)) return undefined;
    throw error;
  }
}

/** The private keys that match, with their public halves. */
export async function findPrivateKeys(
  ctx: TokenContext,
  session: Session,
  filter: KeyFilter = {},
): Promise<PrivateKeyObject[]> {
  const action = `read a key in token "${ctx.label}"`;
  const publicHalves = new PublicHalves(ctx, session, filter.label === undefined && filter.id === undefined);
  const keys: PrivateKeyObject[] = [];
  // attributes of all mechanisms are asked for; objects without them just leave them out
  const names = [...DESCRIPTION, ...BOOLEAN_ATTRIBUTES, ...privateHalfAttributes(ctx.driver)];
  for (const handle of await findObjects(ctx, session, { class: "CKO_PRIVATE_KEY", filter })) {
    const attributes = await presentAttributes(session, handle, { names, action });
    if (!attributes) continue;
    const id = attributes.bytes("CKA_ID");
    const label = attributes.text("CKA_LABEL") ?? "";
    // some modules search by part of a template only
    if (filter.label !== undefined && label !== filter.label) continue;
    if (filter.id !== undefined && !(id && equalBytes(id, filter.id))) continue;
    const keyType = attributes.ulong("CKA_KEY_TYPE");
    let facts = await readPublicKey(ctx.driver, keyType, [attributes]);
    if (facts.spki === undefined && id && id.length > 0) {
      const halves = await publicHalves.of(id, keyType);
      if (halves.length > 0) facts = await readPublicKey(ctx.driver, keyType, halves);
    }
    keys.push({ ...facts, handle, label, id: id ? encodeHex(id) : "", keyType, attributes });
  }
  // tokens give their objects in any order
  return keys.sort((a, b) => compareText(a.label, b.label) || compareText(a.id, b.id));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Public key objects by CKA_ID and key type; all are read at once where many will be asked for. */
class PublicHalves {
  readonly #ctx: TokenContext;
  readonly #session: Session;
  readonly #all: boolean;
  #known: Attributes[] | undefined;

  constructor(ctx: TokenContext, session: Session, all: boolean) {
    this.#ctx = ctx;
    this.#session = session;
    this.#all = all;
  }

  async of(id: Uint8Array, keyType: number | undefined): Promise<Attributes[]> {
    const candidates = this.#all ? this.#known ??= await this.#read({}) : await this.#read({ id });
    return candidates.filter((half) => {
      const itsId = half.bytes("CKA_ID");
      return itsId && equalBytes(itsId, id) && half.ulong("CKA_KEY_TYPE") === keyType;
    });
  }

  async #read(filter: KeyFilter): Promise<Attributes[]> {
    const halves: Attributes[] = [];
    const action = `read a public key in token "${this.#ctx.label}"`;
    for (const handle of await findObjects(this.#ctx, this.#session, { class: "CKO_PUBLIC_KEY", filter })) {
      const half = await presentAttributes(this.#session, handle, { names: publicKeyNames(this.#ctx), action });
      if (half) halves.push(half);
    }
    return halves;
  }
}

/**
 * The one private key that a reference selects: all that it states must match.
 * @throws {TokenError} `key.not_found` and `key.ambiguous`, which list candidates, `key.pin_mismatch`.
 * @throws {UsageError} when the reference states nothing.
 */
export async function selectKey(ctx: TokenContext, session: Session, ref: Pkcs11KeyRef): Promise<PrivateKeyObject> {
  const pin = ref.spkiSha256?.toLowerCase();
  if (ref.label === undefined && ref.keyId === undefined && pin === undefined) {
    throw new UsageError("Cannot choose a key in a token: neither label nor id is given", {
      hint: "Use --key-label, --key-id, or both",
    });
  }
  const named = await findPrivateKeys(ctx, session, keyFilter(ref));
  const pinned = pin === undefined ? named : named.filter((key) => key.spkiSha256 === pin);
  const matching = ref.algorithm === undefined ? pinned : pinned.filter(({ row }) => row?.name === ref.algorithm);
  if (matching.length === 1) return matching[0]!;
  const wanted = describeRef(ref);
  if (matching.length > 1) {
    throw new TokenError(
      `Cannot choose a key: ${matching.length} private keys in token "${ctx.label}" have ${wanted}`,
      {
        code: "key.ambiguous",
        hint: `Select one by --key-id, or remove what is not needed: ${listCandidates(matching)}`,
      },
    );
  }
  if (named.length > 0 && pinned.length === 0 && (ref.label !== undefined || ref.keyId !== undefined)) {
    throw new TokenError(
      `Cannot use the key with ${wanted} in token "${ctx.label}": its public key is not the one it must be`,
      {
        code: "key.pin_mismatch",
        hint: `Expected SPKI SHA-256 ${pin}; the token has ${listCandidates(named)}`,
      },
    );
  }
  const all = ref.label === undefined && ref.keyId === undefined ? named : await findPrivateKeys(ctx, session);
  throw new TokenError(`Cannot find a private key with ${wanted} in token "${ctx.label}"`, {
    code: "key.not_found",
    hint: all.length === 0 ? "The token has no private key" : `Keys there are: ${listCandidates(all)}`,
  });
}

function describeRef(ref: Pkcs11KeyRef): string {
  return [
    ...(ref.label === undefined ? [] : [`label "${ref.label}"`]),
    ...(ref.keyId === undefined ? [] : [`id ${ref.keyId}`]),
    ...(ref.algorithm === undefined ? [] : [`algorithm ${ref.algorithm}`]),
    ...(ref.spkiSha256 === undefined ? [] : [`SPKI SHA-256 ${ref.spkiSha256}`]),
  ].join(" and ");
}

function listCandidates(keys: readonly PrivateKeyObject[]): string {
  const lines = keys.slice(0, MAX_CANDIDATES).map((key) =>
    `label "${key.label}", id ${key.id || "(none)"}, ${key.description}, SPKI SHA-256 ${key.spkiSha256 ?? "unknown"}`
  );
  if (keys.length > MAX_CANDIDATES) lines.push(`and ${keys.length - MAX_CANDIDATES} more`);
  return lines.join("; ");
}

/** Complete reference to a key, as the token stores its names. */
export function keyRef(ctx: TokenContext, key: PrivateKeyObject): Pkcs11KeyRef {
  return {
    type: "pkcs11",
    config: ctx.configPath,
    ...(key.label === "" ? {} : { label: key.label }),
    ...(key.id === "" ? {} : { keyId: key.id }),
    ...(key.spkiSha256 === undefined ? {} : { spkiSha256: key.spkiSha256 }),
  };
}

/** A key for a listing. */
export function keyInfo(ctx: TokenContext, key: PrivateKeyObject): KeyInfo {
  return {
    ref: keyRef(ctx, key),
    ...(key.row ? { algorithm: key.row } : {}),
    description: key.description,
    ...(key.spki ? { spki: key.spki } : {}),
    ...(key.spkiSha256 ? { spkiSha256: key.spkiSha256 } : {}),
    attributes: key.attributes.booleans(),
  };
}

/**
 * Refuses names that are taken, whatever the type of the key that has them: a label alone must select one key. Keys with
 * an id among `except` do not count.
 * @throws {TokenError} `key.exists`.
 */
export async function refuseTaken(
  ctx: TokenContext,
  session: Session,
  { row, filter, except }: { row: KeyRow; filter: KeyFilter; except: readonly Uint8Array[] },
): Promise<void> {
  for (const objectClass of ["CKO_PRIVATE_KEY", "CKO_PUBLIC_KEY"] as const) {
    for (const part of ["id", "label"] as const) {
      const value = filter[part];
      if (value === undefined) continue;
      for (const handle of await findObjects(ctx, session, { class: objectClass, filter: { [part]: value } })) {
        const action = `read a key in token "${ctx.label}"`;
        const found = await presentAttributes(session, handle, { names: DESCRIPTION, action });
        if (!found) continue;
        if (part === "id" ? !sameId(found, filter.id!) : found.text("CKA_LABEL") !== filter.label) continue;
        if (except.some((id) => sameId(found, id))) continue;
        const name = part === "id" ? `id ${encodeHex(filter.id!)}` : `label "${filter.label}"`;
        throw new TokenError(
          `Cannot generate ${withArticle(row.label)} key in token "${ctx.label}": a key with ${name} exists`,
          {
            code: "key.exists",
            hint: `It is label ${found.describe("CKA_LABEL")}, id ${found.describe("CKA_ID")}, type ${
              found.describe("CKA_KEY_TYPE")
            }; choose another name, or delete that key first`,
          },
        );
      }
    }
  }
}

function sameId(found: Attributes, id: Uint8Array): boolean {
  const bytes = found.bytes("CKA_ID");
  return bytes !== undefined && equalBytes(bytes, id);
}

/** A public key object, as found. */
export interface PublicKeyObject extends PublicKeyFacts {
  readonly handle: ObjectHandle;
  readonly keyType?: number | undefined;
}

/** The public key objects with this CKA_ID. */
export async function findPublicKeys(ctx: TokenContext, session: Session, id: Uint8Array): Promise<PublicKeyObject[]> {
  const keys: PublicKeyObject[] = [];
  for (const handle of await findObjects(ctx, session, { class: "CKO_PUBLIC_KEY", filter: { id } })) {
    const action = `read a public key in token "${ctx.label}"`;
    const half = await presentAttributes(session, handle, { names: publicKeyNames(ctx), action });
    if (!half || !sameId(half, id)) continue;
    const keyType = half.ulong("CKA_KEY_TYPE");
    keys.push({ ...await readPublicKey(ctx.driver, keyType, [half]), handle, keyType });
  }
  return keys;
}

/**
 * Destroys both halves of a pair: the private key first, then the public keys with its id, type and value. One whose value
 * cannot be read goes too, unless another private key has the id.
 */
export async function destroyPair(ctx: TokenContext, session: Session, key: PrivateKeyObject): Promise<void> {
  const action = `delete key "${key.label || key.id}" in token "${ctx.label}"`;
  await session.destroy(key.handle, action);
  if (key.id === "") return;
  const id = decodeHex(key.id);
  const halves = (await findPublicKeys(ctx, session, id)).filter(({ keyType }) => keyType === key.keyType);
  const isAlone = halves.some(({ spkiSha256 }) => spkiSha256 === undefined) &&
    (await findPrivateKeys(ctx, session, { id })).length === 0;
  for (const { handle, spkiSha256 } of halves) {
    const isOurs = spkiSha256 === undefined ? isAlone : spkiSha256 === key.spkiSha256;
    if (isOurs) await session.destroy(handle, action);
  }
}

/** Every object of the token that the session can see. */
export async function listObjects(ctx: TokenContext, session: Session): Promise<ObjectInfo[]> {
  const action = `list the objects of token "${ctx.label}"`;
  const objects: ObjectInfo[] = [];
  for (const handle of await session.find({}, { action, batch: ctx.driver.findBatch })) {
    const found = await presentAttributes(session, handle, { names: [...DESCRIPTION, ...BOOLEAN_ATTRIBUTES], action });
    if (!found) continue;
    const objectClass = found.ulong("CKA_CLASS");
    const type = found.ulong("CKA_KEY_TYPE");
    objects.push({
      class: nameOf("CKO", objectClass) ?? "unknown",
      label: found.text("CKA_LABEL"),
      id: found.hex("CKA_ID"),
      keyType: nameOf("CKK", type),
      attributes: found.booleans(),
    });
  }
  return objects;
}

function nameOf(kind: "CKO" | "CKK", value: number | undefined): string | undefined {
  return value === undefined ? undefined : constantName(kind, value) ?? `0x${value.toString(16)}`;
}
