import type { KeyRow } from "../alg/find.ts";
import { type Bytes, equalBytes, randomBytes, wipe } from "../bytes.ts";
import { OperationError, TokenError } from "../errors.ts";
import { encapsulate, type Encapsulation } from "../keys/kem.ts";
import { aesBlock, hmacSha256 } from "../keys/mac.ts";
import { encodeMechanism } from "./codec.ts";
import { CKM, CKR } from "./constants.ts";
import type { TokenContext } from "./context.ts";
import type { RowKem } from "./dialect.ts";
import type { SecretForm } from "./driver.ts";
import type { ObjectHandle, Session } from "./session.ts";
import { fillTemplate } from "./templates.ts";

/** A key for decapsulation, as it stands in a session. */
export interface KemKey {
  readonly row: KeyRow;
  readonly kem: RowKem;
  readonly key: ObjectHandle;
  /** For messages, after "Cannot ": `decapsulate with key "x"`. */
  readonly action: string;
}

/**
 * The shared secret of a ciphertext, which the token makes and lets be read.
 * @throws {TokenError} `secret.hidden` when it does not let it be read, or what the token says to the last form of it.
 */
export async function decapsulateValue(
  ctx: TokenContext,
  session: Session,
  key: KemKey & { readonly ciphertext: Uint8Array },
): Promise<Bytes> {
  const forms = key.kem.secrets.filter(({ check }) => check === "value");
  const value = await firstAnswer(ctx, session, {
    key,
    forms,
    ask: (handle) => readValue(session, handle, key.action),
  });
  if (value) return value;
  throw new TokenError(`Cannot ${key.action}: the token does not give the shared secret away`, {
    code: "secret.hidden",
    hint: "The secret stays in the token; use it there with another program",
  });
}

/**
 * Encapsulates in software and lets the token decapsulate, whose secret must be the same: by its value, or by what the
 * token computes with it.
 * @throws {OperationError} `key.proof_failed` when they differ. @throws {TokenError}
 */
export async function proveDecapsulation(
  ctx: TokenContext,
  session: Session,
  key: KemKey & { readonly spki: Uint8Array },
): Promise<void> {
  const { ciphertext, sharedSecret } = await encapsulate(key.spki);
  try {
    const isSame = await firstAnswer(ctx, session, {
      key: { ...key, ciphertext },
      forms: key.kem.secrets,
      ask: (handle, { check }) => CHECKS[check]({ ctx, session, handle, sharedSecret, action: key.action }),
    });
    if (isSame) return;
    if (isSame === undefined) {
      throw new TokenError(`Cannot ${key.action}: the token neither shows the shared secret nor computes with it`, {
        code: "secret.hidden",
      });
    }
  } finally {
    wipe(sharedSecret);
  }
  throw new OperationError(
    `Cannot ${key.action}: the token does not decapsulate what was encapsulated to its public key`,
    { code: "key.proof_failed" },
  );
}

/**
 * Lets the token encapsulate to a public key in it, and reads the secret: what a peer does, for tests of tokens.
 * @throws {TokenError} also where the token has no C_EncapsulateKey or hides the secret.
 */
export async function encapsulateInToken(ctx: TokenContext, session: Session, key: KemKey): Promise<Encapsulation> {
  const mechanism = encodeMechanism(ctx.slot.module.ffi, key.kem.mechanism);
  const { key: handle, action } = key;
  let refusal: unknown;
  for (const { template, check } of key.kem.secrets) {
    if (check !== "value") continue;
    const job = {
      key: handle,
      mechanism,
      template: fillTemplate(template),
      capacity: key.row.ciphertextBytes!,
      action,
    };
    try {
      const { ciphertext, secret } = await session.encapsulate(job);
      try {
        const sharedSecret = await readValue(session, secret, action);
        if (sharedSecret) return { ciphertext, sharedSecret };
      } finally {
        await session.destroy(secret, action).catch(() => {});
      }
    } catch (error) {
      if (!isFormRefused(error)) throw error;
      refusal ??= error;
    }
  }
  throw refusal ?? new TokenError(`Cannot ${action}: the token hides the shared secret`, { code: "secret.hidden" });
}

