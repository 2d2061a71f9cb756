import { type Secret, wipe } from "../bytes.ts";
import { TokenError } from "../errors.ts";
import { CKR, CKU } from "./constants.ts";
import { isSessionLost, tokenError } from "./errors.ts";
import { INCONSISTENT, isTransientRv } from "./module.ts";
import { hasFlag } from "./names.ts";
import type { Session } from "./session.ts";
import type { Slot, TokenInfo } from "./slot.ts";

/** Where a PIN comes from; undefined means that there is none. Asked at most once while a provider is open. */
export type PinSource = () => Promise<Secret | undefined>;

/** Choices for logging in. */
export interface LoginOptions {
  readonly pin: PinSource;
  /** CKU_ number; CKU_USER unless told. */
  readonly userType?: number | undefined;
  /** Tries the PIN although the token says that a wrong one would lock it. */
  readonly allowFinalTry?: boolean | undefined;
  /** One line for the operator. */
  notify(text: string): void;
}

/** Most calls of C_Login that may fail without a reason, and with no wrong PIN counted, before it is left alone. */
const BASELESS_TRIES = 4;

/**
 * The login to one token: once for all sessions, because PKCS#11 keeps it per token. A PIN that the token refused is
 * never tried again.
 */
export class Login {
  readonly #slot: Slot;
  readonly #options: LoginOptions;
  #pin: Secret | undefined;
  #loggedIn = false;
  #pending: Promise<void> | undefined;
  #refused: TokenError | undefined;
  #baseless = 0;
  #epoch = 0;

  constructor(slot: Slot, options: LoginOptions) {
    this.#slot = slot;
    this.#options = options;
  }

  /** Changes whenever handles of private objects may have become invalid. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether the token refused, so that nothing will be tried again. */
  get refused(): boolean {
    return this.#refused !== undefined;
  }

  /**
   * Logs in unless somebody did.
   * @throws {TokenError} `pin.locked`, `pin.final_try`, `pin.not_initialized`, `pin.missing`, `pin.incorrect`, or another
   * answer of C_Login.
   */
  async ensure(session: Session): Promise<void> {
    if (this.#loggedIn) return;
    if (this.#refused) throw this.#refused;
    this.#pending ??= this.#logIn(session).finally(() => this.#pending = undefined);
    await this.#pending;
  }

  /** The sessions were lost, and perhaps the login with them: the next {@link ensure} looks. */
  lost(): void {
    this.#loggedIn = false;
    this.#epoch++;
  }

  /** C_Logout. */
  logout(session: Session): void {
    if (!this.#loggedIn) return;
    session.logout();
    this.lost();
  }

  /** Context-specific login that an ALWAYS_AUTHENTICATE key wants for each use, after C_SignInit. @throws {TokenError} */
  async authenticate(session: Session): Promise<void> {
    if (this.#refused) throw this.#refused;
    try {
      const token = this.#slot.presentToken();
      if (hasFlag(token.flags, "CKF_USER_PIN_FINAL_TRY")) this.#examine(token);
      await this.#present(session, CKU.CKU_CONTEXT_SPECIFIC, token);
    } catch (error) {
      // the operation that waits for the login stays open
      session.spoil();
      throw error;
    }
  }

  /** Forgets the PIN. */
  forget(): void {
    this.#pin = undefined;
  }

  async #logIn(session: Session): Promise<void> {
    const token = this.#slot.presentToken();
    if (hasFlag(token.flags, "CKF_LOGIN_REQUIRED") && !session.userIsLoggedIn()) {
      this.#examine(token);
      await this.#present(session, this.#options.userType ?? CKU.CKU_USER, token);
      this.#epoch++;
    }
    this.#loggedIn = true;
  }

  /** Reads the flags before a PIN is risked. */
  #examine(token: TokenInfo): void {
    const action = `Cannot log in to token "${token.label}"`;
    if (hasFlag(token.flags, "CKF_USER_PIN_LOCKED")) {
      throw new TokenError(`${action}: the PIN is locked (CKF_USER_PIN_LOCKED)`, {
        code: "pin.locked",
        hint: "The security officer must set a new PIN",
      });
    }
    if (!hasFlag(token.flags, "CKF_USER_PIN_INITIALIZED")) {
      throw new TokenError(`${action}: no user PIN is set (CKF_USER_PIN_INITIALIZED is clear)`, {
        code: "pin.not_initialized",
        hint: "The security officer sets it, for example with `pkcs11-tool --init-pin`",
      });
    }
    if (hasFlag(token.flags, "CKF_USER_PIN_FINAL_TRY")) {
      if (!this.#options.allowFinalTry) {
        throw new TokenError(`${action}: one more wrong PIN locks the token (CKF_USER_PIN_FINAL_TRY)`, {
          code: "pin.final_try",
          hint: "Make sure of the PIN, then use `--allow-final-try`",
        });
      }
      this.#options.notify(`Token "${token.label}": this is the last try before the PIN is locked`);
    } else if (hasFlag(token.flags, "CKF_USER_PIN_COUNT_LOW")) {
      this.#options.notify(
        `Token "${token.label}": a wrong PIN was given before, tries are running out (CKF_USER_PIN_COUNT_LOW)`,
      );
    }
  }

  async #present(session: Session, userType: number, token: TokenInfo): Promise<void> {
    const action = `log in to token "${token.label}"`;
    const rv = await this.#tryOnce(session, userType, token);
    if (rv === CKR.CKR_OK || rv === CKR.CKR_USER_ALREADY_LOGGED_IN) return;
    // a module that nobody knows to be fickle may mean a wrong PIN by it
    const baseless = this.#slot.module.has("fickle-login") && isBaseless(rv, token);
    const details = rv === CKR.CKR_PIN_INCORRECT
      ? { hint: this.#afterWrongPin() }
      : baseless
      ? { code: INCONSISTENT }
      : {};
    const { hints, lost } = this.#slot.module;
    const error = tokenError({ functionName: "C_Login", rv, action, hints, lost }, details);
    if (isSessionLost(error)) session.spoil();
    else if (!baseless || ++this.#baseless >= BASELESS_TRIES || !this.#noTryCounted()) {
      this.#refused = error;
      this.#pin = undefined;
    }
    throw error;
  }

  async #tryOnce(session: Session, userType: number, token: TokenInfo): Promise<number> {
    const pin = await this.#pinBytes(token);
    try {
      return await session.login(userType, pin);
    } finally {
      if (pin) wipe(pin);
    }
  }

