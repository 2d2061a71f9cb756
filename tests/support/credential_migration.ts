import assert from "node:assert/strict";
import { equalBytes } from "../../src/bytes.ts";
import { authorityKeyId, readCertificates, subjectKeyId } from "../../src/x509/certificate.ts";
import { describe, run, runCli, runJson, runOk, type RunResult } from "./cli.ts";
import { needs } from "./require.ts";

/** Credentials that move from one algorithm to another, a version a step, judged after each. */

/** One version: the first is enrolled, the others are rotations. */
export interface Step {
  /** Profiles, or for a rotation `--add-profile` and `--remove-profile` with theirs. */
  readonly flags: readonly string[];
  /** Whether it makes the first post-quantum keys: a token without their mechanisms has them in files from here on. */
  readonly isFirstPqc?: boolean;
  /** Key algorithms of the version. */
  readonly algorithms: readonly string[];
}

/** A way from one algorithm to another. */
export interface Scenario {
  readonly name: string;
  /** Profiles of the CA's certificates: it has one for each kind of key. */
  readonly roots: readonly string[];
  readonly variables: readonly string[];
  readonly steps: readonly [Step, ...Step[]];
}

const SERVER = ["--var", "cn=www.test", "--var", "dns_names=www.test,alt.test"];
const PERSON = ["--var", "cn=Alice", "--var", "email=alice@a.test"];

/** The ways that are walked. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "EC, Catalyst, ML-DSA",
    roots: ["ec/root-ca", "hybrid/catalyst/root-ca", "ml/root-ca"],
    variables: SERVER,
    steps: [
      { flags: ["--profile", "ec/tls-server"], algorithms: ["ecdsa-p256"] },
      {
        flags: ["--profile", "hybrid/catalyst/tls-server"],
        algorithms: ["ecdsa-p256", "ml-dsa-65"],
        isFirstPqc: true,
      },
      { flags: ["--profile", "ml/tls-server"], algorithms: ["ml-dsa-65"] },
    ],
  },
  {
    name: "EC, composite, ML-DSA",
    roots: ["ec/root-ca", "hybrid/composite/root-ca", "ml/root-ca"],
    variables: SERVER,
    steps: [
      { flags: ["--profile", "ec/tls-server"], algorithms: ["ecdsa-p256"] },
      {
        flags: ["--profile", "hybrid/composite/tls-server"],
        algorithms: ["mldsa65-ecdsa-p256-sha512"],
        isFirstPqc: true,
      },
      { flags: ["--profile", "ml/tls-server"], algorithms: ["ml-dsa-65"] },
    ],
  },
  {
    name: "RSA, EC, ML-DSA",
    roots: ["rsa/root-ca", "ec/root-ca", "ml/root-ca"],
    variables: SERVER,
    steps: [
      { flags: ["--profile", "rsa/tls-server"], algorithms: ["rsa-2048"] },
      { flags: ["--profile", "ec/tls-server"], algorithms: ["ecdsa-p256"] },
      { flags: ["--profile", "ml/tls-server"], algorithms: ["ml-dsa-65"], isFirstPqc: true },
    ],
  },
  {
    name: "EC, SLH-DSA",
    roots: ["ec/root-ca", "slh/root-ca"],
    variables: SERVER,
    steps: [
      { flags: ["--profile", "ec/tls-server"], algorithms: ["ecdsa-p256"] },
      { flags: ["--profile", "slh/tls-server"], algorithms: ["slh-dsa-sha2-128f"], isFirstPqc: true },
    ],
  },
  {
    name: "EC, with ML-KEM beside it, ML-DSA with ML-KEM, ML-DSA",
    roots: ["ec/root-ca", "ml/root-ca"],
    variables: PERSON,
    steps: [
      { flags: ["--profile", "ec/email"], algorithms: ["ecdsa-p256"] },
      {
        flags: ["--add-profile", "ml/email-encrypt"],
        algorithms: ["ecdsa-p256", "ml-kem-768"],
        isFirstPqc: true,
      },
      {
        flags: ["--remove-profile", "ec/email", "--add-profile", "ml/email-sign"],
        algorithms: ["ml-kem-768", "ml-dsa-65"],
      },
      { flags: ["--remove-profile", "ml/email-encrypt"], algorithms: ["ml-dsa-65"] },
    ],
  },
];

/** Where a credential's keys are. */
export interface Keys {
  /** A folder with nothing in it. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Path of the token's hsm.yaml; files without it. */
  readonly hsmYaml?: string;
  /** Label of the keys; `mover` without one. */
  readonly label?: string;
  /** The token has post-quantum mechanisms. */
  readonly hasPqc?: boolean;
}

interface Meta {
  active: string;
  versions: Record<string, {
    status: string;
    profiles: string[];
    algos: string[];
    keys: {
      id: string;
      algorithm: string;
      storage: { type: string; label?: string; key_id?: string; path?: string };
    }[];
    certificates: { path: string; serial: string; profile: string }[];
  }>;
}

