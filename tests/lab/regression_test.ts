/** Row 2 of the regression list: post-quantum and Edwards keys in any token that has the standard's mechanisms. */
import assert from "node:assert/strict";
import { findKeyRow } from "../../src/alg/find.ts";
import { run, runOk } from "../support/cli.ts";
import { capabilitiesOf, labToken, TOKEN_NEEDS } from "../support/lab.ts";
import { testWith } from "../support/require.ts";

const ALGORITHMS = [
  "ml-dsa-44",
  "ml-dsa-65",
  "ml-dsa-87",
  "slh-dsa-sha2-128f",
  "slh-dsa-shake-192f",
  "ed25519",
  "ed448",
];

/** How many of them each token does in the release that the laboratory has; a later one may do more. */
const AT_LEAST = { nss: 4, kryoptic: 7, opencryptoki: 5 };

for (const name of ["nss", "kryoptic", "opencryptoki"] as const) {
  testWith(`regression 2: keys are made in ${name} and sign, OpenSSL agrees`, {
    needs: ["lab", "openssl-pqc", ...TOKEN_NEEDS[name]],
  }, async () => {
    using token = await labToken(name);
    const { missingFor } = await capabilitiesOf(token);
    // the mechanism list has no word on curves: NSS lists EdDSA for both, and makes keys on one
    const served = ALGORITHMS.filter((algorithm) =>
      missingFor(findKeyRow(algorithm)) === undefined && !(name === "nss" && algorithm === "ed448")
    );
    assert.ok(served.length >= AT_LEAST[name], `${name} does only ${served}`);
    const at = { env: { ...token.env }, cwd: token.folder };
    const config = ["--hsm-config", token.hsmYaml()];
    for (const algorithm of served) {
      await runOk(["key", "generate", "-a", algorithm, ...config, "--key-label", algorithm], at);
      await runOk(
        ["csr", "gen", ...config, "--key-label", algorithm, "--cn", "x.test", "--out", `${algorithm}.csr`],
        at,
      );
      const { stdout, stderr } = await run("openssl", ["req", "-in", `${algorithm}.csr`, "-verify", "-noout"], at);
      assert.match(stdout + stderr, /verify OK/, algorithm);
    }
  });
}
