/**
 * Migrations of a CA to post-quantum keys with the keys in one of the laboratory's tokens: OpenSSL judges what it knows, and
 * BouncyCastle every signature, both signatures of Catalyst certificates and composite ones.
 */
import assert from "node:assert/strict";
import { findKeyRow } from "../../src/alg/find.ts";
import { type Judge, startJudge } from "../support/judge.ts";
import { capabilitiesOf, type LabToken, labToken, type LabTokenName, TOKEN_NEEDS } from "../support/lab.ts";
import { type FurtherJudge, migrate, type MigratedLeaf, type MigrationStep } from "../support/migration.ts";
import { type Need, needs, testWith } from "../support/require.ts";
import { Bench } from "./bench.ts";

type Family = MigrationStep["family"];

const WAYS: readonly (readonly [Family, ...Family[]])[] = [
  ["ec", "hybrid/catalyst", "ml"],
  ["ec", "hybrid/composite", "ml"],
  ["rsa", "ec", "ml"],
  ["ec", "slh"],
];

/** Keys of the roots of a family, as the algorithm table names them. */
const ROOT_KEYS: Readonly<Record<Family, readonly string[]>> = {
  ec: ["ecdsa-p384"],
  rsa: ["rsa-4096"],
  ml: ["ml-dsa-87"],
  slh: ["slh-dsa-sha2-256f"],
  "hybrid/catalyst": ["ecdsa-p384", "ml-dsa-87"],
  "hybrid/composite": ["ecdsa-p521", "ml-dsa-87"],
};

/** Registers the migrations of a token; what it cannot hold is skipped with the reason. */
export async function registerMigrations(place: LabTokenName): Promise<void> {
  const tools: Need[] = ["lab", "openssl-pqc", "bouncycastle", ...TOKEN_NEEDS[place]];
  if (needs(...tools) !== undefined) return testWith(`${place}: migrations`, { needs: tools }, () => {});
  const token = await labToken(place);
  const { missingFor } = await capabilitiesOf(token);
  const judge = startJudge();
  Deno.test.afterAll(async () => {
    await judge[Symbol.asyncDispose]();
    token[Symbol.dispose]();
  });
  for (const way of WAYS) {
    const skip = way.flatMap((family) => ROOT_KEYS[family]).map((name) => missingFor(findKeyRow(name)))
      .find((reason) => reason !== undefined);
    testWith(`${place}: migration ${way.join(", ")}`, { skip }, async () => await migration(way, token, judge));
  }
}

async function migration(way: readonly [Family, ...Family[]], token: LabToken, judge: Judge): Promise<void> {
  using bench = new Bench(token);
  const [first, ...later] = way.map((family): MigrationStep => ({ family }));
  await migrate(
    {
      run: (...args) => bench.qpki(...args),
      fails: (status, message, ...args) => {
        assert.equal(status, 1);
        return bench.qpkiSaysNo(message, ...args);
      },
      read: (name) => bench.read(name),
      write: (name, content) => bench.write(name, content),
      path: (name) => bench.path(name),
      async openssl(...args) {
        const { code, stdout, stderr } = await bench.openssl(...args);
        if (code !== 0) throw new Error(stdout + stderr);
        return stdout;
      },
    },
    [{ ...first!, flags: bench.keyFlags({ label: "root", hybrid: false }) }, ...later],
    bouncyCastle(bench, judge),
  );
  for (const id of way.map((_, i) => `v${i + 1}`)) {
    assert.throws(() => bench.filesIn(`ca/versions/${id}/keys`), Deno.errors.NotFound, `${id} has key files`);
  }
  // one label for all of them, an id for each
  const { versions } = JSON.parse(bench.read("ca/ca.meta.json")) as {
    versions: Record<string, { keys: { storage: { label: string; key_id: string } }[] }>;
  };
  const stored = Object.values(versions).flatMap(({ keys }) => keys.map(({ storage }) => storage));
  assert.equal(new Set(stored.map(({ label }) => label)).size, 1);
  assert.equal(new Set(stored.map(({ key_id }) => key_id)).size, stored.length);
}

/** BouncyCastle on every certificate, by that of the version which issued it. A judgement holds for good. */
function bouncyCastle(bench: Bench, judge: Judge): FurtherJudge {
  const judged = new Set<string>();
  return async (leaves) => {
    for (const leaf of leaves.filter(({ name }) => !judged.has(name))) {
      judged.add(leaf.name);
      const said = await judge.certificate(bench.path(`${leaf.name}.crt`), bench.path(issuerOf(bench, leaf)));
      assert.equal(said.error, undefined, `BouncyCastle on ${leaf.name}`);
      assert.equal(said.signature?.valid, true, `BouncyCastle refuses the signature of ${leaf.name}`);
      const isCatalyst = leaf.step.family === "hybrid/catalyst";
      assert.equal(said.alternative?.valid, isCatalyst ? true : undefined, `the alternative one of ${leaf.name}`);
    }
  };
}

function issuerOf(bench: Bench, { version }: MigratedLeaf): string {
  const [file] = bench.filesIn(`ca/versions/${version}/certs`).filter((name) => !/-by-/.test(name));
  return `ca/versions/${version}/certs/${file}`;
}
