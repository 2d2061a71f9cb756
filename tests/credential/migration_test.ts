/**
 * A credential moves from one algorithm to another: a pending version, its activation, then the same keys certified anew, a
 * roll-back, and a revocation. OpenSSL judges what it knows, qpki all.
 */
import { SCENARIOS, walk } from "../support/credential_migration.ts";
import { IS_EXTENDED } from "../support/extended.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { tempFolder } from "../support/tmp.ts";

/** In tokens of the laboratory all of them are walked; here one, but in an extended run. */
const IN_TOKEN = IS_EXTENDED ? SCENARIOS : SCENARIOS.slice(0, 1);

for (const scenario of SCENARIOS) {
  testWith(`${scenario.name}: keys in files`, { needs: ["openssl"] }, async () => {
    using tmp = tempFolder();
    await walk(scenario, { cwd: tmp.path, env: {} });
  });
}
for (const scenario of IN_TOKEN) {
  testWith(`${scenario.name}: classical keys in a token`, { needs: ["openssl", "softhsm"] }, async () => {
    using token = softhsmToken();
    await walk(scenario, { cwd: token.folder, env: token.env, hsmYaml: token.hsmYaml() });
  });
}
