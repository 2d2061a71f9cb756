/**
 * A credential moves from one algorithm to another: a pending version, its activation, then the same keys certified anew, a
 * roll-back, and a revocation. OpenSSL judges what it knows, qpki all.
 */
import { SCENARIOS, walk } from "../support/credential_migration.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { tempFolder } from "../support/tmp.ts";

for (const scenario of SCENARIOS) {
  testWith(`${scenario.name}: keys in files`, { needs: ["openssl"] }, async () => {
    using tmp = tempFolder();
    await walk(scenario, { cwd: tmp.path, env: {} });
  });
  testWith(`${scenario.name}: classical keys in a token`, { needs: ["openssl", "softhsm"] }, async () => {
    using token = softhsmToken();
    await walk(scenario, { cwd: token.folder, env: token.env, hsmYaml: token.hsmYaml() });
  });
}
