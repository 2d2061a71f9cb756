import { defaultScheme, type KeyRow, requireAllowed, type SchemeRow } from "../alg/find.ts";
import type { Bytes } from "../bytes.ts";
import { TokenError } from "../errors.ts";
import { requireCiphertext } from "../keys/kem.ts";
import type { Key, Pkcs11KeyRef, Signer, SignerOptions } from "../keys/types.ts";
import { proveSigner, requireContext } from "../keys/verify.ts";
import { type SignCodec, signCodec } from "./codec.ts";
import type { TokenContext } from "./context.ts";
import { dialectOfKey, dialectsOf, type RowDialect } from "./dialect.ts";
import { isStaleHandle } from "./errors.ts";
import { decapsulateValue, type KemKey, proveDecapsulation } from "./kem.ts";
import { requireScheme } from "./mechanisms.ts";
import { keyRef, type PrivateKeyObject, selectKey } from "./objects.ts";
import type { ObjectHandle, Session, SignJob } from "./session.ts";

/** A private key in a token, open for use. */
export class TokenKey implements Key {
  readonly algorithm: KeyRow;
  readonly spki: Bytes;
  readonly ref: Pkcs11KeyRef;
  /** As {@link Key}; @throws {TokenError} `secret.hidden` where the token keeps shared secrets to itself. */
  readonly decapsulate?: (ciphertext: Uint8Array) => Promise<Bytes>;
  readonly #dialect: RowDialect;
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
    this.#dialect = dialectOfKey(ctx.driver, key.row, key.keyType) ?? dialectsOf(ctx.driver, key.row)[0]!;
    const isKem = key.row.kind === "kem";
    this.#action = `${isKem ? "decapsulate" : "sign"} with key "${name}" in token "${ctx.label}"`;
    if (isKem) this.decapsulate = (ciphertext) => this.#decapsulate(ciphertext);
    this.#authenticate = key.attributes.boolean("CKA_ALWAYS_AUTHENTICATE")
      ? (session) => ctx.login.authenticate(session)
      : undefined;
  }

  signer(scheme: SchemeRow, options: SignerOptions = {}): Signer {
    const codec = this.codec(scheme, options);
    const { piecesInput } = codec;
    return {
      algorithm: this.algorithm,
      scheme,
      spki: this.spki,
      sign: async (message) => {
        const data = codec.input(message);
        return codec.output(await this.#sign(codec, data instanceof Promise ? await data : data));
      },
      ...(piecesInput
        ? { signPieces: async (pieces) => codec.output(await this.#sign(codec, await piecesInput(pieces))) }
        : {}),
    };
  }

  /**
   * How this key signs with `scheme`.
   * @throws {InputError} `scheme.mismatch`, `scheme.none`, `context.invalid`. @throws {TokenError} `mechanism.absent`.
   */
  codec(scheme: SchemeRow, { context }: SignerOptions = {}): SignCodec {
    requireAllowed(this.algorithm, scheme);
    requireContext(scheme, context);
    const use = { row: this.algorithm, scheme, dialect: this.#dialect, context, spki: this.spki };
    requireScheme(this.#ctx, use);
    return signCodec(this.#ctx.slot.module.ffi, this.#ctx.driver, use)!;
  }

  /**
   * Proves that the private half in the token belongs to the public one.
   * @throws {OperationError} `key.proof_failed`. @throws {TokenError}
   */
  async prove(): Promise<void> {
    if (this.algorithm.kind === "signature") return await proveSigner(this.signer(defaultScheme(this.algorithm)));
    await this.#atWork((session, handle) =>
      proveDecapsulation(this.#ctx, session, { ...this.#kemKey(handle), spki: this.spki })
    );
  }

  /** The call that signs `data`, with the handle that is valid in this session. */
  async job(session: Session, codec: SignCodec, data: Uint8Array): Promise<SignJob> {
    if (this.#epoch !== this.#ctx.login.epoch) await this.#findAgain(session);
    return {
      key: this.#handle,
      mechanism: codec.mechanism,
      data,
      capacity: codec.capacity,
      authenticate: this.#authenticate,
      action: this.#action,
    };
  }

  async #sign(codec: SignCodec, data: Uint8Array): Promise<Bytes> {
    return await this.#atWork(async (session) => await session.sign(await this.job(session, codec, data)));
  }

  async #decapsulate(ciphertext: Uint8Array): Promise<Bytes> {
    requireCiphertext(this.algorithm, ciphertext);
    return await this.#atWork((session, handle) =>
      decapsulateValue(this.#ctx, session, { ...this.#kemKey(handle), ciphertext })
    );
  }

  #kemKey(key: ObjectHandle): KemKey {
    return { row: this.algorithm, kem: this.#dialect.kem!, key, action: this.#action };
  }

  /** Runs `work` with a session and the handle that is valid in it. */
  async #atWork<T>(work: (session: Session, handle: ObjectHandle) => Promise<T>): Promise<T> {
    return await this.#ctx.pool.withSession(async (session) => {
      try {
        if (this.#epoch !== this.#ctx.login.epoch) await this.#findAgain(session);
        return await work(session, this.#handle);
      } catch (error) {
        if (!isStaleHandle(error)) throw error;
        // once: the token may have renumbered its objects, and the public key proves that it is the same one
        await this.#findAgain(session);
        return await work(session, this.#handle);
      }
    }, { idempotent: true });
  }

  async #findAgain(session: Session): Promise<void> {
    const epoch = this.#ctx.login.epoch;
    this.#handle = (await selectKey(this.#ctx, session, this.ref)).handle;
    this.#epoch = epoch;
  }
}
