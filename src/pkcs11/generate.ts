import type { KeyRow, SchemeRow } from "../alg/find.ts";
import { decodeHex, encodeHex, equalBytes, randomBytes } from "../bytes.ts";
import { InterruptedError, QpkiError, TokenError, UsageError, withArticle } from "../errors.ts";
import type { GenerateOptions, Pkcs11KeyRef } from "../keys/types.ts";
import { type AttributeValue, encodeValue, type Template } from "./attributes.ts";
import { encodeMechanism } from "./codec.ts";
import type { TokenContext } from "./context.ts";
import type { RowDialect } from "./dialect.ts";
import { TokenKey } from "./key.ts";
import { requireMechanisms } from "./mechanisms.ts";
import { isTransient } from "./module.ts";
import { findPrivateKeys, findPublicKeys, keyFilter, refuseTaken } from "./objects.ts";
import { publicHalfAttributes, readPublicKey } from "./public_key.ts";
import type { ObjectHandle, Session } from "./session.ts";
import { type KeyTemplates, keyTemplates } from "./templates.ts";

/** Bytes of a CKA_ID that the operator did not choose. */
const ID_BYTES = 16;

/** A generation that failed without a reason and left nothing is tried this often. */
const TRANSIENT_TRIES = 3;

/** Handles of both halves of a pair. */
interface PairHandles {
  readonly public: ObjectHandle;
  readonly private: ObjectHandle;
}

/** A pair in the making, and what is known of it so far. */
interface NewPair {
  readonly row: KeyRow;
  readonly label?: string | undefined;
  readonly sharesLabel: boolean;
  readonly partnerId?: Uint8Array | undefined;
  readonly id: Uint8Array;
  /** Whether the id is random, so that whatever has it is ours. */
  readonly ownId: boolean;
  handles?: PairHandles;
  /** Login under which the handles are valid. */
  epoch?: number;
  spkiSha256?: string | undefined;
  /** Both halves were destroyed again. */
  gone?: boolean;
}

/**
 * Throws what {@link generateKey} would before it makes anything.
 * @throws {TokenError} `mechanism.absent`, `key.exists`. @throws {UsageError} without label and id.
 */
export async function prepareKey(
  ctx: TokenContext,
  row: KeyRow,
  { ref, scheme }: { ref: Pkcs11KeyRef; scheme?: SchemeRow | undefined },
): Promise<void> {
  if (ref.label === undefined && ref.keyId === undefined) {
    throw new UsageError(
      `Cannot generate ${withArticle(row.label)} key in token "${ctx.label}": it has neither label nor id`,
      {
        hint: "Use --key-label, --key-id, or both",
      },
    );
  }
  requireMechanisms(ctx, row, scheme);
  const { label, id } = keyFilter(ref);
  const partner = partnerIdOf(ref);
  await ctx.pool.withSession(async (session) => {
    await refuseTaken(ctx, session, { row, filter: { id }, except: [] });
    if (ref.sharesLabel) return;
    await refuseTaken(ctx, session, { row, filter: { label }, except: partner ? [partner] : [] });
  }, { idempotent: true });
}

/**
 * Makes a key pair in the token, reads back what the token made of it, and proves it by a signature that is verified in
 * software, a KEM key by a secret encapsulated there. Whatever goes wrong, both halves are destroyed again.
 * @throws {TokenError} `key.exists`, `mechanism.absent`, `key.attributes_wrong`. @throws {InterruptedError}
 */
export async function generateKey(
  ctx: TokenContext,
  row: KeyRow,
  { ref, announce }: GenerateOptions & { ref: Pkcs11KeyRef },
): Promise<TokenKey> {
  await prepareKey(ctx, row, { ref });
  const chosen = keyFilter(ref).id;
  for (let tries = 1;; tries++) {
    if (ctx.signal?.aborted) throw new InterruptedError();
    const pair: NewPair = {
      row,
      label: ref.label,
      sharesLabel: ref.sharesLabel ?? false,
      partnerId: partnerIdOf(ref),
      id: chosen ?? randomBytes(ID_BYTES),
      ownId: chosen === undefined,
    };
    await announce?.({ ...ref, keyId: encodeHex(pair.id) });
    try {
      return await makeAndProve(ctx, pair);
    } catch (error) {
      const failure = await discard(ctx, pair, error);
      const again = isTransient(failure) && pair.handles === undefined && pair.ownId && tries < TRANSIENT_TRIES;
      if (!again) throw failure;
    }
  }
}

function partnerIdOf({ partnerId }: Pkcs11KeyRef): Uint8Array | undefined {
  return partnerId === undefined ? undefined : decodeHex(partnerId);
}

