import assert from "node:assert/strict";
import { describe, qpkiCommand, run } from "../../support/cli.ts";

/** Command lines of the HSM guides, one scenario a block; the format is described at the top of commands.sh. */
export interface Scenario {
  readonly name: string;
  /** Lines of the guide and, beside them, our own preparations. */
  readonly lines: { text: string; setup: boolean }[];
}

/** A token that the guides' configurations lead to. */
export interface SeedToken {
  readonly folder: string;
  readonly pin: string;
  readonly env: Readonly<Record<string, string>>;
  hsmYaml(path: string): string;
}

/** Where the guides keep configurations of tokens. */
const CONFIGURATIONS = ["hsm.yaml", "hsm/thales-luna.yaml", "examples/hsm/utimaco-simulator.yaml"];

/** Reads a list of scenarios. @throws {Error} when one has no line of the guide. */
export function readScenarios(path: string): Scenario[] {
  const scenarios: Scenario[] = [];
  for (const line of Deno.readTextFileSync(path).split("\n")) {
    if (line.startsWith("#") || line.trim() === "") continue;
    if (line.startsWith("scenario: ")) scenarios.push({ name: line.slice(10), lines: [] });
    else if (line.startsWith("setup: ")) scenarios.at(-1)!.lines.push({ text: line.slice(7), setup: true });
    else scenarios.at(-1)!.lines.push({ text: line, setup: false });
  }
  for (const { name, lines } of scenarios) assert.ok(lines.some(({ setup }) => !setup), `${name}: only preparations`);
  return scenarios;
}

/** Runs a scenario as one shell program, in a new work folder of the token. @throws {Error} when a line fails. */
export async function runScenario(scenario: Scenario, token: SeedToken): Promise<void> {
  const work = `${token.folder}/work`;
  for (const folder of ["bin", "hsm", "examples/hsm"]) Deno.mkdirSync(`${work}/${folder}`, { recursive: true });
  for (const file of CONFIGURATIONS) token.hsmYaml(`${work}/${file}`);
  const words = qpkiCommand().map((word) => `'${word}'`).join(" ");
  Deno.writeTextFileSync(`${work}/bin/qpki`, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  const result = await run("bash", ["-x", "-c", program(scenario, token.pin)], {
    cwd: work,
    env: { ...token.env, PATH: `${work}/bin:${Deno.env.get("PATH")}` },
  });
  assert.equal(result.code, 0, describe(scenario.name, result));
}

/** Lines as they are, save for the PIN and the guide's ellipsis. */
function program(scenario: Scenario, pin: string): string {
  const lines = scenario.lines.map(({ text }) =>
    text.replace("****", pin).replace(/ \.\.\.$/, ` --profile ec/root-ca --var cn="Key Identification" --ca-dir ./ca`)
  );
  return `set -eu\n${lines.join("\n")}\n`;
}
