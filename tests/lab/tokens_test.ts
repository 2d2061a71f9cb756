/** Every token of the laboratory works with qpki, is alone in its folder, and says what it can do. */
import assert from "node:assert/strict";
import { keyRows } from "../../src/alg/find.ts";
import { runJson, runOk } from "../support/cli.ts";
import { capabilitiesOf, labToken, type LabTokenName, TOKEN_NEEDS } from "../support/lab.ts";
import { testWith } from "../support/require.ts";

/** Key families each token serves; a token of a newer release may serve more. */
const FAMILIES: readonly [LabTokenName, ...string[]][] = [
  ["softhsm", "ecdsa", "rsa"],
  ["nss", "ecdsa", "rsa", "ml-dsa", "ml-kem"],
  ["kryoptic", "ecdsa", "rsa", "ml-dsa", "ml-kem", "slh-dsa"],
  ["opencryptoki", "ecdsa", "rsa", "ml-dsa", "ml-kem"],
];

for (const [name, ...families] of FAMILIES) {
  testWith(
    `${name}: two tokens do not meet, a session key signs`,
    { needs: ["lab", ...TOKEN_NEEDS[name]] },
    async () => {
      using token = await labToken(name, { label: "mine" });
      using other = await labToken(name, { label: "theirs" });
      for (const { env, label, hsmYaml } of [token, other]) {
        const at = { env: { ...env } };
        const report = await runJson(["hsm", "test", "--hsm-config", hsmYaml()], at) as { ok: boolean };
        assert.ok(report.ok);
        await runOk(["key", "generate", "-a", "ecdsa-p256", "--hsm-config", hsmYaml(), "--key-label", label], at);
        const { keys } = await runJson(["key", "list", "--hsm-config", hsmYaml()], at) as {
          keys: { storage: { label: string } }[];
        };
        assert.deepEqual(keys.map(({ storage }) => storage.label), [label]);
      }
      const capabilities = await capabilitiesOf(token);
      const served = new Set(keyRows().filter((row) => !capabilities.missingFor(row)).map(({ family }) => family));
      for (const family of families) assert.ok(served.has(family as never), `no ${family} among ${[...served]}`);
    },
  );
}