  /** Whether the token's flags show that no wrong PIN was counted: only then may a failure without reason be repeated. */
  #noTryCounted(): boolean {
    const { flags } = this.#slot.presentToken();
    return !hasFlag(flags, "CKF_PROTECTED_AUTHENTICATION_PATH") && !hasFlag(flags, "CKF_USER_PIN_COUNT_LOW") &&
      !hasFlag(flags, "CKF_USER_PIN_FINAL_TRY") && !hasFlag(flags, "CKF_USER_PIN_LOCKED");
  }

  /** The PIN in bytes that the caller wipes; null where the operator types it at the device. */
  async #pinBytes(token: TokenInfo): Promise<Uint8Array | null> {
    if (hasFlag(token.flags, "CKF_PROTECTED_AUTHENTICATION_PATH")) {
      this.#options.notify(`Token "${token.label}": enter the PIN at the device`);
      return null;
    }
    this.#pin ??= await this.#options.pin();
    if (this.#pin === undefined) {
      throw new TokenError(`Cannot log in to token "${token.label}": no PIN`, {
        code: "pin.missing",
        hint: "Set the variable that `pin_env` names, or give another PIN source in the HSM configuration",
      });
    }
    return this.#pin.bytes();
  }

  /** What the flags imply after a PIN was refused. */
  #afterWrongPin(): string {
    const flags = this.#slot.token()?.flags ?? 0;
    const state = hasFlag(flags, "CKF_USER_PIN_LOCKED")
      ? "the PIN is locked now (CKF_USER_PIN_LOCKED)"
      : hasFlag(flags, "CKF_USER_PIN_FINAL_TRY")
      ? "one more wrong PIN locks it (CKF_USER_PIN_FINAL_TRY)"
      : hasFlag(flags, "CKF_USER_PIN_COUNT_LOW")
      ? "tries are running out (CKF_USER_PIN_COUNT_LOW)"
      : "it gives no warning yet";
    return `The PIN was tried once and is not tried again; the token says: ${state}`;
  }
}

/** Whether C_Login failed for no reason, or for one that the token's own flags deny. */
function isBaseless(rv: number, token: TokenInfo): boolean {
  return isTransientRv(rv) ||
    (rv === CKR.CKR_USER_PIN_NOT_INITIALIZED && hasFlag(token.flags, "CKF_USER_PIN_INITIALIZED"));
}
