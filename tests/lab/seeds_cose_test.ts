/** The COSE command lines of the HSM guide run as printed there, with ML-DSA and hybrid keys on PKCS#11 3.2 tokens. */
import { readScenarios, runScenario } from "../e2e/seeds/scenarios.ts";
import { ROOT } from "../support/cli.ts";
import { labToken, TOKEN_NEEDS } from "../support/lab.ts";
import { testWith } from "../support/require.ts";

for (const name of ["kryoptic", "nss", "opencryptoki"] as const) {
  for (const scenario of readScenarios(`${ROOT}/tests/lab/seeds_cose.sh`)) {
    testWith(`seeds: ${scenario.name}, on ${name}`, { needs: ["lab", ...TOKEN_NEEDS[name]] }, async () => {
      using token = await labToken(name, { label: "CA-Token", pin: "12345688" });
      await runScenario(scenario, token);
    });
  }
}