interface Question<T> {
  readonly key: KemKey & { readonly ciphertext: Uint8Array };
  readonly forms: readonly SecretForm[];
  /** Undefined when the secret cannot be known in this form. */
  ask(secret: ObjectHandle, form: SecretForm): Promise<T | undefined>;
}

/** The answer in the first form of the secret that the token takes; undefined when it takes some but answers in none. */
async function firstAnswer<T>(
  ctx: TokenContext,
  session: Session,
  { key, forms, ask }: Question<T>,
): Promise<T | undefined> {
  const { ffi } = ctx.slot.module;
  const mechanism = encodeMechanism(ffi, key.kem.mechanism, key.kem.parameter?.(key.row, key.ciphertext));
  let refusal: unknown;
  let made = 0;
  for (const form of forms) {
    try {
      const secret = await session.decapsulate({
        ...key,
        call: key.kem.call,
        mechanism,
        template: fillTemplate(form.template),
      });
      made++;
      try {
        const answer = await ask(secret, form);
        if (answer !== undefined) return answer;
      } finally {
        // it goes with the session anyway
        await session.destroy(secret, key.action).catch(() => {});
      }
    } catch (error) {
      if (!isFormRefused(error)) throw error;
      refusal ??= error;
    }
  }
  if (made === 0 && refusal !== undefined) throw refusal;
  return undefined;
}

/** Answers of a token that does not want the secret in this form, or not this use of it. */
const FORM_REFUSED: ReadonlySet<number> = new Set<number>([
  CKR.CKR_ATTRIBUTE_READ_ONLY,
  CKR.CKR_ATTRIBUTE_SENSITIVE,
  CKR.CKR_ATTRIBUTE_TYPE_INVALID,
  CKR.CKR_ATTRIBUTE_VALUE_INVALID,
  CKR.CKR_KEY_FUNCTION_NOT_PERMITTED,
  CKR.CKR_KEY_SIZE_RANGE,
  CKR.CKR_KEY_TYPE_INCONSISTENT,
  CKR.CKR_KEY_UNEXTRACTABLE,
  CKR.CKR_MECHANISM_INVALID,
  CKR.CKR_TEMPLATE_INCOMPLETE,
  CKR.CKR_TEMPLATE_INCONSISTENT,
]);

function isFormRefused(error: unknown): boolean {
  return error instanceof TokenError && error.rv !== undefined && FORM_REFUSED.has(error.rv);
}

interface SecretToCheck {
  readonly ctx: TokenContext;
  readonly session: Session;
  readonly handle: ObjectHandle;
  /** What it must be. */
  readonly sharedSecret: Uint8Array;
  readonly action: string;
}

const CHECKS: Readonly<Record<SecretForm["check"], (secret: SecretToCheck) => Promise<boolean | undefined>>> = {
  async value({ session, handle, sharedSecret, action }) {
    const value = await readValue(session, handle, action);
    if (!value) return undefined;
    const isSame = equalBytes(value, sharedSecret);
    wipe(value);
    return isSame;
  },
  async hmac({ ctx, session, handle, sharedSecret, action }) {
    const data = randomBytes(32);
    const mechanism = encodeMechanism(ctx.slot.module.ffi, CKM.CKM_SHA256_HMAC);
    const mac = await session.sign({ key: handle, mechanism, data, capacity: 32, action });
    return equalBytes(mac, await hmacSha256(sharedSecret, data));
  },
  async aes({ ctx, session, handle, sharedSecret, action }) {
    const data = randomBytes(16);
    const mechanism = encodeMechanism(ctx.slot.module.ffi, CKM.CKM_AES_ECB);
    const block = await session.encrypt({ key: handle, mechanism, data, capacity: 16, action });
    return equalBytes(block, await aesBlock(sharedSecret, data));
  },
};

async function readValue(session: Session, secret: ObjectHandle, action: string): Promise<Bytes | undefined> {
  return (await session.attributes(secret, ["CKA_VALUE"], action)).content("CKA_VALUE");
}