/** Judges a certificate in a way of its own, for example by another implementation; throws when it does not accept it. */
export type Judge = (certificate: string, issuer: string, profile: string) => Promise<void>;

/** Walks a scenario; every certificate is judged when it is made and at the end. */
export async function walk(scenario: Scenario, keys: Keys, judge: Judge = () => Promise.resolve()): Promise<void> {
  const at = { cwd: keys.cwd, env: { ...keys.env } };
  const roots = scenario.roots.flatMap((root) => ["--profile", root]);
  await runOk(["ca", "init", ...roots, "--var", "cn=Root", "-d", "ca"], at);
  const tester = new Tester(keys, judge);
  await tester.prepare();
  const token = keys.hsmYaml === undefined ? [] : ["--hsm-config", keys.hsmYaml, "--key-label", keys.label ?? "mover"];
  const [first, ...others] = scenario.steps;
  await runOk(["credential", "enroll", "mover", "-d", "ca", ...first.flags, ...scenario.variables, ...token], at);
  await tester.check("v1", first, "active");
  for (const [i, step] of others.entries()) {
    const id = `v${i + 2}`;
    const before = tester.meta().active;
    // nothing but what changes is said: names, the CA, and where keys are, come from the version before
    const inFiles = step.isFirstPqc && keys.hsmYaml !== undefined && !keys.hasPqc ? ["--pqc-in", "software"] : [];
    const rotate = ["credential", "rotate", "mover", ...step.flags, ...inFiles];
    const planned = await runJson([...rotate, "--dry-run"], at) as { version: string; files: string[] };
    assert.equal(planned.version, id);
    assert.deepEqual(Object.keys(tester.meta().versions).length, i + 1, "a dry run makes nothing");
    await runOk(rotate, at);
    await tester.check(id, step, "pending");
    assert.equal(tester.meta().active, before, "a pending version changes nothing");
    await runOk(["credential", "activate", "mover"], at);
    await tester.check(id, step, "active");
    assert.equal(tester.meta().versions[before]!.status, "archived");
  }
  const last = scenario.steps.at(-1)!;
  const kept = `v${scenario.steps.length + 1}`;
  await runOk(["credential", "rotate", "mover", "--keep-keys", "--activate"], at);
  await tester.check(kept, last, "active");
  tester.hasSameKeys(kept, `v${scenario.steps.length}`);
  tester.checkFiles();
  await tester.goBack("v1", kept);
  await tester.checkAll();
  await tester.revoke("v1", kept);
}

class Tester {
  readonly #keys: Keys;
  readonly #judge: Judge;

  constructor(keys: Keys, judge: Judge) {
    this.#keys = keys;
    this.#judge = judge;
  }

  get #at() {
    return { cwd: this.#keys.cwd, env: { ...this.#keys.env } };
  }

