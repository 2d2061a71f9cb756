/** Every EC and RSA command line of the HSM guides runs as printed there, on SoftHSM2. */
import assert from "node:assert/strict";
import { qpkiCommand, ROOT, run } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";

interface Scenario {
  name: string;
  /** Lines of the guide and, beside them, our own preparations. */
  lines: { text: string; setup: boolean }[];
}

const LIST = `${ROOT}/tests/e2e/seeds/commands.sh`;
const PIN = "1234";

function parse(text: string): Scenario[] {
  const scenarios: Scenario[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("#") || line.trim() === "") continue;
    if (line.startsWith("scenario: ")) scenarios.push({ name: line.slice(10), lines: [] });
    else if (line.startsWith("setup: ")) scenarios.at(-1)!.lines.push({ text: line.slice(7), setup: true });
    else scenarios.at(-1)!.lines.push({ text: line, setup: false });
  }
  return scenarios;
}

/** The shell program of one scenario: lines as they are, save for the PIN and the guide's ellipsis. */
function program(scenario: Scenario): string {
  const lines = scenario.lines.map(({ text }) =>
    text.replace("****", PIN).replace(/ \.\.\.$/, ` --profile ec/root-ca --var cn="Key Identification" --ca-dir ./ca`)
  );
  return `set -eu\n${lines.join("\n")}\n`;
}

const scenarios = parse(await Deno.readTextFile(LIST));

Deno.test("seeds: the list has scenarios, and each of them commands of the guide", () => {
  assert.ok(scenarios.length >= 8);
  for (const { name, lines } of scenarios) assert.ok(lines.some(({ setup }) => !setup), name);
});

for (const scenario of scenarios) {
  testWith(`seeds: ${scenario.name}`, { needs: ["softhsm", "pkcs11-tool", "openssl"] }, async () => {
    using token = softhsmToken({ label: "CA-Token", pin: PIN });
    const work = `${token.folder}/work`;
    Deno.mkdirSync(`${work}/hsm`, { recursive: true });
    Deno.mkdirSync(`${work}/bin`);
    token.hsmYaml(`${work}/hsm.yaml`);
    token.hsmYaml(`${work}/hsm/thales-luna.yaml`);
    const words = qpkiCommand().map((word) => `'${word}'`).join(" ");
    Deno.writeTextFileSync(`${work}/bin/qpki`, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
    const result = await run("bash", ["-x", "-c", program(scenario)], {
      cwd: work,
      env: { ...token.env, PATH: `${work}/bin:${Deno.env.get("PATH")}` },
    });
    assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
  });
}
