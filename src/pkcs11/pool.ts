import { TokenError } from "../errors.ts";
import { CKR } from "./constants.ts";
import { isSessionLost } from "./errors.ts";
import type { Login } from "./login.ts";
import { isTransient } from "./module.ts";
import { Session } from "./session.ts";
import type { Slot, TokenInfo } from "./slot.ts";

/** Choices for a pool. */
export interface PoolOptions {
  /** What the token is called, to find it again. */
  readonly token: Pick<TokenInfo, "label" | "serial">;
  /** Most read-only sessions at a time. With more than one, calls run on other threads. */
  readonly size: number;
  readonly login: Login;
  /** Logs out whenever no session is borrowed. */
  readonly logoutAfterUse: boolean;
}

/** How a session is borrowed. */
export interface BorrowOptions {
  /** A read-write session, for making and destroying objects. */
  readonly write?: boolean;
  /** Whether the work may run a second time on a fresh session, after the first one was lost. */
  readonly idempotent?: boolean;
}

const LOST_TRIES = 2;
const TRANSIENT_TRIES = 5;
const RESTART_AFTER = 2;
const RESTART_TRIES = 4;
const PAUSE_MS = 20;
const DRAIN_MS = 5000;

/** Sessions with one token. The only way to a session is {@link SessionPool.withSession}. */
export class SessionPool {
  readonly #slot: Slot;
  readonly #options: PoolOptions;
  #size: number;
  #idle: Session[] = [];
  #open = 0;
  #borrowed = 0;
  readonly #waiting: (() => void)[] = [];
  #drained: (() => void) | undefined;
  #disposed = false;

  constructor(slot: Slot, options: PoolOptions) {
    this.#slot = slot;
    this.#options = options;
    this.#size = options.size;
  }

  /**
   * Runs `work` with a session that nobody else uses and whose token is logged in. A session that saw a session or device
   * error is closed, never reused; work that is idempotent, or that has not begun, is then tried once more on a fresh
   * session (a few times more after an error without a reason, which a token gives while another process writes to it, at
   * last with the module started anew).
   * @throws what `work` throws, and {TokenError} of the login.
   */
  async withSession<T>(work: (session: Session) => Promise<T>, options: BorrowOptions = {}): Promise<T> {
    for (let tries = 1;; tries++) {
      const session = await this.#borrow(options.write ?? false);
      let begun = false;
      try {
        await this.#options.login.ensure(session);
        begun = true;
        return await work(session);
      } catch (error) {
        const lost = isSessionLost(error);
        if (lost) this.#abandon(session);
        const more = lost ? tries < LOST_TRIES : isTransient(error) && tries < TRANSIENT_TRIES;
        if (!more || (begun && !options.idempotent) || this.#options.login.refused) throw error;
      } finally {
        this.#giveBack(session);
      }
      if (tries > 1) await sleep(PAUSE_MS * tries);
      // some libraries keep what they failed to read until they start anew
      if (tries === RESTART_AFTER) await this.#restart();
    }
  }

  /**
   * Logs out if asked to, and closes every session. Waits a bounded time for those at work: the module must not be shut
   * down under a call on another thread.
   */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    while (this.#wakeNext()) { /* each of them finds the pool closed */ }
    if (this.#borrowed > 0) await this.#drain();
    const session = this.#idle[0];
    if (session && this.#options.logoutAfterUse) this.#options.login.logout(session);
    this.#closeIdle();
    this.#options.login.forget();
  }

  async #drain(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
      timer = setTimeout(resolve, DRAIN_MS);
    });
    clearTimeout(timer);
  }

  async #borrow(write: boolean): Promise<Session> {
    if (this.#disposed) throw new TokenError("Cannot use the token: it was closed", { code: "token.closed" });
    for (;;) {
      const at = this.#idle.findLastIndex((session) => session.write === write);
      if (at >= 0) {
        this.#borrowed++;
        return this.#idle.splice(at, 1)[0]!;
      }
      // read-write sessions come on top: they are few and short
      if (write || this.#open < this.#size) {
        const session = await this.#openSession(write);
        if (session) return session;
      }
      await new Promise<void>((wake) => this.#waiting.push(wake));
    }
  }

  /** A new session, counted as borrowed; undefined when the token allows no more but one will come free. */
  async #openSession(write: boolean): Promise<Session | undefined> {
    this.#borrowed++;
    if (!write) this.#open++;
    for (let tries = 1;; tries++) {
      try {
        return Session.open(this.#slot, { write, async: this.#options.size > 1 });
      } catch (error) {
        if (tries < TRANSIENT_TRIES && isTransient(error)) {
          await sleep(PAUSE_MS * tries);
          continue;
        }
        this.#borrowed--;
        if (!write) this.#open--;
        const full = error instanceof TokenError && error.rv === CKR.CKR_SESSION_COUNT;
        if (!full || write || this.#open === 0) {
          this.#wakeNext();
          throw error;
        }
        this.#size = this.#open;
        return undefined;
      }
    }
  }

  #giveBack(session: Session): void {
    this.#borrowed--;
    if (session.spoilt || this.#disposed) {
      session.close();
      if (!session.write) this.#open--;
      // with the last session of the process goes its login
      this.#options.login.lost();
    } else this.#idle.push(session);
    if (this.#wakeNext()) return;
    if (this.#borrowed === 0 && this.#options.logoutAfterUse && !session.spoilt) this.#options.login.logout(session);
    if (this.#borrowed === 0) this.#drained?.();
  }

  /** Lets the longest waiting borrower look again. */
  #wakeNext(): boolean {
    const next = this.#waiting.shift();
    next?.();
    return next !== undefined;
  }

  /** Starts the module anew until it shows the token, unless somebody is at work in it. */
  async #restart(): Promise<void> {
    if (this.#borrowed > 0) return;
    this.#closeIdle();
    this.#options.login.lost();
    for (let tries = 1; tries <= RESTART_TRIES; tries++) {
      this.#slot.module.restart();
      try {
        if (this.#slot.follow(this.#options.token)) return;
      } catch (error) {
        // what is wrong for good shows in the next call
        if (!(error instanceof TokenError)) throw error;
      }
      await sleep(PAUSE_MS * tries);
    }
  }

  /** After a loss the other sessions, and the login, are likely to be gone as well. */
  #abandon(session: Session): void {
    session.spoil();
    this.#options.login.lost();
    this.#closeIdle();
  }

  #closeIdle(): void {
    for (const session of this.#idle) {
      session.close();
      if (!session.write) this.#open--;
    }
    this.#idle = [];
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
