/** Every token of the laboratory works with qpki, is alone in its folder, and says what it can do. */
import assert from "node:assert/strict";
import { keyRows } from "../../src/alg/find.ts";
import { run, runCli, runJson, runOk } from "../support/cli.ts";
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

/** Row 2 of the regression list: post-quantum keys in tokens of PKCS#11 3.2, by the standard's numbers, from the CLI. */
const QUANTUM: readonly [LabTokenName, ...string[]][] = [
  ["nss", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87", "ed25519"],
  ["kryoptic", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87", "slh-dsa-128f", "slh-dsa-shake-256f", "ed25519", "ed448"],
];

for (const [name, ...algorithms] of QUANTUM) {
  testWith(
    `regression 2: ${name} makes post-quantum keys and signs with them`,
    { needs: ["lab", "openssl-pqc", ...TOKEN_NEEDS[name]] },
    async () => {
      using token = await labToken(name);
      const hsm = ["--hsm-config", token.hsmYaml()];
      const at = { env: { ...token.env }, cwd: token.folder };
      for (const algorithm of algorithms) {
        const key = [...hsm, "--key-label", `key-${algorithm}`];
        await runOk(["key", "generate", "-a", algorithm, ...key], at);
        await runOk(["csr", "gen", ...key, "--cn", "x.test", "--out", `${algorithm}.csr`], at);
        const { stdout, stderr } = await run("openssl", ["req", "-in", `${algorithm}.csr`, "-verify", "-noout"], at);
        assert.match(stdout + stderr, /verify OK/, algorithm);
      }
      const { tokens } = await runJson(["hsm", "mechanisms", ...hsm, "--filter", "ML"], at) as {
        tokens: { mechanisms: { name: string }[] }[];
      };
      const names = tokens.flatMap(({ mechanisms }) => mechanisms.map(({ name }) => name));
      for (const mechanism of ["CKM_ML_DSA_KEY_PAIR_GEN", "CKM_ML_DSA", "CKM_ML_KEM_KEY_PAIR_GEN", "CKM_ML_KEM"]) {
        assert.ok(names.includes(mechanism), mechanism);
      }
    },
  );
}

testWith(
  "a key that the token cannot make is refused before anything is made, and the mechanism is named",
  { needs: ["lab", ...TOKEN_NEEDS.nss] },
  async () => {
    using token = await labToken("nss");
    const at = { env: { ...token.env } };
    const key = ["--hsm-config", token.hsmYaml(), "--key-label", "x"];
    const cases = [["slh-dsa-128f", /the token lacks CKM_SLH_DSA_KEY_PAIR_GEN/], [
      "ml-kem-512",
      /CKM_ML_KEM with 1184/,
    ]];
    for (const [algorithm, reason] of cases) {
      const { code, stderr } = await runCli(["key", "generate", "-a", algorithm as string, ...key], at);
      assert.equal(code, 3);
      assert.match(stderr, reason as RegExp);
    }
    const { keys } = await runJson(["key", "list", "--hsm-config", token.hsmYaml()], at) as { keys: unknown[] };
    assert.deepEqual(keys, []);
  },
);
