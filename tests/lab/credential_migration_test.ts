/**
 * Credentials move between algorithms with all their keys, post-quantum ones too, in a token: OpenSSL judges what it knows,
 * BouncyCastle every signature.
 */
import assert from "node:assert/strict";
import { findKeyRow } from "../../src/alg/find.ts";
import { SCENARIOS, walk } from "../support/credential_migration.ts";
import { type Judge, startJudge } from "../support/judge.ts";
import { capabilitiesOf, type LabToken, labToken, type LabTokenName, TOKEN_NEEDS } from "../support/lab.ts";
import { type Need, needs, testWith } from "../support/require.ts";
import { tempFolder } from "../support/tmp.ts";

for (const place of ["kryoptic", "nss"] as const) await register(place);

async function register(place: LabTokenName): Promise<void> {
  const tools: Need[] = ["lab", "openssl-pqc", "bouncycastle", ...TOKEN_NEEDS[place]];
  if (needs(...tools) !== undefined) return testWith(`${place}: credentials`, { needs: tools }, () => {});
  const token = await labToken(place);
  const { missingFor } = await capabilitiesOf(token);
  const judge = startJudge();
  Deno.test.afterAll(async () => {
    await judge[Symbol.asyncDispose]();
    token[Symbol.dispose]();
  });
  for (const scenario of SCENARIOS) {
    const rows = scenario.steps.flatMap(({ algorithms }) => algorithms).map(findKeyRow);
    const skip = rows.map(missingFor).find((reason) => reason !== undefined);
    testWith(`${place}: ${scenario.name}`, { skip }, () => walkInToken(scenario, token, judge));
  }
}

async function walkInToken(scenario: typeof SCENARIOS[number], token: LabToken, judge: Judge): Promise<void> {
  using tmp = tempFolder("qpki-lab-");
  // scenarios share the token: each has labels of its own
  const label = `mover-${crypto.randomUUID().slice(0, 8)}`;
  const keys = { cwd: tmp.path, env: token.env, hsmYaml: token.hsmYaml(tmp.join("hsm.yaml")), hasPqc: true, label };
  await walk(scenario, keys, async (certificate, issuer, profile) => {
    const said = await judge.certificate(certificate, issuer);
    assert.equal(said.error, undefined, `BouncyCastle on ${certificate}`);
    assert.equal(said.signature?.valid, true, `BouncyCastle refuses the signature of ${certificate}`);
    const isCatalyst = profile.startsWith("hybrid/catalyst/");
    assert.equal(said.alternative?.valid, isCatalyst ? true : undefined, `the alternative one of ${certificate}`);
  });
}