async function makeAndProve(ctx: TokenContext, pair: NewPair): Promise<TokenKey> {
  await ctx.pool.withSession((session) => makePair(ctx, session, pair), { write: true });
  await refuseRival(ctx, pair);
  const key = await openNew(ctx, pair);
  await key.prove();
  if (ctx.signal?.aborted) throw new InterruptedError();
  return key;
}

async function makePair(ctx: TokenContext, session: Session, pair: NewPair): Promise<void> {
  const { row } = pair;
  const dialect = requireMechanisms(ctx, row);
  const templates = keyTemplates(ctx.driver, row, { names: pair, dialect });
  const mechanism = encodeMechanism(ctx.slot.module.ffi, dialect.generate, dialect.parameter);
  const action = `generate ${withArticle(row.label)} key in token "${ctx.label}"`;
  const handles = await session.generateKeyPair(mechanism, templates, action);
  pair.handles = handles;
  pair.epoch = ctx.login.epoch;
  try {
    const half = await session.attributes(handles.public, publicHalfAttributes(ctx.driver), action);
    pair.spkiSha256 = (await readPublicKey(ctx.driver, dialect.keyType, [half])).spkiSha256;
    const deviations = await compareTemplates(ctx, session, { handles, templates, dialect });
    if (deviations.length > 0) throw wrongAttributes(ctx, pair, deviations);
  } catch (error) {
    // here and now: the token may have given it another id, and then nothing but the handles leads to it
    await destroyHandles(ctx, session, pair).catch(() => {});
    throw error;
  }
}

/**
 * Another process may have used the same label between the look and the generation: a token has no lock for that. Each of
 * them sees the other's key now, and none keeps one that a label would not select.
 */
async function refuseRival(ctx: TokenContext, { row, label, sharesLabel, partnerId, id }: NewPair): Promise<void> {
  if (label === undefined || sharesLabel) return;
  const names = { row, filter: { label }, except: partnerId ? [id, partnerId] : [id] };
  await ctx.pool.withSession((session) => refuseTaken(ctx, session, names), { idempotent: true });
}

/** The new key as any later command will find it. */
async function openNew(ctx: TokenContext, pair: NewPair): Promise<TokenKey> {
  return await ctx.pool.withSession(async (session) => {
    const found = await findPrivateKeys(ctx, session, pair);
    const key = found[0];
    if (found.length !== 1 || !key) throw wrongAttributes(ctx, pair, [`${found.length} private keys have its names`]);
    if (key.row?.name !== pair.row.name) {
      throw wrongAttributes(ctx, pair, [`the public key is ${key.description}, wanted ${pair.row.label}`]);
    }
    return new TokenKey(ctx, key);
  }, { idempotent: true });
}

function wrongAttributes(ctx: TokenContext, pair: NewPair, deviations: readonly string[]): TokenError {
  return new TokenError(
    `Cannot use the new key "${pair.label ?? encodeHex(pair.id)}": token "${ctx.label}" did not make it as asked: ${
      deviations.join("; ")
    }`,
    { code: "key.attributes_wrong", hint: "The key was destroyed again; this token may need a driver of its own" },
  );
}

/** Each attribute that differs from what was asked, in words. */
async function compareTemplates(
  ctx: TokenContext,
  session: Session,
  { handles, templates, dialect }: { handles: PairHandles; templates: KeyTemplates; dialect: RowDialect },
): Promise<string[]> {
  const deviations: string[] = [];
  for (const half of ["private", "public"] as const) {
    const template: Template = templates[half];
    const action = `read back the new ${half} key in token "${ctx.label}"`;
    const unstated: Template = half === "private"
      ? { ...UNSTATED_USES, ...BORN_INSIDE, ...sameParameterSet(dialect) }
      : UNSTATED_USES;
    const names = [...new Set([...Object.keys(template), ...Object.keys(unstated)])]
      .filter((name) => !NOT_COMPARED.has(name) && !ctx.driver.notCompared.includes(name));
    const found = await session.attributes(handles[half], names, action);
    for (const name of names) {
      const wanted = template[name] ?? unstated[name]!;
      if (agrees(ctx, { name, wanted }, found.bytes(name))) continue;
      if (name === "CKA_KEY_TYPE" && dialect.keyTypes.includes(found.ulong(name) ?? -1)) continue;
      deviations.push(`${name} of the ${half} key is ${found.describe(name)}, wanted ${describeWanted(name, wanted)}`);
    }
  }
  return deviations;
}

/** Uses that only tokens of PKCS#11 3.2 have a flag for: not asked for, and not allowed either. */
const UNSTATED_USES: Template = { CKA_ENCAPSULATE: false, CKA_DECAPSULATE: false };

