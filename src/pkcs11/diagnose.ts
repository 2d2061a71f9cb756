import { defaultScheme, type KeyRow, keyRows } from "../alg/find.ts";
import { randomBytes } from "../bytes.ts";
import { OperationError, TokenError } from "../errors.ts";
import { verifySignature } from "../keys/verify.ts";
import { encodeMechanism, signCodec } from "./codec.ts";
import type { TokenContext } from "./context.ts";
import type { RowDialect } from "./dialect.ts";
import { requireMechanisms } from "./mechanisms.ts";
import type { ModuleInfo } from "./module.ts";
import { mechanismName } from "./names.ts";
import { loadModule, openToken, type Pkcs11Options, type Pkcs11Provider } from "./provider.ts";
import { publicHalfAttributes, type PublicKeyFacts, readPublicKey } from "./public_key.ts";
import type { ObjectHandle, Session } from "./session.ts";
import type { TokenInfo } from "./slot.ts";
import { keyTemplates } from "./templates.ts";

/** Steps of {@link testToken}, in order. */
export type TestStepName = "load" | "slot" | "login" | "session key" | "sign" | "verify";

/** One step that was tried. */
export interface TestStep {
  readonly name: TestStepName;
  readonly ok: boolean;
  readonly milliseconds: number;
  /** What was found, in words. */
  readonly detail: string;
  /** Why it failed. */
  readonly error?: unknown;
}

/** What a token test found; it ends at the first step that fails. */
export interface TestReport {
  readonly ok: boolean;
  readonly steps: readonly TestStep[];
  readonly module?: ModuleInfo;
  readonly token?: TokenInfo;
  /** Name of the driver in use. */
  readonly driver?: string;
}

/**
 * Walks through everything a signature needs, with a throw-away session key: what fails is in the report, not thrown.
 */
export async function testToken(options: Pkcs11Options): Promise<TestReport> {
  const steps: TestStep[] = [];
  const report: { module?: ModuleInfo; token?: TokenInfo; driver?: string } = {};
  const run = new TestRun(steps);
  let provider: Pkcs11Provider | undefined;
  try {
    const loaded = await run.step("load", async () => {
      const found = await loadModule(options);
      const info = found.module.info();
      report.module = info;
      report.driver = found.driver.name;
      return [found, `${info.description} ${info.libraryVersion}, PKCS#11 ${info.interfaceVersion}`];
    });
    provider = await run.step("slot", async () => {
      const opened = await openToken(options, loaded);
      const token = opened.tokenInfo();
      report.token = token;
      return [opened, `token "${token.label}" in slot ${opened.slot.id}, serial "${token.serial}"`];
    });
    const ctx = provider.context;
    await run.step("login", async () => {
      await ctx.pool.withSession(() => Promise.resolve());
      return [undefined, "user"];
    });
    await ctx.pool.withSession((session) => testSessionKey(ctx, session, run));
  } catch (error) {
    // the failed step holds the reason; anything outside of a step is a failure of the last one
    if (steps.at(-1)?.ok !== false) steps.push({ name: "verify", ok: false, milliseconds: 0, detail: "", error });
  } finally {
    await provider?.[Symbol.asyncDispose]();
  }
  return { ok: steps.every((step) => step.ok), steps, ...report };
}

class TestRun {
  readonly #steps: TestStep[];
  constructor(steps: TestStep[]) {
    this.#steps = steps;
  }

  async step<T>(name: TestStepName, work: () => [T, string] | Promise<[T, string]>): Promise<T> {
    const start = performance.now();
    try {
      const [value, detail] = await work();
      this.#steps.push({ name, ok: true, milliseconds: performance.now() - start, detail });
      return value;
    } catch (error) {
      this.#steps.push({ name, ok: false, milliseconds: performance.now() - start, detail: "", error });
      throw error;
    }
  }
}

interface SessionKey {
  readonly row: KeyRow;
  readonly dialect: RowDialect;
  readonly handles: { readonly public: ObjectHandle; readonly private: ObjectHandle };
  readonly facts: PublicKeyFacts;
}

async function testSessionKey(ctx: TokenContext, session: Session, run: TestRun): Promise<void> {
  const key = await run.step("session key", async () => {
    const made = await makeSessionKey(ctx, session);
    return [made, `${made.row.label}, not stored in the token`];
  });
  try {
    const scheme = defaultScheme(key.row);
    const message = randomBytes(64);
    const signature = await run.step("sign", async () => {
      const codec = signCodec(ctx.slot.module.ffi, ctx.driver, {
        scheme,
        row: key.row,
        dialect: key.dialect,
        spki: key.facts.spki,
      })!;
      const raw = await session.sign({
        key: key.handles.private,
        mechanism: codec.mechanism,
        data: await codec.input(message),
        capacity: codec.capacity,
        action: `sign with a session key in token "${ctx.label}"`,
      });
      return [codec.output(raw), `${scheme.label} by ${mechanismName(codec.type, ctx.driver.names)}`];
    });
    await run.step("verify", async () => {
      const spki = key.facts.spki!;
      if (!await verifySignature({ spki, scheme, message, signature })) {
        throw new OperationError(`Cannot trust token "${ctx.label}": its signature does not verify`, {
          code: "key.proof_failed",
        });
      }
      return [undefined, "in software, with the public key from the token"];
    });
  } finally {
    for (const handle of [key.handles.private, key.handles.public]) {
      // it goes with the session anyway
      await session.destroy(handle, "destroy a session key").catch(() => {});
    }
  }
}

async function makeSessionKey(ctx: TokenContext, session: Session): Promise<SessionKey> {
  const action = `generate a session key in token "${ctx.label}"`;
  const { row, dialect } = firstSigningRow(ctx);
  const names = { label: "qpki hsm test", id: randomBytes(16) };
  const templates = keyTemplates(ctx.driver, row, { names, token: false, dialect });
  const mechanism = encodeMechanism(ctx.slot.module.ffi, dialect.generate, dialect.parameter);
  const handles = await session.generateKeyPair(mechanism, templates, action);
  const half = await session.attributes(handles.public, ["CKA_KEY_TYPE", ...publicHalfAttributes(ctx.driver)], action);
  const facts = await readPublicKey(ctx.driver, half.ulong("CKA_KEY_TYPE") ?? dialect.keyType, [half]);
  if (!facts.spki) throw new TokenError(`Cannot ${action}: ${facts.description}`, { code: "key.unsupported" });
  return { row, dialect, handles, facts };
}

/** The first algorithm of the table that the token makes keys of and signs with. */
function firstSigningRow(ctx: TokenContext): { row: KeyRow; dialect: RowDialect } {
  let reason: unknown;
  for (const row of keyRows().filter(({ kind }) => kind === "signature")) {
    try {
      return { row, dialect: requireMechanisms(ctx, row) };
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      reason ??= error;
    }
  }
  throw reason;
}
