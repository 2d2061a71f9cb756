import { allowsScheme, type KeyRow, type SchemeRow } from "../alg/find.ts";
import type { Bytes } from "../bytes.ts";
import { InputError, TokenError } from "../errors.ts";
import type { Key, Pkcs11KeyRef, Signer } from "../keys/types.ts";
import { type SignCodec, signCodec } from "./codec.ts";
import type { TokenContext } from "./context.ts";
import { isStaleHandle } from "./errors.ts";
import { requireScheme } from "./mechanisms.ts";
import { keyRef, type PrivateKeyObject, selectKey } from "./objects.ts";
import type { ObjectHandle, Session, SignJob } from "./session.ts";

/** A private key in a token, open for use. */
export class TokenKey implements Key {
  readonly algorithm: KeyRow;
  readonly spki: Bytes;
  readonly ref: Pkcs11KeyRef;
  readonly #ctx: TokenContext;
  readonly #authenticate: ((session: Session) => Promise<void>) | undefined;
  readonly #action: string;
  #handle: ObjectHandle;
  /** Login under which the handle was found; private objects may have other handles after the next one. */
  #epoch: number;

  /** @throws {TokenError} `key.unsupported` for a key without a row or a readable public half. */
  constructor(ctx: TokenContext, key: PrivateKeyObject) {
    const name = key.label || key.id;
    if (!key.row || !key.spki) {
      throw new TokenError(`Cannot use key "${name}" in token "${ctx.label}": ${key.description}`, {
        code: "key.unsupported",
        hint: key.spki ? "This kind of key has no algorithm here" : "Its public half is missing or has another CKA_ID",
      });
    }
    this.algorithm = key.row;
    this.spki = key.spki;
    this.ref = keyRef(ctx, key);
    this.#ctx = ctx;
    this.#handle = key.handle;
    this.#epoch = ctx.login.epoch;
    this.#action = `sign with key "${name}" in token "${ctx.label}"`;
    this.#authenticate = key.attributes.boolean("CKA_ALWAYS_AUTHENTICATE")
      ? (session) => ctx.login.authenticate(session)
      : undefined;
  }

  signer(scheme: SchemeRow): Signer {
    const codec = this.codec(scheme);
    return {
      algorithm: this.algorithm,
      scheme,
      spki: this.spki,
      sign: async (message) => {
        const data = await codec.input(message);
        return codec.output(await this.#sign(codec, data));
      },
    };
  }

  /**
   * How this key signs with `scheme`.
   * @throws {InputError} `scheme.mismatch`. @throws {TokenError} `mechanism.absent`.
   */
  codec(scheme: SchemeRow): SignCodec {
    if (!allowsScheme(this.algorithm, scheme.name)) {
      throw new InputError(`Cannot sign with ${scheme.label} using a key of type ${this.algorithm.label}`, {
        code: "scheme.mismatch",
        hint: `A key of type ${this.algorithm.label} signs with: ${this.algorithm.schemes.join(", ")}`,
      });
    }
    requireScheme(this.#ctx, this.algorithm, scheme);
    return signCodec(this.#ctx.slot.module.ffi, this.#ctx.driver, { scheme, row: this.algorithm })!;
  }

  /** The call that signs `data`, with the handle that is valid in this session. */
  async job(session: Session, codec: SignCodec, data: Uint8Array): Promise<SignJob> {
    if (this.#epoch !== this.#ctx.login.epoch) await this.#findAgain(session);
    return {
      key: this.#handle,
      mechanism: codec.mechanism,
      data,
      capacity: codec.capacity,
      probeLength: this.#ctx.driver.quirks.includes("probe-length"),
      authenticate: this.#authenticate,
      action: this.#action,
    };
  }

  async #sign(codec: SignCodec, data: Uint8Array): Promise<Bytes> {
    return await this.#ctx.pool.withSession(async (session) => {
      try {
        return await session.sign(await this.job(session, codec, data));
      } catch (error) {
        if (!isStaleHandle(error)) throw error;
        // once: the token may have renumbered its objects, and the public key proves that it is the same one
        await this.#findAgain(session);
        return await session.sign(await this.job(session, codec, data));
      }
    }, { idempotent: true });
  }

  async #findAgain(session: Session): Promise<void> {
    const epoch = this.#ctx.login.epoch;
    this.#handle = (await selectKey(this.#ctx, session, this.ref)).handle;
    this.#epoch = epoch;
  }
}