/**
 * What the token itself says of a private key that never came out; no template may state it. CKA_LOCAL is not among it:
 * NSS denies it of keys that it made itself.
 */
const BORN_INSIDE: Template = { CKA_ALWAYS_SENSITIVE: true, CKA_NEVER_EXTRACTABLE: true };

/** The private key must be of the parameter set that the public template asked for; the token derives it. */
function sameParameterSet({ parameterSet }: RowDialect): Template {
  return parameterSet === undefined ? {} : { CKA_PARAMETER_SET: parameterSet };
}

/** Attributes that are right or absent. */
const MAY_BE_ABSENT: ReadonlySet<string> = new Set([...Object.keys(BORN_INSIDE), "CKA_PARAMETER_SET"]);

/** Tokens keep a curve in a form of their own; the public key itself shows whether it is the right one. */
const NOT_COMPARED: ReadonlySet<string> = new Set(["CKA_EC_PARAMS"]);

function agrees(
  ctx: TokenContext,
  { name, wanted }: { name: string; wanted: AttributeValue },
  found: Uint8Array | undefined,
): boolean {
  // a use that the token has no attribute for cannot be allowed; of CKA_EXTRACTABLE silence proves nothing
  if (found === undefined) return MAY_BE_ABSENT.has(name) || (wanted === false && name !== "CKA_EXTRACTABLE");
  if (typeof wanted === "boolean") return found.length === 1 && (found[0] !== 0) === wanted;
  const bytes = encodeValue(ctx.slot.module.ffi.platform, wanted);
  return equalBytes(bytes, found) || (name === "CKA_PUBLIC_EXPONENT" && equalBytes(bytes, withoutZeros(found)));
}

/** A big integer without zeros in front. */
function withoutZeros(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0);
  return start < 0 ? new Uint8Array(0) : bytes.subarray(start);
}

function describeWanted(name: string, value: AttributeValue): string {
  if (!(value instanceof Uint8Array)) return String(value);
  return name === "CKA_LABEL" ? `"${new TextDecoder().decode(value)}"` : encodeHex(value);
}

/** Destroys what was made of a pair. Returns the error to throw: the cause, or one that names what is left over. */
async function discard(ctx: TokenContext, pair: NewPair, cause: unknown): Promise<unknown> {
  try {
    await ctx.pool.withSession(async (session) => {
      if (pair.gone) return;
      if (pair.handles && pair.epoch === ctx.login.epoch) await destroyHandles(ctx, session, pair);
      else await destroyById(ctx, session, pair);
    }, { write: true, idempotent: true });
    return cause;
  } catch (error) {
    const id = encodeHex(pair.id);
    const label = pair.label === undefined ? "" : ` --key-label ${JSON.stringify(pair.label)}`;
    const reason = cause instanceof QpkiError ? cause.message : String(cause);
    return new TokenError(`${reason}; the new key with id ${id} could not be removed from token "${ctx.label}"`, {
      code: "key.orphan",
      object: id,
      hint: `Remove it with: qpki key delete --hsm-config ${JSON.stringify(ctx.configPath)}${label} --key-id ${id}`,
      cause: error,
    });
  }
}

async function destroyHandles(ctx: TokenContext, session: Session, pair: NewPair): Promise<void> {
  let failure: unknown;
  for (const handle of [pair.handles!.private, pair.handles!.public]) {
    try {
      await session.destroy(handle, `destroy the new key in token "${ctx.label}"`);
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  pair.gone = true;
}

/**
 * Destroys what has the pair's id, where the handles are gone with the login or C_GenerateKeyPair never gave any (a
 * careless token may have kept one half). An id that was not random proves nothing: then the public key must be ours.
 */
async function destroyById(ctx: TokenContext, session: Session, pair: NewPair): Promise<void> {
  let destroyed = 0;
  for (const objectClass of ["CKO_PRIVATE_KEY", "CKO_PUBLIC_KEY"] as const) {
    const ours = objectClass === "CKO_PRIVATE_KEY"
      ? (await findPrivateKeys(ctx, session, { id: pair.id })).filter((key) => isOurs(pair, key))
      : (await findPublicKeys(ctx, session, pair.id)).filter((key) => isOurs(pair, key));
    for (const { handle } of ours) {
      await session.destroy(handle, `destroy the new key in token "${ctx.label}"`);
      destroyed++;
    }
  }
  if (pair.handles && destroyed === 0) {
    throw new TokenError(`Cannot destroy the new key in token "${ctx.label}": it is not found by its id`);
  }
}

function isOurs(pair: NewPair, key: { readonly spkiSha256?: string | undefined }): boolean {
  return pair.ownId || (pair.spkiSha256 !== undefined && key.spkiSha256 === pair.spkiSha256);
}
