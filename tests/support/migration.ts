import assert from "node:assert/strict";
import { needs } from "./require.ts";

/** Where a migration runs: a folder with `qpki`, its CA in `ca`. */
export interface MigrationWorld {
  /** Runs `qpki`, which must succeed; what it prints. */
  run(...args: string[]): Promise<string>;
  /** Runs `qpki`, which must exit with a status and say something. */
  fails(status: number, message: RegExp, ...args: string[]): Promise<void>;
  read(name: string): string;
  write(name: string, content: string): string;
  path(name: string): string;
  /** Runs `openssl` in the folder; what it prints, or throws what it says. */
  openssl(...args: string[]): Promise<string>;
}

/** One version of the CA. */
export interface MigrationStep {
  /** What stands before `/root-ca` and `/tls-client` in the names of its profiles. */
  readonly family: "ec" | "rsa" | "ml" | "slh" | "hybrid/catalyst" | "hybrid/composite";
  /** Where its keys go: flags of `ca init` or `ca rotate`. */
  readonly flags?: readonly string[];
}

/** A certificate that the migration issued. */
export interface MigratedLeaf {
  readonly name: string;
  readonly serial: string;
  readonly step: MigrationStep;
  /** Id of the version that issued it. */
  readonly version: string;
  readonly isRevoked: boolean;
}

/** Looks at everything that was issued so far, besides `qpki` and OpenSSL. */
export type FurtherJudge = (leaves: readonly MigratedLeaf[]) => Promise<void>;

/** Whether the OpenSSL at hand verifies what a family's keys sign; of a Catalyst one the classical half. */
function opensslKnows({ family }: MigrationStep): boolean {
  if (family === "hybrid/composite") return false;
  return family === "ec" || family === "rsa" || family === "hybrid/catalyst" || needs("openssl-pqc") === undefined;
}

/**
 * Takes a CA through several versions. In each it issues certificates, revokes one of this version and one of each version
 * before, and makes CRLs; after every step (pending, activated, rolled back at the end) all that was ever issued is verified
 * by qpki and OpenSSL: what is good is valid, what was revoked is not.
 */
export async function migrate(
  world: MigrationWorld,
  [first, ...later]: readonly [MigrationStep, ...MigrationStep[]],
  judge: FurtherJudge = () => Promise.resolve(),
): Promise<MigratedLeaf[]> {
  const leaves: MigratedLeaf[] = [];
  const look = async () => {
    await verifyAll(world, leaves);
    await judge(leaves);
  };
  const root = (step: MigrationStep) => ["-P", `${step.family}/root-ca`, "-d", "ca", ...step.flags ?? []];
  await world.run("ca", "init", ...root(first), "--var", "cn=Root");
  await issue(world, leaves, { step: first, version: "v1" });
  await look();
  for (const [i, step] of later.entries()) {
    const version = `v${i + 2}`;
    await world.run("ca", "rotate", ...root(step), "--cross-sign");
    await look();
    await world.run("ca", "activate", "-d", "ca", "--version", version);
    await look();
    await issue(world, leaves, { step, version });
    for (const id of new Set(leaves.map((leaf) => leaf.version))) await revokeOne(world, leaves, id);
    await look();
  }
  await world.run("crl", "gen", "-d", "ca");
  await look();
  await world.run("ca", "activate", "-d", "ca", "--version", "v1");
  await world.run("crl", "gen", "-d", "ca");
  await look();
  await world.run("ca", "check", "-d", "ca");
  return leaves;
}

/** As many certificates as there will be revocations, and one that stays. */
const LEAVES_A_STEP = 4;

async function issue(
  world: MigrationWorld,
  leaves: MigratedLeaf[],
  { step, version }: Pick<MigratedLeaf, "step" | "version">,
): Promise<void> {
  for (let i = 0; i < LEAVES_A_STEP; i++) {
    const name = `${version}-${i}`;
    const profile = `${step.family}/tls-client`;
    await world.run("credential", "enroll", name, "-d", "ca", "-P", profile, "--var", `cn=${name}`);
    await world.run("credential", "export", name, "--out", `${name}.crt`);
    const { certificates: [own] } = JSON.parse(world.read(`credentials/${name}/credential.meta.json`));
    leaves.push({ name, serial: own.serial, step, version, isRevoked: false });
  }
  await world.run("crl", "gen", "-d", "ca");
}

/** Revokes the next good certificate of a version; its CRL comes from that version's key. */
async function revokeOne(world: MigrationWorld, leaves: MigratedLeaf[], version: string): Promise<void> {
  const i = leaves.findIndex((leaf) => leaf.version === version && !leaf.isRevoked);
  const leaf = leaves[i]!;
  await world.run("cert", "revoke", leaf.serial, "-d", "ca", "--reason", "superseded", "--gen-crl");
  leaves[i] = { ...leaf, isRevoked: true };
}

async function verifyAll(world: MigrationWorld, leaves: readonly MigratedLeaf[]): Promise<void> {
  const { versions } = JSON.parse(world.read("ca/ca.meta.json")) as {
    versions: Record<string, { certificates: string[] }>;
  };
  const own = Object.values(versions).flatMap(({ certificates }) => certificates);
  // all of one name: the key identifier tells which certificate and which CRL belong to a leaf
  world.write("roots.pem", own.map((path) => world.read(`ca/${path}`)).join(""));
  const crls = [...Deno.readDirSync(world.path("ca/crl"))].filter(({ name }) => name.endsWith(".crl"));
  world.write("all.crl", crls.map(({ name }) => world.read(`ca/crl/${name}`)).join(""));
  for (const { name, step, isRevoked } of leaves) {
    const verify = ["cert", "verify", `${name}.crt`, "--ca", "ca"];
    if (isRevoked) await world.fails(1, /revoked/, ...verify);
    else await world.run(...verify);
    if (!opensslKnows(step)) continue;
    const says = world.openssl(
      ...["verify", "-x509_strict", "-CAfile", "roots.pem", "-CRLfile", "all.crl", "-crl_check", `${name}.crt`],
    );
    if (isRevoked) await assert.rejects(says, /certificate revoked/, `OpenSSL on ${name}`);
    else await says;
  }
}