  #read(path: string): string {
    return Deno.readTextFileSync(`${this.#keys.cwd}/${path}`);
  }

  #write(path: string, text: string): void {
    Deno.writeTextFileSync(`${this.#keys.cwd}/${path}`, text);
  }

  meta(): Meta {
    return JSON.parse(this.#read("credentials/mover/credential.meta.json"));
  }

  async prepare(): Promise<void> {
    await this.#crls();
    this.#write("roots.pem", this.#roots().map((file) => this.#read(file)).join(""));
  }

  /** A version has the right state, keys and certificates, and everybody accepts them. */
  async check(id: string, { algorithms }: Step, status: string): Promise<void> {
    const version = this.meta().versions[id]!;
    assert.equal(version.status, status);
    assert.deepEqual(version.algos, algorithms);
    for (const { path, profile } of version.certificates) await this.#accepted(path, profile);
  }

  hasSameKeys(id: string, other: string): void {
    const keys = (version: string) => this.meta().versions[version]!.keys.map((key) => key.storage);
    assert.deepEqual(keys(id), keys(other));
  }

  /** No private key of a token has a file, and no two keys of the token are one. */
  checkFiles(): void {
    const all = Object.values(this.meta().versions).flatMap(({ keys }) => keys);
    const inToken = all.filter(({ storage }) => storage.type === "pkcs11");
    const isClassical = (name: string) => /^(ecdsa|rsa)/.test(name);
    if (this.#keys.hsmYaml === undefined) return assert.equal(inToken.length, 0);
    for (const { algorithm, storage } of all) {
      const belongs = isClassical(algorithm) || this.#keys.hasPqc === true;
      assert.equal(storage.type, belongs ? "pkcs11" : "software", algorithm);
    }
    const files = all.flatMap(({ storage }) => storage.path ?? []);
    const found: string[] = [];
    for (const { name } of Deno.readDirSync(`${this.#keys.cwd}/credentials/mover/versions`)) {
      const folder = `${this.#keys.cwd}/credentials/mover/versions/${name}/keys`;
      try {
        for (const file of Deno.readDirSync(folder)) found.push(`versions/${name}/keys/${file.name}`);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    assert.deepEqual(found.sort(), [...new Set(files)].sort());
    assert.ok(inToken.every(({ storage }) => storage.label?.startsWith(this.#keys.label ?? "mover")));
  }

  /** An earlier version comes back into use, and goes again. */
  async goBack(id: string, present: string): Promise<void> {
    await runOk(["credential", "activate", "mover", "--version", id], this.#at);
    assert.equal(this.meta().active, id);
    await runOk(["credential", "activate", "mover", "--version", present], this.#at);
    assert.equal(this.meta().active, present);
  }

  async checkAll(): Promise<void> {
    await this.#crls();
    for (const { certificates } of Object.values(this.meta().versions)) {
      for (const { path, profile } of certificates) await this.#accepted(path, profile);
    }
  }

  /** The certificates of `id` are revoked, with the CRLs; nobody accepts them, and everybody the others. */
  async revoke(id: string, present: string): Promise<void> {
    const revoke = ["credential", "revoke", "mover", "--version", id, "--reason", "superseded", "--gen-crl"];
    await runOk(revoke, this.#at);
    const again = await runJson(revoke, this.#at) as { certificates: { already_revoked: boolean }[] };
    assert.ok(again.certificates.every((one) => one.already_revoked));
    const meta = this.meta();
    for (const [version, { certificates }] of Object.entries(meta.versions)) {
      for (const { path, profile } of certificates) {
        if (version === id) await this.#refused(path, profile);
        else await this.#accepted(path, profile);
      }
    }
    const listed = await runJson(["credential", "versions", "mover"], this.#at) as {
      versions: { id: string; certificates_status: string }[];
    };
    const states = listed.versions.map((one) => [one.id, one.certificates_status]);
    assert.deepEqual(states, Object.keys(meta.versions).map((one) => [one, one === id ? "revoked" : "valid"]));
    const back = await runCli(["credential", "activate", "mover", "--version", id], this.#at);
    assert.equal(back.code, 1, describe("activate a revoked version", back));
    assert.equal(this.meta().active, present);
  }

  async #crls(): Promise<void> {
    await runOk(["crl", "gen", "-d", "ca", "--all"], this.#at);
  }

  #roots(): string[] {
    const folder = "ca/versions/v1/certs";
    return [...Deno.readDirSync(`${this.#keys.cwd}/${folder}`)].filter(({ name }) => name.startsWith("ca."))
      .map(({ name }) => `${folder}/${name}`);
  }

  async #openssl(file: string): Promise<RunResult> {
    const crls = [...Deno.readDirSync(`${this.#keys.cwd}/ca/crl`)].filter(({ name }) => name.endsWith(".crl"));
    this.#write("all.crl", crls.map(({ name }) => this.#read(`ca/crl/${name}`)).join(""));
    const verify = ["verify", "-x509_strict", "-CAfile", "roots.pem", "-CRLfile", "all.crl", "-crl_check", file];
    return await run("openssl", verify, this.#at);
  }

  async #accepted(path: string, profile: string): Promise<void> {
    const file = `credentials/mover/${path}`;
    await runOk(["cert", "verify", file, "--ca", "ca"], this.#at);
    if (opensslKnows(profile)) assert.match((await this.#openssl(file)).stdout, /: OK/, `openssl on ${file}`);
    const root = this.#roots().find((one) => isIssuer(`${this.#keys.cwd}/${one}`, `${this.#keys.cwd}/${file}`))!;
    await this.#judge(`${this.#keys.cwd}/${file}`, `${this.#keys.cwd}/${root}`, profile);
  }

  async #refused(path: string, profile: string): Promise<void> {
    const file = `credentials/mover/${path}`;
    const own = await runCli(["cert", "verify", file, "--ca", "ca"], this.#at);
    assert.equal(own.code, 1, describe("cert verify", own));
    assert.match(own.stdout + own.stderr, /revoked/);
    if (!opensslKnows(profile)) return;
    const { stdout, stderr } = await this.#openssl(file);
    assert.match(stdout + stderr, /certificate revoked/);
  }
}

/** Whether the openssl at hand can verify what a profile makes. */
function opensslKnows(profile: string): boolean {
  if (profile.startsWith("hybrid/composite/")) return false;
  const isPqc = /^(ml|slh)\//.test(profile);
  return needs(isPqc ? "openssl-pqc" : "openssl") === undefined;
}

/** Whether the key identifiers say so: all roots have one name. */
function isIssuer(root: string, file: string): boolean {
  const [issuer, certificate] = [root, file].map((path) => readCertificates(Deno.readFileSync(path))[0]!);
  return equalBytes(authorityKeyId(certificate!)!.keyId!, subjectKeyId(issuer!)!);
}
