/** The post-quantum and hybrid command lines of the HSM guide run as printed there, on tokens of the PKCS#11 3.2 kind. */
import { readScenarios, runScenario } from "../e2e/seeds/scenarios.ts";
import { ROOT } from "../support/cli.ts";
import { labToken, TOKEN_NEEDS } from "../support/lab.ts";
import { testWith } from "../support/require.ts";

for (const name of ["kryoptic", "nss", "opencryptoki"] as const) {
  for (const scenario of readScenarios(`${ROOT}/tests/lab/seeds_pqc.sh`)) {
    testWith(
      `seeds: ${scenario.name}, on ${name}`,
      { needs: ["lab", "openssl-pqc", ...TOKEN_NEEDS[name]] },
      async () => {
        using token = await labToken(name, { label: "CA-Token", pin: "12345688" });
        await runScenario(scenario, token);
      },
    );
  }
}
