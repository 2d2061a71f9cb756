/** A CA's way to post-quantum keys: everything that was issued on the way verifies at every step, what was revoked does not. */
import { migrate, type MigrationStep, type MigrationWorld } from "../support/migration.ts";
import { testWith } from "../support/require.ts";
import { softhsmToken } from "../support/softhsm.ts";
import { run } from "../support/cli.ts";
import { Work } from "../support/work.ts";
import assert from "node:assert/strict";
import { treeOf } from "./support.ts";

type Way = readonly [MigrationStep, ...MigrationStep[]];

const WAYS: Readonly<Record<string, Way>> = {
  "EC, Catalyst, ML-DSA": [{ family: "ec" }, { family: "hybrid/catalyst" }, { family: "ml" }],
  "EC, composite, ML-DSA": [{ family: "ec" }, { family: "hybrid/composite" }, { family: "ml" }],
  "RSA, EC, ML-DSA": [{ family: "rsa" }, { family: "ec" }, { family: "ml" }],
  "EC, SLH-DSA": [{ family: "ec" }, { family: "slh" }],
};

function worldOf(work: Work): MigrationWorld {
  return {
    run: (...args) => work.run(...args),
    fails: (status, message, ...args) => work.fails(status, message, ...args),
    read: (name) => work.tmp.read(name),
    write: (name, content) => work.tmp.write(name, content),
    path: (name) => work.tmp.join(name),
    async openssl(...args) {
      const result = await run("openssl", args, { cwd: work.tmp.path });
      if (result.code !== 0) throw new Error(result.stdout + result.stderr);
      return result.stdout;
    },
  };
}

for (const [name, way] of Object.entries(WAYS)) {
  testWith(`migration with keys in files: ${name}`, { needs: ["openssl"] }, async () => {
    using work = new Work();
    await migrate(worldOf(work), way);
  });
}

/** Keys that the token cannot have go into files, which must be said; the classical ones stay. */
function inToken(way: Way): Way {
  const [first, ...later] = way.map(({ family }, i): MigrationStep => {
    const flags = i === 0 ? ["--hsm-config", "./hsm.yaml", "--key-label", "root-key"] : [];
    if (family.startsWith("hybrid/")) return { family, flags: [...flags, "--pqc-in", "software"] };
    return family === "ml" || family === "slh" ? { family, flags: ["--software"] } : { family, flags };
  });
  return [first!, ...later];
}

for (const [name, way] of Object.entries(WAYS)) {
  testWith(`migration of a CA in SoftHSM2: ${name}`, { needs: ["softhsm", "openssl"] }, async () => {
    using token = softhsmToken();
    using work = new Work(token.env);
    token.useInProcess();
    token.hsmYaml(work.tmp.join("hsm.yaml"));
    await migrate(worldOf(work), inToken(way));
    const files = treeOf(work.tmp.join("ca")).filter((path) => path.endsWith(".key"));
    assert.deepEqual(files.filter((path) => !/ml-dsa|slh-dsa/.test(path)), [], "classical keys never leave the token");
  });
}
