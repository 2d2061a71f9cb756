/** Every EC and RSA command line of the HSM guides runs as printed there, on SoftHSM2; tests/lab has the others. */
import assert from "node:assert/strict";
import { ROOT } from "../support/cli.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { readScenarios, runScenario } from "./seeds/scenarios.ts";

const scenarios = readScenarios(`${ROOT}/tests/e2e/seeds/commands.sh`);

Deno.test("seeds: the list has the guides' scenarios", () => assert.ok(scenarios.length >= 8));

for (const scenario of scenarios) {
  testWith(`seeds: ${scenario.name}`, { needs: ["softhsm", "pkcs11-tool", "openssl"] }, async () => {
    using token = softhsmToken({ label: "CA-Token", pin: "1234" });
    await runScenario(scenario, token);
  });
}
