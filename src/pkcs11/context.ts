import type { CompleteDriver } from "./driver.ts";
import type { Login } from "./login.ts";
import type { SessionPool } from "./pool.ts";
import type { Slot } from "./slot.ts";

/** One opened token: what every operation on its objects needs. */
export interface TokenContext {
  readonly slot: Slot;
  /** Label of the token, for messages. */
  readonly label: string;
  /** Path of the hsm.yaml, for references and messages. */
  readonly configPath: string;
  readonly driver: CompleteDriver;
  readonly pool: SessionPool;
  readonly login: Login;
  /** Numbers of the mechanisms that the token lists or its driver knows to work; read once. */
  mechanisms(): ReadonlySet<number>;
  readonly signal?: AbortSignal | undefined;
}
