import { audited } from "../../../audit/trail.ts";
import { EXIT, type ExitStatus, InputError, InterruptedError, type QpkiError, TokenError } from "../../../errors.ts";
import { type TestReport, type TestStep, testToken } from "../../../pkcs11/diagnose.ts";
import type { Command } from "../../command.ts";
import { moduleData } from "../../hsm_describe.ts";
import { type HsmTarget, openTarget, requiredTarget, TARGET_FLAGS, targetTokens } from "../../hsm_target.ts";
import { asTold, errorJson } from "../../output.ts";
import { tokenOptions, type TokenWorld } from "../../token.ts";

/** `qpki hsm test`. */
export default {
  summary: "Test a token: load, slot, login, session key, sign, verify, with the time of each step",
  details: "The key it signs with lives in the session only; nothing is stored in the token.\n" +
    "With --lib the library must have one initialised token, and the PIN is asked for.",
  flags: TARGET_FLAGS,
  examples: ["qpki hsm test --hsm-config ./hsm.yaml", "qpki hsm test --hsm-config ./hsm.yaml --json"],
  async run(input, ctx) {
    const target = await requiredTarget(input, ctx);
    const world = {
      env: ctx.env,
      prompter: ctx.prompter,
      signal: ctx.signal,
      allowFinalTry: input.on("allow-final-try"),
      notify: ctx.warn,
    };
    // it logs in, and makes a key that lives as long as the session
    const report = await audited(ctx.audit, { event: "hsm.test", details: { lib: target.lib } }, {
      work: () => testTarget(target, world),
      facts: ({ ok, token }) => ({
        details: { lib: target.lib, passed: ok, token: token?.label, token_serial: token?.serial },
      }),
    });
    const failed = report.steps.find((step) => !step.ok);
    if (failed?.error instanceof InterruptedError || ctx.signal.aborted) throw new InterruptedError();
    return {
      data: {
        ok: report.ok,
        module: report.module ? moduleData(report.module, report.driver ?? "") : null,
        token: report.token ? { label: report.token.label, serial: report.token.serial } : null,
        steps: report.steps.map(stepData),
      },
      text: `${report.steps.map(stepText).join("")}\n${verdict(failed)}`,
      ...(failed ? { exit: exitOf(failed.error) } : {}),
    };
  },
} satisfies Command;

async function testTarget(target: HsmTarget, world: TokenWorld): Promise<TestReport> {
  if (target.config) return await testToken(tokenOptions(target.config, world));
  const start = performance.now();
  try {
    const slot = await onlySlot(target);
    return await testToken(tokenOptions({ path: "", lib: target.lib, slot, logoutAfterUse: false }, world));
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    const name = error.code.startsWith("module.") ? "load" : "slot";
    return { ok: false, steps: [{ name, ok: false, milliseconds: performance.now() - start, detail: "", error }] };
  }
}

/** Slot of the one initialised token of a library. @throws {TokenError} when there are none or several. */
async function onlySlot(target: HsmTarget): Promise<number> {
  using open = await openTarget(target);
  const tokens = await targetTokens(open.module, target);
  if (tokens.length === 1) return tokens[0]!.slot.id;
  const labels = tokens.map(({ info }) => `"${info.label}"`).join(", ");
  throw new TokenError(`Cannot choose a token: module "${target.lib}" has ${tokens.length}: ${labels}`, {
    code: "token.ambiguous",
    hint: "Select one with --hsm-config and a file that states token, token_serial or slot",
  });
}

function exitOf(error: unknown): ExitStatus {
  return error instanceof InputError ? EXIT.INPUT : EXIT.TOKEN;
}

function stepData(step: TestStep): Record<string, unknown> {
  return {
    name: step.name,
    ok: step.ok,
    milliseconds: Math.round(step.milliseconds * 1000) / 1000,
    detail: step.detail,
    ...(step.error === undefined ? {} : { error: errorJson(asTold(step.error)) }),
  };
}

function stepText({ name, ok, milliseconds, detail }: TestStep): string {
  const time = `${milliseconds.toFixed(1)} ms`.padStart(11);
  return `${name.padEnd(12)} ${(ok ? "ok" : "FAILED").padEnd(6)} ${time}  ${detail}`.trimEnd() + "\n";
}

function verdict(failed: TestStep | undefined): string {
  if (!failed) return "The token works\n";
  const error: QpkiError = asTold(failed.error);
  const hint = error.hint === undefined ? "" : `hint: ${error.hint}\n`;
  return `The step "${failed.name}" failed: ${error.message}\n${hint}`;
}
